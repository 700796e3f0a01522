//! A trail as a directory.
//!
//! What must stay true here: everything is opened read-only, segments never through a link, and
//! nothing that is not a regular file is ever waited on.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use audit_core::segment::SegmentName;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use crate::ReadError;

/// A trail directory, opened for reading.
#[derive(Debug, Clone)]
pub struct DirSource {
    path: PathBuf,
}

impl DirSource {
    /// Opens a trail directory.
    ///
    /// # Errors
    /// When it cannot be listed, or nothing in it belongs to a trail.
    pub fn open(path: &Path) -> Result<DirSource, ReadError> {
        let source = DirSource { path: path.to_owned() };
        if source.segments()?.is_empty() && !path.join("trail.json").exists() {
            return Err(ReadError::NotATrail(path.to_owned()));
        }
        Ok(source)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The segments that are there now, in the order of their entries.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn segments(&self) -> Result<Vec<SegmentName>, ReadError> {
        self.names_with("")
    }

    /// The segments that are there now, none of them missed because others came meanwhile.
    pub(crate) fn settled_segments(&self) -> Result<Vec<SegmentName>, ReadError> {
        // A listing may hold a file made during it and miss an older one that was made during it,
        // too. Whatever is older than one that was seen is in the next listing for sure.
        let newest = self.segments()?.pop();
        let mut segments = self.segments()?;
        segments.retain(|name| Some(*name) <= newest);
        Ok(segments)
    }

    /// How long a segment is now; `None` if it is not there (any more).
    pub(crate) fn segment_len(&self, name: SegmentName) -> Result<Option<u64>, ReadError> {
        let path = self.path.join(name.to_string());
        match path.symlink_metadata() {
            Ok(meta) => Ok(Some(meta.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReadError::io(&path)(error)),
        }
    }

    /// The segments of which there is a `.sha256` file now.
    pub(crate) fn digests(&self) -> Result<Vec<SegmentName>, ReadError> {
        self.names_with(".sha256")
    }

    /// The segments whose name, with `suffix`, is there.
    fn names_with(&self, suffix: &str) -> Result<Vec<SegmentName>, ReadError> {
        let mut names = Vec::new();
        for item in fs::read_dir(&self.path).map_err(ReadError::io(&self.path))? {
            let item = item.map_err(ReadError::io(&self.path))?;
            let name = item.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(suffix));
            names.extend(stem.and_then(SegmentName::parse));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a segment; `None` if it is not there (any more).
    pub(crate) fn open_segment(&self, name: SegmentName) -> Result<Option<File>, ReadError> {
        let path = self.path.join(name.to_string());
        // O_NONBLOCK: opening a FIFO that somebody put there must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match open(&path, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(ReadError::NotAFile(path)),
            Err(error) => return Err(ReadError::io(&path)(error.into())),
        };
        if file.metadata().map_err(ReadError::io(&path))?.is_file() {
            Ok(Some(file))
        } else {
            Err(ReadError::NotAFile(path))
        }
    }

    /// The bytes of all segments together, as of now.
    pub(crate) fn total_bytes(&self) -> Result<u64, ReadError> {
        let len = |name: &SegmentName| self.path.join(name.to_string()).symlink_metadata();
        Ok(self.segments()?.iter().filter_map(|name| len(name).ok()).map(|meta| meta.len()).sum())
    }

    /// Reads a file that is small in any honest trail, at most `limit` bytes of it; `None` if it
    /// is not there.
    pub(crate) fn small_file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some((file, _)) = self.open_file(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(limit).read_to_end(&mut bytes);
        read.map_err(ReadError::io(&self.path.join(name)))?;
        Ok(Some(bytes))
    }

    /// Opens a file beside the segments and tells its length now; `None` if it is not there.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<(File, u64)>, ReadError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match open(&path, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(ReadError::io(&path)(error.into())),
        };
        let bytes = file.metadata().map_err(ReadError::io(&path))?.len();
        Ok(Some((file, bytes)))
    }

    /// Whether there is something of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.path.join(name).symlink_metadata().is_ok()
    }

    /// Whether a writer holds the trail now. Looks by taking the lock shared, and lets go at once.
    pub(crate) fn is_being_written(&self) -> Result<bool, ReadError> {
        let path = self.path.join("lock");
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            // A reader of another user may be unable to look: then nothing speaks for a writer.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
            Err(error) => return Err(ReadError::io(&path)(error)),
        };
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                flock(&lock, FlockOperation::Unlock).map_err(|e| ReadError::io(&path)(e.into()))?;
                Ok(false)
            }
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(ReadError::io(&path)(error.into())),
        }
    }
}

//! A trail as a directory.
//!
//! What must stay true here: everything is opened read-only, segments never through a link, and
//! nothing that is not a regular file is ever waited on.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_core::segment::SegmentName;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use super::{ARCHIVED, LogFile, LogSource, Source};
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
        let dir = DirSource { path: path.to_owned() };
        Source::new(dir.clone())?;
        Ok(dir)
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
        Source::from(self).segments()
    }
}

impl LogSource for DirSource {
    fn place(&self) -> PathBuf {
        self.path.clone()
    }

    fn directory(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        let mut names = Vec::new();
        for item in fs::read_dir(&self.path).map_err(ReadError::io(&self.path))? {
            let name = item.map_err(ReadError::io(&self.path))?.file_name();
            names.extend(name.into_string());
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        let path = self.path.join(name);
        let segment = SegmentName::parse(name.strip_suffix(ARCHIVED).unwrap_or(name)).is_some();
        // O_NONBLOCK: opening a FIFO that somebody put there must not wait for a writer.
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, segment);
        let file = match open(&path, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) if segment => return Err(ReadError::NotAFile(path)),
            Err(error) => return Err(ReadError::io(&path)(error.into())),
        };
        if segment && !file.metadata().map_err(ReadError::io(&path))?.is_file() {
            return Err(ReadError::NotAFile(path));
        }
        Ok(Some(Arc::new(file)))
    }

    /// Looks by taking the lock shared, and lets go at once.
    fn is_being_written(&self) -> Result<bool, ReadError> {
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

impl LogFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

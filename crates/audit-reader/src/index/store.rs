//! The directory `index/` of a trail, written.
//!
//! What must stay true here: of a trail nothing but this directory is ever written. A table is whole
//! and durable under its name before the binding says so, and whatever a crash leaves is swept away by
//! the next run. One process writes it at a time.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use audit_core::segment::{INDEX, SegmentName, UNFINISHED};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::binding::Binding;
use super::error::IndexError;

/// The right to write the index, until it is dropped.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// Locked.
    dir: File,
}

impl Store {
    /// Takes the right; makes the directory if it is not there.
    pub(super) fn open(trail: &Path) -> Result<Store, IndexError> {
        let path = trail.join(INDEX);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(IndexError::io(&path)(error));
            }
            _ => {}
        }
        let dir = File::open(&path).map_err(IndexError::io(&path))?;
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Store { path, dir }),
            Err(Errno::WOULDBLOCK) => Err(IndexError::Busy(trail.to_owned())),
            Err(error) => Err(IndexError::io(&path)(error.into())),
        }
    }

    /// A file that a table is written to.
    pub(super) fn begin(&self, segment: SegmentName) -> Result<File, IndexError> {
        let path = self.unfinished(&segment.index_table());
        create(&path).map_err(IndexError::io(&path))
    }

    /// Gives a table its name, and binds it; false if somebody removed it before that.
    pub(super) fn publish(
        &self,
        table: &File,
        segment: SegmentName,
        binding: &Binding,
    ) -> Result<bool, IndexError> {
        let name = segment.index_table();
        let put = || -> io::Result<bool> {
            table.sync_all()?;
            // Durable before the binding: after a power cut there must be no binding without its table.
            self.finish(&name)
        };
        match put().map_err(IndexError::io(&self.path.join(&name)))? {
            true => self.bind(segment, binding),
            false => Ok(false),
        }
    }

    /// Binds the table that is there; false if somebody removed the binding before it had its name.
    pub(super) fn bind(&self, segment: SegmentName, binding: &Binding) -> Result<bool, IndexError> {
        let name = segment.index_binding();
        let put = || -> io::Result<bool> {
            let mut file = create(&self.unfinished(&name))?;
            file.write_all(binding.to_text()?.as_bytes())?;
            file.sync_all()?;
            self.finish(&name)
        };
        put().map_err(IndexError::io(&self.path.join(&name)))
    }

    /// Gives what is written its name, durably. Retention removes what was begun of a segment a while before
    /// the segment: then there is nothing to be named.
    fn finish(&self, name: &str) -> io::Result<bool> {
        match fs::rename(self.unfinished(name), self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.is_dir() => {
                return Ok(false);
            }
            renamed => renamed?,
        }
        self.dir.sync_all().map(|()| true)
    }

    /// Removes what is of no segment that is there, and what was never finished; gives how many files.
    pub(super) fn sweep(&self, segments: &[SegmentName]) -> Result<u64, IndexError> {
        let mut removed = 0;
        for item in fs::read_dir(&self.path).map_err(IndexError::io(&self.path))? {
            let name = item.map_err(IndexError::io(&self.path))?.file_name();
            if is_left_over(&name, segments) {
                self.remove(&name)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes what was begun for a segment and is not to be finished.
    pub(super) fn abandon(&self, segment: SegmentName) -> Result<(), IndexError> {
        for name in [segment.index_binding(), segment.index_table()] {
            self.remove(&format!("{name}{UNFINISHED}").into())?;
        }
        Ok(())
    }

    /// Removes the index of a segment.
    pub(super) fn forget(&self, segment: SegmentName) -> Result<(), IndexError> {
        // The binding first: a table without one is never looked at.
        for name in [segment.index_binding(), segment.index_table()] {
            self.remove(&name.into())?;
        }
        Ok(())
    }

    fn remove(&self, name: &OsString) -> Result<(), IndexError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(IndexError::io(&path)(error))
            }
            _ => Ok(()),
        }
    }

    fn unfinished(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{UNFINISHED}"))
    }
}

/// A new file that only the trail's owner may read; what was there is replaced.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Whether a file of the index is ours and of no use. Files of others are left alone.
fn is_left_over(name: &OsString, segments: &[SegmentName]) -> bool {
    let Some(name) = name.to_str() else { return false };
    let Some(segment) = SegmentName::of_index_file(name) else { return false };
    name.ends_with(UNFINISHED) || segments.binary_search(&segment).is_err()
}

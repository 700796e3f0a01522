//! Where rings of a trail may lie besides its own directory: the file `ring.dir`, one path a line.
//!
//! What must stay true here: a directory is named, durably, before a ring is made in it, and as long
//! as one that holds events may be there; so an opening that fails or is killed forgets none. Paths
//! are absolute and stand here byte for byte.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::open::io_error;
use crate::error::OpenError;
use crate::storage::{Storage, read_to_vec};

const NAME: &str = "ring.dir";
/// Longer files were not written here.
const MAX_BYTES: u64 = 1 << 17;

/// The directories named.
pub(super) struct Signpost {
    /// In the order in which they were used.
    pub(super) dirs: Vec<PathBuf>,
}

impl Signpost {
    pub(super) fn read(storage: &dyn Storage, trail: &Path) -> Result<Signpost, OpenError> {
        let bytes = match read_to_vec(storage, NAME, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io_error(&trail.join(NAME), "read", error)),
        };
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(Signpost { dirs: lines.map(|line| OsStr::from_bytes(line).into()).collect() })
    }

    /// Names these directories and no others.
    pub(super) fn write(
        &mut self,
        storage: &dyn Storage,
        trail: &Path,
        dirs: Vec<PathBuf>,
    ) -> Result<(), OpenError> {
        if self.dirs == dirs {
            return Ok(());
        }
        let mut text = Vec::new();
        for dir in &dirs {
            text.extend_from_slice(dir.as_os_str().as_bytes());
            text.push(b'\n');
        }
        let written = storage.replace(NAME, &mut text.as_slice());
        written.map_err(|error| io_error(&trail.join(NAME), "write", error))?;
        self.dirs = dirs;
        Ok(())
    }
}

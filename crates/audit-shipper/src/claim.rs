//! The few files that are written into a trail here: `witnessed`, and those of `timestamps`.
//!
//! What must stay true here: a file is replaced in one step by a complete one, so a crash leaves the
//! old or the new one; only one process at a time does it; the writer's lock is not touched.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use audit_core::note::MAX_NOTE;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

/// The newest checkpoint that satisfied the policy.
pub(crate) const WITNESSED: &str = "witnessed";

/// The right to replace files of a directory: a lock on the directory itself, which the writer never takes.
#[derive(Debug)]
pub(crate) struct Claim {
    dir: File,
}

impl Claim {
    /// Takes the right; `None` if another process has it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Claim>> {
        let dir = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Claim { dir: File::from(dir) })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces a file of the directory, which is `path`. What is written first is `<name>.tmp`: no part of
    /// the format, and a left-over is overwritten.
    pub(crate) fn replace(&self, path: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = path.join(format!("{name}.tmp"));
        // Whatever is there, a link included, is not written into.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path.join(name))?;
        self.dir.sync_all()
    }
}

/// Reads a note of a trail, no more of it than a note can be; `None` if it is not there.
pub(crate) fn read_note(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    read_small(path, name, MAX_NOTE as u64)
}

/// Reads a file, of which what is beyond `limit` and one byte is left out; `None` if it is not there.
pub(crate) fn read_small(path: &Path, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(path.join(name), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

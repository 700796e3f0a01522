//! Whether a file or directory is safely ours.
//!
//! What must stay true here: checks are made on open descriptors, never on names, so nothing can
//! be swapped between the check and the use.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, fstat};
use rustix::process::geteuid;

/// Write permission for the group or for others.
const FOREIGN_WRITE: u32 = 0o022;

/// Any permission for the group or for others.
const FOREIGN: u32 = 0o077;

/// Kind of the errors made here, so that the caller can tell them from the system's.
pub(crate) const INSECURE: io::ErrorKind = io::ErrorKind::InvalidInput;

/// Refuses a descriptor that is not of the type wanted, not ours, or open to others' writing.
pub(crate) fn check(fd: impl AsFd, wanted: FileType) -> io::Result<Stat> {
    let stat = fstat(fd)?;
    let problem = if FileType::from_raw_mode(stat.st_mode) != wanted {
        "not a plain file or directory (a symlink or device?)"
    } else if stat.st_uid != geteuid().as_raw() {
        "owned by another user"
    } else if stat.st_mode & FOREIGN_WRITE != 0 {
        "writable for group or others"
    } else {
        return Ok(stat);
    };
    Err(io::Error::new(INSECURE, problem))
}

/// Refuses a file that anybody but its owner may read, besides what [`check`] refuses.
pub(crate) fn check_private(fd: impl AsFd) -> io::Result<()> {
    let stat = check(fd, FileType::RegularFile)?;
    if stat.st_mode & FOREIGN == 0 {
        return Ok(());
    }
    Err(io::Error::new(INSECURE, "a private key that others may read; take it for stolen"))
}

/// Turns the kernel's refusal to follow a symlink into words.
pub(crate) fn explain(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::LOOP => io::Error::new(INSECURE, "is a symlink"),
        // What opening a socket gives.
        rustix::io::Errno::NXIO => io::Error::new(INSECURE, "is a socket or a device"),
        other => other.into(),
    }
}

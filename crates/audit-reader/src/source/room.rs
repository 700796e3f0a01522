//! How large a temporary file may become.
//!
//! What must stay true here: what somebody else's archive or server is long never takes the last of a disk.

use std::fs::File;
use std::io;

use rustix::fs::fstatvfs;

/// The share of a disk that temporary files leave free, and how much that is at most.
const SPARED: (u64, u64) = (20, 1 << 30);

/// How many bytes a temporary file may take where it lies: what is free, but for a twentieth of the disk,
/// which is 1 GiB at most.
///
/// # Errors
/// When the file system does not tell.
pub fn temporary_room(file: &File) -> io::Result<u64> {
    let disk = fstatvfs(file)?;
    let spared = (disk.f_blocks / SPARED.0).saturating_mul(disk.f_frsize).min(SPARED.1);
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(spared))
}

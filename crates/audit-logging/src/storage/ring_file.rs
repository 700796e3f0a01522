//! The file behind a ring.
//!
//! What must stay true here: it lies on a file system where what is stored into a shared mapping
//! belongs to this machine's page cache, and its blocks are reserved before it is mapped: a full
//! disk is an error at the start, not a signal in the middle of a request. It is locked from before
//! it has its name until its writer has left or its process has ended: who finds it unlocked finds
//! a dead ring.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, fstatfs, ftruncate};
use rustix::io::{Errno, retry_on_intr};

use crate::ring::mapping::Mapping;
use crate::ring::{RingMemory, words_for};

/// File systems where a mapping is not (only) this machine's memory, by `f_type` of statfs(2).
const UNSUITABLE: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x0bd0_0bd0, "Lustre"),
    (0x786f_4256, "VirtualBox shared folder"),
    (0xbacb_acbc, "VMware shared folder"),
    (0x7c7c_6673, "Parallels shared folder"),
    (0x2003_0528, "OrangeFS"),
    (0x1983_0326, "BeeGFS"),
    (0x4750_4653, "GPFS"),
    (0xaad7_aaea, "PanFS"),
];

/// True while the writer whose ring this is lives. A shared lock, so that two who ask do not take
/// each other for it.
pub(super) fn is_used(file: &OwnedFd) -> io::Result<bool> {
    match retry_on_intr(|| flock(file, FlockOperation::NonBlockingLockShared)) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Makes an empty file a ring's, locks and maps it. `name` is the one it will have in `dir`.
pub(super) fn map(
    file: OwnedFd,
    cells: u64,
    dir: &Arc<OwnedFd>,
    name: &str,
) -> io::Result<RingMemory> {
    let kind = fstatfs(&file)?.f_type;
    // As 32 bits: f_type is signed on some machines, and the numbers are sign-extended then.
    if let Some(name) = unsuitable(u64::from(kind as u32)) {
        let problem = format!("{name} does not keep what a killed process stored in a mapping");
        return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let words = words_for(cells);
    let bytes = words as u64 * 8;
    match retry_on_intr(|| fallocate(&file, FallocateFlags::empty(), 0, bytes)) {
        Ok(()) => {}
        // Written out instead, which reserves the blocks too.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            retry_on_intr(|| ftruncate(&file, 0))?;
            let mut whole = std::fs::File::from(file.try_clone()?);
            io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut whole)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(RingMemory::mapped(Mapping::new(file, words, Arc::clone(dir), name)?))
}

fn unsuitable(kind: u64) -> Option<&'static str> {
    UNSUITABLE.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_refused_and_local_ones_are_not() {
        assert_eq!(unsuitable(0x6969), Some("NFS"));
        assert_eq!(unsuitable(u64::from(0xff53_4d42_u32 as i32 as u32)), Some("CIFS"));
        assert_eq!(unsuitable(0x4750_4653), Some("GPFS"));
        for local in [0xef53, 0x5846_5342, 0x0102_1994, 0x9123_683e, 0x2fc1_2fc1, 0x794c_7630] {
            assert_eq!(unsuitable(local), None, "ext4, XFS, tmpfs, Btrfs, ZFS, overlayfs");
        }
    }
}

//! One open segment on a real file system.
//!
//! What must stay true here: this descriptor is the only one that ever writes to the segment
//! (errors may be reported to one descriptor only), and it writes at offsets of its own, so a
//! stranger's bytes are noticed and not mixed in.

use std::io::{self, Read};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Advice, AtFlags, fadvise, fdatasync, fstat, fsync, ftruncate, renameat, statat};
use rustix::io::{Errno, pread, pwrite, retry_on_intr};

use super::dir::{locate, replace_in};
use super::{Identity, QUARANTINE, SegmentFile};

pub(super) struct DirSegment {
    dir: Arc<OwnedFd>,
    name: String,
    file: OwnedFd,
    len: u64,
    /// Up to here the disk was asked to begin.
    begun: u64,
}

impl DirSegment {
    pub(super) fn new(dir: Arc<OwnedFd>, name: &str, file: OwnedFd, len: u64) -> DirSegment {
        DirSegment { dir, name: name.to_owned(), file, len, begun: len }
    }
}

impl SegmentFile for DirSegment {
    fn len(&self) -> u64 {
        self.len
    }

    /// `pwrite64`.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = retry_on_intr(|| pwrite(&self.file, bytes, self.len))?;
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.len += taken as u64;
        Ok(taken)
    }

    /// `fadvise64`: the kernel starts to write back the dirty pages that it is told are not needed; as
    /// they are not clean, it keeps them.
    fn begin_sync(&mut self) {
        let fresh = self.len.checked_sub(self.begun).and_then(NonZeroU64::new);
        if fresh.is_some() {
            // Without it the disk begins later, at the sync.
            if let Err(error) = fadvise(&self.file, self.begun, fresh, Advice::DontNeed) {
                tracing::debug!(%error, "writing back ahead of the sync is not possible here");
            }
            self.begun = self.len;
        }
    }

    /// `fdatasync`. Not repeated on any error but an interruption before it began.
    fn sync(&mut self) -> io::Result<()> {
        Ok(retry_on_intr(|| fdatasync(&self.file))?)
    }

    /// `ftruncate`, `fsync`.
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        retry_on_intr(|| ftruncate(&self.file, len))?;
        retry_on_intr(|| fsync(&self.file))?;
        self.len = len;
        self.begun = len;
        Ok(())
    }

    /// `pread64`, `pwrite64`, …, `fdatasync`.
    fn write_again(&mut self, from: u64) -> io::Result<()> {
        let mut at = from;
        let mut buf = vec![0; 1 << 20];
        while at < self.len {
            let want = buf.len().min(usize::try_from(self.len - at).unwrap_or(usize::MAX));
            self.read_at(at, &mut buf[..want])?;
            let mut done = 0;
            while done < want {
                done += retry_on_intr(|| pwrite(&self.file, &buf[done..want], at + done as u64))?;
            }
            at += want as u64;
        }
        self.sync()
    }

    /// `pread64`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        FromStart { file: self.file.as_fd(), at: offset, end }.read_exact(buf)
    }

    /// `newfstatat`, `fstat`.
    fn identity(&self) -> io::Result<Identity> {
        let ours = fstat(&self.file)?;
        // First, whatever became of the name: what was cut off is in no copy of the file either.
        if ours.st_size.unsigned_abs() != self.len {
            return Ok(Identity::Resized);
        }
        match statat(&*self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino) => {
                Ok(Identity::Intact)
            }
            Ok(_) | Err(Errno::NOENT) => Ok(Identity::Unlinked),
            Err(error) => Err(error.into()),
        }
    }

    fn relink(&mut self) -> io::Result<()> {
        // Whatever stands under our name is evidence too.
        let aside = format!("{QUARANTINE}/{}.impostor.{}", self.name, self.len);
        let (quarantine, aside) = locate(&self.dir, &aside, true)?;
        match renameat(&*self.dir, &self.name, &*quarantine, aside) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let mut content = FromStart { file: self.file.as_fd(), at: 0, end: self.len };
        replace_in(&self.dir, &self.name, &mut content)
    }
}

/// Reads an open file from its start without moving it.
struct FromStart<'a> {
    file: std::os::fd::BorrowedFd<'a>,
    at: u64,
    end: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = buf.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let got = retry_on_intr(|| pread(self.file, &mut buf[..want], self.at))?;
        if got == 0 && want > 0 {
            // Shorter than it was left: what is missing must not go unnoticed.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += got as u64;
        Ok(got)
    }
}

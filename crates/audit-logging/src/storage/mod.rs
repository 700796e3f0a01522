//! Every durable file operation of the project, behind one small trait.
//!
//! What must stay true here: a method that returns `Ok` has made its effect durable, unless it
//! says otherwise; a failed [`SegmentFile::sync`] is final for that file (fsyncgate: the kernel
//! marks the pages clean, so a retry would "succeed" without the data); names are checked never to
//! lead out of the trail. System calls expected per method stand beside [`DirStorage`]'s.

mod dir;
mod file;
mod lock;
mod ring_file;
mod secure;

pub(crate) use secure::INSECURE;

use std::io::{self, Read};

pub use dir::DirStorage;
pub(crate) use lock::BRIEF;
pub use lock::TrailLock;

pub use crate::ring::RingMemory;

/// Directory for bytes that recovery took off a segment.
pub(crate) const QUARANTINE: &str = "quarantine";
/// Directory for signing keys.
pub(crate) const KEYS: &str = "keys";
/// Ending of files that are not finished; a crash may leave them, and opening removes them.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Room on the file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size of the file system.
    pub total: u64,
    /// What this user may still write.
    pub free: u64,
}

/// What became of an open segment behind the writer's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// It is where it was and as long as it was.
    Intact,
    /// Its name is gone or leads to another file.
    Unlinked,
    /// It is longer or shorter than the writer left it.
    Resized,
}

/// One trail's directory.
pub trait Storage: Send + Sync + 'static {
    /// File names in the trail's directory (`""`) or a directory in it, unordered,
    /// subdirectories not entered.
    ///
    /// # Errors
    /// `NotFound` when the directory is not there, or the operating system's.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Opens a file for reading, following no symlink.
    ///
    /// # Errors
    /// `NotFound` when it is not there, or the operating system's.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Makes an empty segment, durable with its directory entry. Never opens an existing file.
    ///
    /// # Errors
    /// `AlreadyExists`, or the operating system's.
    fn create_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>>;

    /// Opens an existing segment for appending at its end.
    ///
    /// # Errors
    /// `NotFound`, or the operating system's.
    fn open_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>>;

    /// Puts a file in place whole or not at all: temporary name, fill, sync, rename, sync the
    /// directory.
    ///
    /// # Errors
    /// The operating system's; the old file, if any, is still there.
    fn replace(&self, name: &str, content: &mut dyn Read) -> io::Result<()>;

    /// Length of a file in bytes.
    ///
    /// # Errors
    /// `NotFound` when it is not there, or the operating system's.
    fn len(&self, name: &str) -> io::Result<u64>;

    /// Makes a closed file read-only (0400).
    ///
    /// # Errors
    /// The operating system's.
    fn set_read_only(&self, name: &str) -> io::Result<()>;

    /// Removes a temporary file that a crash left behind, in the trail's directory or one in it.
    ///
    /// # Errors
    /// The operating system's; a file that is not there is no error.
    fn remove_temporary(&self, name: &str) -> io::Result<()>;

    /// Removes a file, durably: a segment that was compressed, or whose time is over, and what
    /// belongs to it.
    ///
    /// # Errors
    /// The operating system's; a file that is not there is no error.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name in its directory: of several who try, one succeeds. A storage without
    /// directories has nothing to take.
    ///
    /// # Errors
    /// `NotFound` when it is not there (any more), or the operating system's.
    fn take(&self, name: &str, taken: &str) -> io::Result<()> {
        let _ = (name, taken);
        Err(io::ErrorKind::NotFound.into())
    }

    /// Overwrites a file with zeros, durably, and removes it, durably: for keys that must not
    /// come back. On flash and on file systems that copy on write the old blocks may outlive this.
    ///
    /// # Errors
    /// The operating system's; a file that is not there is no error.
    fn destroy(&self, name: &str) -> io::Result<()>;

    /// Room on the file system.
    ///
    /// # Errors
    /// The operating system's.
    fn space(&self) -> io::Result<Space>;

    /// Makes a ring of `cells` cells of 64 bytes, zeroed, its blocks reserved, under a temporary
    /// name. Not durable, and need not be: it is there to outlive the process, not the machine. A
    /// storage without files gives plain memory, which outlives neither.
    ///
    /// # Errors
    /// `Unsupported` where mapped memory would not keep what is stored into it (network and FUSE
    /// file systems), `StorageFull`, or the operating system's.
    fn create_ring(&self, name: &str, cells: u64) -> io::Result<RingMemory> {
        let _ = name;
        Ok(RingMemory::plain(cells))
    }

    /// Gives a ring that was made its own name, whole: whoever finds it finds its header. What had that
    /// name has the temporary one then, or is in the quarantine.
    ///
    /// # Errors
    /// The operating system's.
    fn publish_ring(&self, name: &str) -> io::Result<()> {
        let _ = name;
        Ok(())
    }

    /// True when the writer that made this ring still uses it, here or in another process.
    ///
    /// # Errors
    /// The operating system's; a file that is not there is used by nobody.
    fn is_ring_used(&self, name: &str) -> io::Result<bool> {
        let _ = name;
        Ok(false)
    }

    /// Moves what stands under a ring's name and is no file of ours, a symlink for one, into the
    /// quarantine of the directory it stands in, without opening it.
    ///
    /// # Errors
    /// The operating system's; it stays where it is.
    fn set_ring_aside(&self, name: &str) -> io::Result<()> {
        let _ = name;
        Ok(())
    }

    /// Removes a ring that holds nothing any more. Not durable: one that comes back is compared
    /// with the trail and removed again.
    ///
    /// # Errors
    /// The operating system's; a file that is not there is no error.
    fn remove_ring(&self, name: &str) -> io::Result<()> {
        let _ = name;
        Ok(())
    }
}

/// One segment, open for appending. The only descriptor that ever writes to it.
pub trait SegmentFile: Send {
    /// Bytes in it, as this writer knows.
    fn len(&self) -> u64;

    /// True when nothing is in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes at the end; returns how many bytes were taken, which may be fewer. Not durable.
    ///
    /// # Errors
    /// The operating system's; nothing was taken.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Lets the disk begin with what was appended, while the caller prepares more. A hint: nothing is
    /// durable by it, and what goes wrong is for [`SegmentFile::sync`] to say.
    fn begin_sync(&mut self) {}

    /// Makes everything appended durable (`fdatasync`).
    ///
    /// # Errors
    /// Final: what was appended since the last success may or may not be on disk, for ever.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the end off, durably.
    ///
    /// # Errors
    /// The operating system's.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Writes the bytes from `from` on again where they stand, and syncs them: after a failed sync
    /// the kernel calls pages clean that are not on disk, and only writing makes them dirty again.
    ///
    /// # Errors
    /// As for [`SegmentFile::sync`].
    fn write_again(&mut self, from: u64) -> io::Result<()>;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before, or the operating system's.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Looks whether the file is still the one under its name, and as long as it was left.
    ///
    /// # Errors
    /// The operating system's.
    fn identity(&self) -> io::Result<Identity>;

    /// Puts an unlinked file's content back under its name; what stands there instead moves to
    /// the quarantine.
    ///
    /// # Errors
    /// The operating system's.
    fn relink(&mut self) -> io::Result<()>;
}

/// True for errors that space, once it is there, cures.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Reads a small file whole.
pub(crate) fn read_to_vec(storage: &dyn Storage, name: &str, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    storage.read(name)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file is larger than it can be"));
    }
    Ok(bytes)
}

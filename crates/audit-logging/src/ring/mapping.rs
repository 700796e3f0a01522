//! Mapping a ring's file, and telling a forked child from its parent.
//!
//! What must stay true here: this is the only file of the project with `unsafe` in it, and each
//! block has its argument. A mapping is made from a file that was made for it and is as long as
//! the mapping; it is not inherited by a forked child.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FlockOperation, flock, fstat, statat};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};

use super::lock;
use super::memory::Damage;

/// Bytes of the page that tells a child from its parent. Mappings are made of whole pages, so a
/// larger page size only makes more of it.
const MARK_BYTES: usize = 4096;

/// A shared mapping of a ring's file.
pub(crate) struct Mapping {
    /// Where the words are: in this mapping or in the newest of `later`.
    current: AtomicPtr<AtomicU64>,
    start: NonNull<AtomicU64>,
    words: usize,
    /// Mappings of files that took the place of this one's: as long as this one, and mapped as long.
    later: Mutex<Vec<Mapping>>,
    file: OwnedFd,
    /// Device and inode of the file.
    id: (u64, u64),
    /// Where the file has its name once it is published.
    dir: Arc<OwnedFd>,
    name: String,
    mark: ForkMark,
}

// SAFETY: the pointer is to a mapping that belongs to the process, not to a thread, and is reached
// as `&[AtomicU64]` only, which any thread may use at any time. Nothing else in the struct is bound
// to a thread.
unsafe impl Send for Mapping {}
// SAFETY: as above: shared access gives out `&[AtomicU64]` and nothing else.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `words` words of `file`, which must be as long as that already, with its
    /// blocks reserved, so that touching a page cannot fail for want of space. `name` is the one it
    /// will have in `dir`.
    pub(crate) fn new(
        file: OwnedFd,
        words: usize,
        dir: Arc<OwnedFd>,
        name: &str,
    ) -> io::Result<Mapping> {
        let mark = ForkMark::new()?;
        let bytes = words * size_of::<AtomicU64>();
        let stat = fstat(&file)?;
        let (id, name) = ((stat.st_dev, stat.st_ino), name.to_owned());
        if stat.st_size.unsigned_abs() != bytes as u64 {
            return Err(io::Error::other("the ring's file is not as long as it was made"));
        }
        // SAFETY: a null address lets the kernel choose a place where nothing of ours is, so no
        // existing memory changes. The file is open for reading and writing. A page of it that is
        // cut off later raises SIGBUS when touched, which ends the process and breaks no memory:
        // only the owner of the file or root can do that, and `damage` looks for it at each commit.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file.as_fd(),
                0,
            )
        }?;
        let mapped = start.cast::<AtomicU64>();
        let mapping = NonNull::new(mapped)
            .map(|start| {
                let current = AtomicPtr::new(mapped);
                Mapping {
                    current,
                    start,
                    words,
                    later: Mutex::default(),
                    file,
                    id,
                    dir,
                    name,
                    mark,
                }
            })
            .ok_or_else(|| io::Error::other("the ring was mapped at address zero"))?;
        // SAFETY: the range is exactly the mapping just made. A child that does not inherit it
        // cannot reach it either: `words` gives it nothing.
        unsafe { madvise(start, bytes, Advice::LinuxDontFork) }?;
        // SAFETY: the range is exactly the mapping just made; populating changes no content. Kernels
        // before 5.14 do not know it: then the first touch of each page costs a few microseconds,
        // and nothing else.
        let populated = unsafe { madvise(start, bytes, Advice::LinuxPopulateWrite) };
        if let Err(error) = populated {
            tracing::debug!(%error, "the ring's pages come in when they are first touched");
        }
        Ok(mapping)
    }

    /// The mapping as words; none in a forked child, which has no such mapping.
    #[inline]
    pub(super) fn words(&self) -> &[AtomicU64] {
        if self.mark.is_child() {
            return &[];
        }
        // SAFETY: this is the process that made the mapping (checked above; a slice that was taken
        // before a fork stays behind in the stack of the thread that forked, which holds none while it
        // runs code that could fork: the ring calls nothing between taking and dropping one).
        // `current` is the start of this mapping or of one in `later`; it is page-aligned, hence
        // aligned for words; each of these mappings has `words` words (`adopt` looks) and lives as
        // long as `self`, to which the slice is bound. Acquire, and Release in `adopt`: whoever sees
        // a new start sees all that was stored behind it. Any bit pattern is a valid
        // AtomicU64. The memory changes under us (other threads, and whoever else may map the
        // file), which atomics allow: there is no `&mut` and no non-atomic access to it anywhere.
        unsafe { std::slice::from_raw_parts(self.current.load(Ordering::Acquire), self.words) }
    }

    /// `newfstatat`: what a stranger did to the file. Where its name leads elsewhere, `fstat` too.
    pub(super) fn damage(&self) -> io::Result<Option<Damage>> {
        if let Some(newest) = lock(&self.later).last() {
            return newest.damage();
        }
        // Whatever keeps us from seeing it there keeps the next writer from finding it.
        let named = statat(&*self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW)
            .ok()
            .filter(|named| (named.st_dev, named.st_ino) == self.id);
        let stat = named.map_or_else(|| fstat(&self.file), Ok)?;
        Ok(if stat.st_size.unsigned_abs() != (self.words * size_of::<AtomicU64>()) as u64 {
            Some(Damage::Resized)
        } else {
            named.is_none().then_some(Damage::Unlinked)
        })
    }
}

impl Mapping {
    /// Goes over to another file. The old one stays mapped, as a thread may be about to look at it: it
    /// finds there that nothing is accepted, and looks again.
    pub(super) fn adopt(&self, fresh: Mapping) -> io::Result<()> {
        if fresh.words != self.words {
            return Err(io::Error::other("the new ring is not as long as the old one"));
        }
        let mut later = lock(&self.later);
        let start = fresh.start.as_ptr();
        later.push(fresh);
        self.current.store(start, Ordering::Release);
        Ok(())
    }

    /// Nobody finds the file in use any more that was used before this one.
    pub(super) fn unlock_replaced(&self) -> io::Result<()> {
        let later = lock(&self.later);
        let replaced = match &later[..] {
            [] => return Ok(()),
            [_] => &self.file,
            [.., replaced, _] => &replaced.file,
        };
        Ok(flock(replaced, FlockOperation::Unlock)?)
    }

    /// Lets go of the file's lock, whoever still holds the mapping. Not in a forked child, whose
    /// descriptor is the parent's: it would let go of the parent's lock.
    pub(super) fn unlock(&self) -> io::Result<()> {
        if self.mark.is_child() {
            return Ok(());
        }
        // Older ones were let go of when the newest took their place.
        let later = lock(&self.later);
        Ok(flock(later.last().map_or(&self.file, |newest| &newest.file), FlockOperation::Unlock)?)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // A child has no such mapping: by now something else may live at its address.
        if self.mark.is_child() {
            return;
        }
        let bytes = self.words * size_of::<AtomicU64>();
        // SAFETY: the range is the mapping made in `new`, still mapped, as this process made it
        // (checked above) and only this drop unmaps it. `words` borrows from `self`, so nobody
        // holds a reference into it any more.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), bytes) };
        if let Err(error) = unmapped {
            tracing::warn!(%error, "a ring could not be unmapped");
        }
    }
}

/// Tells a forked child from the process that made it, at the price of one load.
pub(crate) struct ForkMark {
    page: NonNull<AtomicU64>,
}

// SAFETY: the page belongs to the process, not to a thread, and is reached as `&AtomicU64` only.
unsafe impl Send for ForkMark {}
// SAFETY: as above.
unsafe impl Sync for ForkMark {}

impl ForkMark {
    /// Marks this process. The kernel wipes the page in every child (`MADV_WIPEONFORK`).
    pub(crate) fn new() -> io::Result<ForkMark> {
        // SAFETY: a null address lets the kernel choose a place where nothing of ours is.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                MARK_BYTES,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        let mark = NonNull::new(start.cast())
            .map(|page| ForkMark { page })
            .ok_or_else(|| io::Error::other("the fork mark was mapped at address zero"))?;
        // SAFETY: the range is exactly the mapping just made.
        unsafe { madvise(start, MARK_BYTES, Advice::LinuxWipeOnFork) }?;
        mark.word().store(1, Ordering::Relaxed);
        Ok(mark)
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped as long as `self` lives, aligned for a word, zeroed by the
        // kernel when it was made, and never reached but through this function.
        unsafe { self.page.as_ref() }
    }

    /// True in a process that was forked off the one that called [`ForkMark::new`].
    #[inline]
    pub(crate) fn is_child(&self) -> bool {
        self.word().load(Ordering::Relaxed) == 0
    }
}

impl Drop for ForkMark {
    fn drop(&mut self) {
        // SAFETY: the page was mapped in `new`; a child has a (wiped) page of its own at the same
        // address. Nobody holds a reference into it: `word` borrows from `self`.
        let unmapped = unsafe { munmap(self.page.as_ptr().cast(), MARK_BYTES) };
        if let Err(error) = unmapped {
            tracing::warn!(%error, "a fork mark could not be unmapped");
        }
    }
}

impl std::fmt::Debug for ForkMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForkMark").field("is_child", &self.is_child()).finish()
    }
}

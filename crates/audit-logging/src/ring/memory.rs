//! The memory of a ring: a mapped file, or plain memory where the storage has no files.
//!
//! What must stay true here: everybody sees the memory as atomic words and nothing else, so no
//! access can be a data race, whatever else maps the file; the mapping lives as long as anybody
//! can reach it; a forked child never touches it. All other modules of the ring are safe code.

use std::sync::Arc;

use super::layout::{CELL_WORDS, HEADER_WORDS};
use super::sync::{AtomicU64, Ordering};

/// The memory of one emit ring. Clones share it.
///
/// What was stored into mapped memory belongs to the kernel's page cache, so it outlives the
/// process, however that ends; it does not outlive a power failure. Plain memory outlives neither
/// and is for storages without files, in tests.
#[derive(Clone)]
pub struct RingMemory {
    kind: Arc<Kind>,
}

enum Kind {
    Plain(Box<[AtomicU64]>),
    #[cfg(not(any(loom, shuttle)))]
    Mapped(super::mapping::Mapping),
}

impl RingMemory {
    /// Zeroed plain memory for a ring of `cells` cells of 64 bytes.
    #[must_use]
    pub fn plain(cells: u64) -> RingMemory {
        let words = (0..words_for(cells)).map(|_| AtomicU64::new(0)).collect();
        RingMemory { kind: Arc::new(Kind::Plain(words)) }
    }

    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn mapped(mapping: super::mapping::Mapping) -> RingMemory {
        RingMemory { kind: Arc::new(Kind::Mapped(mapping)) }
    }

    /// The bytes as they stand: what a killed process would leave behind. None in a forked child.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let words = self.words();
        let mut bytes = Vec::with_capacity(size_of_val(words));
        for word in words {
            bytes.extend_from_slice(&word.load(Ordering::Acquire).to_le_bytes());
        }
        bytes
    }

    pub(super) fn words(&self) -> &[AtomicU64] {
        match &*self.kind {
            Kind::Plain(words) => words,
            #[cfg(not(any(loom, shuttle)))]
            Kind::Mapped(mapping) => mapping.words(),
        }
    }

    /// The ring is used by nobody any more: whoever finds its file may take what is in it.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn let_go(&self) -> std::io::Result<()> {
        match &*self.kind {
            Kind::Plain(_) => Ok(()),
            #[cfg(not(any(loom, shuttle)))]
            Kind::Mapped(mapping) => mapping.unlock(),
        }
    }

    /// The file that was used before the one that is used now is nobody's any more.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn let_go_of_replaced(&self) -> std::io::Result<()> {
        match &*self.kind {
            Kind::Plain(_) => Ok(()),
            #[cfg(not(any(loom, shuttle)))]
            Kind::Mapped(mapping) => mapping.unlock_replaced(),
        }
    }

    /// Goes over to `fresh`, which nobody else has: every clone of this memory is that one from now on.
    /// Everything in it must be there already.
    ///
    /// # Errors
    /// Memory of another kind or length; nothing has changed.
    pub(super) fn adopt(&self, fresh: RingMemory) -> std::io::Result<()> {
        match (&*self.kind, Arc::into_inner(fresh.kind)) {
            #[cfg(not(any(loom, shuttle)))]
            (Kind::Mapped(mapping), Some(Kind::Mapped(fresh))) => mapping.adopt(fresh),
            _ => Err(std::io::Error::other("only a mapped ring can go over to another file")),
        }
    }

    /// What became of the file behind it: `None` when all is well.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn damage(&self) -> std::io::Result<Option<Damage>> {
        match &*self.kind {
            Kind::Plain(_) => Ok(None),
            #[cfg(not(any(loom, shuttle)))]
            Kind::Mapped(mapping) => mapping.damage(),
        }
    }
}

impl std::fmt::Debug for RingMemory {
    /// Without the content: other people's events stand in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingMemory").finish_non_exhaustive()
    }
}

/// What a stranger did to a ring's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Deleted, moved or replaced: the next writer will not find what a kill leaves in it.
    Unlinked,
    /// Shorter or longer than it was made: some of it may be gone.
    Resized,
}

/// Words of a ring with this many cells, header included.
pub(crate) fn words_for(cells: u64) -> usize {
    HEADER_WORDS + usize::try_from(cells).unwrap_or(usize::MAX / 16) * CELL_WORDS
}

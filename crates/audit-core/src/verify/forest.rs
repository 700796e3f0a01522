//! A stretch of the Merkle tree, as few hashes as possible.
//!
//! What must stay true here: two neighbours are joined exactly where the tree joins them, so a
//! stretch that begins anywhere can be put after the one before it, and a stretch that begins at 0
//! is the tree. At most two subtrees of each level are ever kept.

use crate::chain::Hash;
use crate::tree::{empty_root, node_hash};

/// Perfect subtrees, by level, of consecutive leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Forest {
    /// The leaf that follows.
    next: u64,
    subtrees: Vec<(u8, Hash)>,
}

impl Forest {
    /// No leaves yet; the first will be `seq`.
    pub(super) const fn starting_at(seq: u64) -> Forest {
        Forest { next: seq, subtrees: Vec::new() }
    }

    /// The tree of `size` leaves with these perfect subtrees, from the left, largest first.
    pub(super) fn of_tree(size: u64, hashes: &[Hash]) -> Option<Forest> {
        let levels = (0..64u8).rev().filter(|level| size >> level & 1 == 1);
        let subtrees: Vec<_> = levels.zip(hashes.iter().copied()).collect();
        (hashes.len() == size.count_ones() as usize).then_some(Forest { next: size, subtrees })
    }

    /// Adds the perfect subtree that follows; `seen` is told of each one that this completes, with
    /// its level and its index there. The caller keeps subtrees aligned: `next` is a multiple of
    /// their size.
    pub(super) fn append(&mut self, level: u8, hash: Hash, mut seen: impl FnMut(u8, u64, &Hash)) {
        let (mut level, mut hash) = (level, hash);
        let mut index = self.next >> level;
        self.next = self.next.saturating_add(1 << level);
        seen(level, index, &hash);
        while index & 1 == 1
            && let Some((_, left)) = self.subtrees.pop_if(|(left, _)| *left == level)
        {
            hash = node_hash(&left, &hash);
            (level, index) = (level + 1, index >> 1);
            seen(level, index, &hash);
        }
        self.subtrees.push((level, hash));
    }

    /// Adds the perfect subtrees from here to `to`, each as large as it can be; `None` if these are not as
    /// many, and the stretch is of no use then.
    pub(super) fn extend(&mut self, to: u64, hashes: &[Hash]) -> Option<()> {
        for hash in hashes {
            let left = to.checked_sub(self.next).and_then(u64::checked_ilog2)?;
            let level = left.min(self.next.trailing_zeros());
            self.append(u8::try_from(level).ok()?, *hash, |_, _, _| {});
        }
        (self.next == to).then_some(())
    }

    /// Their hashes, from the left.
    pub(super) fn hashes(&self) -> Vec<Hash> {
        self.subtrees.iter().map(|(_, hash)| *hash).collect()
    }

    /// The leaf that follows; of a tree, its size.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn into_subtrees(self) -> Vec<(u8, Hash)> {
        self.subtrees
    }

    /// The root, if the stretch begins at 0.
    pub(super) fn root(&self) -> Hash {
        let mut hashes = self.subtrees.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = hashes.next() else { return empty_root() };
        hashes.fold(last, |right, left| node_hash(&left, &right))
    }
}

//! The compact tree: what is needed to go on from a size, and nothing else.
//!
//! What must stay true here: for a size, one hash for each one bit of it, that of the perfect
//! subtree of so many leaves, from the left, largest first. A push costs one node hash on average,
//! whatever the size, and allocates nothing.

use thiserror::Error;

use super::prove::{ProveError, check_size, read_subtrees};
use super::{MAX_SIZE, fold, node_hash};
use crate::chain::Hash;

/// A tree that can grow and tell its root, in O(log n) memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

/// These are not the perfect subtrees of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a tree of {size} leaves: expected {expected} subtree hashes, found {found}")]
pub struct SubtreesError {
    /// The size of the tree.
    pub size: u64,
    /// How many perfect subtrees it has; none if no tree may be so large.
    pub expected: usize,
    /// How many hashes were given.
    pub found: usize,
}

impl Default for Frontier {
    fn default() -> Frontier {
        Frontier::new()
    }
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Frontier {
        Frontier { size: 0, subtrees: Vec::with_capacity(64) }
    }

    /// The tree of `size` leaves with these perfect subtrees, from the left, largest first.
    ///
    /// # Errors
    /// [`SubtreesError`] if their number is not that of the ones in `size`, or `size` is above
    /// [`MAX_SIZE`].
    pub fn from_subtrees(size: u64, subtrees: &[Hash]) -> Result<Frontier, SubtreesError> {
        let expected = if size > MAX_SIZE { 0 } else { size.count_ones() as usize };
        if size > MAX_SIZE || subtrees.len() != expected {
            return Err(SubtreesError { size, expected, found: subtrees.len() });
        }
        let mut frontier = Frontier::new();
        frontier.size = size;
        frontier.subtrees.extend_from_slice(subtrees);
        Ok(frontier)
    }

    /// The tree of `size` leaves out of its stored hashes, as many reads as `size` has ones.
    ///
    /// # Errors
    /// [`ProveError`] if `size` is above [`MAX_SIZE`] or `read` fails.
    pub fn from_stored<E>(
        size: u64,
        mut read: impl FnMut(u64) -> Result<Hash, E>,
    ) -> Result<Frontier, ProveError<E>> {
        check_size(size)?;
        let mut frontier = Frontier::new();
        read_subtrees(0, size, &mut read, &mut frontier.subtrees)?;
        frontier.size = size;
        Ok(frontier)
    }

    /// Adds a leaf by its hash.
    #[inline]
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_| ());
    }

    /// Adds a leaf by its hash and gives `store` the hashes to append to `tree.hashes`, in order:
    /// the leaf's, then those of the subtrees it completes.
    #[inline]
    pub fn push_with(&mut self, leaf: Hash, mut store: impl FnMut(Hash)) {
        store(leaf);
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            // One subtree stands for each one bit of the size.
            let Some(left) = self.subtrees.pop() else { break };
            hash = node_hash(&left, &hash);
            store(hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root of the tree as it is now: at most one node hash for each perfect subtree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.subtrees)
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the perfect subtrees, from the left, largest first.
    #[must_use]
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }
}

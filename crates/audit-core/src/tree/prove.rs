//! Roots and proofs out of stored hashes: RFC 6962 sections 2.1.1 and 2.1.2.
//!
//! What must stay true here: a proof about a tree of size n reads stored hashes of the first n
//! leaves only, so it is the same however far the trail has grown, and at most O(log n) of them.

use thiserror::Error;

use super::stored::stored_hash_index;
use super::{MAX_SIZE, fold, split_point};
use crate::chain::Hash;

/// Why there is no proof.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProveError<E> {
    /// No tree may be so large.
    #[error("a tree of {size} leaves is larger than any")]
    TooLarge {
        /// The size asked for.
        size: u64,
    },
    /// The tree has no such leaf.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    NoSuchLeaf {
        /// The leaf asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tree cannot extend a larger one.
    #[error("a tree of {new} leaves does not extend one of {old}")]
    Order {
        /// The size that should be the smaller.
        old: u64,
        /// The size that should be the larger.
        new: u64,
    },
    /// A stored hash could not be read.
    #[error("stored hash {index} cannot be read")]
    Read {
        /// Its index among the stored hashes.
        index: u64,
        /// What the reader said.
        source: E,
    },
}

/// The root of the tree of the first `size` leaves. `read` gives the stored hash at an index.
///
/// # Errors
/// [`ProveError`] if `size` is above [`MAX_SIZE`] or `read` fails.
pub fn root_at<E>(
    size: u64,
    mut read: impl FnMut(u64) -> Result<Hash, E>,
) -> Result<Hash, ProveError<E>> {
    check_size(size)?;
    subtree(0, size, &mut read)
}

/// The proof that leaf `index` is in the tree of the first `size` leaves: from its sibling up to
/// a child of the root. `read` gives the stored hash at an index.
///
/// # Errors
/// [`ProveError`] if the tree has no such leaf or `read` fails.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut read: impl FnMut(u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, ProveError<E>> {
    check_size(size)?;
    if index >= size {
        return Err(ProveError::NoSuchLeaf { index, size });
    }
    let (mut lo, mut hi) = (0, size);
    let mut path = Vec::with_capacity(64);
    while hi - lo > 1 {
        let middle = lo + split_point(hi - lo);
        if index < middle {
            path.push(subtree(middle, hi, &mut read)?);
            hi = middle;
        } else {
            path.push(subtree(lo, middle, &mut read)?);
            lo = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `new` leaves extends that of the first `old`. It is empty
/// if the two are the same, or `old` is 0: every tree extends the empty one.
///
/// # Errors
/// [`ProveError`] if `old` is above `new`, or `read` fails.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut read: impl FnMut(u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, ProveError<E>> {
    check_size(new)?;
    if old > new {
        return Err(ProveError::Order { old, new });
    }
    let mut path = Vec::with_capacity(64);
    if old == 0 || old == new {
        return Ok(path);
    }
    let (mut lo, mut hi) = (0, new);
    // While the old tree is a complete left part of what is looked at, its verifier knows the root.
    while old != hi {
        let middle = lo + split_point(hi - lo);
        if old <= middle {
            path.push(subtree(middle, hi, &mut read)?);
            hi = middle;
        } else {
            path.push(subtree(lo, middle, &mut read)?);
            lo = middle;
        }
    }
    if lo != 0 {
        path.push(subtree(lo, hi, &mut read)?);
    }
    path.reverse();
    Ok(path)
}

pub(super) const fn check_size<E>(size: u64) -> Result<(), ProveError<E>> {
    if size > MAX_SIZE { Err(ProveError::TooLarge { size }) } else { Ok(()) }
}

/// The root over the leaves `lo..hi`, where `lo` is a multiple of a power of two not below `hi-lo`.
fn subtree<E>(
    lo: u64,
    hi: u64,
    read: &mut impl FnMut(u64) -> Result<Hash, E>,
) -> Result<Hash, ProveError<E>> {
    let mut hashes = Vec::with_capacity((hi - lo).count_ones() as usize);
    read_subtrees(lo, hi, read, &mut hashes)?;
    Ok(fold(&hashes))
}

/// Reads the perfect subtrees that make up the leaves `lo..hi`, from the left, largest first.
pub(super) fn read_subtrees<E>(
    mut lo: u64,
    hi: u64,
    read: &mut impl FnMut(u64) -> Result<Hash, E>,
    hashes: &mut Vec<Hash>,
) -> Result<(), ProveError<E>> {
    while lo < hi {
        let level = (hi - lo).ilog2();
        // Below 64, as a logarithm of a `u64` is.
        let index = stored_hash_index(level as u8, lo >> level);
        hashes.push(read(index).map_err(|source| ProveError::Read { index, source })?);
        lo += 1 << level;
    }
    Ok(())
}

//! The verifiers of RFC 9162 sections 2.1.3.2 (inclusion) and 2.1.4.2 (consistency).
//!
//! What must stay true here: everything comes from the other side. A proof has exactly as many
//! hashes as index and sizes require, every one of them enters the root, and no input panics.

use thiserror::Error;

use super::{empty_root, node_hash};
use crate::chain::Hash;

/// Which root a proof contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichRoot {
    /// That of the tree the leaf is in.
    Tree,
    /// That of the older tree.
    Old,
    /// That of the newer tree.
    New,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The tree has no such leaf.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    NoSuchLeaf {
        /// The leaf.
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
    /// Not as many hashes as such a proof has.
    #[error("proof: expected {expected} hashes, found {found}")]
    Length {
        /// How many it must have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("root of the {}tree: expected {expected}, found {found}", match which {
        WhichRoot::Tree => "",
        WhichRoot::Old => "old ",
        WhichRoot::New => "new ",
    })]
    Root {
        /// Which root.
        which: WhichRoot,
        /// The root as given.
        expected: Hash,
        /// The root that follows from the proof.
        found: Hash,
    },
}

/// The root that follows when leaf `index` of `size` has this hash and this inclusion proof.
///
/// # Errors
/// [`TreeError`] if the tree has no such leaf, or the proof has not the length it must have.
pub fn root_from_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<Hash, TreeError> {
    if index >= size {
        return Err(TreeError::NoSuchLeaf { index, size });
    }
    check_length(path_length(index, size), proof)?;
    let (mut node, mut last) = (index, size - 1);
    let mut root = *leaf;
    for sibling in proof {
        if node & 1 == 1 || node == last {
            root = node_hash(sibling, &root);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    Ok(root)
}

/// Verifies that the leaf with hash `leaf` is leaf `index` of the tree of `size` leaves and this root.
///
/// # Errors
/// [`TreeError`] if it does not follow from the proof.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), TreeError> {
    check_root(WhichRoot::Tree, root, root_from_inclusion(leaf, index, size, proof)?)
}

/// Verifies that the tree of `new_size` leaves and root `new_root` extends that of `old_size` leaves
/// and root `old_root`.
///
/// # Errors
/// [`TreeError`] if it does not follow from the proof.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), TreeError> {
    if old_size > new_size {
        return Err(TreeError::Order { old: old_size, new: new_size });
    }
    if old_size == new_size || old_size == 0 {
        check_length(0, proof)?;
        if old_size == 0 {
            check_root(WhichRoot::Old, old_root, empty_root())?;
        }
        if new_size == 0 {
            return check_root(WhichRoot::New, new_root, empty_root());
        }
        return if old_size == 0 {
            Ok(())
        } else {
            check_root(WhichRoot::New, new_root, *old_root)
        };
    }
    let shift = old_size.trailing_zeros();
    // A perfect old tree is itself a node of the new one: its verifier knows that node.
    let perfect = old_size.is_power_of_two();
    let length = path_length(old_size - 1, new_size) - shift as usize;
    check_length(length + usize::from(!perfect), proof)?;
    let (mut old, rest) = match proof.split_first() {
        Some((first, rest)) if !perfect => (*first, rest),
        _ => (*old_root, proof),
    };
    let mut new = old;
    let (mut node, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    for hash in rest {
        if node & 1 == 1 || node == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            new = node_hash(&new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    check_root(WhichRoot::Old, old_root, old)?;
    check_root(WhichRoot::New, new_root, new)
}

/// At the right edge of the tree a node without a sibling is also its own parent.
const fn skip_missing_siblings(node: &mut u64, last: &mut u64) {
    if *node != 0 {
        let levels = node.trailing_zeros();
        *node >>= levels;
        *last >>= levels;
    }
}

/// How many siblings there are on the way from leaf `index` to the root; `index` is below `size`.
const fn path_length(index: u64, size: u64) -> usize {
    // Below the level where the ways from this leaf and from the last one meet, every level has a
    // sibling; above it, only those on the left.
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = if inner < 64 { (index >> inner).count_ones() } else { 0 };
    (inner + border) as usize
}

const fn check_length(expected: usize, proof: &[Hash]) -> Result<(), TreeError> {
    if proof.len() == expected {
        Ok(())
    } else {
        Err(TreeError::Length { expected, found: proof.len() })
    }
}

fn check_root(which: WhichRoot, expected: &Hash, found: Hash) -> Result<(), TreeError> {
    if *expected == found {
        Ok(())
    } else {
        Err(TreeError::Root { which, expected: *expected, found })
    }
}

//! The Merkle tree over the entries' hashes (FORMAT section 6).
//!
//! What must stay true here: RFC 6962 section 2.1 with SHA-256. A leaf is `0x00 || data`, which is
//! [`chain::leaf_hash`](crate::chain::leaf_hash) of an entry, a node `0x01 || left || right`, the
//! empty tree SHA-256 of nothing. Whatever a size, an index or a proof says, no function here panics
//! or reads more than O(log n) hashes. Proofs are those of RFC 6962, verified as RFC 9162 says.

mod frontier;
mod prove;
mod stored;
#[cfg(test)]
mod tests;
mod verify;

use sha2::{Digest, Sha256};

pub use frontier::{Frontier, SubtreesError};
pub use prove::{ProveError, consistency_proof, inclusion_proof, root_at};
pub use stored::{split_stored_hash_index, stored_hash_count, stored_hash_index};
pub use verify::{TreeError, WhichRoot, root_from_inclusion, verify_consistency, verify_inclusion};

use crate::chain::Hash;
use crate::sha;

/// The largest tree. Go's `tlog` counts leaves and hashes in an `int64`; so no larger tree has an
/// index into the stored hashes.
pub const MAX_SIZE: u64 = 1 << 62;

/// The hash of a tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(sha::node(&left.0, &right.0))
}

/// The RFC 6962 leaf hash of arbitrary bytes. The leaf hash of an entry is
/// [`chain::leaf_hash`](crate::chain::leaf_hash) of its line's body.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0u8]).chain_update(data).finalize().into())
}

/// The root above perfect subtrees given from the left, largest first.
fn fold(subtrees: &[Hash]) -> Hash {
    match subtrees.split_last() {
        None => empty_root(),
        Some((last, rest)) => rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)),
    }
}

/// The largest power of two smaller than `n`, where a tree of `n` leaves splits; `n` is above 1.
const fn split_point(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

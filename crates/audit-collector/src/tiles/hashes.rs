//! The hashes of a tile, held against the root.
//!
//! What must stay true here: every hash of a tile is bound to the root that was signed. The tile is
//! read as wide as it is, its inner nodes are computed from it, and the path of its first hash then
//! runs over all of them.

use std::fs::File;
use std::io;

use audit_core::chain::Hash;
use audit_core::tile::{Tile, TileKind, WIDTH};
use audit_core::tree::{
    inclusion_proof, node_hash, split_stored_hash_index, stored_hash_index, verify_inclusion,
};
use audit_shipper::tree::read_stored;

use super::No;

/// The hashes of the widest tile at this place, verified.
pub(super) fn verified(
    file: &File,
    level: u8,
    index: u64,
    size: u64,
    root: &Hash,
) -> Result<Vec<Hash>, No> {
    let widest = Tile::widest(TileKind::Hashes { level }, index, size).ok_or(No::NotThere)?;
    // No tree has a tile above level 7.
    let base = level.checked_mul(8).filter(|base| *base < 64).ok_or(No::NotThere)?;
    let first = index.checked_mul(u64::from(WIDTH)).ok_or(No::NotThere)?;
    let count = u64::from(widest.width);
    let read = |at: u64| read_stored(file, at);
    let stored = (first..first + count).map(|n| read(stored_hash_index(base, n)));
    let hashes = stored.collect::<io::Result<Vec<Hash>>>().map_err(|_| No::NotReady)?;

    let leaf_index = first.checked_shl(base.into()).ok_or(No::NotThere)?;
    let inside = |at: u64| {
        let (level, n) = split_stored_hash_index(at);
        let up = level.checked_sub(base)?;
        let start = n.checked_shl(up.into())?.checked_sub(first)?;
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(1usize.checked_shl(up.into())?)?;
        hashes.get(start..end).map(perfect)
    };
    let proof = inclusion_proof(leaf_index, size, |at| inside(at).map_or_else(|| read(at), Ok))
        .map_err(|_| No::NotReady)?;
    let leaf = match base {
        0 => hashes.first().copied(),
        _ => read(stored_hash_index(0, leaf_index)).ok(),
    };
    let leaf = leaf.ok_or(No::NotReady)?;
    verify_inclusion(&leaf, leaf_index, size, root, &proof).map_err(|_| No::Damaged)?;
    // The first hash itself is on the path, not beside it.
    let below = proof.get(..usize::from(base)).ok_or(No::Damaged)?;
    let reached = below.iter().fold(leaf, |node, right| node_hash(&node, right));
    if hashes.first() == Some(&reached) { Ok(hashes) } else { Err(No::Damaged) }
}

/// The root of a perfect subtree.
fn perfect(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&perfect(left), &perfect(right))
        }
    }
}

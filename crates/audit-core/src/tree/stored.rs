//! Where hashes stand in `tree.hashes`: the order of Go's `golang.org/x/mod/sumdb/tlog`.
//!
//! What must stay true here: a leaf's hash is followed at once by those of the perfect subtrees it
//! completes, lowest first. So the file only ever grows, and the hashes of a tree of n leaves are
//! its first [`stored_hash_count`]`(n)`. A result that no `u64` holds is `u64::MAX`.

/// The index among the stored hashes of the `n`-th perfect subtree of `2^level` leaves.
///
/// It is written right after the last of those leaves, and after `level` smaller subtrees. Before
/// leaf m stand `2m - (ones in m)` hashes.
#[must_use]
pub fn stored_hash_index(level: u8, n: u64) -> u64 {
    let level = u32::from(level.min(64));
    let Some(last) =
        (u128::from(n) + 1).checked_shl(level).filter(|s| s >> level == u128::from(n) + 1)
    else {
        return u64::MAX;
    };
    // For n = u64::MAX and level 64 the shift itself would lose the only bit: filtered above.
    let last = last - 1;
    let before = 2u128.saturating_mul(last).saturating_sub(u128::from(last.count_ones()));
    u64::try_from(before.saturating_add(u128::from(level))).unwrap_or(u64::MAX)
}

/// How many hashes a tree of `size` leaves stores.
#[must_use]
pub fn stored_hash_count(size: u64) -> u64 {
    let count = 2 * u128::from(size) - u128::from(size.count_ones());
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What stands at an index among the stored hashes: `(level, n)`, the inverse of
/// [`stored_hash_index`].
#[must_use]
pub fn split_stored_hash_index(index: u64) -> (u8, u64) {
    // Leaf m's hash stands below 2m, so the leaf that wrote this hash is at or little above index/2.
    let mut leaf = index / 2;
    let mut at = stored_hash_index(0, leaf);
    // Leaf m writes one hash, and one for each subtree that it completes.
    while let Some(next) = at.checked_add(1 + u64::from((leaf + 1).trailing_zeros())) {
        if next > index {
            break;
        }
        leaf += 1;
        at = next;
    }
    let level = u8::try_from(index - at).unwrap_or(u8::MAX);
    (level, leaf.checked_shr(u32::from(level)).unwrap_or(0))
}

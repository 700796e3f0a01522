//! The Merkle tree over the entries as they are read.
//!
//! What must stay true here: a leaf enters only at its own place. Where a leaf is missing the tree
//! ends, and no root beyond it is ever claimed: that is either reported as damage by the chain, or
//! the verdict is not *proven*.

use super::finding::Finding;
use super::forest::Forest;
use super::item::Run;
use super::scan::{StoredHashes, compare};
use crate::chain::Hash;
use crate::tree::{Frontier, consistency_proof, stored_hash_index, verify_consistency};

/// The tree so far.
#[derive(Debug, Default)]
pub(super) struct Tree {
    forest: Forest,
    /// What came since the last change of keys that a key vouched for, and since the last one that was
    /// begun, if that is a later one: with that, later trees are shown to extend the ones before.
    since_change: Forest,
    since_begun: Option<Forest>,
    begun: bool,
    broken: bool,
    /// What was before the first entry is not known.
    is_headless: bool,
}

impl Tree {
    /// The tree at a size that was verified before.
    pub(super) fn resumed(
        size: u64,
        subtrees: &[Hash],
        changed: u64,
        since: &[Hash],
    ) -> Option<Tree> {
        let forest = Forest::of_tree(size, subtrees)?;
        let mut since_change = Forest::starting_at(changed);
        since_change.extend(size, since)?;
        Some(Tree { forest, since_change, begun: size > 0, ..Tree::default() })
    }

    /// Begins with what stands before the first run. Of a trail whose front was deleted that is what the
    /// stored hashes say: they are not believed but proven, by the signed root that they must lead to.
    /// Gives the stored leaf that is not the one which the run continues.
    pub(super) fn begin(&mut self, run: &Run, stored: &mut dyn StoredHashes) -> Option<Finding> {
        if std::mem::replace(&mut self.begun, true) || run.seq == 0 {
            return None;
        }
        match front(run.seq, stored) {
            Some(forest) => {
                self.since_change = forest.clone();
                self.forest = forest;
            }
            None => (self.broken, self.is_headless) = (true, true),
        }
        let mismatch = compare(stored, 0, run.seq - 1, &run.prev_hash);
        self.broken |= mismatch.is_some();
        mismatch
    }

    /// Adds the leaves of a run, if they are the ones that follow. Gives what contradicts a stored hash.
    pub(super) fn add(&mut self, run: &Run, stored: &mut dyn StoredHashes) -> Option<Finding> {
        let size = self.forest.next();
        // Entries that are there for a second time are not in the tree a second time.
        if self.broken || run.seq < size && run.seq.saturating_add(run.count) <= size {
            return None;
        }
        if run.seq != size {
            self.broken = true;
            return None;
        }
        let mut mismatch = None;
        for &(level, hash) in &run.subtrees {
            self.since_change.append(level, hash, |_, _, _| {});
            if let Some(since) = &mut self.since_begun {
                since.append(level, hash, |_, _, _| {});
            }
            self.forest.append(level, hash, |level, n, hash| {
                if mismatch.is_none() {
                    mismatch = compare(stored, level, n, hash);
                }
            });
        }
        mismatch
    }

    /// Whether what was before the first entry is not known.
    pub(super) const fn is_headless(&self) -> bool {
        self.is_headless
    }

    /// The size and the root, if nothing is missing.
    pub(super) fn head(&self) -> Option<(u64, Hash)> {
        (!self.broken).then(|| (self.forest.next(), self.forest.root()))
    }

    /// The hashes of the perfect subtrees, if nothing is missing.
    pub(super) fn subtrees(&self) -> Option<Vec<Hash>> {
        (!self.broken).then(|| self.forest.hashes())
    }

    /// The perfect subtrees over what came since the last change of keys, that one's entry not included.
    pub(super) fn since_change(&self) -> Vec<Hash> {
        self.since_change.hashes()
    }

    /// The last leaf names a key.
    pub(super) fn change_begun(&mut self) {
        self.since_begun = Some(Forest::starting_at(self.forest.next()));
    }

    /// The key that was named last is in force.
    pub(super) fn changed(&mut self) {
        if let Some(since) = self.since_begun.take() {
            self.since_change = since;
        }
    }
}

/// The tree before the first retained entry, whose leaf before must be known.
fn front(seq: u64, stored: &mut dyn StoredHashes) -> Option<Forest> {
    stored.stored(stored_hash_index(0, seq - 1))?;
    let frontier = Frontier::from_stored(seq, |index| stored.stored(index).ok_or(())).ok()?;
    Forest::of_tree(seq, frontier.subtrees())
}

/// The root of the first `size` entries, all of which retention deleted, if the stored hashes prove that
/// the tree with `root` over the first `front` entries extends it.
pub(super) fn root_before(
    size: u64,
    front: u64,
    root: &Hash,
    stored: &mut dyn StoredHashes,
) -> Option<Hash> {
    let mut read = |index| stored.stored(index).ok_or(());
    let old = Frontier::from_stored(size, &mut read).ok()?.root();
    let proof = consistency_proof(size, front, &mut read).ok()?;
    verify_consistency(size, &old, front, root, &proof).ok().map(|()| old)
}

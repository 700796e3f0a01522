//! Where a verification ended, for a later one to go on from.
//!
//! What must stay true here: nothing of it is believed on its own word. Whoever has the first key can
//! follow the keys to the one that signed, and the checkpoint covers the tree. So whoever makes one up
//! needs a key of the log. Only that retention deleted the front, it says on its own word.

use std::collections::BTreeSet;

use super::forest::Forest;
use super::keys::{EpochKey, Rotation};
use crate::chain::{Hash, Head};
use crate::checkpoint::SignedCheckpoint;
use crate::note::VerifierKey;

/// Up to where everything is in order, as signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The key that the verification began with.
    pub first_key: VerifierKey,
    /// What is signed.
    pub checkpoint: SignedCheckpoint,
    /// The trail up to there.
    pub place: Place,
}

/// A place in a trail, behind its last signed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The chain up to there.
    pub head: Head,
    /// `seq` of the first entry.
    pub first_seq: Option<u64>,
    /// Where else the trail may begin later: behind the segments that retention says it deletes.
    pub fronts: BTreeSet<u64>,
    /// The perfect subtrees of the tree, from the left.
    pub subtrees: Vec<Hash>,
    /// The key in force.
    pub key: EpochKey,
    /// How it came to be that.
    pub rotations: Vec<Rotation>,
    /// The perfect subtrees from the tree of the last rotation, if there is one, to the end.
    pub since: Vec<Hash>,
    /// The segment that the last entry is in.
    pub segment: String,
    /// Where that entry begins in it, and where it ends, LF included.
    pub last: (u64, u64),
}

/// A place, before it is known by which key it is signed.
#[derive(Debug, Clone)]
pub(super) struct Unkeyed {
    pub(super) head: Head,
    pub(super) first_seq: Option<u64>,
    pub(super) subtrees: Vec<Hash>,
    pub(super) rotations: Vec<Rotation>,
    pub(super) since: Vec<Hash>,
    pub(super) segment: String,
    pub(super) last: (u64, u64),
}

impl Unkeyed {
    pub(super) fn of(place: &Place) -> Unkeyed {
        let Place { head, first_seq, subtrees, rotations, since, segment, last, .. } =
            place.clone();
        Unkeyed { head, first_seq, subtrees, rotations, since, segment, last }
    }

    pub(super) fn with(self, key: EpochKey, fronts: BTreeSet<u64>) -> Place {
        let Unkeyed { head, first_seq, subtrees, rotations, since, segment, last } = self;
        Place { head, first_seq, fronts, subtrees, key, rotations, since, segment, last }
    }
}

impl Place {
    /// The size of the tree of the last change of keys, of which there may be none.
    pub(super) fn changed(&self) -> u64 {
        self.rotations.last().map_or(0, |last| last.proof.checkpoint.unverified().size)
    }
}

impl Verified {
    /// Puts together what was written down, if it holds: the keys follow each other from the first one,
    /// the last of them signed the checkpoint, and each tree that was signed goes on from the one before.
    /// Without the latter, the thief of a key could put another past in front of the rotation to it.
    /// `first_seq`, `segment` and `last` say where to look, and what is found there decides; what is said of
    /// `subtrees` does not count, they follow. `fronts` is believed.
    ///
    /// # Errors
    /// What does not hold.
    pub fn new(
        first_key: VerifierKey,
        checkpoint: SignedCheckpoint,
        mut place: Place,
    ) -> Result<Verified, String> {
        // After retention the key given is that of an epoch unknown.
        let begins = place.first_seq.unwrap_or(0) == 0;
        let mut key = EpochKey { epoch: begins.then_some(0), key: first_key.clone() };
        // A key that was in force once must not come back later, nor sign what is before its time.
        let mut tree = Forest::default();
        for rotation in &place.rotations {
            key = rotation.follow(&key)?;
            let named = rotation.proof.checkpoint.unverified();
            if named.size <= tree.next() {
                return Err("the changes of keys are not in their order".to_owned());
            }
            let grown = tree.extend(named.size, &rotation.since);
            if grown.is_none() || tree.root() != named.root {
                return Err(
                    "the tree of a change of keys is not proven to go on from the one before"
                        .to_owned(),
                );
            }
        }
        if place.head.next_seq <= tree.next() {
            return Err("the checkpoint is older than the key that signed it".to_owned());
        }
        let known =
            place.key.epoch.is_none() || key.epoch.is_none() || key.epoch == place.key.epoch;
        if key.key != place.key.key || !known {
            return Err("the keys do not lead to the one that signed".to_owned());
        }
        let signed = checkpoint.verify(&key.key).map_err(|error| error.to_string())?;
        let size = place.head.next_seq;
        let grown = tree.extend(size, &place.since);
        if grown.is_none() || (signed.size, signed.root) != (size, tree.root()) || size == 0 {
            return Err("the checkpoint is not of this tree".to_owned());
        }
        place.subtrees = tree.hashes();
        place.key.epoch = key.epoch;
        Ok(Verified { first_key, checkpoint, place })
    }

    /// How many entries were verified and signed.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.place.head.next_seq
    }
}

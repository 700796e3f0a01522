//! Which key is in force at which size (FORMAT section 7).
//!
//! What must stay true here: a key comes into force only by a checkpoint of its predecessor that
//! covers the entry which names it, and has the right root. A rotation that fails changes nothing,
//! so whatever is signed by its key is not believed either.

use super::control::{EpochSealed, KeyRotated};
use super::item::Control;
use crate::chain::Hash;
use crate::checkpoint::CheckpointError;
use crate::entry::Entry;
use crate::note::{SignatureType, VerifierKey, VerifyError};
use crate::proof::TlogProof;

/// A key and the epoch it is of, where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochKey {
    /// The epoch, from 0.
    pub epoch: Option<u64>,
    /// The key.
    pub key: VerifierKey,
}

/// How one key followed another: the entry that names it, and the old key's word that the entry is in
/// the log. Whoever has the first key can check all that follow, without the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// The `audit.key_rotated` entry, without LF.
    pub line: Vec<u8>,
    /// The proof by the checkpoint that the old key signed last.
    pub proof: TlogProof,
    /// The perfect subtrees from the tree of the rotation before, if there is one, to that of this
    /// checkpoint: that the one extends the other.
    pub since: Vec<Hash>,
}

impl Rotation {
    /// A rotation from elsewhere, not to be believed before [`Rotation::follow`].
    #[must_use]
    pub const fn new(line: Vec<u8>, proof: TlogProof, since: Vec<Hash>) -> Rotation {
        Rotation { line, proof, since }
    }

    /// The key that follows `old`; `Err` says why none does.
    ///
    /// # Errors
    /// When the old key does not vouch for it.
    pub fn follow(&self, old: &EpochKey) -> Result<EpochKey, String> {
        let proven = self.proof.verify_entry(&self.line, &old.key).map_err(|e| e.to_string())?;
        if self.proof.index.checked_add(1) != Some(proven.checkpoint.size) {
            return Err("the old key signed more than the entry that names the new one".to_owned());
        }
        let entry = Entry::parse(&self.line).map_err(|error| error.to_string())?;
        let said: Option<KeyRotated> = entry
            .details()
            .filter(|_| entry.event_type() == "audit.key_rotated")
            .and_then(|details| serde_json::from_str(details).ok());
        let said = said.ok_or("no audit.key_rotated entry")?;
        if old.epoch.is_some_and(|epoch| epoch.checked_add(1) != Some(said.epoch)) {
            return Err(format!("epoch {} does not follow", said.epoch));
        }
        let key = VerifierKey::parse(&said.new_key).map_err(|error| error.to_string())?;
        if key.name() != old.key.name() || key.kind() != SignatureType::Ed25519 {
            return Err("the new key is no Ed25519 key of this log".to_owned());
        }
        Ok(EpochKey { epoch: Some(said.epoch), key })
    }
}

/// Walks the rotations.
#[derive(Debug, Default)]
pub(super) struct KeyWalk {
    current: Option<EpochKey>,
    /// The first key, as given.
    first: Option<VerifierKey>,
    announced: Option<Announced>,
    /// How the first key came to be the current one; `None` if a part of that cannot be told.
    rotations: Option<Vec<Rotation>>,
    /// What to begin with where the front is gone and nobody gave a key.
    front: Option<VerifierKey>,
}

/// The entry before was an `audit.key_rotated`.
#[derive(Debug)]
struct Announced {
    seq: u64,
    epoch: u64,
    key: Result<VerifierKey, String>,
    /// The tree that the old key must vouch for, if nothing is missing before it.
    tree: Option<NamedIn>,
    line: Vec<u8>,
}

/// The tree in which the last entry names a key.
#[derive(Debug)]
pub(super) struct NamedIn {
    pub(super) root: Hash,
    /// The perfect subtrees without that entry, from the left.
    pub(super) before: Vec<Hash>,
    /// Those of what came since the last change, that entry included.
    pub(super) since: Vec<Hash>,
}

/// What was expected of a rotation, and what was found.
pub(super) type Wrong = (String, String);

/// What an `audit.epoch_sealed` came to that is not wrong.
#[derive(Debug)]
pub(super) enum Sealed {
    /// A key came into force, by the word of the one before.
    Followed,
    /// The key given is in force from here on: the trail names it.
    Named,
    /// Without a key nothing can be said.
    Unknown,
    /// Another key than the one given signed it. That is as it should be while the one given is of a later
    /// epoch, which is known when the trail names it; if it was in force already, this is what is wrong.
    Elsewhere(Wrong),
}

impl KeyWalk {
    pub(super) fn from(key: Option<EpochKey>) -> KeyWalk {
        let first = key.as_ref().map(|key| key.key.clone());
        let rotations = Some(Vec::new());
        KeyWalk { current: key, first, rotations, ..KeyWalk::default() }
    }

    /// The walk from where an earlier verification ended.
    pub(super) fn resumed(first: VerifierKey, key: EpochKey, rotations: Vec<Rotation>) -> KeyWalk {
        let (first, rotations) = (Some(first), Some(rotations));
        KeyWalk { current: Some(key), first, rotations, ..KeyWalk::default() }
    }

    /// How the first key came to be the current one.
    pub(super) const fn rotations(&self) -> Option<&Vec<Rotation>> {
        self.rotations.as_ref()
    }

    /// What the trail says of its key at the front, should the front be gone and nobody have given one.
    pub(super) fn front_says(&mut self, key: VerifierKey) {
        self.front = Some(key);
    }

    /// The trail begins in the middle: the pinned key is that of an epoch unknown, and the one that
    /// the trail itself began with is of no use.
    pub(super) fn without_front(&mut self, pinned: bool) {
        let given = self.current.take().filter(|_| pinned).map(|known| known.key);
        let key = given.or_else(|| self.front.take());
        if let Some(key) = &key {
            self.first = Some(key.clone());
        }
        self.current = key.map(|key| EpochKey { epoch: None, key });
    }

    /// The key that the walk began with.
    pub(super) const fn first(&self) -> Option<&VerifierKey> {
        self.first.as_ref()
    }

    /// The key in force now.
    pub(super) const fn current(&self) -> Option<&EpochKey> {
        self.current.as_ref()
    }

    /// Whether the entry before named a new key that is not in force yet.
    pub(super) const fn is_rotating(&self) -> bool {
        self.announced.is_some()
    }

    /// `audit.key_rotated` at `seq`; `tree` is the one with this entry.
    pub(super) fn rotated(
        &mut self,
        seq: u64,
        control: &Control,
        tree: Option<NamedIn>,
    ) -> Result<(), Wrong> {
        let said: KeyRotated = serde_json::from_str(&control.details)
            .map_err(|error| ("details with epoch and new_key".to_owned(), error.to_string()))?;
        let key = VerifierKey::parse(&said.new_key);
        let key = key.map_err(|error| error.to_string()).and_then(|key| {
            let fits = self.current.as_ref().is_none_or(|old| old.key.name() == key.name());
            let signs = key.kind() == SignatureType::Ed25519;
            if fits && signs { Ok(key) } else { Err(said.new_key.clone()) }
        });
        let line = control.line.clone();
        self.announced = Some(Announced { seq, epoch: said.epoch, key, tree, line });
        Ok(())
    }

    /// `audit.epoch_sealed` at `seq`, right after the entry before.
    pub(super) fn sealed(&mut self, seq: u64, details: &str) -> Result<Sealed, Wrong> {
        let wrong = |expected: &str, found: String| Err((expected.to_owned(), found));
        let Some(announced) = self.announced.take().filter(|a| a.seq.checked_add(1) == Some(seq))
        else {
            return wrong("audit.key_rotated right before it", "another entry".to_owned());
        };
        // Without a key nothing can be said, and nothing is proven.
        let Some(old) = &self.current else { return Ok(Sealed::Unknown) };
        let said: EpochSealed = match serde_json::from_str(details) {
            Ok(said) => said,
            Err(error) => return wrong("details with epoch and checkpoint", error.to_string()),
        };
        if old.epoch.is_some_and(|epoch| epoch != said.epoch)
            || said.epoch.checked_add(1) != Some(announced.epoch)
        {
            let epoch = old.epoch.unwrap_or(said.epoch);
            let found = format!("epoch {} sealed, epoch {} begun", said.epoch, announced.epoch);
            return wrong(&format!("epoch {epoch} sealed and the next begun"), found);
        }
        let new = match announced.key {
            Ok(key) => key,
            Err(found) => return wrong("an Ed25519 vkey of this log as new_key", found),
        };
        let signed = match said.note() {
            Ok(signed) => signed,
            Err(error) => return wrong("a signed checkpoint", error.to_string()),
        };
        let checkpoint = match signed.verify(&old.key) {
            Ok(checkpoint) => checkpoint,
            // Retention deleted rotations before this one, and the key given may be of a later epoch:
            // it is in force from where the trail names it. Whoever can write the files may have done
            // so, hence of which epoch it is its own word says later.
            Err(CheckpointError::Verify(error @ VerifyError::NoKnownKey { .. }))
                if old.epoch.is_none() =>
            {
                if new != old.key {
                    let expected = format!("a signature of key {}", old.key.id());
                    return Ok(Sealed::Elsewhere((expected, error.to_string())));
                }
                return Ok(Sealed::Named);
            }
            Err(error) => {
                return wrong(&format!("a signature of key {}", old.key.id()), error.to_string());
            }
        };
        if checkpoint.size != seq {
            return wrong(&format!("a checkpoint of size {seq}"), checkpoint.size.to_string());
        }
        match announced.tree {
            Some(NamedIn { root, .. }) if root != checkpoint.root => {
                return wrong(&format!("root {root}"), checkpoint.root.to_string());
            }
            Some(NamedIn { mut before, since, .. }) => {
                // The last leaf of a tree is joined with all that stands before it.
                before.reverse();
                let (extra, index, hashes) = (None, announced.seq, before);
                let proof = TlogProof { extra, index, hashes, checkpoint: signed };
                if let Some(rotations) = &mut self.rotations {
                    rotations.push(Rotation::new(announced.line, proof, since));
                }
            }
            None => self.rotations = None,
        }
        self.current = Some(EpochKey { epoch: Some(announced.epoch), key: new });
        Ok(Sealed::Followed)
    }

    /// A writer was killed in the middle of a rotation, and the next one gave it up: the key that was
    /// named is none.
    pub(super) fn given_up(&mut self) {
        self.announced = None;
    }

    /// Another entry: a rotation that was begun will never be sealed.
    pub(super) fn other(&mut self) -> Result<(), Wrong> {
        match self.announced.take() {
            None => Ok(()),
            Some(_) => {
                let expected = "audit.epoch_sealed right after audit.key_rotated";
                Err((expected.to_owned(), "another entry".to_owned()))
            }
        }
    }
}

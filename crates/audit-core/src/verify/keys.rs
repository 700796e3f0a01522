//! Which key is in force at which size (FORMAT section 7).
//!
//! What must stay true here: a key comes into force only by a checkpoint of its predecessor that
//! covers the entry which names it, and has the right root. A rotation that fails changes nothing,
//! so whatever is signed by its key is not believed either.

use super::control::{EpochSealed, KeyRotated};
use crate::chain::Hash;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::note::{SignatureType, VerifierKey, VerifyError};

/// A key and the epoch it is of, where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochKey {
    /// The epoch, from 0.
    pub epoch: Option<u64>,
    /// The key.
    pub key: VerifierKey,
}

/// Walks the rotations.
#[derive(Debug, Default)]
pub(super) struct KeyWalk {
    current: Option<EpochKey>,
    /// The first key, as given.
    first: Option<VerifierKey>,
    announced: Option<Announced>,
}

/// The entry before was an `audit.key_rotated`.
#[derive(Debug)]
struct Announced {
    seq: u64,
    epoch: u64,
    key: Result<VerifierKey, String>,
    /// The root that the old key must vouch for, if nothing is missing before it.
    root: Option<Hash>,
}

/// What was expected of a rotation, and what was found.
pub(super) type Wrong = (String, String);

impl KeyWalk {
    pub(super) fn from(key: Option<EpochKey>) -> KeyWalk {
        let first = key.as_ref().map(|key| key.key.clone());
        KeyWalk { current: key, first, announced: None }
    }

    /// The trail begins in the middle: the pinned key is that of an epoch unknown, and the one that
    /// the trail itself began with is of no use.
    pub(super) fn without_front(&mut self, pinned: bool) {
        self.current = self.current.take().filter(|_| pinned);
        if let Some(key) = &mut self.current {
            key.epoch = None;
        }
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

    /// `audit.key_rotated` at `seq`; `root` is that of the tree with this entry.
    pub(super) fn rotated(
        &mut self,
        seq: u64,
        details: &str,
        root: Option<Hash>,
    ) -> Result<(), Wrong> {
        let said: KeyRotated = serde_json::from_str(details)
            .map_err(|error| ("details with epoch and new_key".to_owned(), error.to_string()))?;
        let key = VerifierKey::parse(&said.new_key);
        let key = key.map_err(|error| error.to_string()).and_then(|key| {
            let fits = self.current.as_ref().is_none_or(|old| old.key.name() == key.name());
            let signs = key.kind() == SignatureType::Ed25519;
            if fits && signs { Ok(key) } else { Err(said.new_key.clone()) }
        });
        self.announced = Some(Announced { seq, epoch: said.epoch, key, root });
        Ok(())
    }

    /// `audit.epoch_sealed` at `seq`, right after the entry before.
    pub(super) fn sealed(&mut self, seq: u64, details: &str) -> Result<(), Wrong> {
        let wrong = |expected: &str, found: String| Err((expected.to_owned(), found));
        let Some(announced) = self.announced.take().filter(|a| a.seq.checked_add(1) == Some(seq))
        else {
            return wrong("audit.key_rotated right before it", "another entry".to_owned());
        };
        // Without a key nothing can be said, and nothing is proven.
        let Some(old) = &self.current else { return Ok(()) };
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
        let mut note = said.checkpoint.join("\n");
        note.push('\n');
        let signed = match SignedCheckpoint::parse(note.as_bytes()) {
            Ok(signed) => signed,
            Err(error) => return wrong("a signed checkpoint", error.to_string()),
        };
        let checkpoint = match signed.verify(&old.key) {
            Ok(checkpoint) => checkpoint,
            // Retention deleted the rotations before: the key given is not that of this epoch, and
            // the way from it to the one in force is gone. Nothing is wrong, and nothing proven.
            Err(CheckpointError::Verify(VerifyError::NoKnownKey { .. })) if old.epoch.is_none() => {
                self.current = None;
                return Ok(());
            }
            Err(error) => {
                return wrong(&format!("a signature of key {}", old.key.id()), error.to_string());
            }
        };
        if checkpoint.size != seq {
            return wrong(&format!("a checkpoint of size {seq}"), checkpoint.size.to_string());
        }
        if let Some(root) = announced.root
            && root != checkpoint.root
        {
            return wrong(&format!("root {root}"), checkpoint.root.to_string());
        }
        self.current = Some(EpochKey { epoch: Some(announced.epoch), key: new });
        Ok(())
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

//! What a trail whose front was deleted says of it: the tree over what is gone, and the key in force where
//! it begins now.
//!
//! What must stay true here: nothing of it is believed. The signed root must follow from the tree; the key
//! is the trail's own word, as every key that nobody gave. What a recovery made void is not even asked: it
//! may be anybody's.

use serde_json::Value;

use super::control::{EpochSealed, KeyRotated, Retention};
use crate::chain::Hash;
use crate::entry::Entry;
use crate::note::{SignatureType, VerifierKey};
use crate::retention::Claims;

/// No tree has more perfect subtrees.
const MOST_SUBTREES: usize = 64;
/// What a key and a claim take, beside texts and hashes.
const CLAIM: usize = 256;

/// Listens to the control entries of a trail that begins in the middle.
#[derive(Debug)]
pub struct FrontWords {
    front: u64,
    signed: u64,
    fronts: Claims<Front>,
    /// Keys that changes of keys brought into force, as far as they look like one.
    changes: Claims<VerifierKey>,
    /// The entry before, if it named a key.
    announced: Option<(u64, KeyRotated)>,
}

/// What an `audit.retention_applied` says of the front.
#[derive(Debug)]
struct Front {
    subtrees: Option<Vec<Hash>>,
    key: Option<VerifierKey>,
}

/// What was said and counts.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FrontSaid {
    /// The perfect subtrees over everything before the first entry, from the left, by the newest word.
    pub subtrees: Option<Vec<Hash>>,
    /// The key in force at the first entry, by the oldest word; where there is none, the key that the
    /// first change of keys named.
    pub key: Option<VerifierKey>,
}

impl FrontWords {
    /// Of a trail whose first entry is `front`, and of which so many entries are said to be signed.
    #[must_use]
    pub fn new(front: u64, signed: u64) -> FrontWords {
        let (fronts, changes) = (Claims::default(), Claims::default());
        FrontWords { front, signed, fronts, changes, announced: None }
    }

    /// Takes the next entry. Only those of `audit.*` matter.
    pub fn entry(&mut self, entry: &Entry<'_>) {
        let seq = entry.seq();
        if seq >= self.signed {
            return;
        }
        let details = entry.details().unwrap_or_default();
        match entry.event_type() {
            "audit.retention_applied" => self.applied(seq, details),
            "audit.recovered" => {
                self.fronts.recovered(seq, details);
                self.changes.recovered(seq, details);
            }
            "audit.key_rotated" => {
                self.announced = serde_json::from_str(details).ok().map(|said| (seq, said));
            }
            "audit.epoch_sealed" => self.sealed(seq, details),
            _ => {}
        }
    }

    fn applied(&mut self, seq: u64, details: &str) {
        let said = Retention::read(details).front.filter(|said| said.seq == self.front);
        let key = said.and_then(|said| said.key).and_then(|key| VerifierKey::parse(&key).ok());
        let key = key.filter(|key| key.kind() == SignatureType::Ed25519);
        let subtrees = subtrees(details, self.front);
        if key.is_some() || subtrees.is_some() {
            let bytes = CLAIM
                + subtrees.as_deref().map_or(0, size_of_val)
                + key.as_ref().map_or(0, |key| key.name().len());
            self.fronts.claim_of(seq, Front { subtrees, key }, bytes);
        }
    }

    fn sealed(&mut self, seq: u64, details: &str) {
        let before = self.announced.take().filter(|(at, _)| at.checked_add(1) == Some(seq));
        let Some((_, announced)) = before else { return };
        let Ok(said) = serde_json::from_str::<EpochSealed>(details) else { return };
        let is_of_here = said.note().is_ok_and(|note| note.unverified().size == seq);
        let follows = said.epoch.checked_add(1) == Some(announced.epoch);
        if let Ok(key) = VerifierKey::parse(&announced.new_key)
            && (is_of_here && follows && key.kind() == SignatureType::Ed25519)
        {
            let bytes = CLAIM + key.name().len();
            self.changes.claim_first(seq, key, bytes);
        }
    }

    /// What counts of it.
    #[must_use]
    pub fn said(self) -> FrontSaid {
        let mut said = FrontSaid::default();
        for (_, front) in self.fronts.in_force() {
            said.subtrees = front.subtrees.or(said.subtrees);
            said.key = said.key.or(front.key);
        }
        said.key = said.key.or_else(|| self.changes.in_force().next().map(|(_, key)| key));
        said
    }
}

fn subtrees(details: &str, front: u64) -> Option<Vec<Hash>> {
    let details: Value = serde_json::from_str(details).ok()?;
    let said = details.get("front").filter(|said| said["seq"].as_u64() == Some(front))?;
    let tree = said["tree"].as_array().filter(|tree| tree.len() <= MOST_SUBTREES)?;
    tree.iter().map(|hash| Hash::from_hex(hash.as_str()?.as_bytes())).collect()
}

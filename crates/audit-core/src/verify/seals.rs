//! Signed tree heads of every origin, held against the entries (FORMAT section 10, steps 4 and 5).
//!
//! What must stay true here: what is signed counts only under the key in force at its size. A
//! reference checkpoint counts whoever signed it, because whoever verifies says that it was seen.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, FindingKind as Kind};
use super::keys::EpochKey;
use super::verified::Unkeyed;
use crate::chain::Hash;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::note::{VerifierKey, VerifyError};

/// How far a cosigner's clock may be ahead of the verifier's, in seconds.
const CLOCKS_APART: u64 = 600;

/// A file that should hold a signed checkpoint, as it was read.
pub type Read = Result<SignedCheckpoint, CheckpointError>;

/// The tree heads a trail is verified against, read before its segments.
#[derive(Debug, Default)]
pub struct Seals {
    /// The file `checkpoint`.
    pub checkpoint: Option<Read>,
    /// The file `witnessed`.
    pub witnessed: Option<Read>,
    /// Checkpoints seen earlier, by name.
    pub references: Vec<(String, SignedCheckpoint)>,
    /// Keys of the cosigners whose word on time counts.
    pub witnesses: Vec<VerifierKey>,
    /// What time it is, in POSIX seconds, if that is known: what a cosigner says of a later one does not
    /// count.
    pub now: Option<u64>,
}

/// What was signed, and holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seal {
    /// How many entries it covers.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The key that signed, which was in force.
    pub key: EpochKey,
}

/// What bounds how old the trail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Bound {
    /// Nothing: it may be an old copy.
    #[default]
    Unknown,
    /// It has the entries of a reference checkpoint of this size.
    Reference(u64),
    /// A cosigner saw this many of its entries at this time, in POSIX seconds.
    Cosigned(u64, u64),
}

/// The tree and the key at a size that somebody asked about.
#[derive(Debug, Clone, Default)]
pub(super) struct At {
    /// None if entries are missing before.
    pub(super) root: Option<Hash>,
    pub(super) key: Option<EpochKey>,
    /// What a later verification needs to go on from here.
    pub(super) verified: Option<Unkeyed>,
}

/// What the entries turned out to be.
pub(super) struct Facts<'a> {
    pub(super) at: &'a BTreeMap<u64, At>,
    /// The size of the trail.
    pub(super) end: u64,
    pub(super) entries: u64,
    /// The key in force at the end.
    pub(super) last_key: Option<&'a EpochKey>,
    /// Retention deleted the front, and with it the way from the first key to those in force.
    pub(super) pruned: bool,
    /// Of a smaller tree nothing is known: retention deleted its entries, or an earlier verification
    /// had them.
    pub(super) begin: u64,
    /// The size that an earlier verification ended at.
    pub(super) resumed: Option<u64>,
}

/// What the seals are worth.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) findings: Vec<Finding>,
    pub(super) seal: Option<Seal>,
    pub(super) bound: Bound,
    /// Whether signatures were checked at all.
    pub(super) any_signature: bool,
}

impl Seals {
    /// The sizes at which the tree must be known.
    #[must_use]
    pub fn sizes(&self) -> BTreeSet<u64> {
        let files = [&self.checkpoint, &self.witnessed];
        let files = files.into_iter().flatten().filter_map(|read| read.as_ref().ok());
        let all = files.chain(self.references.iter().map(|(_, signed)| signed));
        all.map(|signed| signed.unverified().size).collect()
    }

    /// The size that the checkpoint states. Where no checkpoint can be read, that is the violation.
    pub(super) fn signed(&self) -> u64 {
        let read = self.checkpoint.as_ref().and_then(|read| read.as_ref().ok());
        read.map_or(u64::MAX, |signed| signed.unverified().size)
    }

    pub(super) fn judge(&self, facts: &Facts<'_>) -> Judged {
        let mut judged = Judged::default();
        match &self.checkpoint {
            Some(read) => judged.seal = judged.signed("checkpoint", read, facts),
            None if facts.entries > 0 => judged.findings.push(
                Finding::new(Kind::CheckpointMissing)
                    .in_file("checkpoint")
                    .evidence("a signed checkpoint", "no such file"),
            ),
            None => {}
        }
        for (name, signed) in &self.references {
            judged.reference(name, signed, facts);
        }
        if let Some(read) = &self.witnessed
            && let Some(seal) = judged.signed("witnessed", read, facts)
            && let Ok(signed) = read
        {
            judged.cosignatures(&self.witnesses, self.now, signed, seal.size);
        }
        judged
    }
}

impl Judged {
    fn find(&mut self, kind: Kind, file: &str, expected: &str, found: &dyn std::fmt::Display) {
        self.findings.push(Finding::new(kind).in_file(file).evidence(expected, found));
    }

    /// A checkpoint that the log itself says is its own.
    fn signed(&mut self, file: &str, read: &Read, facts: &Facts<'_>) -> Option<Seal> {
        let signed = match read {
            Ok(signed) => signed,
            Err(error) => {
                self.find(Kind::CheckpointMalformed, file, "a signed checkpoint", error);
                return None;
            }
        };
        self.any_signature = true;
        let size = signed.unverified().size;
        if let Some(verified) = facts.resumed.filter(|verified| size < *verified)
            && file == "checkpoint"
        {
            let expected = format!("{verified} entries or more, as signed when they were verified");
            self.find(Kind::Rollback, file, &expected, &size);
        }
        let at = facts.at.get(&size);
        if size < facts.begin {
            // Entries are deleted only after a checkpoint that is larger than all of them.
            if facts.resumed.is_none() && file == "checkpoint" {
                let expected = format!("more than {} entries, as were deleted", facts.begin);
                self.find(Kind::Rollback, file, &expected, &size);
            }
            let seen = signed.unverified().root;
            if let Some(root) = at.and_then(|at| at.root).filter(|root| *root != seen) {
                let expected = format!("root {seen} of the first {size} entries");
                self.find(Kind::RootMismatch, file, &expected, &root);
            }
            return None;
        }
        let missing = size > facts.end;
        if missing {
            let expected = format!("{size} entries, as signed");
            self.find(Kind::Truncated, file, &expected, &facts.end);
        }
        let key = at.and_then(|at| at.key.as_ref()).or(facts.last_key);
        let Some(key) = key else {
            if facts.pruned {
                return None;
            }
            self.find(Kind::SignatureInvalid, file, "a key to verify it with", &"none");
            return None;
        };
        let checkpoint = match signed.verify(&key.key) {
            Ok(checkpoint) => checkpoint,
            // The way from the pinned key to the one in force may be among what was deleted.
            Err(CheckpointError::Verify(VerifyError::NoKnownKey { .. }))
                if facts.pruned && key.epoch.is_none() =>
            {
                return None;
            }
            Err(error) => {
                let epoch = key.epoch.map_or(String::new(), |epoch| format!(" of epoch {epoch}"));
                let expected =
                    format!("a signature of key {}{epoch}, in force at size {size}", key.key.id());
                self.find(Kind::SignatureInvalid, file, &expected, &error);
                return None;
            }
        };
        let root = at.and_then(|at| at.root)?;
        if root != checkpoint.root {
            let expected =
                format!("root {} of the first {size} entries, as signed", checkpoint.root);
            self.find(Kind::RootMismatch, file, &expected, &root);
            return None;
        }
        (!missing).then(|| Seal { size, root, key: key.clone() })
    }

    /// A checkpoint that was seen earlier.
    fn reference(&mut self, name: &str, signed: &SignedCheckpoint, facts: &Facts<'_>) {
        let seen = signed.unverified();
        if let Some(key) = facts.last_key
            && key.key.name() != seen.origin
        {
            let expected = format!("the log {} that it is a checkpoint of", seen.origin);
            return self.find(Kind::Fork, name, &expected, &key.key.name());
        }
        if seen.size > facts.end {
            let expected = format!("{} entries, as seen earlier", seen.size);
            return self.find(Kind::Rollback, name, &expected, &facts.end);
        }
        match facts.at.get(&seen.size).and_then(|at| at.root) {
            Some(root) if root != seen.root => {
                let expected = format!("root {} of the first {} entries", seen.root, seen.size);
                self.find(Kind::Fork, name, &expected, &root);
            }
            Some(_) => self.bound = self.bound.newer(Bound::Reference(seen.size)),
            // Entries are missing, or deleted and the hashes of their tree are not there.
            None => {
                let expected =
                    format!("the tree of the first {} entries, which was seen earlier", seen.size);
                let found = "its hashes are not in tree.hashes";
                self.find(Kind::ReferenceUnproven, name, &expected, &found);
            }
        }
    }

    fn cosignatures(
        &mut self,
        witnesses: &[VerifierKey],
        now: Option<u64>,
        signed: &SignedCheckpoint,
        size: u64,
    ) {
        if witnesses.is_empty() {
            return;
        }
        let latest = now.map_or(u64::MAX, |now| now.saturating_add(CLOCKS_APART));
        match signed.verify_cosignatures(witnesses) {
            Ok(by) => {
                for by in by {
                    match by.timestamp {
                        Some(time) if time > latest => {
                            let expected = format!("a time up to now, {}", now.unwrap_or_default());
                            let found = format!("{time}, as {} says", by.key.name());
                            self.find(Kind::CosignatureAhead, "witnessed", &expected, &found);
                        }
                        Some(time) => self.bound = self.bound.newer(Bound::Cosigned(size, time)),
                        None => {}
                    }
                }
            }
            // Signed by witnesses that nobody asked for: that bounds nothing.
            Err(VerifyError::NoKnownKey { .. }) => {}
            Err(error) => {
                self.find(Kind::SignatureInvalid, "witnessed", "true cosignatures", &error);
            }
        }
    }
}

impl Bound {
    /// Time says more than a size, and a larger size more than a smaller one.
    fn newer(self, other: Bound) -> Bound {
        let rank = |bound: Bound| match bound {
            Bound::Unknown => (0, 0),
            Bound::Reference(size) => (1, size),
            Bound::Cosigned(_, time) => (2, time),
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

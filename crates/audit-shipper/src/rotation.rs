//! Rotations of a log's key, so that a witness can follow them (FORMAT section 7).
//!
//! What must stay true here: a new key counts only if the old one signed the tree of s+1 entries
//! whose last is the entry that names it. The proof of that is an entry and a C2SP tlog-proof, and
//! whoever holds the old public key can verify it.

use audit_core::chain::{HASH_SUFFIX, Hash};
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::entry::Entry;
use audit_core::note::{SignatureType, VerifierKey};
use audit_core::proof::{ProofError, TlogProof};
use audit_reader::{DirSource, LineKind, ReadError, Step, TrailReader, find_by_seq};
use memchr::memmem;
use serde_json::Value;
use thiserror::Error;

/// A rotation as it stands in the trail.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// The line of `audit.key_rotated`.
    pub(crate) line: Vec<u8>,
    /// Its hash.
    pub(crate) leaf: Hash,
    /// Its `seq`.
    pub(crate) seq: u64,
    /// The key it names.
    pub(crate) new_key: VerifierKey,
    /// The tree of `seq + 1` entries, signed by the old key.
    pub(crate) checkpoint: SignedCheckpoint,
}

/// The proof that a log changed its key: `audit.key_rotated` and a tlog-proof that it is the last
/// entry of a tree that the old key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationProof {
    /// The entry's line, without LF.
    pub line: Vec<u8>,
    /// That it is in the log.
    pub proof: TlogProof,
}

/// Why a rotation is not to be believed. The fault of whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RotationProofError {
    /// There is no line before the proof.
    #[error("expected the line of an entry, then a tlog-proof")]
    Structure,
    /// The proof fails.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The entry is not `audit.key_rotated`, or names no key of this log.
    #[error("the entry does not name a new key of this log")]
    NotARotation,
    /// It is not the last entry of the tree.
    #[error("the entry is not the last of the tree that was signed")]
    NotLast,
}

impl RotationProof {
    /// Reads a line, LF, and a tlog-proof.
    ///
    /// # Errors
    /// [`RotationProofError`] if it is not one.
    pub fn parse(bytes: &[u8]) -> Result<RotationProof, RotationProofError> {
        let at = memchr::memchr(b'\n', bytes).ok_or(RotationProofError::Structure)?;
        let (line, rest) = bytes.split_at(at);
        let proof = TlogProof::parse(rest.get(1..).unwrap_or_default())?;
        Ok(RotationProof { line: line.to_vec(), proof })
    }

    /// The bytes [`RotationProof::parse`] reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.line.clone();
        bytes.push(b'\n');
        bytes.extend_from_slice(self.proof.to_string().as_bytes());
        bytes
    }

    /// The new key, if the old one vouches for it. It is in force for sizes greater than that of
    /// the proof's checkpoint.
    ///
    /// # Errors
    /// [`RotationProofError`] if it does not.
    pub fn verify(&self, old: &VerifierKey) -> Result<VerifierKey, RotationProofError> {
        let proven = self.proof.verify_entry(&self.line, old)?;
        if proven.index + 1 != proven.checkpoint.size {
            return Err(RotationProofError::NotLast);
        }
        let entry = Entry::parse(&self.line).map_err(ProofError::from)?;
        rotated_key(&entry, old.name()).ok_or(RotationProofError::NotARotation)
    }
}

/// The key that an entry `audit.key_rotated` names, if it is one and the key one of this log.
#[must_use]
pub fn rotated_key(entry: &Entry<'_>, origin: &str) -> Option<VerifierKey> {
    if entry.event_type() != "audit.key_rotated" {
        return None;
    }
    let details: Value = serde_json::from_str(entry.details()?).ok()?;
    let key = VerifierKey::parse(details.get("new_key")?.as_str()?).ok()?;
    (key.name() == origin && key.kind() == SignatureType::Ed25519).then_some(key)
}

/// The rotations of a trail from the entry `from` on, in order.
pub(crate) fn rotations(
    source: &DirSource,
    origin: &str,
    from: u64,
) -> Result<Vec<Rotation>, ReadError> {
    let start = if from > 0 { find_by_seq(source, from)? } else { None };
    let mut reader = match start {
        Some(found) => TrailReader::starting_at(source.clone(), found.segment, found.offset)?,
        None => TrailReader::new(source.clone()),
    };
    let needle = memmem::Finder::new("\"event_type\":\"audit.");
    let mut open: Option<(Vec<u8>, u64, Hash, VerifierKey)> = None;
    let mut all = Vec::new();
    loop {
        match reader.step()? {
            Step::Line(_, line) if line.kind == LineKind::Complete => {
                // The type stands near the front; a caller's string cannot hold bare quotes.
                if line.bytes.len() < HASH_SUFFIX || needle.find(line.bytes).is_none() {
                    continue;
                }
                let Ok(entry) = Entry::parse(line.bytes) else { continue };
                if let Some(key) = rotated_key(&entry, origin) {
                    open = Some((line.bytes.to_vec(), entry.seq(), entry.computed_hash(), key));
                } else if let Some(checkpoint) = sealed(&entry)
                    && let Some((line, seq, leaf, new_key)) = open.take()
                    && checkpoint.unverified().size == seq + 1
                {
                    all.push(Rotation { line, leaf, seq, new_key, checkpoint });
                }
            }
            Step::Unfinished(..) | Step::CaughtUp => return Ok(all),
            _ => {}
        }
    }
}

/// The checkpoint in an entry `audit.epoch_sealed`.
fn sealed(entry: &Entry<'_>) -> Option<SignedCheckpoint> {
    if entry.event_type() != "audit.epoch_sealed" {
        return None;
    }
    let details: Value = serde_json::from_str(entry.details()?).ok()?;
    let mut note = String::new();
    for line in details.get("checkpoint")?.as_array()? {
        note.push_str(line.as_str()?);
        note.push('\n');
    }
    SignedCheckpoint::parse(note.as_bytes()).ok()
}

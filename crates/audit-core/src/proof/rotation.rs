//! Rotations of a log's key, each proven by the key before (FORMAT section 7).
//!
//! What must stay true here: a new key counts only if the old one signed the tree of s+1 entries
//! whose last is the entry that names it. The proof of that is an entry and a C2SP tlog-proof, and
//! whoever holds the old public key can verify it.

use memchr::memchr;
use thiserror::Error;

use super::{ProofError, TlogProof};
use crate::entry::Entry;
use crate::note::{SignatureType, VerifierKey};
use crate::tree::TreeError;
use crate::verify::KeyRotated;

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
    /// It is older than the rotation before it.
    #[error("it is not later than the rotation before it")]
    NotInOrder,
    /// What should be its consistency proof are no hashes.
    #[error("consistency: expected base64 of 32 bytes for each hash")]
    Hashes,
    /// The next checkpoint is of a tree that does not go on from this one.
    #[error(
        "the tree of the next checkpoint is not proven to extend the one of this rotation: {0}"
    )]
    NotExtended(TreeError),
}

impl RotationProof {
    /// Reads a line, LF, and a tlog-proof.
    ///
    /// # Errors
    /// [`RotationProofError`] if it is not one.
    pub fn parse(bytes: &[u8]) -> Result<RotationProof, RotationProofError> {
        let at = memchr(b'\n', bytes).ok_or(RotationProofError::Structure)?;
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

    /// The size of the tree that the old key signed, and the last one that it signs. Not to be believed
    /// before it is verified.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.proof.checkpoint.unverified().size
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
    let said: KeyRotated = serde_json::from_str(entry.details()?).ok()?;
    let key = VerifierKey::parse(&said.new_key).ok()?;
    (key.name() == origin && key.kind() == SignatureType::Ed25519).then_some(key)
}

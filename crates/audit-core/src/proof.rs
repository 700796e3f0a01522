//! Proofs that stand on their own: an entry, its way to the root, and the signed root
//! (C2SP tlog-proof).
//!
//! What must stay true here: what is proven is the line, all of it. So the line must be an entry
//! whose stated hash is the computed one, since the tree covers its leaf only, and whose `seq` is the
//! index that is proven. Extra data is not authenticated: what is in it must prove itself.

mod history;
mod rotation;

use std::fmt;

use base64ct::{Base64, Encoding};
use thiserror::Error;

use crate::chain::Hash;
use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, decimal};
use crate::entry::{Entry, EntryError, excerpt};
use crate::note::{self, KeyId, MAX_NOTE, VerifierKey};
use crate::tree::{TreeError, verify_inclusion};

pub use history::{KeyHistory, KeyStep, ProvenFrom};
pub use rotation::{RotationProof, RotationProofError, rotated_key};

/// The first line.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// No inclusion proof has more hashes: sizes are below 2^63.
pub const MAX_HASHES: usize = 63;
/// The largest proof that is read: some three thousand rotations of a key in the extra data, and a
/// checkpoint.
pub const MAX_PROOF: usize = 16 * MAX_NOTE;

/// The proof that an entry is in a log. Not to be believed before it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque data beside the proof, which no signature covers. Ours hold a [`KeyHistory`], if anything.
    pub extra: Option<Vec<u8>>,
    /// The index of the entry: its `seq`.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling up to a child of the root.
    pub hashes: Vec<Hash>,
    /// The tree it leads to.
    pub checkpoint: SignedCheckpoint,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Larger than [`MAX_PROOF`].
    #[error("proof: expected at most 16,000,000 bytes, found {found}")]
    TooLong {
        /// How many bytes there are.
        found: usize,
    },
    /// A line is not of its form.
    #[error("proof, line {line}: expected {expected}, found {found}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What stands there: an excerpt, everything but printable ASCII escaped.
        found: String,
    },
    /// The checkpoint is not one, or not one that this key signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The line that is to be proven is not an entry.
    #[error("the entry is malformed")]
    Entry(#[from] EntryError),
    /// The entry's `hash` is not that of its bytes.
    #[error("hash of the entry: expected {expected}, found {found}")]
    EntryHash {
        /// The hash computed from its bytes.
        expected: Hash,
        /// The hash it states.
        found: Hash,
    },
    /// The proof is for another entry.
    #[error("the proof is for entry {index}, and this is entry {seq}")]
    OtherEntry {
        /// The index that is proven.
        index: u64,
        /// The entry's `seq`.
        seq: u64,
    },
    /// The entry is not in the tree.
    #[error(transparent)]
    Inclusion(#[from] TreeError),
    /// A rotation of the key does not hold.
    #[error("key history, step {step}: {why}")]
    History {
        /// Which, from 1; 0 for all of it.
        step: usize,
        /// Why.
        why: Box<RotationProofError>,
    },
    /// The key that signed is the log's, but not in force at that size.
    #[error("key {id} is not in force at size {size}")]
    NotInForce {
        /// Its id.
        id: KeyId,
        /// The size it signed.
        size: u64,
    },
    /// Nothing is wrong, and nothing leads from the key that was given to the one that signed.
    #[error("signed by another key, and nothing in the proof leads to it from key {id}")]
    UnknownKey {
        /// The last key that is known.
        id: KeyId,
    },
    /// Nothing is wrong, and nothing says that what was signed goes on from what a key before signed.
    #[error(
        "key history, step {step}: no proof that the tree of the next checkpoint extends this one"
    )]
    Untied {
        /// Which, from 1.
        step: usize,
    },
}

impl ProofError {
    /// Whether something is missing and nothing wrong: nobody is accused.
    #[must_use]
    pub const fn is_unproven(&self) -> bool {
        matches!(self, ProofError::UnknownKey { .. } | ProofError::Untied { .. })
    }
}

/// What a proof has proven: that the log's key signed a tree with this entry in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven<'a> {
    /// The index of the entry.
    pub index: u64,
    /// The hash of the entry.
    pub leaf: Hash,
    /// The tree it is in.
    pub checkpoint: &'a Checkpoint,
}

impl TlogProof {
    /// Reads a proof. That it is well-formed says nothing about what it proves.
    ///
    /// # Errors
    /// [`ProofError`] if it is not one.
    pub fn parse(bytes: &[u8]) -> Result<TlogProof, ProofError> {
        if bytes.len() > MAX_PROOF {
            return Err(ProofError::TooLong { found: bytes.len() });
        }
        let mut lines = Lines { rest: bytes, number: 0 };
        let line = lines.next()?;
        if line != HEADER {
            return Err(lines.error("c2sp.org/tlog-proof@v1", line));
        }
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            let Some(data) = decode(encoded) else {
                return Err(lines.error("base64 after `extra `", encoded));
            };
            extra = Some(data);
            line = lines.next()?;
        }
        let Some(index) = line.strip_prefix("index ").and_then(decimal) else {
            return Err(lines.error("`index ` and a number without leading zeros", line));
        };
        let mut hashes = Vec::new();
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                break;
            }
            match note::base64_hash(line) {
                Some(hash) if hashes.len() < MAX_HASHES => hashes.push(hash),
                Some(_) => return Err(lines.error("at most 63 hashes", line)),
                None => return Err(lines.error("base64 of 32 bytes, or an empty line", line)),
            }
        }
        let checkpoint = SignedCheckpoint::parse(lines.rest)?;
        Ok(TlogProof { extra, index, hashes, checkpoint })
    }

    /// Verifies that `line` is entry `index` of the log whose key this is. One LF may follow the line.
    ///
    /// # Errors
    /// [`ProofError`] if the line is no entry, or another one, or altered, or if the proof does not
    /// lead from it to a root that the key signed.
    pub fn verify_entry(&self, line: &[u8], key: &VerifierKey) -> Result<Proven<'_>, ProofError> {
        self.verify_leaf(&self.leaf(line)?, key)
    }

    /// The hash of the entry that this proof is for, if the line is that entry.
    fn leaf(&self, line: &[u8]) -> Result<Hash, ProofError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let entry = Entry::parse(line)?;
        let (expected, found) = (entry.computed_hash(), entry.hash());
        if expected != found {
            return Err(ProofError::EntryHash { expected, found });
        }
        if entry.seq() != self.index {
            return Err(ProofError::OtherEntry { index: self.index, seq: entry.seq() });
        }
        Ok(expected)
    }

    /// Verifies that the leaf with this hash is entry `index` of the log whose key this is.
    ///
    /// # Errors
    /// [`ProofError`] if the proof does not lead from it to a root that the key signed.
    pub fn verify_leaf(&self, leaf: &Hash, key: &VerifierKey) -> Result<Proven<'_>, ProofError> {
        let checkpoint = self.checkpoint.verify(key)?;
        verify_inclusion(leaf, self.index, checkpoint.size, &checkpoint.root, &self.hashes)?;
        Ok(Proven { index: self.index, leaf: *leaf, checkpoint })
    }
}

/// The proof as it stands in a `.tlog-proof` file.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", Base64::encode_string(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", Base64::encode_string(&hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

fn decode(encoded: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(encoded).ok()
}

struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, ProofError> {
        self.number += 1;
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => return Err(self.bad("a line that ends in a line feed", self.rest)),
        };
        let text = std::str::from_utf8(line).map_err(|_| self.bad("UTF-8", line))?;
        self.rest = rest;
        Ok(text)
    }

    fn error(&self, expected: &'static str, found: &str) -> ProofError {
        self.bad(expected, found.as_bytes())
    }

    fn bad(&self, expected: &'static str, found: &[u8]) -> ProofError {
        ProofError::Line { line: self.number, expected, found: excerpt(found) }
    }
}

#[cfg(test)]
mod tests;

//! Checkpoints: what a log says its tree is, signed (C2SP tlog-checkpoint; FORMAT section 6).
//!
//! What must stay true here: the key that signs for a log has the log's origin as its name, and a
//! checkpoint of another origin is never taken for this log's, whoever signed it. Numbers have no
//! leading zeros and base64 is canonical, so a tree has one text only. Extension lines are kept and
//! count for signatures, but nothing here writes any.

use std::fmt;

use base64ct::{Base64, Encoding};
use thiserror::Error;

use crate::chain::Hash;
use crate::entry::excerpt;
use crate::note::{
    self, NoteError, NoteSignature, SignError, SignatureType, SignedNote, Signer, Verified,
    VerifierKey, VerifyError,
};

pub use crate::note::cosignature_message;

/// The largest size a checkpoint may state: what Go's `int64` holds.
pub const MAX_STATED_SIZE: u64 = i64::MAX as u64;

/// A tree head: the root of the first `size` entries of the log named `origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// How many entries the tree has.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// Further lines, not empty, without their LFs. Ours have none.
    pub extensions: Vec<String>,
}

/// Why something is not a checkpoint, or not one of this log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A line of the text is not of its form.
    #[error("checkpoint, line {line}: expected {expected}, found {found}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What stands there: an excerpt, everything but printable ASCII escaped.
        found: String,
    },
    /// It is of another log.
    #[error("origin: expected {expected}, found {found}")]
    Origin {
        /// The origin of the log.
        expected: String,
        /// The origin as stated: an excerpt.
        found: String,
    },
    /// A key that cannot sign for a log was given to verify with.
    #[error("key {name}: expected signature type 1 (Ed25519)")]
    NotALogKey {
        /// The name of the key.
        name: String,
    },
    /// The signature is missing or fails.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// Why a checkpoint was not signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignCheckpointError {
    /// The fields make no valid checkpoint, or the key is that of another log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    #[must_use]
    pub fn new(origin: &str, size: u64, root: Hash) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// Reads the text of a note as a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Line`] if it is not one.
    pub fn parse_text(text: &str) -> Result<Checkpoint, CheckpointError> {
        let error = |line, expected, found: &str| {
            Err(CheckpointError::Line { line, expected, found: excerpt(found.as_bytes()) })
        };
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) if !line.is_empty() => lines.push(line),
                _ => return error(lines.len() + 1, "a line that is not empty", line),
            }
        }
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return error(lines.len() + 1, "three lines: origin, size, root", "");
        };
        let Some(size) = decimal(size) else {
            return error(2, "a size in decimal, below 2^63, without leading zeros", size);
        };
        let Some(root) = note::base64_hash(root) else {
            return error(3, "base64 of 32 bytes", root);
        };
        let extensions = extensions.iter().map(|&line| line.to_owned()).collect();
        Ok(Checkpoint { origin: (*origin).to_owned(), size, root, extensions })
    }

    /// Signs the checkpoint with the log's key.
    ///
    /// # Errors
    /// [`SignCheckpointError`] if the key's name is not the origin, the fields make no valid
    /// checkpoint, or the signer fails.
    pub fn sign(&self, signer: &dyn Signer) -> Result<SignedCheckpoint, SignCheckpointError> {
        check_origin(signer.name(), &self.origin)?;
        let text = self.to_string();
        let note = SignedNote::sign(&text, signer)?;
        let signed = SignedCheckpoint::from_note(note)?;
        if signed.checkpoint == *self {
            return Ok(signed);
        }
        // A field holds a line feed, and the text says something else.
        let expected = "fields without line feeds";
        let found = excerpt(self.origin.as_bytes());
        Err(CheckpointError::Line { line: 1, expected, found }.into())
    }
}

/// The text of the note: each line ended by LF.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = Base64::encode_string(&self.root.0);
        writeln!(f, "{}\n{}\n{root}", self.origin, self.size)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A note whose text is a checkpoint. Not to be believed before it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: SignedNote,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// Reads a signed checkpoint. That it is well-formed says nothing about its signatures.
    ///
    /// # Errors
    /// [`CheckpointError`] if it is not one.
    pub fn parse(bytes: &[u8]) -> Result<SignedCheckpoint, CheckpointError> {
        SignedCheckpoint::from_note(SignedNote::parse(bytes)?)
    }

    /// Takes a note as a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Line`] if its text is not one.
    pub fn from_note(note: SignedNote) -> Result<SignedCheckpoint, CheckpointError> {
        let checkpoint = Checkpoint::parse_text(note.text())?;
        Ok(SignedCheckpoint { note, checkpoint })
    }

    /// Verifies that the log whose key this is has signed, and gives the checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`] if the origin is not the key's name, or the signature is missing or fails.
    pub fn verify(&self, key: &VerifierKey) -> Result<&Checkpoint, CheckpointError> {
        if key.kind() != SignatureType::Ed25519 {
            return Err(CheckpointError::NotALogKey { name: key.name().to_owned() });
        }
        check_origin(key.name(), &self.checkpoint.origin)?;
        self.note.verify(std::slice::from_ref(key))?;
        Ok(&self.checkpoint)
    }

    /// Verifies the cosignatures of these witnesses and mirrors and gives those that cosigned, each
    /// once, with its time. It says nothing about the log's own signature: see
    /// [`verify`](SignedCheckpoint::verify).
    ///
    /// # Errors
    /// [`VerifyError`] if none of them cosigned, or a cosignature of one of them fails.
    pub fn verify_cosignatures<'k>(
        &self,
        witnesses: &'k [VerifierKey],
    ) -> Result<Vec<Verified<'k>>, VerifyError> {
        let mut verified = self.note.verify(witnesses)?;
        // A signature without a time is no cosignature, even if that key is in the list.
        verified.retain(|by| by.timestamp.is_some());
        if verified.is_empty() {
            return Err(VerifyError::NoKnownKey { found: self.note.signatures().len() });
        }
        Ok(verified)
    }

    /// Adds a cosignature/v1 made at `timestamp` (POSIX seconds). The caller, a witness, must have
    /// verified the checkpoint and its consistency with whatever it cosigned before.
    ///
    /// # Errors
    /// [`SignError`] if the key is not of type 0x04 or the signer fails.
    pub fn cosign(&mut self, signer: &dyn Signer, timestamp: u64) -> Result<(), SignError> {
        self.note.add_cosignature(signer, timestamp)
    }

    /// Adds a signature line that came from elsewhere. It is not verified.
    ///
    /// # Errors
    /// [`SignError::TooMany`] if the note is full.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), SignError> {
        self.note.add(signature)
    }

    /// What the checkpoint says, not verified.
    #[must_use]
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }
}

/// The checkpoint as it stands in its file.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

/// Reads a number below 2^63 in decimal without sign and leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|size| *size <= MAX_STATED_SIZE)
}

fn check_origin(expected: &str, found: &str) -> Result<(), CheckpointError> {
    if expected == found {
        return Ok(());
    }
    let found = excerpt(found.as_bytes());
    Err(CheckpointError::Origin { expected: expected.to_owned(), found })
}

#[cfg(test)]
mod tests;

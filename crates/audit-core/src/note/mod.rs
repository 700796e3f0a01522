//! Signed notes: text that one or more keys have signed (C2SP signed-note).
//!
//! What must stay true here: nothing of a note is to be believed before [`SignedNote::verify`] named
//! a key for it. Unknown keys are ignored; a known key whose signature fails spoils the note. Two
//! different sequences of bytes are never the same note: what is parsed is written back bit for bit.
//! Sizes are bounded, and nothing here panics, whatever the bytes.

mod cosignature;
mod error;
mod key;
mod line;
mod parse;
mod signing;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;

pub use cosignature::cosignature_message;
pub use error::{KeyError, NoteError, NoteErrorKind, SignError, SignerError, VerifyError};
pub use key::{KeyId, MAX_NAME, SignatureType, VerifierKey};
pub use line::NoteSignature;
pub use signing::{Signer, SigningKey};
pub use verify::Verified;

pub(crate) use line::base64_hash;

/// The largest note that is read: Go's limit.
pub const MAX_NOTE: usize = 1_000_000;
/// As many signatures a note may have. C2SP asks for at least 16; Go's limit is the same.
pub const MAX_SIGNATURES: usize = 100;

/// A text and its signatures. Being well-formed is all it promises: see [`SignedNote::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// The text, final LF included. Not to be believed before the note is verified.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures in their order, those of unknown keys too.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

/// The note as it stands in a file.
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}

//! Why a note, a key or a signature is refused.
//!
//! What must stay true here: an error is safe to print. It quotes little, in plain ASCII, and of a
//! private key nothing at all.

use std::error::Error as StdError;

use thiserror::Error;

use super::key::KeyId;
use crate::entry::excerpt;

/// The rule of signed-note that some bytes break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteErrorKind {
    /// Larger than [`MAX_NOTE`](super::MAX_NOTE).
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// A control character other than LF.
    ControlCharacter,
    /// No text, no empty line, or no signatures.
    Structure,
    /// A signature line not of its form.
    SignatureLine,
    /// More signatures than [`MAX_SIGNATURES`](super::MAX_SIGNATURES).
    TooManySignatures,
}

/// Bytes that are not a signed note.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("note, byte {offset}: expected {expected}, found {found}")]
pub struct NoteError {
    /// The rule that is broken.
    pub kind: NoteErrorKind,
    /// Where in the note, in bytes.
    pub offset: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there: an excerpt, everything but printable ASCII escaped.
    pub found: String,
}

impl NoteError {
    #[cold]
    pub(super) fn at(
        kind: NoteErrorKind,
        bytes: &[u8],
        offset: usize,
        expected: &'static str,
    ) -> NoteError {
        NoteError { kind, offset, expected, found: excerpt(bytes.get(offset..).unwrap_or(&[])) }
    }
}

/// Text that is not a verifier key or a signing key. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Parts are missing.
    #[error("key: expected {expected}")]
    Structure {
        /// The form it should have.
        expected: &'static str,
    },
    /// Not a key name.
    #[error("key name: expected 1 to 1024 bytes without white space, control characters and `+`")]
    Name,
    /// The key id is not eight lower-case hex digits.
    #[error("key id: expected eight lower-case hex digits")]
    IdForm,
    /// The key id is not that of this name and key.
    #[error("key id: expected {expected}, found {found}")]
    Id {
        /// The id that follows from name, type and key.
        expected: KeyId,
        /// The id as given.
        found: KeyId,
    },
    /// Not canonical, padded base64.
    #[error("key: expected padded base64")]
    Base64,
    /// A signature type other than Ed25519 (1) and cosignature/v1 (4).
    #[error("signature type: expected 1 (Ed25519) or 4 (cosignature/v1), found {found}")]
    Type {
        /// The type as given.
        found: u8,
    },
    /// Not a type byte and 32 bytes.
    #[error("key: expected 33 bytes, found {found}")]
    Length {
        /// How many bytes there are.
        found: usize,
    },
    /// Not a point of the curve, or one of small order, for which anyone can sign.
    #[error("key: expected an Ed25519 public key of full order")]
    Point,
}

/// A signer that cannot sign: its device is away, say. Wraps whatever the signer says.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct SignerError(Box<dyn StdError + Send + Sync>);

impl SignerError {
    /// Wraps an error or a message. It is logged: it must not hold secrets.
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> SignerError {
        SignerError(error.into())
    }
}

/// Why something was not signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignError {
    /// The text cannot stand in a note.
    #[error("the text cannot be signed as a note")]
    Text(#[from] NoteError),
    /// The key is of the other signature type.
    #[error("key {name}: expected signature type {expected}, found {found}")]
    Type {
        /// The name of the key.
        name: String,
        /// The type needed.
        expected: u8,
        /// The type of the key.
        found: u8,
    },
    /// The time is later than a cosignature can say.
    #[error("time of a cosignature: expected at most 2^63 - 1 seconds, found {found}")]
    Time {
        /// The time as given.
        found: u64,
    },
    /// The note has as many signatures, or as many bytes, as it may have.
    #[error(
        "a note has at most {} signatures and {} bytes",
        super::MAX_SIGNATURES,
        super::MAX_NOTE
    )]
    TooMany,
    /// The signer failed.
    #[error("signer {name}")]
    Signer {
        /// The name of its key.
        name: String,
        /// What it said.
        source: SignerError,
    },
    /// The signer gave a signature that its own public key does not verify.
    #[error("signer {name} gave a signature that its public key does not verify")]
    Wrong {
        /// The name of its key.
        name: String,
    },
}

/// Why a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A known key's signature fails: the note was altered, or the signature was.
    #[error("the signature of key {name}+{id} fails")]
    Invalid {
        /// The name of the key.
        name: String,
        /// The id of the key.
        id: KeyId,
    },
    /// No known key has signed the note.
    #[error("expected a signature of a known key, found {found} of others")]
    NoKnownKey {
        /// How many signatures there are.
        found: usize,
    },
    /// Two different known keys have one name and id: whose signature it is cannot be said.
    #[error("two different known keys are both {name}+{id}")]
    Ambiguous {
        /// Their name.
        name: String,
        /// Their id.
        id: KeyId,
    },
}

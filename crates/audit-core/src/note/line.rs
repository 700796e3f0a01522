//! Signature lines: em dash, space, name, space, base64(key id || signature), LF.
//!
//! What must stay true here: base64 is padded and canonical, so a line has one form only.

use std::fmt;

use base64ct::{Base64, Encoding};

use super::error::{NoteError, NoteErrorKind as Kind};
use super::key::{KeyId, is_name};
use super::{MAX_NOTE, MAX_SIGNATURES};
use crate::chain::Hash;

const PREFIX: &str = "\u{2014} ";

/// One signature of a note. Whether it is one only a key can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

impl NoteSignature {
    pub(super) fn new(name: &str, id: KeyId, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature { name: name.to_owned(), id, bytes }
    }

    /// Reads signature lines without a note around them, as a witness answers. At least one.
    ///
    /// # Errors
    /// [`NoteError`] if they are not signature lines, each ended by LF.
    pub fn parse_lines(bytes: &[u8]) -> Result<Vec<NoteSignature>, NoteError> {
        let text = super::parse::check_text(bytes)?;
        NoteSignature::parse_at(text, 0)
    }

    /// Reads the signature lines that stand at `offset` of a note, to its end.
    pub(super) fn parse_at(note: &str, offset: usize) -> Result<Vec<NoteSignature>, NoteError> {
        let mut signatures = Vec::new();
        let mut at = offset;
        let error = |kind, at, expected| Err(NoteError::at(kind, note.as_bytes(), at, expected));
        for line in note.get(offset..).unwrap_or_default().split_inclusive('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return error(Kind::TooManySignatures, at, "at most 100 signatures");
            }
            let Some(rest) = line.strip_prefix(PREFIX) else {
                return error(Kind::SignatureLine, at, "an em dash and a space");
            };
            let name_at = at + PREFIX.len();
            let Some((name, rest)) = rest.split_once(' ').filter(|(name, _)| is_name(name)) else {
                return error(Kind::SignatureLine, name_at, "a key name and a space");
            };
            let base64_at = name_at + name.len() + 1;
            let Some(encoded) = rest.strip_suffix('\n') else {
                return error(Kind::SignatureLine, note.len(), "a line feed");
            };
            let Some((id, bytes)) = split_id(encoded) else {
                return error(Kind::SignatureLine, base64_at, "base64 of more than four bytes");
            };
            signatures.push(NoteSignature::new(name, id, bytes));
            at += line.len();
        }
        if signatures.is_empty() {
            return error(Kind::Structure, at, "a signature line");
        }
        Ok(signatures)
    }

    /// The name of the key that is said to have signed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of that key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The signature without the key id; for a cosignature it begins with the time.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The line, its LF included.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        writeln!(f, "{PREFIX}{} {}", self.name, Base64::encode_string(&bytes))
    }
}

fn split_id(encoded: &str) -> Option<(KeyId, Vec<u8>)> {
    let bytes = base64(encoded)?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (!signature.is_empty()).then(|| (KeyId(u32::from_be_bytes(*id)), signature.to_vec()))
}

/// Decodes canonical, padded base64 of bounded length.
fn base64(text: &str) -> Option<Vec<u8>> {
    (text.len() <= MAX_NOTE).then(|| Base64::decode_vec(text).ok()).flatten()
}

/// Decodes the canonical, padded base64 of a hash.
pub(crate) fn base64_hash(text: &str) -> Option<Hash> {
    let mut buffer = [0u8; 33];
    let bytes = (text.len() == 44).then(|| Base64::decode(text, &mut buffer).ok()).flatten()?;
    bytes.try_into().ok().map(Hash)
}

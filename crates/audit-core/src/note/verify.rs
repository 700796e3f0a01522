//! Which keys a note is signed by.
//!
//! What must stay true here: only name *and* id make a signature that of a known key; then it must be
//! true, or the whole note is refused. A key counts once, however often it signed.

use super::error::VerifyError;
use super::key::{SignatureType, VerifierKey};
use super::{NoteSignature, SignedNote, cosignature, cosignature_message};

/// A known key whose signature on the note is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'k> {
    /// The key.
    pub key: &'k VerifierKey,
    /// For a cosignature, its time in POSIX seconds; the latest, if the key signed more than once.
    pub timestamp: Option<u64>,
}

impl SignedNote {
    /// Verifies the signatures of all known keys and gives those keys, in the order in which they
    /// first signed. There is at least one.
    ///
    /// # Errors
    /// [`VerifyError`] if no known key has signed, a known key's signature fails, or two different
    /// keys have the same name and id.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<Verified<'k>>, VerifyError> {
        let mut verified: Vec<Verified<'k>> = Vec::new();
        for signature in self.signatures() {
            let Some(key) = find(keys, signature)? else { continue };
            let Some(timestamp) = check(key, self.text(), signature) else {
                return Err(VerifyError::Invalid { name: key.name().to_owned(), id: key.id() });
            };
            match verified.iter_mut().find(|known| known.key == key) {
                Some(known) => known.timestamp = known.timestamp.max(timestamp),
                None => verified.push(Verified { key, timestamp }),
            }
        }
        if verified.is_empty() {
            return Err(VerifyError::NoKnownKey { found: self.signatures().len() });
        }
        Ok(verified)
    }
}

/// The one known key that a signature says it is of.
fn find<'k>(
    keys: &'k [VerifierKey],
    signature: &NoteSignature,
) -> Result<Option<&'k VerifierKey>, VerifyError> {
    let mut same = keys.iter().filter(|k| k.id() == signature.id() && k.name() == signature.name());
    let first = same.next();
    if let Some(first) = first
        && same.any(|other| other != first)
    {
        return Err(VerifyError::Ambiguous { name: first.name().to_owned(), id: first.id() });
    }
    Ok(first)
}

/// `None` if the signature fails, otherwise its time if it has one.
#[expect(clippy::option_option, reason = "private, and both levels are documented")]
fn check(key: &VerifierKey, text: &str, signature: &NoteSignature) -> Option<Option<u64>> {
    match key.kind() {
        SignatureType::Ed25519 => {
            let bytes = signature.bytes().try_into().ok()?;
            key.verify_raw(text.as_bytes(), bytes).then_some(None)
        }
        SignatureType::CosignatureV1 => {
            let (time, bytes) = cosignature::split(signature.bytes())?;
            key.verify_raw(&cosignature_message(time, text), bytes).then_some(Some(time))
        }
    }
}

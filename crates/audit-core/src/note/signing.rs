//! Private keys and whatever else can sign.
//!
//! What must stay true here: a seed is wiped from memory when its key is dropped, and never stands in
//! an error, in `Debug` or in a buffer that is not wiped. What a signer gives is verified before it is used.

use std::fmt;

use base64ct::{Base64, Encoding};
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use super::cosignature::{MAX_TIME, cosignature_message};
use super::error::{KeyError, NoteError, NoteErrorKind, SignError, SignerError};
use super::key::{KeyId, SignatureType, VerifierKey, check_id, check_name, decode_key, tag, untag};
use super::line::NoteSignature;
use super::parse::check_text;
use super::{MAX_NOTE, MAX_SIGNATURES, SignedNote};

const PREFIX: &str = "PRIVATE+KEY+";
const SKEY: &str = "PRIVATE+KEY+<name>+<key id>+<base64>";

/// Something that signs with one Ed25519 key: a [`SigningKey`], an HSM, a key management service.
pub trait Signer: Send + Sync {
    /// The public half, with name, id and type.
    fn verifier_key(&self) -> &VerifierKey;

    /// The Ed25519 signature of exactly these bytes.
    ///
    /// # Errors
    /// [`SignerError`] if it cannot sign. The caller may try again.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerError>;

    /// The name of the key.
    fn name(&self) -> &str {
        self.verifier_key().name()
    }

    /// The id of the key.
    fn key_id(&self) -> KeyId {
        self.verifier_key().id()
    }
}

/// A private key in memory; wiped when dropped. `Debug` shows the public half.
pub struct SigningKey {
    verifier: VerifierKey,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key with this seed: 32 random bytes, which their owner has to wipe.
    ///
    /// # Errors
    /// [`KeyError`] if the name is not one.
    pub fn from_seed(
        kind: SignatureType,
        name: &str,
        seed: &[u8; 32],
    ) -> Result<SigningKey, KeyError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(kind, name, key.verifying_key().as_bytes())?;
        Ok(SigningKey { verifier, key })
    }

    /// Reads `PRIVATE+KEY+<name>+<key id>+<base64(type || seed)>`, as a key file holds it (FORMAT
    /// section 7): one LF may follow.
    ///
    /// # Errors
    /// [`KeyError`] if it is not one, or its id is not that of its name and key. It quotes nothing.
    pub fn parse(line: &str) -> Result<SigningKey, KeyError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let mut parts = line.strip_prefix(PREFIX).unwrap_or_default().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Structure { expected: SKEY });
        };
        check_name(name)?;
        let found = KeyId::parse(id)?;
        let mut buffer = Zeroizing::new([0u8; 36]);
        let (kind, seed) = untag(decode_key(key, &mut buffer)?)?;
        let key = SigningKey::from_seed(kind, name, seed)?;
        check_id(key.verifier.id(), found)?;
        Ok(key)
    }

    /// The line that [`SigningKey::parse`] reads, without LF; wiped when dropped.
    #[must_use]
    pub fn to_secret_line(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(tag(self.verifier.kind(), self.key.as_bytes()));
        let secret = Zeroizing::new(Base64::encode_string(&*bytes));
        // Room for all of it at once: a string that grows leaves copies behind.
        let length = PREFIX.len() + self.verifier.name().len() + 10 + secret.len();
        let mut line = Zeroizing::new(String::with_capacity(length));
        let id = self.verifier.id().to_string();
        for part in [PREFIX, self.verifier.name(), "+", &id, "+", &secret] {
            line.push_str(part);
        }
        line
    }
}

impl Signer for SigningKey {
    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerError> {
        self.key.try_sign(message).map(|s| s.to_bytes()).map_err(|_| SignerError::new("Ed25519"))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifier).finish()
    }
}

impl SignedNote {
    /// Signs a text: UTF-8 that ends in LF, without other control characters.
    ///
    /// # Errors
    /// [`SignError`] if the text cannot stand in a note or the signer fails.
    pub fn sign(text: &str, signer: &dyn Signer) -> Result<SignedNote, SignError> {
        check_text(text.as_bytes())?;
        if !text.ends_with('\n') {
            let (bytes, kind) = (text.as_bytes(), NoteErrorKind::Structure);
            return Err(NoteError::at(kind, bytes, bytes.len(), "a line feed").into());
        }
        let mut note = SignedNote { text: text.to_owned(), signatures: Vec::new() };
        note.add_signature(signer)?;
        Ok(note)
    }

    /// Adds the signature of another key.
    ///
    /// # Errors
    /// [`SignError`] if the key is not of type 0x01 or the signer fails; the note is then unchanged.
    pub fn add_signature(&mut self, signer: &dyn Signer) -> Result<(), SignError> {
        check_kind(signer, SignatureType::Ed25519)?;
        let signature = sign(signer, self.text.as_bytes())?;
        self.add(NoteSignature::new(signer.name(), signer.key_id(), signature.to_vec()))
    }

    /// Adds a cosignature/v1 made at `timestamp` (POSIX seconds). The text must be a checkpoint:
    /// [`SignedCheckpoint::cosign`](crate::checkpoint::SignedCheckpoint::cosign) sees to that.
    ///
    /// # Errors
    /// [`SignError`] if the key is not of type 0x04 or the signer fails; the note is then unchanged.
    pub fn add_cosignature(
        &mut self,
        signer: &dyn Signer,
        timestamp: u64,
    ) -> Result<(), SignError> {
        check_kind(signer, SignatureType::CosignatureV1)?;
        if timestamp > MAX_TIME {
            return Err(SignError::Time { found: timestamp });
        }
        let signature = sign(signer, &cosignature_message(timestamp, &self.text))?;
        let mut bytes = timestamp.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature);
        self.add(NoteSignature::new(signer.name(), signer.key_id(), bytes))
    }

    /// Adds a signature line that came from elsewhere, as a witness's answer does. It is not verified.
    ///
    /// # Errors
    /// [`SignError::TooMany`] if the note is full: nobody could read it.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), SignError> {
        let length = self.to_string().len() + signature.to_string().len();
        if self.signatures.len() >= MAX_SIGNATURES || length > MAX_NOTE {
            return Err(SignError::TooMany);
        }
        self.signatures.push(signature);
        Ok(())
    }
}

fn check_kind(signer: &dyn Signer, needed: SignatureType) -> Result<(), SignError> {
    let found = signer.verifier_key().kind();
    if found == needed {
        return Ok(());
    }
    let (expected, found) = (needed.byte(), found.byte());
    Err(SignError::Type { name: signer.name().to_owned(), expected, found })
}

/// Signs, and holds the signature against the public key: a faulty device must not spoil a trail.
fn sign(signer: &dyn Signer, message: &[u8]) -> Result<[u8; 64], SignError> {
    let name = || signer.name().to_owned();
    let signature =
        signer.sign(message).map_err(|source| SignError::Signer { name: name(), source })?;
    if !signer.verifier_key().verify_raw(message, &signature) {
        return Err(SignError::Wrong { name: name() });
    }
    Ok(signature)
}

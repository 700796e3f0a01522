//! Names, ids and public keys of those who sign notes.
//!
//! What must stay true here: a key's id follows from its name, type and public key, and a key whose
//! stated id does not is refused; so is a key of small order, for which anyone can sign.

use std::fmt;

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::error::KeyError;

/// The longest name of a key that is configured or made. Names in the signature lines of unknown keys
/// are bounded by the note alone.
pub const MAX_NAME: usize = 1024;
const VKEY: &str = "<name>+<key id>+<base64>";

/// The first four bytes of SHA-256(name || LF || type || public key); shown as eight hex digits.
/// It tells keys of one name apart, and is no proof of anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl KeyId {
    pub(super) fn of(name: &str, tagged: &[u8; 33]) -> KeyId {
        let digest =
            Sha256::new().chain_update(name).chain_update(b"\n").chain_update(tagged).finalize();
        KeyId(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }

    pub(super) fn parse(text: &str) -> Result<KeyId, KeyError> {
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 8 || !text.bytes().all(lower_hex) {
            return Err(KeyError::IdForm);
        }
        u32::from_str_radix(text, 16).map(KeyId).map_err(|_| KeyError::IdForm)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureType {
    /// 0x01: Ed25519 over the text of a note.
    Ed25519,
    /// 0x04: Ed25519 over a time and a checkpoint, by a witness or mirror (C2SP tlog-cosignature).
    CosignatureV1,
}

impl SignatureType {
    /// The identifier byte that C2SP assigns.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            SignatureType::Ed25519 => 0x01,
            SignatureType::CosignatureV1 => 0x04,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Result<SignatureType, KeyError> {
        match byte {
            0x01 => Ok(SignatureType::Ed25519),
            0x04 => Ok(SignatureType::CosignatureV1),
            found => Err(KeyError::Type { found }),
        }
    }
}

/// A public key with its name: what a verifier pins. Shown as its vkey.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    kind: SignatureType,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The verifier key of this name and Ed25519 public key.
    ///
    /// # Errors
    /// [`KeyError`] if the name is not one, or the bytes are not a public key of full order.
    pub fn new(
        kind: SignatureType,
        name: &str,
        public_key: &[u8; 32],
    ) -> Result<VerifierKey, KeyError> {
        check_name(name)?;
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| KeyError::Point)?;
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        let id = KeyId::of(name, &tag(kind, public_key));
        Ok(VerifierKey { name: name.to_owned(), id, kind, key })
    }

    /// Reads a vkey, `<name>+<key id>+<base64(type || public key)>`. There is no LF in it.
    ///
    /// # Errors
    /// [`KeyError`] if it is not one, or its id is not that of its name and key.
    pub fn parse(vkey: &str) -> Result<VerifierKey, KeyError> {
        // The base64 may itself hold a `+`.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Structure { expected: VKEY });
        };
        check_name(name)?;
        let found = KeyId::parse(id)?;
        // 33 bytes are 44 characters; the buffer holds 48.
        let mut buffer = [0u8; 36];
        let bytes = decode_key(key, &mut buffer)?;
        let (kind, public) = untag(bytes)?;
        let key = VerifierKey::new(kind, name, public)?;
        check_id(key.id, found)?;
        Ok(key)
    }

    /// The name: the origin of the log, or whatever the cosigner calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What the key signs.
    #[must_use]
    pub const fn kind(&self) -> SignatureType {
        self.kind
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether this key made `signature` over exactly these bytes. For the signatures of a note see
    /// [`SignedNote::verify`](super::SignedNote::verify).
    #[must_use]
    pub fn verify_raw(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// The vkey.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = tag(self.kind, self.public_key());
        write!(f, "{}+{}+{}", self.name, self.id, Base64::encode_string(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The type byte and a key.
pub(super) fn tag(kind: SignatureType, key: &[u8; 32]) -> [u8; 33] {
    let mut out = [kind.byte(); 33];
    out[1..].copy_from_slice(key);
    out
}

pub(super) fn untag(bytes: &[u8]) -> Result<(SignatureType, &[u8; 32]), KeyError> {
    let wrong = KeyError::Length { found: bytes.len() };
    let (kind, key) = bytes.split_first().ok_or(wrong)?;
    // The type first: a key of another type may well be of another length.
    let kind = SignatureType::from_byte(*kind)?;
    Ok((kind, key.try_into().map_err(|_| wrong)?))
}

/// Decodes the base64 of a key into `buffer`, which its owner may have to wipe.
pub(super) fn decode_key<'a>(text: &str, buffer: &'a mut [u8; 36]) -> Result<&'a [u8], KeyError> {
    if text.len() > 48 {
        return Err(KeyError::Length { found: text.len() / 4 * 3 });
    }
    Base64::decode(text, buffer).map_err(|_| KeyError::Base64)
}

pub(super) fn check_id(expected: KeyId, found: KeyId) -> Result<(), KeyError> {
    if expected == found { Ok(()) } else { Err(KeyError::Id { expected, found }) }
}

pub(super) fn check_name(name: &str) -> Result<(), KeyError> {
    if name.len() > MAX_NAME || name.chars().any(char::is_control) || !is_name(name) {
        return Err(KeyError::Name);
    }
    Ok(())
}

/// What signed-note asks of any key name, of unknown keys too.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '+' || c.is_whitespace())
}

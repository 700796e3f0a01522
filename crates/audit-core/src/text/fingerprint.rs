//! Keyed fingerprints: how a token is named in the trail without being in it.
//!
//! What must stay true here: the key never leaves this type, not by `Debug` and not after drop.
//!
//! A plain hash would not do. Tokens, phone numbers and customer ids have so little entropy, or
//! are so well known to whoever leaked them, that hashing every candidate gives the secret back
//! to anyone who can read the trail; logs have had to learn this (hashicorp/vault#1763). With a
//! key the same secret still has the same fingerprint, so entries can be matched with each other,
//! but only the holder of the key can tell whose it is.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::hex;

/// What separates these from any other use of the same key.
const DOMAIN: &[u8] = b"audit-logging fingerprint v1\0";

/// The shortest key that cannot be guessed.
pub const MIN_KEY: usize = 16;

/// The key is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a fingerprint key has at least {MIN_KEY} bytes, not {length}")]
pub struct KeyTooShort {
    /// Bytes it has.
    pub length: usize,
}

/// Makes fingerprints (HMAC-SHA-256, cut to 128 bits) with one key.
///
/// ```
/// use audit_core::text::fingerprint::Fingerprint;
/// let fingerprint = Fingerprint::new(b"sixteen bytes or more")?;
/// assert_eq!(fingerprint.of("token-1"), fingerprint.of("token-1"));
/// assert!(fingerprint.of("token-1").starts_with("fp:"));
/// # Ok::<_, audit_core::text::fingerprint::KeyTooShort>(())
/// ```
pub struct Fingerprint {
    key: Zeroizing<Vec<u8>>,
}

impl Fingerprint {
    /// Takes a key of at least [`MIN_KEY`] bytes. It is overwritten when dropped.
    pub fn new(key: &[u8]) -> Result<Fingerprint, KeyTooShort> {
        if key.len() < MIN_KEY {
            return Err(KeyTooShort { length: key.len() });
        }
        Ok(Fingerprint { key: Zeroizing::new(key.to_vec()) })
    }

    /// `fp:` and 32 hex digits; the same secret always has the same.
    #[must_use]
    pub fn of(&self, secret: impl AsRef<[u8]>) -> String {
        let mut out = String::from("fp:");
        // HMAC takes keys of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) {
            mac.update(DOMAIN);
            mac.update(secret.as_ref());
            let digest = hex::encode(&mac.finalize().into_bytes().into());
            out.extend(digest[..32].iter().map(|digit| char::from(*digit)));
        }
        out
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint").finish_non_exhaustive()
    }
}

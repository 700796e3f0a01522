//! The trail's signing key: made with the trail, so that everything in it can be sealed.
//!
//! What must stay true here: the seed leaves memory zeroised, stands in one file with mode 0600,
//! and never in an error or a log. Formats: C2SP signed-note (key id, vkey), Go's `note.GenerateKey`.

use std::io;

use base64ct::{Base64, Encoding};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::OpenError;
use crate::storage::{KEYS, Storage};

/// Signature type Ed25519 of C2SP signed-note.
const ED25519: u8 = 0x01;

/// Makes a key pair for `name`, stores the private half as `keys/<epoch>.key` and returns the
/// public half as a vkey.
pub(crate) fn generate(
    storage: &dyn Storage,
    name: &str,
    epoch: u64,
    io_error: impl FnOnce(io::Error) -> OpenError,
) -> Result<String, OpenError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *seed)?;
    let key = SigningKey::from_bytes(&seed);
    let public = tagged(key.verifying_key().as_bytes());
    let id = key_id(name, &public);
    let secret = Zeroizing::new(tagged(&seed));
    let secret = Zeroizing::new(Base64::encode_string(&*secret));
    let line = Zeroizing::new(format!("PRIVATE+KEY+{name}+{id}+{}\n", *secret));
    let file = format!("{KEYS}/{epoch}.key");
    storage.replace(&file, &mut line.as_bytes()).map_err(io_error)?;
    Ok(format!("{name}+{id}+{}", Base64::encode_string(&public)))
}

fn tagged(key: &[u8; 32]) -> [u8; 33] {
    let mut out = [ED25519; 33];
    out[1..].copy_from_slice(key);
    out
}

/// First four bytes of SHA-256(name || LF || type || public key), hex.
fn key_id(name: &str, public: &[u8; 33]) -> String {
    let digest =
        Sha256::new().chain_update(name).chain_update(b"\n").chain_update(public).finalize();
    digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_seed_gives_the_vkey_of_the_reference_trail() {
        let keys: serde_json::Value =
            serde_json::from_str(include_str!("../../../../fixtures/vectors/keys.json")).unwrap();
        let name = keys["origin"].as_str().unwrap();
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = tagged(key.verifying_key().as_bytes());
        let vkey = format!("{name}+{}+{}", key_id(name, &public), Base64::encode_string(&public));
        assert_eq!(vkey, keys["vkeys"][0].as_str().unwrap());
    }
}

//! Signing keys on disk: `keys/<epoch>.key`, only the newest (FORMAT section 7).
//!
//! What must stay true here: a new key is durable before the trail names it, and the old one is
//! destroyed only after the trail durably holds the entry that seals its epoch. So at any crash
//! there is a key that can go on, and after the next opening only one.

use std::io::{self, Read};
use std::sync::Arc;

use audit_core::note::{SignatureType, Signer, SigningKey};
use zeroize::Zeroizing;

use crate::storage::{KEYS, Storage};

/// Longer key files are not ours.
const MAX_KEY_FILE: u64 = 4_096;

/// What went wrong with a key; never holds key material.
#[derive(Debug)]
pub(crate) enum KeyError {
    Io(io::Error),
    /// Not a key, or not the one the trail names.
    Wrong(&'static str),
    /// Overwritten by [`destroy`].
    Destroyed,
    Randomness(getrandom::Error),
}

impl From<io::Error> for KeyError {
    fn from(error: io::Error) -> KeyError {
        KeyError::Io(error)
    }
}

/// The key in force and its epoch. With a signer of the user's own there are no files and no
/// epochs: that signer rotates its keys by its own rules.
pub(crate) struct Keyring {
    signer: Arc<dyn Signer>,
    /// Epoch of the key file; none for a signer of the user's own.
    epoch: Option<u64>,
}

/// A new key that is durable and not yet in force.
pub(crate) struct Prepared {
    key: SigningKey,
    pub(crate) epoch: u64,
    pub(crate) vkey: String,
}

impl Prepared {
    fn new(key: SigningKey, epoch: u64) -> Prepared {
        let vkey = key.verifier_key().to_string();
        Prepared { key, epoch, vkey }
    }
}

impl Keyring {
    pub(crate) fn external(signer: Arc<dyn Signer>) -> Keyring {
        Keyring { signer, epoch: None }
    }

    /// Loads the key of an epoch, which must sign as `origin`.
    pub(crate) fn load(
        storage: &dyn Storage,
        origin: &str,
        epoch: u64,
    ) -> Result<Keyring, KeyError> {
        let key = read_key(storage, origin, epoch)?;
        Ok(Keyring { signer: Arc::new(key), epoch: Some(epoch) })
    }

    pub(crate) fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    /// Makes the next epoch's key and writes it durably. None for a signer of the user's own.
    pub(crate) fn prepare_next(
        &self,
        storage: &dyn Storage,
        origin: &str,
    ) -> Result<Option<Prepared>, KeyError> {
        let Some(epoch) = self.epoch else { return Ok(None) };
        let epoch =
            epoch.checked_add(1).ok_or(KeyError::Wrong("is of the last epoch there can be"))?;
        generate(storage, origin, epoch).map(|key| Some(Prepared::new(key, epoch)))
    }

    /// The trail durably says that `next` follows: it signs from now on, and the old key ceases
    /// to exist, with any before it that could not be destroyed in its time.
    pub(crate) fn switch(&mut self, storage: &dyn Storage, next: Prepared) -> io::Result<()> {
        let ended = self.epoch.replace(next.epoch);
        self.signer = Arc::new(next.key);
        // The one that signed until now first: it could sign the most. None is kept for another's failure.
        let newest = ended.map_or(Ok(()), |epoch| destroy(storage, epoch));
        let older = epochs(storage).and_then(|epochs| {
            let older = epochs.into_iter().filter(|epoch| Some(*epoch) < ended);
            older.map(|epoch| destroy(storage, epoch)).fold(Ok(()), io::Result::and)
        });
        newest.and(older)
    }
}

fn key_file(epoch: u64) -> String {
    format!("{KEYS}/{epoch}.key")
}

/// Epochs of the key files there are, ascending.
pub(crate) fn epochs(storage: &dyn Storage) -> io::Result<Vec<u64>> {
    let names = match storage.list(KEYS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut epochs: Vec<u64> = names
        .iter()
        .filter_map(|name| {
            let epoch = name.strip_suffix(".key")?.parse().ok()?;
            (format!("{epoch}.key") == *name).then_some(epoch)
        })
        .collect();
    epochs.sort_unstable();
    Ok(epochs)
}

/// Destroys the key of an epoch that has ended, or that never began.
pub(crate) fn destroy(storage: &dyn Storage, epoch: u64) -> io::Result<()> {
    storage.destroy(&key_file(epoch))
}

/// The public half of an epoch's key.
pub(crate) fn vkey_of(storage: &dyn Storage, origin: &str, epoch: u64) -> Result<String, KeyError> {
    Ok(read_key(storage, origin, epoch)?.verifier_key().to_string())
}

/// Makes a key pair and writes the private half durably, 0600.
pub(crate) fn generate(
    storage: &dyn Storage,
    origin: &str,
    epoch: u64,
) -> Result<SigningKey, KeyError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *seed).map_err(KeyError::Randomness)?;
    let key = SigningKey::from_seed(SignatureType::Ed25519, origin, &seed)
        .map_err(|_| KeyError::Wrong("the origin cannot name a key"))?;
    let mut line = key.to_secret_line();
    line.push('\n');
    storage.replace(&key_file(epoch), &mut line.as_bytes())?;
    Ok(key)
}

fn read_key(storage: &dyn Storage, origin: &str, epoch: u64) -> Result<SigningKey, KeyError> {
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let room = usize::try_from(MAX_KEY_FILE).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    storage.read(&key_file(epoch))?.take(MAX_KEY_FILE).read_to_end(&mut bytes)?;
    // No part of a key has one.
    if bytes.contains(&0) {
        return Err(KeyError::Destroyed);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::Wrong("is not a key"))?;
    let key =
        SigningKey::parse(text).map_err(|_| KeyError::Wrong("is not a key, or is cut short"))?;
    if key.name() != origin {
        return Err(KeyError::Wrong("is the key of another trail"));
    }
    Ok(key)
}

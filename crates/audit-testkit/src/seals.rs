//! Whether a trail is sealed as FORMAT sections 6 and 7 say: walked from its first key.
//!
//! What must stay true here: a straight reading of the format page, sharing only the cryptography
//! with the writer; a trail whose seals pass here can be continued and verified.

use audit_core::chain::Hash;
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::meta::TrailInfo;
use audit_core::note::VerifierKey;
use audit_core::tree::Frontier;
use audit_logging::storage::Storage;

use crate::read::{Line, bytes_of};

/// What the seals say.
#[derive(Debug)]
pub struct Sealed {
    /// Entries that the checkpoint covers.
    pub size: u64,
    /// Rotations of the signing key.
    pub rotations: u64,
}

/// Checks every rotation, the checkpoint and the keys on disk against the entries.
///
/// # Errors
/// What is wrong.
pub fn check(storage: &dyn Storage, lines: &[Line]) -> Result<Sealed, String> {
    let sealed = walk(storage, lines)?;
    let keys = storage.list("keys").map_err(|e| e.to_string())?;
    let newest = format!("{}.key", sealed.rotations);
    if keys != [newest.as_str()] {
        return Err(format!("the keys on disk are {keys:?}, not only {newest}"));
    }
    Ok(sealed)
}

/// Checks every rotation and the checkpoint against the entries, whatever keys are on disk: also
/// what a crash left, before anybody opened it.
///
/// # Errors
/// What is wrong.
pub fn walk(storage: &dyn Storage, lines: &[Line]) -> Result<Sealed, String> {
    let info: TrailInfo =
        serde_json::from_slice(&bytes_of(storage, "trail.json")?).map_err(|e| e.to_string())?;
    let checkpoint = parse(&bytes_of(storage, "checkpoint")?)?;
    let size = checkpoint.unverified().size;
    let mut key = vkey(&info.initial_key)?;
    let mut next = None;
    let mut tree = Frontier::new();
    let mut rotations = 0;
    let mut signer = (size == 0).then(|| key.clone());
    for line in lines {
        match (line.event_type.as_str(), next.take()) {
            ("audit.epoch_sealed", Some(announced)) => {
                let note = lines_of(&line.details["checkpoint"])?;
                verify(&parse(note.as_bytes())?, &key, &tree, &info.origin)?;
                key = announced;
                rotations += 1;
            }
            ("audit.epoch_sealed", None) => return Err(format!("seq {}: out of place", line.seq)),
            // Given up: the opening after the crash says so.
            ("audit.recovered", Some(_)) => {}
            (other, Some(_)) => return Err(format!("seq {}: {other} in a rotation", line.seq)),
            ("audit.key_rotated", None) => {
                next = Some(vkey(line.details["new_key"].as_str().unwrap_or_default())?);
            }
            (_, None) => {}
        }
        tree.push(hash_of(line)?);
        // The old key is in force up to and including the entry that names the new one.
        if tree.size() == size {
            signer = Some(key.clone());
            verify(&checkpoint, &key, &tree, &info.origin)?;
        }
    }
    signer.ok_or_else(|| format!("{size} entries are signed, {} are there", tree.size()))?;
    Ok(Sealed { size, rotations })
}

fn verify(
    signed: &SignedCheckpoint,
    key: &VerifierKey,
    tree: &Frontier,
    origin: &str,
) -> Result<(), String> {
    let checkpoint = signed.verify(key).map_err(|e| e.to_string())?;
    if (checkpoint.size, checkpoint.root) != (tree.size(), tree.root()) {
        return Err(format!("{checkpoint} is not the tree of {}", tree.size()));
    }
    if checkpoint.origin != origin {
        return Err(format!("origin {}", checkpoint.origin));
    }
    Ok(())
}

fn parse(bytes: &[u8]) -> Result<SignedCheckpoint, String> {
    SignedCheckpoint::parse(bytes).map_err(|e| e.to_string())
}

fn vkey(text: &str) -> Result<VerifierKey, String> {
    VerifierKey::parse(text).map_err(|e| e.to_string())
}

fn lines_of(checkpoint: &serde_json::Value) -> Result<String, String> {
    let lines = checkpoint.as_array().ok_or("the embedded checkpoint is no array")?;
    let lines: Option<Vec<&str>> = lines.iter().map(serde_json::Value::as_str).collect();
    Ok(lines.ok_or("a line is no string")?.join("\n") + "\n")
}

fn hash_of(line: &Line) -> Result<Hash, String> {
    let text = line.raw.as_bytes();
    let start = text.len().checked_sub(66).ok_or("too short")?;
    Hash::from_hex(&text[start..start + 64]).ok_or_else(|| "no hash".to_owned())
}

//! Rotations of a log's key, so that a witness can follow them (FORMAT section 7).
//!
//! What must stay true here: what is taken from the trail is not believed here. The proof that is made
//! of it is, by whoever holds the old public key.

use audit_core::chain::{HASH_SUFFIX, Hash};
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::entry::Entry;
use audit_core::note::VerifierKey;
use audit_core::proof::rotated_key;
use audit_reader::{DirSource, LineKind, ReadError, Step, TrailReader, find_by_seq};
use memchr::memmem;
use serde_json::Value;

/// A rotation as it stands in the trail.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// The line of `audit.key_rotated`.
    pub(crate) line: Vec<u8>,
    /// Its hash.
    pub(crate) leaf: Hash,
    /// Its `seq`.
    pub(crate) seq: u64,
    /// The key it names.
    pub(crate) new_key: VerifierKey,
    /// The tree of `seq + 1` entries, signed by the old key.
    pub(crate) checkpoint: SignedCheckpoint,
}

/// The rotations of a trail from the entry `from` on, in order.
pub(crate) fn rotations(
    source: &DirSource,
    origin: &str,
    from: u64,
) -> Result<Vec<Rotation>, ReadError> {
    let start = if from > 0 { find_by_seq(source, from)? } else { None };
    let mut reader = match start {
        Some(found) => TrailReader::starting_at(source.clone(), found.segment, found.offset)?,
        None => TrailReader::new(source.clone()),
    };
    let needle = memmem::Finder::new("\"event_type\":\"audit.");
    let mut open: Option<(Vec<u8>, u64, Hash, VerifierKey)> = None;
    let mut all = Vec::new();
    loop {
        match reader.step()? {
            Step::Line(_, line) if line.kind == LineKind::Complete => {
                // The type stands near the front; a caller's string cannot hold bare quotes.
                if line.bytes.len() < HASH_SUFFIX || needle.find(line.bytes).is_none() {
                    continue;
                }
                let Ok(entry) = Entry::parse(line.bytes) else { continue };
                if let Some(key) = rotated_key(&entry, origin) {
                    open = Some((line.bytes.to_vec(), entry.seq(), entry.computed_hash(), key));
                } else if let Some(checkpoint) = sealed(&entry)
                    && let Some((line, seq, leaf, new_key)) = open.take()
                    && checkpoint.unverified().size == seq + 1
                {
                    all.push(Rotation { line, leaf, seq, new_key, checkpoint });
                }
            }
            Step::Unfinished(..) | Step::CaughtUp => return Ok(all),
            _ => {}
        }
    }
}

/// The checkpoint in an entry `audit.epoch_sealed`.
fn sealed(entry: &Entry<'_>) -> Option<SignedCheckpoint> {
    if entry.event_type() != "audit.epoch_sealed" {
        return None;
    }
    let details: Value = serde_json::from_str(entry.details()?).ok()?;
    let mut note = String::new();
    for line in details.get("checkpoint")?.as_array()? {
        note.push_str(line.as_str()?);
        note.push('\n');
    }
    SignedCheckpoint::parse(note.as_bytes()).ok()
}

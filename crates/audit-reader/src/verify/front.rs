//! The tree before the first entry of a trail that retention shortened, where `tree.hashes` does not have
//! it: the entry that announced the deletion says what it was.
//!
//! What must stay true here: nothing of it is believed. It takes the place of stored hashes, which the
//! signed root must follow from. It costs a second reading of the trail, and only such a trail.

use std::collections::BTreeMap;

use audit_core::chain::Hash;
use audit_core::entry::Parser;
use audit_core::retention::Claims;
use audit_core::segment::SegmentName;
use audit_core::tree::{Frontier, stored_hash_count, stored_hash_index};
use memchr::memmem;
use serde_json::Value;

use crate::stored::StoredFile;
use crate::{LineKind, Source, Step, TrailReader};

/// The stored hashes, and what is said of those that they lack at the front. `signed` is the size that the
/// checkpoint states.
pub(super) fn complete(
    source: &Source,
    stored: Option<StoredFile>,
    signed: u64,
) -> Option<StoredFile> {
    let first = first_entry(source).filter(|first| first.seq > 0);
    let Some(First { seq: front, prev_hash, .. }) = first else { return stored };
    let count = stored.as_ref().map_or(0, StoredFile::count);
    // What is longer than any trail is not looked for.
    if front > signed || count >= stored_hash_count(front) {
        return stored;
    }
    let Some(subtrees) = said(source, front, signed) else { return stored };
    let mut hashes = BTreeMap::new();
    let mut left = subtrees.into_iter();
    let frontier = Frontier::from_stored(front, |index| {
        let hash = left.next().ok_or(())?;
        hashes.insert(index, hash);
        Ok::<_, ()>(hash)
    });
    if frontier.is_err() || left.next().is_some() {
        return stored;
    }
    // An odd number of leaves ends in a subtree of one.
    hashes.entry(stored_hash_index(0, front - 1)).or_insert(prev_hash);
    Some(StoredFile::completed(stored, hashes))
}

/// The first line that is an entry.
pub(super) struct First {
    pub(super) segment: SegmentName,
    pub(super) seq: u64,
    prev_hash: Hash,
}

pub(super) fn first_entry(source: &Source) -> Option<First> {
    let (mut reader, mut parser) = (TrailReader::new(source.clone()), Parser::default());
    loop {
        // What cannot be read the verification comes upon itself, and says so.
        match reader.step().ok()? {
            Step::Line(segment, line) if line.kind == LineKind::Complete => {
                if let Ok(entry) = parser.parse(line.bytes) {
                    let (seq, prev_hash) = (entry.seq(), entry.prev_hash());
                    return Some(First { segment, seq, prev_hash });
                }
            }
            Step::Unfinished(..) | Step::CaughtUp => return None,
            _ => {}
        }
    }
}

/// The perfect subtrees over everything before `front`, as the newest entry says that counts.
fn said(source: &Source, front: u64, signed: u64) -> Option<Vec<Hash>> {
    let (mut reader, mut parser) = (TrailReader::new(source.clone()), Parser::default());
    let applied = memmem::Finder::new(br#""event_type":"audit.retention_applied""#);
    let recovered = memmem::Finder::new(br#""event_type":"audit.recovered""#);
    let mut claims = Claims::default();
    while let Ok(step) = reader.step() {
        match step {
            Step::Line(_, line) if line.kind == LineKind::Complete => {
                let concerns_us =
                    applied.find(line.bytes).is_some() || recovered.find(line.bytes).is_some();
                let parsed = concerns_us.then(|| parser.parse(line.bytes));
                let Some(Ok(entry)) = parsed else { continue };
                let details = entry.details().unwrap_or_default();
                match entry.event_type() {
                    _ if entry.seq() >= signed => {}
                    "audit.retention_applied" => {
                        claims.claim(entry.seq(), subtrees(details, front))
                    }
                    "audit.recovered" => claims.recovered(entry.seq(), details),
                    _ => {}
                }
            }
            Step::Unfinished(..) | Step::CaughtUp => break,
            _ => {}
        }
    }
    claims.in_force().filter_map(|(_, subtrees)| subtrees).last()
}

fn subtrees(details: &str, front: u64) -> Option<Vec<Hash>> {
    let details: Value = serde_json::from_str(details).ok()?;
    let said = details.get("front").filter(|said| said["seq"].as_u64() == Some(front))?;
    let hash = |text: &Value| Hash::from_hex(text.as_str()?.as_bytes());
    said["tree"].as_array()?.iter().map(hash).collect()
}

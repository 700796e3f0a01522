//! What is known of the front of a trail that retention shortened: the tree before the first entry, where
//! `tree.hashes` does not have it, and the key in force there, where nobody gave one. The entry that
//! announced the deletion says both.
//!
//! What must stay true here: nothing of it is believed. The tree takes the place of stored hashes, which the
//! signed root must follow from. It costs a second reading of the trail, and only such a trail.

use std::collections::BTreeMap;

use audit_core::chain::Hash;
use audit_core::entry::Parser;
use audit_core::note::VerifierKey;
use audit_core::tree::{Frontier, stored_hash_count, stored_hash_index};
use audit_core::verify::{FrontSaid, FrontWords};
use memchr::memmem;

use crate::stored::StoredFile;
use crate::{LineKind, Source, Step, TrailReader};

/// What a verification begins with.
pub(super) struct Front {
    /// The stored hashes, and what is said of those that they lack at the front.
    pub(super) stored: Option<StoredFile>,
    /// The key in force at the first entry, as the trail says, where that was asked for.
    pub(super) key: Option<VerifierKey>,
}

/// Looks at the front of a trail. `signed` is the size that the checkpoint states.
pub(super) fn read(
    source: &Source,
    stored: Option<StoredFile>,
    signed: u64,
    needs_key: bool,
) -> Front {
    let first = first_entry(source).filter(|first| first.seq > 0);
    let Some(First { seq: front, prev_hash }) = first else { return Front { stored, key: None } };
    let count = stored.as_ref().map_or(0, StoredFile::count);
    // What is longer than any trail is not looked for.
    let is_complete = count >= stored_hash_count(front);
    if front > signed || (is_complete && !needs_key) {
        return Front { stored, key: None };
    }
    let FrontSaid { subtrees, key, .. } = said(source, front, signed);
    let hashes = subtrees
        .filter(|_| !is_complete)
        .and_then(|subtrees| hashes_before(front, prev_hash, subtrees));
    let stored = match hashes {
        Some(hashes) => Some(StoredFile::completed(stored, hashes)),
        None => stored,
    };
    Front { stored, key: key.filter(|_| needs_key) }
}

/// What `tree.hashes` would have of the tree before `front`; `None` if these are not its subtrees.
fn hashes_before(front: u64, prev_hash: Hash, subtrees: Vec<Hash>) -> Option<BTreeMap<u64, Hash>> {
    let mut hashes = BTreeMap::new();
    let mut left = subtrees.into_iter();
    let frontier = Frontier::from_stored(front, |index| {
        let hash = left.next().ok_or(())?;
        hashes.insert(index, hash);
        Ok::<_, ()>(hash)
    });
    if frontier.is_err() || left.next().is_some() {
        return None;
    }
    // An odd number of leaves ends in a subtree of one.
    hashes.entry(stored_hash_index(0, front - 1)).or_insert(prev_hash);
    Some(hashes)
}

/// `seq` of the first entry that is there.
pub(super) fn first_seq(source: &Source) -> Option<u64> {
    first_entry(source).map(|first| first.seq)
}

/// The first line that is an entry.
struct First {
    seq: u64,
    prev_hash: Hash,
}

fn first_entry(source: &Source) -> Option<First> {
    let (mut reader, mut parser) = (TrailReader::new(source.clone()), Parser::default());
    loop {
        // What cannot be read the verification comes upon itself, and says so.
        match reader.step().ok()? {
            Step::Line(_, line) if line.kind == LineKind::Complete => {
                if let Ok(entry) = parser.parse(line.bytes) {
                    let (seq, prev_hash) = (entry.seq(), entry.prev_hash());
                    return Some(First { seq, prev_hash });
                }
            }
            Step::Unfinished(..) | Step::CaughtUp => return None,
            _ => {}
        }
    }
}

/// What counts of what the control entries say of the front.
fn said(source: &Source, front: u64, signed: u64) -> FrontSaid {
    let (mut reader, mut parser) = (TrailReader::new(source.clone()), Parser::default());
    let control = memmem::Finder::new(br#""event_type":"audit."#);
    let mut words = FrontWords::new(front, signed);
    while let Ok(step) = reader.step() {
        match step {
            Step::Line(_, line) if line.kind == LineKind::Complete => {
                if control.find(line.bytes).is_some()
                    && let Ok(entry) = parser.parse(line.bytes)
                {
                    words.entry(&entry);
                }
            }
            Step::Unfinished(..) | Step::CaughtUp => break,
            _ => {}
        }
    }
    words.said()
}

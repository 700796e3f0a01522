//! Every entry of a trail, for what the newest ones do not tell.
//!
//! What must stay true here: only whole entries count; nothing is kept of one when the next is read,
//! so memory stays bounded.

use std::io::{self, BufRead, BufReader};

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use audit_core::segment::SegmentName;

use super::content::{read_content, segments_in};
use super::scan::note_hash;
use crate::seal::{Front, Rotation};
use crate::storage::Storage;

/// Numbers and hashes of all entries from `seq` on, read from the segments.
pub(crate) fn read_hashes(
    storage: &dyn Storage,
    seq: u64,
    each: &mut dyn FnMut(u64, Hash),
) -> io::Result<()> {
    // Only the last one is kept, for the link to one that is damaged.
    let mut hashes = Vec::new();
    read_entries(storage, |entry| {
        let known = hashes.len();
        note_hash(&mut hashes, entry);
        for &(number, hash) in hashes[known..].iter().filter(|(number, _)| *number >= seq) {
            each(number, hash);
        }
        hashes.drain(..hashes.len() - 1);
    })
}

/// What all entries say of the signing keys.
pub(crate) fn read_rotation(storage: &dyn Storage) -> io::Result<Rotation> {
    let mut rotation = Rotation::default();
    read_entries(storage, |entry| rotation.see(entry))?;
    Ok(rotation)
}

/// Where the trail begins, and the perfect subtrees over what was before, as the entry says that
/// announced its deletion; `None` where no entry does.
pub(crate) fn read_front(storage: &dyn Storage) -> io::Result<(Front, Option<Vec<Hash>>)> {
    let mut front = None;
    let mut subtrees = None;
    for name in segments_in(&storage.list("")?) {
        read_segment(storage, name, &mut |entry| {
            let here = Front { seq: entry.seq(), prev_hash: entry.prev_hash() };
            let first = front.get_or_insert(here).seq;
            if first > 0 && entry.event_type() == "audit.retention_applied" {
                subtrees = subtrees_before(entry, first).or(subtrees.take());
            }
        })?;
        // What is whole needs no second look.
        if front.is_some_and(|front| front.seq == 0) {
            break;
        }
    }
    Ok((front.unwrap_or(Front { seq: 0, prev_hash: Hash::ZERO }), subtrees))
}

/// The `seq` of an entry, from `signed` on, that excuses all that is missing before the first entry which
/// is there.
pub(crate) fn unsigned_deletion(storage: &dyn Storage, signed: u64) -> io::Result<Option<u64>> {
    let segments = segments_in(&storage.list("")?);
    let mut front = None;
    for name in &segments {
        front = first_seq(storage, *name)?;
        if front.is_some() {
            break;
        }
    }
    let Some(front) = front.filter(|front| *front > 0) else { return Ok(None) };
    let mut found = None;
    for name in segments.into_iter().rev() {
        let mut first = None;
        read_segment(storage, name, &mut |entry| {
            first.get_or_insert(entry.seq());
            if entry.seq() >= signed && deletes_up_to(entry, front) {
                found = Some(entry.seq());
            }
        })?;
        // Everything in the segments before is older.
        if first.is_some_and(|first| first <= signed) {
            break;
        }
    }
    Ok(found)
}

/// Whether an entry says that what stands right before `front` is deleted.
fn deletes_up_to(entry: &Entry<'_>, front: u64) -> bool {
    if entry.event_type() != "audit.retention_applied" {
        return false;
    }
    let details = entry.details().and_then(|text| serde_json::from_str(text).ok());
    let details: serde_json::Value = details.unwrap_or_default();
    let segments = details["segments"].as_array().map_or(&[][..], Vec::as_slice);
    let last = |row: &serde_json::Value| row["last_seq"].as_u64();
    segments.iter().filter_map(last).any(|last| last.checked_add(1) == Some(front))
}

/// `seq` of the first whole entry of a segment.
fn first_seq(storage: &dyn Storage, name: SegmentName) -> io::Result<Option<u64>> {
    let content = BufReader::with_capacity(1 << 13, read_content(storage, name)?);
    for line in content.split(b'\n') {
        if let Some(entry) = Entry::parse(&line?).ok().filter(Entry::hash_matches) {
            return Ok(Some(entry.seq()));
        }
    }
    Ok(None)
}

fn subtrees_before(entry: &Entry<'_>, first: u64) -> Option<Vec<Hash>> {
    let details: serde_json::Value = serde_json::from_str(entry.details()?).ok()?;
    let front = &details["front"];
    let hash = |text: &serde_json::Value| Hash::from_hex(text.as_str()?.as_bytes());
    let hashes = front["tree"].as_array()?.iter().map(hash).collect::<Option<Vec<Hash>>>()?;
    (front["seq"].as_u64() == Some(first)).then_some(hashes)
}

/// Every whole entry of the trail, in order.
fn read_entries(storage: &dyn Storage, mut each: impl FnMut(&Entry<'_>)) -> io::Result<()> {
    for name in segments_in(&storage.list("")?) {
        read_segment(storage, name, &mut each)?;
    }
    Ok(())
}

/// Every whole entry of a segment, in order.
pub(super) fn read_segment(
    storage: &dyn Storage,
    name: SegmentName,
    each: &mut dyn FnMut(&Entry<'_>),
) -> io::Result<()> {
    let content = BufReader::with_capacity(1 << 20, read_content(storage, name)?);
    for line in content.split(b'\n') {
        let line = line?;
        if let Some(entry) = Entry::parse(&line).ok().filter(Entry::hash_matches) {
            each(&entry);
        }
    }
    Ok(())
}

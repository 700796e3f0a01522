//! Every entry of a trail, for what the newest ones do not tell.
//!
//! What must stay true here: only whole entries count; nothing is kept of one when the next is read,
//! so memory stays bounded.

use std::io::{self, BufReader};

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use audit_core::retention::Claims;
use audit_core::segment::SegmentName;

use super::content::{read_content, segments_in};
use super::scan::{next_line, note_hash};
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
    for name in segments_in(&storage.list("")?) {
        match read_segment(storage, name, &mut |entry| rotation.see(entry)) {
            // What is missing then can only keep us from believing a key.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(segment = %name, %error, "a segment cannot be read");
            }
            read => read?,
        }
    }
    Ok(rotation)
}

/// Where the trail begins, and what the entries say that announced the deletion of what was before.
pub(crate) struct FrontSaid {
    pub(crate) begins: Front,
    /// The perfect subtrees over what was before.
    pub(crate) subtrees: Option<Vec<Hash>>,
    /// The least size at which the key in force is told, and that key, a vkey. It is that of the first
    /// entry, unless a crash cut the deletion short: then more is here than was announced to stay.
    pub(crate) key: Option<(u64, String)>,
}

/// Where the trail begins, and what is said of that by the entries before `signed`: of those from there
/// on nobody knows who wrote them.
pub(crate) fn read_front(storage: &dyn Storage, signed: u64) -> io::Result<FrontSaid> {
    let mut front = None;
    let mut claims = Claims::default();
    for name in segments_in(&storage.list("")?) {
        read_segment(storage, name, &mut |entry| {
            let here = Front { seq: entry.seq(), prev_hash: entry.prev_hash() };
            let first = front.get_or_insert(here).seq;
            match entry.event_type() {
                _ if entry.seq() >= signed => {}
                "audit.recovered" => {
                    claims.recovered(entry.seq(), entry.details().unwrap_or_default());
                }
                "audit.retention_applied" if first > 0 => {
                    claims.claim(entry.seq(), said_before(entry, first));
                }
                _ => {}
            }
        })?;
        // What is whole needs no second look.
        if front.is_some_and(|front| front.seq == 0) {
            break;
        }
    }
    let begins = front.unwrap_or(Front { seq: 0, prev_hash: Hash::ZERO });
    let mut said = FrontSaid { begins, subtrees: None, key: None };
    for (at, subtrees, key) in claims.in_force().filter_map(|(_, said)| said) {
        if at == begins.seq {
            said.subtrees = subtrees.or(said.subtrees);
        }
        // The first to say so: the readers take that one.
        if let Some(key) = key
            && said.key.as_ref().is_none_or(|(known, _)| at < *known)
        {
            said.key = Some((at, key));
        }
    }
    Ok(said)
}

/// The `seq` of an entry, from `signed` on, that excuses all that is missing before the first entry which
/// is there, if nothing that was signed does. Where the first segment is damaged, any deletion might.
pub(crate) fn unsigned_deletion(storage: &dyn Storage, signed: u64) -> io::Result<Option<u64>> {
    let segments = segments_in(&storage.list("")?);
    let mut front = None;
    for name in &segments {
        front = match first_seq(storage, *name) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => break,
            first => first?,
        };
        if front.is_some() {
            break;
        }
    }
    if front == Some(0) {
        return Ok(None);
    }
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
    let is_excused = || {
        let mut claims = Claims::default();
        read_entries(storage, |entry| match entry.event_type() {
            _ if entry.seq() >= signed => {}
            "audit.recovered" => {
                claims.recovered(entry.seq(), entry.details().unwrap_or_default());
            }
            _ if deletes_up_to(entry, front) => claims.claim(entry.seq(), ()),
            _ => {}
        })?;
        io::Result::Ok(claims.in_force().next().is_some())
    };
    Ok(if found.is_some() && front.is_some() && is_excused()? { None } else { found })
}

/// Whether an entry says that what stands right before `front`, where that is known, is deleted.
fn deletes_up_to(entry: &Entry<'_>, front: Option<u64>) -> bool {
    if entry.event_type() != "audit.retention_applied" {
        return false;
    }
    let details = entry.details().and_then(|text| serde_json::from_str(text).ok());
    let details: serde_json::Value = details.unwrap_or_default();
    let segments = details["segments"].as_array().map_or(&[][..], Vec::as_slice);
    let last = |row: &serde_json::Value| row["last_seq"].as_u64();
    segments.iter().filter_map(last).any(|last| front.is_none() || last.checked_add(1) == front)
}

/// `seq` of the first whole entry of a segment.
fn first_seq(storage: &dyn Storage, name: SegmentName) -> io::Result<Option<u64>> {
    let mut content = BufReader::with_capacity(1 << 13, read_content(storage, name)?);
    let mut line = Vec::new();
    while let Some(read) = next_line(&mut content, &mut line)? {
        if let Some(entry) = read.entry() {
            return Ok(Some(entry.seq()));
        }
    }
    Ok(None)
}

/// What an entry says of the trail before `first` or a later entry, and before which: the perfect subtrees,
/// and the key in force there.
fn said_before(entry: &Entry<'_>, first: u64) -> Option<(u64, Option<Vec<Hash>>, Option<String>)> {
    let details: serde_json::Value = serde_json::from_str(entry.details()?).ok()?;
    let front = details.get("front")?;
    let at = front["seq"].as_u64().filter(|at| *at >= first)?;
    let hash = |text: &serde_json::Value| Hash::from_hex(text.as_str()?.as_bytes());
    let tree = front["tree"].as_array();
    let subtrees = tree.and_then(|tree| tree.iter().map(hash).collect());
    Some((at, subtrees, front["key"].as_str().map(str::to_owned)))
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
    let mut content = BufReader::with_capacity(1 << 20, read_content(storage, name)?);
    let mut line = Vec::with_capacity(4096);
    while let Some(read) = next_line(&mut content, &mut line)? {
        if let Some(entry) = read.entry() {
            each(&entry);
        }
    }
    Ok(())
}

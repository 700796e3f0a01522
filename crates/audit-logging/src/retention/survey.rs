//! What a trail has on disk, and which holds are in force.
//!
//! What must stay true here: everything is read from the segments themselves; the manifest is asked for
//! nothing. What cannot be read ends the survey: nothing is deleted on half of the facts.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use audit_core::chain::MAX_LINE;
use audit_core::entry::Entry;
use audit_core::retention::{Holds, Stored};
use audit_core::segment::SegmentName;

use super::RetentionError;
use crate::storage::{Storage, read_to_vec};
use crate::trail::{checksum_name, is_archived, read_content, segments_in};

/// Every segment, in order.
pub(super) fn survey(storage: &dyn Storage) -> Result<Vec<Stored>, RetentionError> {
    let names = storage.list("").map_err(RetentionError::io("list", "the trail"))?;
    segments_in(&names)
        .into_iter()
        .map(|name| {
            let archived = is_archived(&names, name);
            let file = if archived { name.archived() } else { name.to_string() };
            Ok(Stored {
                name,
                first_seq: first_seq(storage, name).map_err(RetentionError::io("read", &file))?,
                bytes: storage.len(&file).map_err(RetentionError::io("look at", &file))?,
                closed: names.contains(&checksum_name(&name.to_string())),
                archived,
            })
        })
        .collect()
}

fn first_seq(storage: &dyn Storage, segment: SegmentName) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    let content = read_content(storage, segment)?.take(MAX_LINE as u64 + 1);
    BufReader::with_capacity(1 << 13, content).read_until(b'\n', &mut line)?;
    let entry = line.strip_suffix(b"\n").and_then(|line| Entry::parse(line).ok());
    Ok(entry.map(|entry| entry.seq()))
}

/// What the entries of a trail say of it.
#[derive(Default)]
pub(super) struct Said {
    /// The holds that are in force.
    pub(super) holds: Holds,
    /// The key in force where the trail begins, if retention shortened it before and said so.
    pub(super) front_key: Option<String>,
}

/// Reads every entry.
pub(super) fn said(
    storage: &dyn Storage,
    segments: &[Stored],
    stop: &AtomicBool,
) -> Result<Said, RetentionError> {
    let mut said = Said::default();
    let first = segments.iter().find_map(|segment| segment.first_seq);
    let applied = memchr::memmem::Finder::new(b"\"event_type\":\"audit.retention_applied\"");
    for segment in segments {
        each_line(storage, segment.name, stop, |line| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            said.holds.see_line(line);
            if applied.find(line).is_some()
                && let Ok(entry) = Entry::parse(line)
                && entry.event_type() == "audit.retention_applied"
            {
                said.front_key = key_at(&entry, first).or(said.front_key.take());
            }
        })?;
    }
    Ok(said)
}

/// The key that an `audit.retention_applied` says is in force at `first`.
fn key_at(entry: &Entry<'_>, first: Option<u64>) -> Option<String> {
    let details: serde_json::Value = serde_json::from_str(entry.details()?).ok()?;
    let front = &details["front"];
    (front["seq"].as_u64() == first).then(|| Some(front["key"].as_str()?.to_owned()))?
}

/// Every line of a segment, LF included.
pub(super) fn each_line(
    storage: &dyn Storage,
    segment: SegmentName,
    stop: &AtomicBool,
    mut each: impl FnMut(&[u8]),
) -> Result<(), RetentionError> {
    let name = segment.to_string();
    let failed = |error| RetentionError::io("read", &name)(error);
    let content = read_content(storage, segment).map_err(failed)?;
    let mut reader = BufReader::with_capacity(1 << 20, content);
    let mut line = Vec::with_capacity(4_096);
    loop {
        line.clear();
        // A line without end is taken in pieces: nobody's memory grows with it.
        let piece = reader.by_ref().take(1 << 20).read_until(b'\n', &mut line);
        if piece.map_err(failed)? == 0 {
            return Ok(());
        }
        if stop.load(Ordering::Relaxed) {
            return Err(RetentionError::Closing);
        }
        each(&line);
    }
}

/// What a closed segment's checksum file says, hex.
pub(super) fn checksum_of(
    storage: &dyn Storage,
    segment: SegmentName,
) -> Result<String, RetentionError> {
    let name = segment.to_string();
    let file = checksum_name(&name);
    let bytes = read_to_vec(storage, &file, 4_096).map_err(RetentionError::io("read", &file))?;
    let text = String::from_utf8_lossy(&bytes);
    let sha = text.strip_suffix(&format!("  {name}\n")).map(str::to_owned);
    sha.ok_or_else(|| {
        RetentionError::io("read", &file)(io::Error::other("it is no checksum of the segment"))
    })
}

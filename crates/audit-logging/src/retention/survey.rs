//! What a trail has on disk, and which holds are in force.
//!
//! What must stay true here: everything is read from the segments themselves; the manifest is asked for
//! nothing. What cannot be read ends the survey: nothing is deleted on half of the facts. An archive that
//! does not unpack is damage, and told as such when what the entries say is asked for.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use audit_core::chain::MAX_LINE;
use audit_core::entry::Entry;
use audit_core::retention::{Claims, Holds, Stored};
use audit_core::segment::SegmentName;

use super::RetentionError;
use super::chain::Chain;
use super::signed::Signed;
use super::times::Times;
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
    match BufReader::with_capacity(1 << 13, content).read_until(b'\n', &mut line) {
        // As a first line that is no entry: whoever believes the entries reads all of it, and finds that.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
        read => read?,
    };
    let entry = line.strip_suffix(b"\n").and_then(|line| Entry::parse(line).ok());
    Ok(entry.map(|entry| entry.seq()))
}

/// What the entries of a trail say of it.
#[derive(Default)]
pub(super) struct Said {
    /// The holds that are in force.
    pub(super) holds: Holds,
    /// If retention shortened the trail before: the least size at which it told the key in force, and that
    /// key. It is where the trail begins, unless a crash cut that deletion short.
    pub(super) front_key: Option<(u64, String)>,
    /// What it says of its clocks.
    pub(super) times: Times,
    /// Why nothing is deleted on what it says.
    pub(super) doubt: Option<RetentionError>,
    deletions: Claims<Deletion>,
}

/// What an entry says of the front of the trail as it is.
struct Deletion {
    /// The entry before the first one is among those that it names.
    names_front: bool,
    /// The key in force at the first entry or a later one, and at which.
    key: Option<(u64, String)>,
}

impl Said {
    fn see(&mut self, entry: &Entry<'_>, first: u64, is_signed: bool) {
        self.times.see(entry);
        // A release that no signature covers yet may be anybody's.
        if is_signed || entry.event_type() != "audit.hold_released" {
            self.holds.see(entry);
        }
        match entry.event_type() {
            "audit.recovered" => {
                self.deletions.recovered(entry.seq(), entry.details().unwrap_or_default());
            }
            "audit.retention_applied" => {
                let details = entry.details().and_then(|text| serde_json::from_str(text).ok());
                let details: serde_json::Value = details.unwrap_or_default();
                let front = &details["front"];
                let at = front["seq"].as_u64().filter(|at| *at >= first);
                let key = at.zip(front["key"].as_str().map(str::to_owned));
                // A crash may have left some of the segments that it names.
                let segments = details["segments"].as_array().into_iter().flatten();
                let before = first.checked_sub(1);
                let names_front = before.is_some()
                    && segments.into_iter().any(|one| one["last_seq"].as_u64() == before);
                self.deletions.claim(entry.seq(), Deletion { names_front, key });
            }
            _ => {}
        }
    }

    /// Takes what counts over: whether what stood before the first entry was deleted by retention.
    fn judge_front(&mut self) -> bool {
        let mut is_named = false;
        for (_, deletion) in std::mem::take(&mut self.deletions).in_force() {
            is_named |= deletion.names_front;
            // The first to say so: the readers take that one.
            if let Some(key) = deletion.key
                && self.front_key.as_ref().is_none_or(|(known, _)| key.0 < *known)
            {
                self.front_key = Some(key);
            }
        }
        is_named
    }
}

/// Reads every entry, and believes them only if all of them are there and as they were written: a hold
/// must not vanish with a byte that was changed, or with the segment that it stands in. With what was
/// `signed`, they must lead to it as well.
pub(super) fn said(
    storage: &dyn Storage,
    segments: &[Stored],
    signed: Option<&Signed<'_>>,
    stop: &AtomicBool,
) -> Result<Said, RetentionError> {
    let mut said = Said::default();
    let mut chain = Chain::default();
    let first = segments.iter().find_map(|segment| segment.first_seq).unwrap_or_default();
    let mut tree = signed.map(|signed| signed.from(first)).transpose()?;
    for (at, segment) in segments.iter().enumerate() {
        said.times.begun(segment.name);
        chain.begin(segment, &segments[at + 1..]);
        each_line(storage, segment.name, stop, |line| {
            if let Some(entry) = chain.take(line)? {
                let is_signed = signed.is_none_or(|signed| entry.seq() < signed.size);
                said.see(&entry, chain.first.unwrap_or_default(), is_signed);
                if let Some(tree) = &mut tree {
                    tree.push(entry.hash());
                }
            }
            Ok(())
        })?;
        chain.end()?;
    }
    if !said.judge_front() && chain.first.is_some_and(|first| first > 0) {
        return Err(RetentionError::Unproven {
            segment: segments.first().map_or_else(String::new, |one| one.name.to_string()),
            offset: 0,
            problem: "what stood before it is gone, and no entry names it",
        });
    }
    tree.map_or(Ok(()), |tree| tree.end())?;
    Ok(said)
}

/// Every line of a segment, LF included.
pub(super) fn each_line(
    storage: &dyn Storage,
    segment: SegmentName,
    stop: &AtomicBool,
    mut each: impl FnMut(&[u8]) -> Result<(), RetentionError>,
) -> Result<(), RetentionError> {
    let name = segment.to_string();
    let failed = |error: io::Error, offset| match error.kind() {
        io::ErrorKind::InvalidData => RetentionError::Unproven {
            segment: name.clone(),
            offset,
            problem: "its archive does not unpack",
        },
        _ => RetentionError::io("read", &name)(error),
    };
    let content = read_content(storage, segment).map_err(|error| failed(error, 0))?;
    let mut reader = BufReader::with_capacity(1 << 20, content);
    let (mut line, mut offset) = (Vec::with_capacity(4_096), 0);
    loop {
        line.clear();
        // A line without end is taken in pieces: nobody's memory grows with it.
        let piece = reader.by_ref().take(1 << 20).read_until(b'\n', &mut line);
        match piece.map_err(|error| failed(error, offset))? {
            0 => return Ok(()),
            count => offset += count as u64,
        }
        if stop.load(Ordering::Relaxed) {
            return Err(RetentionError::Closing);
        }
        each(&line)?;
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

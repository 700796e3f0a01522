//! Reading a segment to its end to find where writing goes on.
//!
//! What must stay true here: the longest valid prefix is kept; an invalid region at the end is a
//! torn tail; an invalid region followed by valid entries is damage, which stays where it is and is
//! reported, never cut. One exception: after another boot, a region with NUL bytes (blocks the disk
//! never got) is what a power cut leaves of an unacknowledged write. Memory stays bounded.

use std::io::{self, BufRead, BufReader, Read};

use audit_core::chain::{Hash, Head, MAX_LINE};
use audit_core::control::CONTROL_PREFIX;
use audit_core::entry::Entry;
use audit_core::segment::SegmentName;
use jiff::Timestamp;
use uuid::Uuid;

use super::segment::SegmentState;
use crate::seal::Rotation;

/// What a scan found.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The part to keep.
    pub(crate) kept: SegmentState,
    /// Bytes after it.
    pub(crate) torn: u64,
    /// Offset of the first damaged line inside the kept part.
    pub(crate) damaged_at: Option<u64>,
    /// Where the kept entries begin that are not signed.
    pub(crate) unsigned_at: Option<u64>,
    /// Time of the last control entry.
    pub(crate) last_control: Option<Timestamp>,
    /// Id of the last event that is not the trail's own.
    pub(crate) last_event: Option<Uuid>,
    /// The last entry is `audit.closed`.
    pub(crate) closed_in_order: bool,
    /// Numbers and hashes of the entries kept, in order.
    pub(crate) hashes: Vec<(u64, Hash)>,
    /// What its entries say of the signing keys.
    pub(crate) rotation: Rotation,
}

/// What ends a scan early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Entries from this `seq` on stand in a later segment: they are torn here.
    pub(crate) until_seq: u64,
    /// Entries before this one are signed, and so were durable.
    pub(crate) signed: u64,
    /// True when unwritten blocks can be explained: the machine has booted since.
    pub(crate) holes_are_torn: bool,
}

/// A line, or a piece of one that is longer than any entry.
pub(super) struct Line<'a> {
    bytes: &'a [u8],
    /// It ends in LF and is not longer than any entry can be.
    whole: bool,
}

impl<'a> Line<'a> {
    /// The entry that it is, if it is one and has the hash it states.
    pub(super) fn entry(&self) -> Option<Entry<'a>> {
        let line = self.bytes.strip_suffix(b"\n").filter(|_| self.whole)?;
        Entry::parse(line).ok().filter(Entry::hash_matches)
    }
}

/// Scans `content` from its start.
pub(crate) fn scan(
    name: SegmentName,
    content: impl Read,
    limits: Limits,
    now: Timestamp,
) -> io::Result<Scan> {
    let mut reader = BufReader::with_capacity(1 << 20, content);
    let mut found = Scan {
        kept: SegmentState::new(name, Head::EMPTY, now),
        torn: 0,
        damaged_at: None,
        unsigned_at: None,
        last_control: None,
        last_event: None,
        closed_in_order: false,
        hashes: Vec::new(),
        rotation: Rotation::default(),
    };
    let mut suspect: Option<Suspect> = None;
    let mut line = Vec::with_capacity(4096);
    while let Some(read) = next_line(&mut reader, &mut line)? {
        let previous = (found.kept.bytes > 0).then_some(found.kept.end);
        let entry = read.entry();
        if entry.as_ref().is_some_and(|entry| entry.seq() >= limits.until_seq) {
            suspect = Some(Suspect::begin(&found, suspect, read.bytes));
            break;
        }
        let continues = |entry: &Entry<'_>| {
            previous.is_none_or(|head| {
                head == Head { next_seq: entry.seq(), last_hash: entry.prev_hash() }
            })
        };
        match (entry, suspect.take()) {
            (Some(entry), None) if continues(&entry) => found.keep(&entry, limits),
            (Some(_), Some(region)) if region.has_nul && limits.holes_are_torn => {
                suspect = Some(Suspect::begin(&found, Some(region), read.bytes));
                break;
            }
            (Some(entry), Some(region)) => {
                found.kept.clone_from(&region.state);
                found.damaged_at.get_or_insert(region.at);
                found.keep(&entry, limits);
            }
            // An entry that does not continue the chain, but is whole: damage before it.
            (Some(entry), None) => {
                found.damaged_at.get_or_insert(found.kept.bytes);
                found.keep(&entry, limits);
            }
            (None, region) => suspect = Some(Suspect::begin(&found, region, read.bytes)),
        }
    }
    if let Some(region) = suspect {
        found.torn = region.state.bytes - region.at;
        let mut rest = [0; 1 << 13];
        loop {
            match reader.read(&mut rest)? {
                0 => break,
                n => found.torn += n as u64,
            }
        }
    }
    Ok(found)
}

impl Scan {
    fn keep(&mut self, entry: &Entry<'_>, limits: Limits) {
        if entry.seq() >= limits.signed {
            self.unsigned_at.get_or_insert(self.kept.bytes);
        }
        self.kept.add_entry(entry);
        note_hash(&mut self.hashes, entry);
        self.closed_in_order = entry.event_type() == "audit.closed";
        self.rotation.see(entry);
        if entry.event_type().starts_with(CONTROL_PREFIX) {
            self.last_control = entry.timestamp().parse().ok().or(self.last_control);
        } else {
            self.last_event = Some(entry.audit_id());
        }
    }
}

/// Notes an entry's number and hash, and those of the one before if that one alone is damaged: the
/// link to it says what its hash was.
pub(super) fn note_hash(hashes: &mut Vec<(u64, Hash)>, entry: &Entry<'_>) {
    let seq = entry.seq();
    if hashes.last().is_some_and(|(last, _)| last + 2 == seq) {
        hashes.push((seq - 1, entry.prev_hash()));
    }
    hashes.push((seq, entry.hash()));
}

/// Bytes that are no entry, not yet known to be the end or the middle.
struct Suspect {
    at: u64,
    has_nul: bool,
    /// What would be kept if the region turns out to be in the middle.
    state: SegmentState,
}

impl Suspect {
    fn begin(found: &Scan, region: Option<Suspect>, bytes: &[u8]) -> Suspect {
        let mut region = region.unwrap_or_else(|| Suspect {
            at: found.kept.bytes,
            has_nul: false,
            state: found.kept.clone(),
        });
        region.state.add_raw(bytes);
        region.has_nul |= bytes.contains(&0);
        region
    }
}

/// The next line, LF included; a line longer than any entry comes in pieces that are not whole.
pub(super) fn next_line<'b>(
    reader: &mut impl BufRead,
    line: &'b mut Vec<u8>,
) -> io::Result<Option<Line<'b>>> {
    line.clear();
    let limit = MAX_LINE as u64 + 1;
    let read = reader.by_ref().take(limit).read_until(b'\n', line)?;
    Ok((read > 0).then_some(Line { whole: line.ends_with(b"\n"), bytes: line }))
}

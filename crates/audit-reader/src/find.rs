//! One entry, by `seq` or by `audit_id`.
//!
//! What must stay true here: what is found is handed out as it stands on disk. Shortcuts only
//! choose where to look first: in a trail that was tampered with, everything is looked at.

use std::io;

use audit_core::chain::MAX_LINE;
use audit_core::entry::Parser;
use audit_core::segment::SegmentName;
use memchr::{memchr, memmem};
use uuid::Uuid;

use crate::source::{LogFile, read_full, read_some};
use crate::{ReadError, Source, Step, TrailReader};

/// Bytes in which a line ends and another has begun, as a rule.
const USUAL: usize = 4 * 1_024;
/// Within so many bytes, looking at every line is fast enough.
const NEAR: u64 = 4 * MAX_LINE as u64;

/// An entry that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The segment it is in.
    pub segment: SegmentName,
    /// Where in it.
    pub offset: u64,
    /// The line, without LF; it keeps the grammar of an entry.
    pub line: Vec<u8>,
}

/// Finds the entry with this `seq`; the first one, if a tampered trail has several.
///
/// # Errors
/// When the trail cannot be read.
pub fn find_by_seq(source: impl Into<Source>, seq: u64) -> Result<Option<Found>, ReadError> {
    let source = source.into();
    let mut parser = Parser::default();
    // There is one way to write an entry's beginning, so parsing the others can be left out.
    let beginning = format!("{{\"seq\":{seq},");
    let mut wanted =
        |line: &[u8]| line.starts_with(beginning.as_bytes()) && parser.parse(line).is_ok();
    let segments = source.segments()?;
    // The first segment that begins after `seq`; the entry is in the one before it.
    let (mut low, mut high) = (0, segments.len());
    while low < high {
        let middle = low.midpoint(high);
        match first_seq(&source, segments[middle])? {
            Some(first) if first <= seq => low = middle + 1,
            _ => high = middle,
        }
    }
    if let Some(name) = low.checked_sub(1).and_then(|at| segments.get(at)) {
        let near = match source.open_segment(*name)? {
            // Of an archived one no place can be reached but through all before it.
            Some(segment) if !segment.archived => {
                let path = source.place_of(&segment.file_name());
                place_before(&*segment.file, seq).map_err(ReadError::io(&path))?
            }
            _ => 0,
        };
        let reader = TrailReader::starting_at(source.clone(), *name, near)?;
        if let Some(found) = scan(reader, Some(*name), &mut wanted)? {
            return Ok(Some(found));
        }
    }
    scan(TrailReader::new(source), None, &mut wanted)
}

/// Finds the entry with this `audit_id`; the first one, if a tampered trail has several.
///
/// # Errors
/// When the trail cannot be read.
pub fn find_by_audit_id(
    source: impl Into<Source>,
    audit_id: Uuid,
) -> Result<Option<Found>, ReadError> {
    let mut parser = Parser::default();
    let text = audit_id.to_string();
    let needle = memmem::Finder::new(&text);
    // Parsing only the lines that hold the text anywhere makes this several times faster.
    let mut wanted = |line: &[u8]| {
        needle.find(line).is_some()
            && parser.parse(line).is_ok_and(|entry| entry.audit_id() == audit_id)
    };
    scan(TrailReader::new(source), None, &mut wanted)
}

/// The first line that is wanted; only in the segment `within`, if one is given.
fn scan(
    mut reader: TrailReader,
    within: Option<SegmentName>,
    wanted: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Option<Found>, ReadError> {
    loop {
        match reader.step()? {
            Step::Line(segment, line) if wanted(line.bytes) => {
                let (offset, line) = (line.offset, line.bytes.to_vec());
                return Ok(Some(Found { segment, offset, line }));
            }
            Step::Line(..) => {}
            Step::SegmentEnd(end) if Some(end.name) == within => return Ok(None),
            Step::SegmentEnd(_) => {}
            Step::Unfinished(..) | Step::CaughtUp => return Ok(None),
        }
    }
}

/// The beginning of a line not far before the entry with this `seq`, if the segment is in order.
fn place_before(file: &dyn LogFile, seq: u64) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.size()?);
    let mut block = vec![0; 2 * MAX_LINE];
    while high - low > NEAR {
        let middle = low.midpoint(high);
        // Most lines are short, and a proof is to be had in milliseconds.
        let mut line = line_behind(file, &mut block[..USUAL], middle)?;
        if line.is_none() {
            line = line_behind(file, &mut block, middle)?;
        }
        let Some((at, found)) = line else { break };
        if found <= seq { low = at } else { high = middle }
    }
    Ok(low)
}

/// Where the first line behind a place begins, and the `seq` it begins with, if both are in the block
/// that is read there.
fn line_behind(file: &dyn LogFile, block: &mut [u8], place: u64) -> io::Result<Option<(u64, u64)>> {
    let count = read_some(file, block, place)?;
    let block = &block[..count];
    let Some(lf) = memchr(b'\n', block) else { return Ok(None) };
    let digits = block[lf + 1..].strip_prefix(b"{\"seq\":").unwrap_or_default();
    let digits = memchr(b',', digits).and_then(|end| std::str::from_utf8(&digits[..end]).ok());
    let seq = digits.and_then(|digits| digits.parse().ok());
    Ok(seq.map(|seq| (place + lf as u64 + 1, seq)))
}

/// `seq` of the first entry of a segment, if its first line is one.
pub(crate) fn first_seq(source: &Source, name: SegmentName) -> Result<Option<u64>, ReadError> {
    let seq = |line: &[u8]| Parser::default().parse(line).ok().map(|entry| entry.seq());
    if let Some(segment) = source.open_segment(name)?.filter(|segment| !segment.archived) {
        let path = source.place_of(&segment.file_name());
        let mut block = vec![0; USUAL];
        let count = read_full(&*segment.file, &mut block, 0).map_err(ReadError::io(&path))?;
        if let Some(lf) = memchr(b'\n', &block[..count]) {
            return Ok(seq(&block[..lf]));
        }
    }
    let mut reader = TrailReader::starting_at(source.clone(), name, 0)?;
    match reader.step()? {
        Step::Line(segment, line) if segment == name => Ok(seq(line.bytes)),
        _ => Ok(None),
    }
}

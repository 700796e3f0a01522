//! One closed segment, from its first byte to its last.
//!
//! What must stay true here: it may run beside the scans of other segments. What it gives is bounded
//! in size, and handed on as it comes.

use std::collections::BTreeSet;

use audit_core::segment::SegmentName;
use audit_core::verify::{Item, Scanner};

use super::facts::{EntryZero, SegmentFacts};
use crate::line::LineReader;
use crate::stored::StoredFile;
use crate::{Line, LineKind, ReadError, SegmentEnd, Source};

/// How many bytes go by between two messages.
const MESSAGE_EVERY: u64 = 4 * 1024 * 1024;
/// How much a message weighs at most, give or take an item.
const MESSAGE_WEIGHT: usize = 128 * 1024;

/// What became known of a segment since the last message.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) items: Vec<Item>,
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// It is at its end.
    pub(super) end: Option<SegmentFacts>,
    /// It is the newest one, and its whole lines up to this place were scanned.
    pub(super) open: Option<(Box<SegmentScan<'a>>, u64)>,
    weight: usize,
}

impl Message<'_> {
    /// It weighs so much that it must be taken before the scan goes on.
    pub(super) const fn is_full(&self) -> bool {
        self.weight >= MESSAGE_WEIGHT
    }
}

/// What becomes of a message.
pub(super) enum Told<'a> {
    /// It was taken.
    Taken,
    /// Not now: it comes back, and the scan goes on.
    Later(Box<Message<'a>>),
    /// Nobody listens any more.
    Stop,
}

/// A segment that is being scanned.
#[derive(Debug)]
pub(super) struct SegmentScan<'a> {
    scanner: Scanner<'a, Option<StoredFile>>,
    facts: SegmentFacts,
    message: Message<'a>,
    /// How many bytes make the next message.
    due: u64,
}

impl<'a> SegmentScan<'a> {
    pub(super) fn new(
        name: SegmentName,
        watched: &'a BTreeSet<u64>,
        stored: Option<StoredFile>,
    ) -> SegmentScan<'a> {
        let facts = SegmentFacts::new(name);
        let (scanner, message) = (Scanner::new(watched, stored), Message::default());
        SegmentScan { scanner, facts, message, due: MESSAGE_EVERY }
    }

    /// Takes a line; gives a message when there is enough to say.
    pub(super) fn line(&mut self, line: &Line<'_>, in_flight: bool) -> Option<Message<'a>> {
        let items = &mut self.message.items;
        let before = items.len();
        match line.kind {
            LineKind::Complete => {
                if let Some(entry) = self.scanner.line(line.offset, line.bytes, items) {
                    self.facts.add(&entry);
                    if entry.seq() == 0 && self.facts.zero.is_none() {
                        self.facts.zero = Some(EntryZero::read(&entry));
                    }
                }
            }
            LineKind::Oversized => {
                self.scanner.oversized_line(line.offset, line.len, line.bytes, items);
            }
            LineKind::Partial => {
                self.scanner.partial_line(line.offset, line.len, line.bytes, in_flight, items);
            }
        }
        self.message.weight += items[before..].iter().map(Item::weight).sum::<usize>();
        self.message.bytes += line.len + 1;
        self.message.lines += 1;
        let due = self.message.bytes >= self.due || self.message.is_full();
        due.then(|| {
            self.due = MESSAGE_EVERY;
            std::mem::take(&mut self.message)
        })
    }

    /// Takes a message back that nobody had time for.
    fn put_back(&mut self, message: Message<'a>) {
        self.due = message.bytes + MESSAGE_EVERY;
        self.message = message;
    }

    /// The last message.
    pub(super) fn end(mut self, end: &SegmentEnd) -> Message<'a> {
        self.scanner.flush(&mut self.message.items);
        self.facts.end(end);
        self.message.end = Some(self.facts);
        self.message
    }
}

/// Scans a segment. The last message of it must be taken. If retention was faster, there is nothing to
/// tell. The newest segment, which may be growing, is left `open` at its last whole line.
pub(super) fn scan_segment<'a>(
    source: &Source,
    name: SegmentName,
    (digested, open): (bool, bool),
    watched: &'a BTreeSet<u64>,
    stored: Option<StoredFile>,
    tell: &mut dyn FnMut(Message<'a>) -> Told<'a>,
) -> Result<(), ReadError> {
    let Some(segment) = source.open_segment(name)? else { return Ok(()) };
    let path = source.place_of(&segment.file_name());
    let mut lines = LineReader::new(segment.file, 0, digested);
    let mut scan = SegmentScan::new(name, watched, stored);
    let mut scanned = 0;
    while let Some(span) = lines.advance().map_err(ReadError::io(&path))? {
        let line = lines.line(span);
        if open && span.kind != LineKind::Complete {
            break;
        }
        scanned = line.offset + line.len + 1;
        match scan.line(&line, false).map(&mut *tell) {
            None | Some(Told::Taken) => {}
            Some(Told::Later(message)) => scan.put_back(*message),
            Some(Told::Stop) => return Ok(()),
        }
        if span.kind == LineKind::Partial {
            break;
        }
    }
    if open {
        let open = Some((Box::new(scan), scanned));
        tell(Message { open, ..Message::default() });
    } else {
        let (bytes, sha256) = lines.finish();
        tell(scan.end(&SegmentEnd { name, bytes, sha256 }));
    }
    Ok(())
}

//! Lines of one segment, checked.
//!
//! What must stay true here: it may run beside other checks, of the same segment too. What it gives is
//! bounded in size, and handed on as it comes.

use std::collections::BTreeSet;

use audit_core::chain::{HashedLine, MAX_LINE};
use audit_core::verify::{Item, Scanner, StoredHashes, Unended};
use memchr::memchr;

use super::chunk::End;
use super::facts::Entries;
use crate::{Line, LineKind};

/// How much a message weighs at most, give or take an item.
const MESSAGE_WEIGHT: usize = 128 * 1024;
/// How much of a line that is too long is shown.
const HEAD: usize = 64;

/// What became known of a segment since the last message.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) items: Vec<Item>,
    pub(super) entries: Entries,
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// It was read to its end, or as far as it can be while it may be growing.
    pub(super) end: Option<End>,
    weight: usize,
}

impl Message {
    /// It weighs so much that it must be taken before the check goes on.
    pub(super) const fn is_full(&self) -> bool {
        self.weight >= MESSAGE_WEIGHT
    }

    /// Adds what comes after it.
    pub(super) fn append(&mut self, mut later: Message) {
        self.items.append(&mut later.items);
        self.entries.append(later.entries);
        self.bytes += later.bytes;
        self.lines += later.lines;
        self.weight += later.weight;
        self.end = later.end;
    }
}

/// Some lines that are being checked.
#[derive(Debug)]
pub(super) struct SegmentScan<'a, S> {
    scanner: Scanner<'a, S>,
    message: Message,
}

impl<'a, S: StoredHashes> SegmentScan<'a, S> {
    pub(super) fn new(watched: &'a BTreeSet<u64>, stored: S) -> SegmentScan<'a, S> {
        SegmentScan { scanner: Scanner::new(watched, stored), message: Message::default() }
    }

    /// Takes whole lines, of which the first begins at `offset`. `tell` takes a message that is full;
    /// gives whether it wants more.
    pub(super) fn lines(
        &mut self,
        mut offset: u64,
        mut bytes: &[u8],
        tell: &mut dyn FnMut(Message) -> bool,
    ) -> bool {
        while let Some(first) = next_line(&mut bytes) {
            let second = next_line(&mut bytes);
            let pair = second.map(|second| (second, HashedLine::pair(first, second)));
            let hashed = match &pair {
                Some((_, hashed)) => &hashed[..],
                None => &[HashedLine::new(first)],
            };
            for line in hashed {
                self.whole(offset, line);
                if self.message.is_full() && !tell(self.take()) {
                    return false;
                }
                offset += line.line().len() as u64 + 1;
            }
        }
        true
    }

    /// Takes one line, or what stands in its place.
    pub(super) fn line(&mut self, line: &Line<'_>, how: Unended) {
        let Line { kind, offset, len, bytes } = *line;
        let items = &mut self.message.items;
        let before = items.len();
        match kind {
            LineKind::Complete => return self.whole(offset, &HashedLine::new(bytes)),
            LineKind::Oversized => self.scanner.oversized_line(offset, len, bytes, items),
            LineKind::Partial => self.scanner.partial_line(offset, len, bytes, how, items),
        }
        self.add(before, len);
    }

    fn whole(&mut self, offset: u64, hashed: &HashedLine<'_>) {
        let (line, items) = (hashed.line(), &mut self.message.items);
        let (before, len) = (items.len(), line.len() as u64);
        if line.len() > MAX_LINE {
            self.scanner.oversized_line(offset, len, &line[..HEAD], items);
        } else if let Some(entry) = self.scanner.line(offset, hashed, items) {
            self.message.entries.add(&entry);
        }
        self.add(before, len);
    }

    /// Adds up a line of `len` bytes, which gave the items from `before` on.
    fn add(&mut self, before: usize, len: u64) {
        let new = &self.message.items[before..];
        self.message.weight += new.iter().map(Item::weight).sum::<usize>();
        self.message.bytes += len + 1;
        self.message.lines += 1;
    }

    /// What became known so far, if it is much.
    pub(super) fn full(&mut self) -> Option<Message> {
        self.message.is_full().then(|| self.take())
    }

    fn take(&mut self) -> Message {
        std::mem::take(&mut self.message)
    }

    /// The last message.
    pub(super) fn finish(mut self) -> Message {
        let before = self.message.items.len();
        self.scanner.flush(&mut self.message.items);
        self.message.weight += self.message.items[before..].iter().map(Item::weight).sum::<usize>();
        self.message
    }
}

/// Takes the next line off `bytes`, LF not included.
fn next_line<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let lf = memchr(b'\n', bytes)?;
    let line = &bytes[..lf];
    *bytes = &bytes[lf + 1..];
    Some(line)
}

//! Lines of one segment, checked.
//!
//! What must stay true here: it may run beside other checks, of the same segment too. What it gives is
//! bounded in size, and handed on as it comes.

use std::collections::BTreeSet;

use audit_core::chain::MAX_LINE;
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
        while let Some(lf) = memchr(b'\n', bytes) {
            let (line, len) = (&bytes[..lf], lf as u64);
            let line = match lf {
                0..=MAX_LINE => Line { kind: LineKind::Complete, offset, len, bytes: line },
                _ => Line { kind: LineKind::Oversized, offset, len, bytes: &line[..HEAD] },
            };
            self.line(&line, Unended::Closed);
            if self.message.is_full() && !tell(self.take()) {
                return false;
            }
            offset += len + 1;
            bytes = &bytes[lf + 1..];
        }
        true
    }

    /// Takes one line, or what stands in its place.
    pub(super) fn line(&mut self, line: &Line<'_>, how: Unended) {
        let items = &mut self.message.items;
        let before = items.len();
        match line.kind {
            LineKind::Complete => {
                if let Some(entry) = self.scanner.line(line.offset, line.bytes, items) {
                    self.message.entries.add(&entry);
                }
            }
            LineKind::Oversized => {
                self.scanner.oversized_line(line.offset, line.len, line.bytes, items);
            }
            LineKind::Partial => {
                self.scanner.partial_line(line.offset, line.len, line.bytes, how, items);
            }
        }
        self.message.weight += items[before..].iter().map(Item::weight).sum::<usize>();
        self.message.bytes += line.len + 1;
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

//! The chain, as retention requires it before it believes what entries say.
//!
//! What must stay true here: every whole line is an entry with its own hash that continues the one before,
//! over the borders of segments. Two things only are left out: a line that is still being written, and
//! what stands in a segment that was given up once its entries stand in the next one.

use audit_core::chain::{Hash, Head};
use audit_core::entry::Entry;
use audit_core::retention::Stored;

use super::RetentionError;

/// Follows a trail's lines.
#[derive(Default)]
pub(super) struct Chain {
    /// `seq` of the first entry there is.
    pub(super) first: Option<u64>,
    head: Option<Head>,
    segment: String,
    offset: u64,
    /// Nothing is written to it any more.
    closed: bool,
    /// `seq` of the first entry behind this segment; none in the newest that holds any.
    until: Option<u64>,
    /// A line without end was seen.
    torn: bool,
}

impl Chain {
    /// The lines of `segment` follow; `later` are the segments behind it.
    pub(super) fn begin(&mut self, segment: &Stored, later: &[Stored]) {
        self.segment = segment.name.to_string();
        self.offset = 0;
        self.closed = segment.closed;
        self.until = later.iter().find_map(|one| one.first_seq);
        self.torn = false;
    }

    /// The next line, LF included: its entry, unless it does not count.
    pub(super) fn take<'l>(&mut self, line: &'l [u8]) -> Result<Option<Entry<'l>>, RetentionError> {
        // What was written again in the next segment, and waits for the quarantine.
        let is_continued =
            self.until.is_some() && self.head.map(|head| head.next_seq) == self.until;
        if is_continued && !self.closed {
            return Ok(None);
        }
        if self.torn {
            return Err(self.unproven("a line without end"));
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            self.torn = true;
            return Ok(None);
        };
        let entry = Entry::parse(text).map_err(|_| self.unproven("a line that is no entry"))?;
        if !entry.hash_matches() {
            return Err(self.unproven("an entry that is not what its hash says"));
        }
        let before = Head { next_seq: entry.seq(), last_hash: entry.prev_hash() };
        let continues = match self.head {
            Some(head) => head == before,
            None => before.next_seq > 0 || before.last_hash == Hash::ZERO,
        };
        if !continues {
            return Err(self.unproven("an entry that does not continue the one before it"));
        }
        self.first.get_or_insert(entry.seq());
        self.head = Some(Head { next_seq: entry.seq() + 1, last_hash: entry.hash() });
        self.offset += line.len() as u64;
        Ok(Some(entry))
    }

    /// The segment is read to its end.
    pub(super) fn end(&self) -> Result<(), RetentionError> {
        if self.torn && (self.closed || self.until.is_some()) {
            return Err(self.unproven("a line without end"));
        }
        Ok(())
    }

    fn unproven(&self, problem: &'static str) -> RetentionError {
        RetentionError::Unproven { segment: self.segment.clone(), offset: self.offset, problem }
    }
}

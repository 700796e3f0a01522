//! Where a page of results ended.
//!
//! What must stay true here: the next page begins right behind, whatever was written, archived or
//! pruned meanwhile. `seq` says where; the place only helps to find it and is looked at before it is
//! believed.

use std::fmt;
use std::str::FromStr;

use std::ops::ControlFlow;

use audit_core::chain::{Hash, MAX_LINE};
use audit_core::entry::Parser;
use audit_core::segment::SegmentName;
use memchr::memchr;

use super::run::last_seq;
use super::{CursorError, Query, QueryError, QueryOptions};
use crate::source::read_full;
use crate::{ReadError, Source};

/// The last entry of a page: `SEQ@SEGMENT:OFFSET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursor {
    /// Its `seq`.
    pub seq: u64,
    /// The segment it was seen in.
    pub segment: SegmentName,
    /// Where in it.
    pub offset: u64,
}

/// What a trail has of an entry that was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It is there.
    Same,
    /// Another entry has its `seq`, or the trail ends before it: what was read was not durable and is lost,
    /// or somebody changed the trail.
    Replaced,
    /// It is not there and the trail goes on behind it: retention removed it, or its line is damaged.
    Missing,
}

impl Cursor {
    /// A cursor at this entry.
    #[must_use]
    pub const fn new(seq: u64, segment: SegmentName, offset: u64) -> Cursor {
        Cursor { seq, segment, offset }
    }

    /// What the trail has now of the entry of this cursor, which stated this hash.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn standing(&self, source: impl Into<Source>, hash: Hash) -> Result<Standing, QueryError> {
        let source = &source.into();
        let mut there = if self.holds(source)? { self.hash_here(source)? } else { None };
        if there.is_none() {
            let mut parser = Parser::default();
            let query = Query::new().seq(self.seq, Some(self.seq)).limit(1);
            query.run(source, QueryOptions::default(), |hit| {
                there = parser.parse(hit.bytes).ok().map(|entry| entry.hash());
                ControlFlow::Break(())
            })?;
        }
        Ok(match there {
            Some(there) if there == hash => Standing::Same,
            Some(_) => Standing::Replaced,
            None if last_seq(source)?.is_some_and(|last| last < self.seq) => Standing::Replaced,
            None => Standing::Missing,
        })
    }

    /// The hash of the entry that begins here, if one does.
    fn hash_here(&self, source: &Source) -> Result<Option<Hash>, ReadError> {
        let Some(segment) = source.open_segment(self.segment)? else { return Ok(None) };
        let mut line = vec![0; MAX_LINE + 1];
        let count = read_full(&*segment.file, &mut line, self.offset)
            .map_err(ReadError::io(&source.place_of(&segment.file_name())))?;
        let line = memchr(b'\n', &line[..count]).map(|end| &line[..end]);
        let mut parser = Parser::default();
        Ok(line.and_then(|line| parser.parse(line).ok().map(|entry| entry.hash())))
    }

    /// Whether the entry still stands where it was seen.
    pub(super) fn holds(&self, source: &Source) -> Result<bool, ReadError> {
        let Some(segment) = source.open_segment(self.segment)? else { return Ok(false) };
        let beginning = format!("\n{{\"seq\":{},", self.seq);
        // A line begins behind an LF or with the segment.
        let (from, wanted) = match self.offset.checked_sub(1) {
            Some(before) => (before, beginning.as_bytes()),
            None => (0, &beginning.as_bytes()[1..]),
        };
        let mut bytes = vec![0; wanted.len()];
        let count = read_full(&*segment.file, &mut bytes, from)
            .map_err(ReadError::io(&source.place_of(&segment.file_name())))?;
        Ok(bytes[..count] == *wanted)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.seq, self.segment, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Cursor, CursorError> {
        let parts = text.split_once('@').and_then(|(seq, place)| {
            let (segment, offset) = place.rsplit_once(':')?;
            let segment = SegmentName::parse(segment)?;
            Some(Cursor { seq: seq.parse().ok()?, segment, offset: offset.parse().ok()? })
        });
        // One way to write it, so that two cursors are the same if their texts are.
        parts.filter(|cursor| cursor.to_string() == text).ok_or(CursorError)
    }
}

//! Where a page of results ended.
//!
//! What must stay true here: the next page begins right behind, whatever was written, archived or
//! pruned meanwhile. `seq` says where; the place only helps to find it and is looked at before it is
//! believed.

use std::fmt;
use std::str::FromStr;

use audit_core::segment::SegmentName;

use super::CursorError;
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

impl Cursor {
    /// A cursor at this entry.
    #[must_use]
    pub const fn new(seq: u64, segment: SegmentName, offset: u64) -> Cursor {
        Cursor { seq, segment, offset }
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

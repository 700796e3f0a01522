//! Why a query could not be answered.
//!
//! What must stay true here: a query that cannot mean anything is refused with what is wrong in it,
//! before the trail is touched; it is never answered by "nothing found".

use jiff::Timestamp;
use thiserror::Error;

use super::Cursor;
use crate::ReadError;

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The time range ends before it begins.
    #[error(
        "the time range is empty: it begins at {since} and ends at {until}; swap them, or check the time zones"
    )]
    TimesReversed {
        /// Its beginning.
        since: Timestamp,
        /// Its end, which is not in it.
        until: Timestamp,
    },
    /// The range of `seq` ends before it begins.
    #[error("the range of seq is empty: it begins at {first} and ends at {last}; swap them")]
    SeqReversed {
        /// Its beginning.
        first: u64,
        /// Its end, which is in it.
        last: u64,
    },
    /// A text to search for that is empty stands in everything.
    #[error("the text to search for is empty; leave it out to see all entries")]
    NothingToSearch,
    /// The trail has fewer entries than when the cursor was given.
    #[error(
        "the cursor {cursor} is beyond the end of the trail; it is of another trail, or entries are missing: run `auditlog verify`"
    )]
    BeyondTheEnd {
        /// The cursor.
        cursor: Cursor,
    },
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a cursor; give what the last page ended with, such as 4711@2026-11-23.audit:183920")]
pub struct CursorError;

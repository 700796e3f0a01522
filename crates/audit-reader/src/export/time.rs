//! The times of entries in milliseconds.

use audit_core::entry::Entry;
use jiff::Timestamp;

/// The time of an entry in milliseconds since 1970.
pub(super) fn millis(entry: &Entry<'_>) -> i64 {
    // The grammar leaves only times there are; the last days of the year 9999 are beyond what can
    // be told apart, and stand as the last instant that can.
    let time = entry.timestamp().parse::<Timestamp>();
    time.unwrap_or(Timestamp::MAX).as_millisecond()
}

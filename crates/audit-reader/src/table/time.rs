//! Times of entries as numbers.
//!
//! What must stay true here: a number means exactly the time in the entry; what does not fit has none.

use jiff::Timestamp;

/// Nanoseconds since 1970; `None` before 1677 and after 2262, which no 64 bits can say.
pub(super) fn nanoseconds(timestamp: &str) -> Option<i64> {
    let time: Timestamp = timestamp.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

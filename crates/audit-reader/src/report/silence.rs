//! Times in which nothing was recorded.
//!
//! What must stay true here: measured by when entries were recorded (the time in `audit_id`, which
//! the writer's clock gives), never by the time an event states of itself, and only between entries
//! that follow each other in the trail, so nothing that was filtered out looks like silence.

use audit_core::entry::Entry;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// A trail that is alive says so every five minutes by default; two missing are a silence.
pub(super) const THRESHOLD_SECONDS: i64 = 600;
/// The longest that are named.
const NAMED: usize = 10;

/// A time in which nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Silence {
    /// `seq` of the last entry before it.
    pub after_seq: u64,
    /// When that was recorded.
    pub from: String,
    /// When the next one was recorded.
    pub to: String,
    /// How long it was.
    pub seconds: i64,
    /// Whether the trail was closed before it, and opened after it.
    pub closed: bool,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Silences {
    /// How long a time must be to count, in seconds.
    pub threshold_seconds: i64,
    /// How many there are while the trail was open.
    pub unexplained: u64,
    /// How long these are together, in seconds.
    pub unexplained_seconds: i64,
    /// How many there are between a closing and an opening.
    pub while_closed: u64,
    /// The longest.
    pub longest: Vec<Silence>,
}

/// Looks for them.
#[derive(Debug, Default)]
pub(super) struct Listener {
    last: Option<(u64, i64, bool)>,
    found: Silences,
}

impl Listener {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let (seq, at) = (entry.seq(), recorded_ms(entry.audit_id()));
        let closes = entry.event_type() == "audit.closed";
        let before = self.last.replace((seq, at, closes));
        let Some((after_seq, from, closed)) = before.filter(|(last, ..)| last + 1 == seq) else {
            return;
        };
        let seconds = (at - from) / 1_000;
        if seconds < THRESHOLD_SECONDS {
            return;
        }
        let closed = closed && entry.event_type() == "audit.opened";
        match closed {
            true => self.found.while_closed += 1,
            false => {
                self.found.unexplained += 1;
                self.found.unexplained_seconds += seconds;
            }
        }
        let longest = &mut self.found.longest;
        // What nobody explains comes first, however short.
        let place =
            longest.partition_point(|there| (!there.closed, there.seconds) >= (!closed, seconds));
        if place < NAMED {
            let silence = Silence { after_seq, from: time(from), to: time(at), seconds, closed };
            longest.insert(place, silence);
            longest.truncate(NAMED);
        }
    }

    pub(super) fn silences(self) -> Silences {
        Silences { threshold_seconds: THRESHOLD_SECONDS, ..self.found }
    }
}

/// When an entry was recorded, as its id says: milliseconds since 1970.
pub(super) fn recorded_ms(audit_id: Uuid) -> i64 {
    let [a, b, c, d, e, f, ..] = *audit_id.as_bytes();
    i64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// Milliseconds since 1970 as a time.
pub(super) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("@{ms}ms"), |time| format!("{time:.0}"))
}

//! What was refused: counted here until the writer can say so in the trail.
//!
//! What must stay true here: every refusal is counted exactly once, and memory stays bounded
//! whatever types callers invent. How many are not told yet stands in the ring too, where a kill
//! leaves it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use audit_core::control::DroppedEvents;
use jiff::Timestamp;

/// Distinct (type, cause) rows kept apart; the rest share one row.
const MAX_ROWS: usize = 64;
/// Type of the shared row.
const OTHER: &str = "(other)";

/// Type of input that could not be read as an event.
pub(crate) const UNREADABLE: &str = "(unreadable)";

/// Why an event was refused, as `audit.events_dropped` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropCause {
    /// The queue had no room within the overflow policy.
    QueueFull,
    /// The disk is full, or too nearly full for this event.
    DiskFull,
    /// The event type is malformed, reserved or not in the registered catalogue.
    InvalidEventType,
    /// The input could not be read as an event (a bad line of `auditlog emit`).
    InvalidInput,
    /// The operating system gave no randomness for an id.
    NoRandomness,
}

impl DropCause {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            DropCause::QueueFull => "queue_full",
            DropCause::DiskFull => "disk_full",
            DropCause::InvalidEventType => "invalid_event_type",
            DropCause::InvalidInput => "invalid_input",
            DropCause::NoRandomness => "no_randomness",
        }
    }
}

/// The rows of one `audit.events_dropped` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) rows: Vec<DroppedEvents>,
    pub(crate) count: u64,
    /// How many of them were of critical events.
    pub(crate) critical: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

#[derive(Debug, Default)]
struct Pending {
    rows: BTreeMap<(String, DropCause), u64>,
    critical: u64,
    span: Option<(Timestamp, Timestamp)>,
    total: u64,
}

/// Counts refusals by type and cause.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pending: Mutex<Pending>,
}

impl Ledger {
    /// Counts one refused event. True when it is the first since [`Ledger::take`].
    pub(crate) fn record(
        &self,
        event_type: &str,
        critical: bool,
        cause: DropCause,
        now: Timestamp,
    ) -> bool {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let valid = audit_core::event::event_type::is_well_formed(event_type);
        let name = if valid || event_type == UNREADABLE { event_type } else { "(invalid)" };
        let key = (name.to_owned(), cause);
        let key = if pending.rows.len() >= MAX_ROWS && !pending.rows.contains_key(&key) {
            (OTHER.to_owned(), cause)
        } else {
            key
        };
        *pending.rows.entry(key).or_insert(0) += 1;
        pending.total += 1;
        pending.critical += u64::from(critical);
        let is_first = pending.span.is_none();
        let (first, last) = pending.span.unwrap_or((now, now));
        pending.span = Some((first.min(now), last.max(now)));
        is_first
    }

    /// Takes what was counted since the last call; `None` when nothing was refused.
    pub(crate) fn take(&self) -> Option<Dropped> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = pending.span.take()?;
        let rows: Vec<DroppedEvents> = std::mem::take(&mut pending.rows)
            .into_iter()
            .map(|((event_type, cause), count)| DroppedEvents {
                event_type,
                cause: cause.name(),
                count,
            })
            .collect();
        let count = rows.iter().map(|row| row.count).sum();
        let critical = std::mem::take(&mut pending.critical);
        Some(Dropped { rows, count, critical, first, last })
    }

    /// True when [`Ledger::take`] would return rows.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).span.is_some()
    }

    /// All refusals since the logger was opened.
    pub(crate) fn total(&self) -> u64 {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_bounded_and_nothing_is_uncounted() {
        let ledger = Ledger::default();
        for n in 0..1000 {
            ledger.record(
                &format!("flood.type_{n}"),
                n % 10 == 0,
                DropCause::QueueFull,
                Timestamp::UNIX_EPOCH,
            );
        }
        ledger.record(
            "Not A Type\u{1b}",
            false,
            DropCause::InvalidEventType,
            Timestamp::UNIX_EPOCH,
        );
        let dropped = ledger.take().unwrap();
        assert!(dropped.rows.len() <= MAX_ROWS + 2);
        assert_eq!((dropped.count, dropped.critical), (1001, 100));
        assert!(dropped.rows.iter().all(|row| !row.event_type.contains('\u{1b}')));
        assert_eq!(ledger.take(), None);
        assert_eq!(ledger.total(), 1001);
    }
}

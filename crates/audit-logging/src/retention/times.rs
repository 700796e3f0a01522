//! What a trail says of the clocks it was written by.
//!
//! What must stay true here: a clock that runs ahead never makes anything look old enough by itself. The
//! times are taken from the writer's own entries and from names of segments, never from events.

use std::time::Duration;

use audit_core::control::CONTROL_PREFIX;
use audit_core::entry::Entry;
use audit_core::retention::Step;
use audit_core::segment::SegmentName;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::RetentionError;

/// How far the clock may run ahead of the newest control entry before it is not believed.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_hours(31 * 24);
/// A step that is shorter changes no age in days.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// So long after a leap the trail has gone on by the clock as it is: then it is believed. Two days,
/// because the date of a segment may be a day less than when it was begun.
const BELIEVED_AFTER: SignedDuration = SignedDuration::from_hours(48);
/// So long a process must have been open to delete after a leap that is not believed yet.
const OPEN_FOR: Duration = Duration::from_secs(24 * 3_600);

/// The clocks, entry by entry.
#[derive(Default)]
pub(super) struct Times {
    pub(super) steps: Vec<Step>,
    newest: Option<Timestamp>,
    /// The last time that nothing led up to, and the one before it.
    leap: Option<(Timestamp, Timestamp)>,
}

impl Times {
    /// A segment was begun.
    pub(super) fn begun(&mut self, segment: SegmentName) {
        self.at(midnight(segment));
    }

    pub(super) fn see(&mut self, entry: &Entry<'_>) {
        if !entry.event_type().starts_with(CONTROL_PREFIX) {
            return;
        }
        if let Ok(at) = entry.timestamp().parse() {
            self.at(Some(at));
        }
        if entry.event_type() == "audit.clock_stepped" {
            self.steps.extend(step(entry));
        }
    }

    fn at(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        match self.newest {
            Some(newest) if at <= newest => return,
            Some(newest) if at.duration_since(newest) > AHEAD => self.leap = Some((newest, at)),
            _ => {}
        }
        self.newest = Some(at);
    }

    /// Refuses a clock that leapt ahead until the trail, or a process that has been `open` for a day, has
    /// gone on by it.
    pub(super) fn believe(&self, open: Duration) -> Result<(), RetentionError> {
        let Some((before, after)) = self.leap else { return Ok(()) };
        let since = self.newest.map_or(SignedDuration::ZERO, |newest| newest.duration_since(after));
        if open >= OPEN_FOR || since >= BELIEVED_AFTER {
            return Ok(());
        }
        Err(RetentionError::Leap { before, after })
    }
}

/// The beginning of a segment's date.
pub(super) fn midnight(segment: SegmentName) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(segment.date().at(0, 0, 0, 0)).ok()
}

/// A step forward by more than a day.
fn step(entry: &Entry<'_>) -> Option<Step> {
    let details: serde_json::Value = serde_json::from_str(entry.details()?).ok()?;
    let time = |name: &str| details[name].as_str()?.parse::<Timestamp>().ok();
    let (from, to) = (time("from")?, time("to")?);
    let date = |time| Offset::UTC.to_datetime(time).date();
    (to.duration_since(from) > DAY).then(|| Step {
        seq: entry.seq(),
        from: date(from),
        to: date(to),
    })
}

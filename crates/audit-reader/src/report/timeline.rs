//! When things happened: by day or hour, and by hour of the week.
//!
//! What must stay true here: every entry is in exactly one bucket or counted as outside; days and
//! hours are those of the report's zone.

use std::collections::BTreeMap;

use audit_core::entry::Entry;
use audit_core::event::Outcome;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;

/// Buckets that are kept: thirty years of days.
const BUCKETS: usize = 11_000;

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// An hour on the clock.
    Hour,
    /// A day of the calendar.
    Day,
}

/// Entries by result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Results {
    /// Those that ended well.
    pub success: u64,
    /// Those that ended in part.
    pub partial: u64,
    /// Those that failed.
    pub failure: u64,
}

impl Results {
    pub(super) const fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.success += 1,
            Outcome::Partial => self.partial += 1,
            Outcome::Failure => self.failure += 1,
        }
    }

    pub(super) const fn join(&mut self, other: Results) {
        self.success += other.success;
        self.partial += other.partial;
        self.failure += other.failure;
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.success + self.partial + self.failure
    }
}

/// Entries over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Timeline {
    /// How long a bucket is.
    pub unit: Unit,
    /// The buckets that have entries, by their beginning in local time.
    pub buckets: Vec<Bucket>,
    /// Entries whose time has no bucket, because there are too many different times.
    pub outside: u64,
    /// Entries by day of the week (Monday first) and hour of the day.
    pub week: [[u64; 24]; 7],
}

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bucket {
    /// Where it begins.
    pub from: DateTime,
    /// What is in it.
    #[serde(flatten)]
    pub results: Results,
}

/// Buckets that are being filled.
#[derive(Debug)]
pub(super) struct Calendar {
    unit: Unit,
    zone: TimeZone,
    buckets: BTreeMap<DateTime, Results>,
    outside: u64,
    week: [[u64; 24]; 7],
    /// The last minute, and where it belongs: entries of one minute stand together.
    minute: Vec<u8>,
    place: Option<(DateTime, usize, usize)>,
}

/// The part of a timestamp that says the minute.
const MINUTE: usize = 16;

impl Calendar {
    pub(super) fn new(unit: Unit, zone: TimeZone) -> Calendar {
        Calendar {
            unit,
            zone,
            buckets: BTreeMap::new(),
            outside: 0,
            week: [[0; 24]; 7],
            minute: Vec::new(),
            place: None,
        }
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let text = entry.timestamp();
        let minute = &text.as_bytes()[..text.len().min(MINUTE)];
        if minute != self.minute {
            self.minute.clear();
            self.minute.extend_from_slice(minute);
            self.place = self.place(text);
        }
        let Some((bucket, day, hour)) = self.place else {
            self.outside += 1;
            return;
        };
        self.week[day][hour] += 1;
        let full = self.buckets.len() >= BUCKETS;
        match self.buckets.get_mut(&bucket) {
            Some(results) => results.add(entry.result()),
            None if full => self.outside += 1,
            None => self.buckets.entry(bucket).or_default().add(entry.result()),
        }
    }

    fn place(&self, timestamp: &str) -> Option<(DateTime, usize, usize)> {
        let time = timestamp.parse::<Timestamp>().ok()?;
        let local = self.zone.to_datetime(time);
        let hour = local.with().minute(0).second(0).subsec_nanosecond(0).build().ok()?;
        let bucket = match self.unit {
            Unit::Hour => hour,
            Unit::Day => local.date().to_datetime(jiff::civil::Time::midnight()),
        };
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        Some((bucket, day, usize::try_from(local.hour()).ok()?))
    }

    pub(super) fn timeline(self) -> Timeline {
        let buckets = self.buckets.into_iter().map(|(from, results)| Bucket { from, results });
        Timeline {
            unit: self.unit,
            buckets: buckets.collect(),
            outside: self.outside,
            week: self.week,
        }
    }
}

//! How long segments are kept: what is compressed, what is deleted, and what must stay.
//!
//! What must stay true here: pure, and the careful answer in every doubt. Nothing is deleted that may
//! hold an entry younger than the minimum, that a hold covers, or that does not stand at the front.

mod claims;
mod events;
mod hold;

use jiff::SignedDuration;
use jiff::civil::Date;
use serde::Serialize;

pub use claims::Claims;
pub use events::{Accessed, Applied, Deleted, Front, HoldAdded, HoldReleased, Rules};
pub use hold::{Hold, HoldError, HoldScope, Holds, is_hold_id};

use crate::segment::SegmentName;

/// One segment, as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub name: SegmentName,
    /// `seq` of its first entry; `None` when it has none.
    pub first_seq: Option<u64>,
    /// Bytes its file has on disk.
    pub bytes: u64,
    /// It has a `.sha256`: nothing is written to it any more.
    pub closed: bool,
    /// It is there compressed only.
    pub archived: bool,
}

/// What is to become of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Fate {
    /// It stays as it is.
    Keep {
        /// Why.
        why: Why,
    },
    /// It is compressed.
    Archive,
    /// It is deleted.
    Delete,
}

/// Why a segment stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Why {
    /// Entries are being written to it, or it has just been closed.
    Open,
    /// Not old enough to be compressed.
    Young,
    /// Compressed, and not old enough to be deleted.
    Archived,
    /// Old enough to be deleted, and a legal hold covers it.
    Held {
        /// The holds, by id.
        holds: Vec<String>,
    },
    /// Old enough to be deleted by a clock that leapt ahead, and is not believed yet.
    Leap,
    /// Old enough to be deleted, and behind one that stays: a trail is shortened from its front only.
    Behind,
}

/// A segment and what is to become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The segment.
    pub segment: Stored,
    /// Whole days since the last of its entries may have been written.
    pub age_days: Option<u32>,
    /// What is to become of it.
    pub fate: Fate,
}

/// A clock that was set forward, as `audit.clock_stepped` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// `seq` of the entry that says so.
    pub seq: u64,
    /// The date it showed, or would have shown.
    pub from: Date,
    /// The date it was set to.
    pub to: Date,
}

impl Step {
    /// When a segment that seemed to end on `ended` may have ended. A clock that was behind gave what was
    /// written then dates too old: nobody saw the time pass that it was set forward by, so it does not
    /// make anything older.
    fn shift(self, ended: Date) -> Date {
        let days = SignedDuration::from_hours(24 * i64::from(days_between(self.from, self.to)));
        ended.max(ended.saturating_add(days).min(self.to))
    }
}

/// What is to become of each segment of a trail, which must be in order and complete. `today` is the
/// UTC date.
///
/// An entry is as old as its writing, whatever time its event states. The last entry of a segment was
/// written before the next segment was begun, so a segment's age is counted from the date in the name
/// of the next one; and a segment is deleted only on the day *after* the last day it must be kept.
/// `steps`, in the order of the trail, are clocks that were set forward since.
#[must_use]
pub fn plan(
    segments: &[Stored],
    rules: Rules,
    holds: &Holds,
    steps: &[Step],
    today: Date,
) -> Vec<Decision> {
    let mut at_front = true;
    segments
        .iter()
        .enumerate()
        .map(|(at, segment)| {
            let next = segments.get(at + 1);
            let since =
                steps.iter().filter(|step| segment.first_seq.is_none_or(|first| first <= step.seq));
            let ended =
                next.map(|next| since.fold(next.name.date(), |date, step| step.shift(date)));
            let age_days = ended.map(|ended| days_between(ended, today));
            let fate = match age_days.filter(|_| segment.closed) {
                None => Fate::Keep { why: Why::Open },
                Some(age) if age > rules.delete_after_days.max(rules.min_retention_days) => {
                    expired(segment, next.zip(ended), holds, at_front, age, rules)
                }
                Some(age) => young(segment, age, rules),
            };
            at_front &= fate == Fate::Delete;
            Decision { segment: segment.clone(), age_days, fate }
        })
        .collect()
}

/// Old enough to be deleted. What stays is compressed all the same: the bytes are what a hold is about,
/// not their form.
fn expired(
    segment: &Stored,
    next: Option<(&Stored, Date)>,
    holds: &Holds,
    at_front: bool,
    age: u32,
    rules: Rules,
) -> Fate {
    let until = next.and_then(|(next, _)| next.first_seq);
    let holds = holds.covering(segment, until, next.map(|(_, ended)| ended));
    let why = match (holds.is_empty(), at_front) {
        (false, _) => Why::Held { holds },
        (true, false) => Why::Behind,
        (true, true) => return Fate::Delete,
    };
    match young(segment, age, rules) {
        Fate::Archive => Fate::Archive,
        _ => Fate::Keep { why },
    }
}

fn young(segment: &Stored, age: u32, rules: Rules) -> Fate {
    if segment.archived {
        Fate::Keep { why: Why::Archived }
    } else if age >= rules.archive_after_days {
        Fate::Archive
    } else {
        Fate::Keep { why: Why::Young }
    }
}

/// Whole days from a date to another; none if that lies before it.
fn days_between(from: Date, to: Date) -> u32 {
    let span = to.duration_since(from);
    u32::try_from(span.as_secs() / 86_400).unwrap_or(0)
}

#[cfg(test)]
mod tests;

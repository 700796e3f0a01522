//! Segment names: the UTC date a segment was begun on, and its number on that date.
//!
//! What must stay true here: the order of names is the order of entries (FORMAT section 5), by
//! date, then by N as a *number*.

use std::fmt;

use jiff::civil::Date;

/// What is appended to the name of an archived segment (FORMAT section 5).
pub const ARCHIVED: &str = ".zst";

/// The directory inside a trail's where what is derived for queries lies (FORMAT section 2).
pub const INDEX: &str = "index";

/// What the name of a file in [`INDEX`] ends with while it is written.
pub const UNFINISHED: &str = ".new";

/// The name of a segment: `2026-11-23.audit`, `2026-11-23-1.audit`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    date: Date,
    number: u32,
}

impl SegmentName {
    /// The first segment of a date.
    #[must_use]
    pub const fn first_of(date: Date) -> SegmentName {
        SegmentName { date, number: 0 }
    }

    /// Reads a file name; `None` for anything that is not exactly what [`fmt::Display`] prints.
    #[must_use]
    pub fn parse(file_name: &str) -> Option<SegmentName> {
        let stem = file_name.strip_suffix(".audit")?;
        let date = stem.get(..10)?.parse::<Date>().ok()?;
        let number = match stem.get(10..)? {
            "" => 0,
            rest => rest.strip_prefix('-')?.parse().ok()?,
        };
        let name = SegmentName { date, number };
        (name.to_string() == file_name).then_some(name)
    }

    /// Reads the name of a segment's file, archived or not: the segment, and whether it is compressed.
    #[must_use]
    pub fn parse_stored(file_name: &str) -> Option<(SegmentName, bool)> {
        match file_name.strip_suffix(ARCHIVED) {
            Some(plain) => Some((SegmentName::parse(plain)?, true)),
            None => Some((SegmentName::parse(file_name)?, false)),
        }
    }

    /// The file name of this segment when it is compressed.
    #[must_use]
    pub fn archived(self) -> String {
        format!("{self}{ARCHIVED}")
    }

    /// The file in [`INDEX`] that is the table of this segment.
    #[must_use]
    pub fn index_table(self) -> String {
        format!("{self}.parquet")
    }

    /// The file in [`INDEX`] that binds the table to its segment.
    #[must_use]
    pub fn index_binding(self) -> String {
        format!("{self}.json")
    }

    /// The segment that a file in [`INDEX`] is of, also while it is being written; `None` for files of
    /// others.
    #[must_use]
    pub fn of_index_file(name: &str) -> Option<SegmentName> {
        let name = name.strip_suffix(UNFINISHED).unwrap_or(name);
        let segment = name.strip_suffix(".parquet").or_else(|| name.strip_suffix(".json"))?;
        SegmentName::parse(segment)
    }

    /// The name of the segment that follows this one when `today` is the date: dates never go
    /// back, so after a clock step the last date is kept and the number grows.
    #[must_use]
    pub fn next(self, today: Date) -> SegmentName {
        if today > self.date {
            SegmentName::first_of(today)
        } else {
            SegmentName { date: self.date, number: self.number + 1 }
        }
    }

    /// The UTC date it was begun on.
    #[must_use]
    pub const fn date(self) -> Date {
        self.date
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "{}.audit", self.date),
            n => write!(f, "{}-{n}.audit", self.date),
        }
    }
}

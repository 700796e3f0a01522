//! Times as people write them.
//!
//! What must stay true here: pure: the same text, zone and now give the same time. Where a text can
//! mean two instants, the edge of the range is the one that leaves nothing out.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};
use thiserror::Error;

/// Which edge of a time range a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Its beginning, which is in the range.
    Since,
    /// Its end, which is not in the range; but of a day that is given as the end, all is in it.
    Until,
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TimeError {
    /// It has no form that is known.
    #[error(
        "{text:?} is no time; give a duration back from now (7d, 12h, 2w), a date (2026-11-23), a local time (2026-11-23T06:54), one with its offset (2026-11-23T06:54:00Z), or now, today, yesterday"
    )]
    Unknown {
        /// The text.
        text: String,
    },
    /// It is before or after all times there are.
    #[error(
        "{text:?} is beyond the years that can be told apart; give a shorter duration or a date"
    )]
    OutOfRange {
        /// The text.
        text: String,
    },
}

/// The instant that a text means, seen from `now` in its zone.
///
/// ```
/// use audit_reader::{Edge, time_bound};
/// let now = "2026-11-23T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
/// let now = now.to_zoned_datetime(jiff::tz::TimeZone::UTC);
/// assert_eq!(time_bound("7d", Edge::Since, &now).unwrap().to_string(), "2026-11-16T12:00:00Z");
/// // A day that ends a range is in it.
/// let until = time_bound("2026-11-20", Edge::Until, &now).unwrap();
/// assert_eq!(until.to_string(), "2026-11-21T00:00:00Z");
/// ```
///
/// # Errors
/// When it means none.
pub fn time_bound(text: &str, edge: Edge, now: &ZonedDateTime) -> Result<Timestamp, TimeError> {
    let unknown = || TimeError::Unknown { text: text.to_owned() };
    let beyond = |_| TimeError::OutOfRange { text: text.to_owned() };
    let zone = now.time_zone();
    let day = |day: Date| {
        let day = match edge {
            Edge::Since => day,
            Edge::Until => day.tomorrow().map_err(beyond)?,
        };
        // The first instant of a day is not midnight everywhere.
        day.to_zoned_datetime(zone.clone()).map(|day| day.timestamp()).map_err(beyond)
    };
    let trimmed = text.trim();
    match trimmed {
        "now" => return Ok(now.timestamp()),
        "today" => return day(now.date()),
        "yesterday" => return day(now.date().yesterday().map_err(beyond)?),
        _ => {}
    }
    if let Ok(time) = trimmed.parse::<Timestamp>() {
        return Ok(time);
    }
    // A longer text that begins with a date is a date with a time, or nothing.
    if trimmed.len() == "2026-11-23".len()
        && let Ok(date) = trimmed.parse::<Date>()
    {
        return day(date);
    }
    if trimmed.contains(['T', 't', ' '])
        && let Ok(local) = trimmed.parse::<DateTime>()
    {
        return local_time(local, edge, zone).map_err(beyond);
    }
    let span = trimmed.parse::<Span>().map_err(|_| unknown())?;
    // "7d ago" and "-7d" say the same in a place where only the past is asked for.
    let then = now.checked_sub(span.abs()).map_err(beyond)?;
    Ok(then.timestamp())
}

/// A local time that a zone has twice, or not at all, is a range of its own.
fn local_time(local: DateTime, edge: Edge, zone: &TimeZone) -> Result<Timestamp, jiff::Error> {
    let instant = zone.to_ambiguous_timestamp(local);
    match edge {
        Edge::Since => instant.earlier(),
        Edge::Until => instant.later(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str, edge: Edge, zone: &str, now: &str) -> String {
        let now = now.parse::<Timestamp>().unwrap().to_zoned_datetime(TimeZone::get(zone).unwrap());
        time_bound(text, edge, &now).map_or_else(|error| error.to_string(), |time| time.to_string())
    }

    #[test]
    fn all_forms() {
        let now = "2026-11-23T12:30:00Z";
        for (text, since, until) in [
            ("now", "2026-11-23T12:30:00Z", "2026-11-23T12:30:00Z"),
            ("7d", "2026-11-16T12:30:00Z", "2026-11-16T12:30:00Z"),
            (" 1w 2d ago ", "2026-11-14T12:30:00Z", "2026-11-14T12:30:00Z"),
            ("-90m", "2026-11-23T11:00:00Z", "2026-11-23T11:00:00Z"),
            ("P1Y", "2025-11-23T12:30:00Z", "2025-11-23T12:30:00Z"),
            ("2026-11-20T01:02:03.5+02:00", "2026-11-19T23:02:03.5Z", "2026-11-19T23:02:03.5Z"),
            ("2026-11-20T01:02", "2026-11-20T00:02:00Z", "2026-11-20T00:02:00Z"),
            ("2026-11-20 01:02", "2026-11-20T00:02:00Z", "2026-11-20T00:02:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z"),
            ("today", "2026-11-22T23:00:00Z", "2026-11-23T23:00:00Z"),
            ("yesterday", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"),
        ] {
            assert_eq!(bound(text, Edge::Since, "Europe/Berlin", now), since, "{text}");
            assert_eq!(bound(text, Edge::Until, "Europe/Berlin", now), until, "{text}");
        }
    }

    #[test]
    fn days_on_which_the_clock_is_changed() {
        let berlin = |text, edge| bound(text, edge, "Europe/Berlin", "2026-10-26T11:00:00Z");
        // The day has 25 hours.
        assert_eq!(berlin("2026-10-25", Edge::Since), "2026-10-24T22:00:00Z");
        assert_eq!(berlin("2026-10-25", Edge::Until), "2026-10-25T23:00:00Z");
        // 02:30 comes twice.
        assert_eq!(berlin("2026-10-25T02:30", Edge::Since), "2026-10-25T00:30:00Z");
        assert_eq!(berlin("2026-10-25T02:30", Edge::Until), "2026-10-25T01:30:00Z");
        // A day back is the same hour on the clock, 24 hours back are not.
        assert_eq!(berlin("2d", Edge::Since), "2026-10-24T10:00:00Z");
        assert_eq!(berlin("48h", Edge::Since), "2026-10-24T11:00:00Z");
        // 02:30 does not come.
        assert_eq!(berlin("2026-03-29T02:30", Edge::Since), "2026-03-29T00:30:00Z");
        assert_eq!(berlin("2026-03-29T02:30", Edge::Until), "2026-03-29T01:30:00Z");
        assert_eq!(berlin("2026-03-29", Edge::Since), "2026-03-28T23:00:00Z");
        assert_eq!(berlin("2026-03-29", Edge::Until), "2026-03-29T22:00:00Z");
        // Nor does midnight, here.
        let beirut = bound("2026-03-29", Edge::Since, "Asia/Beirut", "2026-10-26T11:00:00Z");
        assert_eq!(beirut, "2026-03-28T22:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "soon", "7", "2026-13-01", "2026-02-30", "2026-11-23T25:00", "2026-11-23x"]
        {
            let error = bound(text, Edge::Since, "UTC", "2026-11-23T12:30:00Z");
            assert!(error.contains("is no time; give"), "{text}: {error}");
        }
        let error = bound("99999y", Edge::Since, "UTC", "2026-11-23T12:30:00Z");
        assert!(error.contains("no time") || error.contains("beyond the years"), "{error}");
    }
}

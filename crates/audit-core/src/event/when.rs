//! The `timestamp` of a line: RFC 3339.
//!
//! What must stay true here: a time that RFC 3339 can say keeps no event out. What the clock cannot
//! hold becomes the nearest instant it can; the entry still has a year of four digits.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;

/// Fraction digits that are kept: nanoseconds.
const DIGITS: usize = 9;

/// Reads a time with date and offset; none if the text is no such thing.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    Timestamp::from_str(text).ok().or_else(|| {
        let text = shortened(text);
        Timestamp::from_str(&text).ok().or_else(|| beyond_the_clock(&text))
    })
}

/// The last hours of the year 9999 are beyond what the clock holds.
fn beyond_the_clock(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let is_last = pieces.date().year() == 9999 && pieces.date().month() == 12;
    (is_last && pieces.time().is_some() && pieces.offset().is_some()).then_some(Timestamp::MAX)
}

/// Without the digits of the fraction that are beyond a nanosecond.
fn shortened(text: &str) -> String {
    let Some((whole, rest)) = text.split_once('.') else { return text.to_owned() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    format!("{whole}.{}{}", &rest[..digits.min(DIGITS)], &rest[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        read(text).map(|time| time.to_string())
    }

    #[test]
    fn every_time_of_rfc_3339_is_read() {
        for (text, expected) in [
            ("2026-11-23T06:54:00Z", "2026-11-23T06:54:00Z"),
            ("2026-11-23t06:54:00.5z", "2026-11-23T06:54:00.5Z"),
            ("2026-11-23T06:54:00-00:00", "2026-11-23T06:54:00Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("2016-12-31T23:59:60.25Z", "2016-12-31T23:59:59.25Z"),
            ("2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59Z"),
            ("2026-11-23T06:54:00.123456789012Z", "2026-11-23T06:54:00.123456789Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("0000-01-01T00:00:00+23:59", "-000001-12-31T00:01:00Z"),
            ("9999-12-30T22:00:00Z", "9999-12-30T22:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.999999999Z"),
            ("9999-12-31T23:59:59.999999999999-23:59", "9999-12-30T22:00:00.999999999Z"),
            ("9999-12-31T23:59:60Z", "9999-12-30T22:00:00.999999999Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "yesterday",
            "2026-11-23",
            "2026-11-23T06:54:00",
            "9999-12-31",
            "9999-12-31T23:59:59",
            "9999-12-31T24:00:00Z",
            "9999-12-32T00:00:00Z",
            "9999-12-31T23:59:61Z",
            "10000-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T06:54:00.Z",
            "2026-11-23T06:54:00.ü",
            "1764000000",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}

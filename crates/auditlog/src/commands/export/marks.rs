//! What was exported last, and some of what was exported before.
//!
//! What must stay true here: an export goes on behind an entry only if the trail still has that very entry.
//! Otherwise it goes back to the newest one before that the trail has, and says so: what was not durable
//! when it was read may be lost in a power cut, and other entries then have its numbers.

use std::fmt;
use std::str::FromStr;

use audit_core::chain::Hash;
use audit_reader::{Cursor, QueryError, Source, Standing};

/// An entry that was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) cursor: Cursor,
    /// None in what an earlier version remembered.
    pub(super) hash: Option<Hash>,
}

impl Mark {
    /// What the trail has of it now; without a hash it is believed to be there.
    fn standing(&self, source: &Source) -> Result<Standing, QueryError> {
        self.hash.map_or(Ok(Standing::Same), |hash| self.cursor.standing(source, hash))
    }
}

/// Cursor and hash, a space between them.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { cursor, hash } = self;
        match hash {
            None => write!(f, "{cursor}"),
            Some(hash) => write!(f, "{cursor} {hash}"),
        }
    }
}

/// A text that is no mark.
pub(super) struct NoMark;

impl FromStr for Mark {
    type Err = NoMark;

    fn from_str(text: &str) -> Result<Mark, NoMark> {
        let (cursor, hash) = match text.split_once(' ') {
            None => (text, None),
            Some((cursor, hash)) => (cursor, Some(Hash::from_hex(hash.as_bytes()).ok_or(NoMark)?)),
        };
        Ok(Mark { cursor: cursor.parse().map_err(|_| NoMark)?, hash })
    }
}

/// Where an export was, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks(Vec<Mark>);

impl Marks {
    pub(super) const fn new(newest_first: Vec<Mark>) -> Marks {
        Marks(newest_first)
    }

    pub(super) fn newest(&self) -> Option<Mark> {
        self.0.first().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter()
    }

    /// Adds where it is now. Of those before, the oldest stays of each power of two that they are back: a few
    /// dozen, however long an export goes on, and one not much further back than any place.
    pub(super) fn add(&mut self, mark: Mark) {
        if self.newest() == Some(mark) {
            return;
        }
        let seq = mark.cursor.seq;
        self.0.retain(|old| old.cursor.seq < seq);
        self.0.reverse();
        self.0.dedup_by_key(|old| seq.saturating_sub(old.cursor.seq).checked_ilog2());
        self.0.push(mark);
        self.0.reverse();
    }

    /// Where to go on instead of behind `after`, if the trail has something else there: behind the newest
    /// that it has, or from its beginning.
    pub(super) fn instead_of(
        &self,
        after: Option<Mark>,
        source: &Source,
    ) -> Result<Option<Back>, QueryError> {
        let Some(after) = after else { return Ok(None) };
        if after.standing(source)? != Standing::Replaced {
            return Ok(None);
        }
        let last = after.cursor.seq;
        for mark in self.iter().filter(|mark| mark.hash.is_some() && mark.cursor.seq < last) {
            if mark.standing(source)? == Standing::Same {
                return Ok(Some(Back { last, to: Some(*mark) }));
            }
        }
        Ok(Some(Back { last, to: None }))
    }
}

/// That an export goes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Back {
    /// The `seq` that it had come to.
    last: u64,
    /// Behind this it goes on; from the beginning if there is none.
    pub(super) to: Option<Mark>,
}

impl Back {
    /// Says so on standard error.
    pub(super) fn tell(&self, json: bool) {
        let from = self.to.map_or(0, |mark| mark.cursor.seq.saturating_add(1));
        let last = self.last;
        if json {
            eprintln!("{}", serde_json::json!({"replaced": {"last": last, "again_from": from}}));
        } else {
            eprintln!(
                "auditlog: the trail no longer has the entry of seq {last} that was exported: it was not durable and a crash took it, or the trail was changed; run `auditlog verify`. All from seq {from} on comes again, and what was exported between may be of no trail"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn few_marks_stay_and_none_is_much_further_back_than_what_was_lost() {
        for step in [1, 7, 50_000] {
            let mut marks = Marks::default();
            for round in 1..=3_000_u64 {
                let seq = round * step;
                let cursor = format!("{seq}@2026-11-23.audit:0").parse().unwrap();
                marks.add(Mark { cursor, hash: Some(Hash::ZERO) });
                assert!(marks.0.len() <= 64, "{marks:?}");
                let back: Vec<u64> = marks.iter().map(|mark| seq - mark.cursor.seq).collect();
                for pair in back.windows(2) {
                    assert!(pair[0] < pair[1] && pair[1] <= 8 * pair[0].max(step), "{back:?}");
                }
                assert!(back.last() >= Some(&((seq - step) / 4)), "{back:?}");
            }
        }
    }

    #[test]
    fn a_mark_is_what_its_text_says() {
        for text in ["7@2026-11-23.audit:183", &format!("7@2026-11-23.audit:183 {}", Hash::ZERO)] {
            assert_eq!(text.parse::<Mark>().ok().unwrap().to_string(), text);
        }
        for none in ["", "7", "7@2026-11-23.audit:183 ", "7@2026-11-23.audit:183 00"] {
            assert!(none.parse::<Mark>().is_err(), "{none}");
        }
    }
}

//! Entries that are not among the records, although they were in the trail.
//!
//! What must stay true here: every jump of `seq` is counted, whether retention took the entries or they
//! are damaged; memory is bounded however many jumps there are.

use std::io::{self, Write};

use super::marks::Mark;

/// Ranges that are named for each batch.
const NAMED: usize = 64;

/// The jumps of `seq` in a batch.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// What must come next; anything, where nothing came before.
    expected: Option<u64>,
    missing: u64,
    ranges: Vec<(u64, u64)>,
}

impl Gaps {
    /// Of the entries behind this one.
    pub(super) fn behind(after: Option<Mark>) -> Gaps {
        let expected = after.and_then(|mark| mark.cursor.seq.checked_add(1));
        Gaps { expected, ..Gaps::default() }
    }

    /// The next entry.
    pub(super) fn see(&mut self, seq: u64) {
        // One that is too low is for `verify` to judge, and misses nothing.
        if let Some(expected) = self.expected.filter(|expected| *expected < seq) {
            self.missing += seq - expected;
            if self.ranges.len() < NAMED {
                self.ranges.push((expected, seq - 1));
            }
        }
        self.expected = seq.checked_add(1);
    }

    /// How many entries are missing.
    pub(super) const fn missing(&self) -> u64 {
        self.missing
    }

    /// Says on standard error which.
    pub(super) fn tell(&self, json: bool) -> io::Result<()> {
        let mut to = io::stderr().lock();
        let mut named = 0;
        for (first, last) in &self.ranges {
            named += last - first + 1;
            if json {
                writeln!(to, "{}", serde_json::json!({"missing_range": [first, last]}))?;
            } else {
                writeln!(
                    to,
                    "auditlog: seq {first} to {last} were not exported: retention removed them first, or they are damaged; look in an archive"
                )?;
            }
        }
        if named < self.missing && !json {
            writeln!(to, "auditlog: and {} more entries", self.missing - named)?;
        }
        Ok(())
    }
}

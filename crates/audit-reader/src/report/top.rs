//! The values that come most often, in bounded memory.
//!
//! What must stay true here: counts are exact as long as there are no more different values than
//! [`LIMIT`]; beyond it every count is a lower bound, and by how much it may be too low is known and
//! said (Misra and Gries: no value with more entries than that is ever missing).

use std::cmp::Reverse;
use std::collections::HashMap;

use audit_core::entry::Entry;
use audit_core::event::Outcome;
use serde::Serialize;

/// Different values that are counted at a time.
pub(super) const LIMIT: usize = 32_768;
/// Rows of a table.
const SHOWN: usize = 15;

#[derive(Debug, Default, Clone)]
struct Count {
    /// What keeps the value in the table.
    weight: u64,
    total: u64,
    failures: u64,
    critical: u64,
    last: String,
}

/// Counts by value.
#[derive(Debug)]
pub(super) struct Top {
    counts: HashMap<Box<str>, Count>,
    limit: usize,
    /// How much a count may be too low.
    lost: u64,
}

impl Default for Top {
    fn default() -> Top {
        Top { counts: HashMap::new(), limit: LIMIT, lost: 0 }
    }
}

/// A table of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Table {
    /// The rows, most entries first.
    pub rows: Vec<Row>,
    /// How many different values there are; if not `exact`, there are more.
    pub distinct: u64,
    /// Whether all counts are exact.
    pub exact: bool,
    /// If not, how much a count may be too low; a value with no more entries than this may be missing.
    pub too_low_by: u64,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// What is counted.
    pub value: String,
    /// Entries.
    pub entries: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Those of them that are critical.
    pub critical: u64,
    /// The time of the last one in the trail's order.
    pub last: String,
}

impl Top {
    pub(super) fn add(&mut self, value: &str, entry: &Entry<'_>) {
        if !self.counts.contains_key(value) {
            if self.counts.len() >= self.limit {
                self.make_room();
                return;
            }
            self.counts.insert(value.into(), Count::default());
        }
        if let Some(count) = self.counts.get_mut(value) {
            count.weight += 1;
            count.total += 1;
            count.failures += u64::from(entry.result() == Outcome::Failure);
            count.critical += u64::from(entry.is_critical());
            count.last.clear();
            count.last.push_str(entry.timestamp());
        }
    }

    /// Takes one off every value, and off the one there is no room for.
    fn make_room(&mut self) {
        self.lost += 1;
        self.counts.retain(|_, count| {
            count.weight -= 1;
            count.weight > 0
        });
    }

    /// How many different values there are, as far as is known.
    pub(super) fn distinct(&self) -> u64 {
        self.counts.len() as u64
    }

    /// The values with the most entries.
    pub(super) fn by_entries(&self) -> Table {
        self.table(|count| count.total)
    }

    /// The values with the most failures; those without any are left out.
    pub(super) fn by_failures(&self) -> Table {
        self.table(|count| count.failures)
    }

    fn table(&self, by: impl Fn(&Count) -> u64) -> Table {
        let mut all: Vec<_> = self.counts.iter().filter(|(_, count)| by(count) > 0).collect();
        // Of equal counts the order is that of the values: the same trail gives the same report.
        all.sort_unstable_by_key(|(value, count)| (Reverse(by(count)), *value));
        let distinct = all.len() as u64;
        let rows = all.into_iter().take(SHOWN).map(|(value, count)| Row {
            value: value.to_string(),
            entries: count.total,
            failures: count.failures,
            critical: count.critical,
            last: count.last.clone(),
        });
        Table { rows: rows.collect(), distinct, exact: self.lost == 0, too_low_by: self.lost }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn beyond_the_limit_counts_are_lower_bounds_and_the_frequent_are_there() {
        let segment = include_bytes!("../../../../fixtures/vectors/healthy-small/2026-11-23.audit");
        let line = segment.split(|byte| *byte == b'\n').nth(1).unwrap();
        let entry = Entry::parse(line).unwrap();
        let mut top = Top { limit: 50, ..Top::default() };
        for round in 0..2_000 {
            top.add("alice", &entry);
            top.add(if round % 2 == 0 { "bob" } else { "carol" }, &entry);
            top.add(&format!("made up {round}"), &entry);
        }
        let table = top.by_entries();
        assert!(!table.exact && table.too_low_by > 0 && table.too_low_by <= 6_000 / 50);
        let row = |name: &str| table.rows.iter().find(|row| row.value == name).unwrap();
        for (name, truly) in [("alice", 2_000), ("bob", 1_000), ("carol", 1_000)] {
            let counted = row(name).entries;
            assert!(counted <= truly && counted + table.too_low_by >= truly, "{name}: {counted}");
        }
        assert_eq!(table.rows[0].value, "alice");
        assert!(top.distinct() <= 50);
        let mut few = Top::default();
        few.add("x", &entry);
        let table = few.by_failures();
        assert_eq!((table.exact, table.distinct, table.rows[0].failures), (true, 1, 1));
    }
}

//! What a histogram held at one moment.
//!
//! What must stay true here: a quantile is never told better than it was; two snapshots of one
//! logger can be subtracted, so that an alarm looks at the last minute and not at all time.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::histogram::highest_of;

/// Values that were counted: how many, how large. The unit stands at the field that holds it.
///
/// Serialized as `count`, `mean`, `p50`, `p90`, `p99`, `p999` and `max`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Bucket and count, of those that are not empty, in order.
    counts: Vec<(u16, u64)>,
    sum: u64,
    max: u64,
}

impl Distribution {
    pub(super) const fn new(counts: Vec<(u16, u64)>, sum: u64, max: u64) -> Distribution {
        Distribution { counts, sum, max }
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// The value that the share `q` (0 to 1) of all values do not exceed; up to 3 % too high, never
    /// too low. 0 when there are none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((q * self.count() as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return highest_of(*bucket).min(self.max);
            }
        }
        self.max
    }

    /// The largest value. Of a difference ([`Distribution::since`]) up to 3 % too high.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The mean; 0 when there are no values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.sum as f64 / count as f64,
        }
    }

    /// What was counted after `earlier`, a snapshot of the same logger.
    #[must_use]
    pub fn since(&self, earlier: &Distribution) -> Distribution {
        let before = |bucket: u16| {
            let found = earlier.counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket);
            found.ok().and_then(|at| earlier.counts.get(at)).map_or(0, |(_, count)| *count)
        };
        let counts: Vec<(u16, u64)> = self
            .counts
            .iter()
            .map(|(bucket, count)| (*bucket, count.saturating_sub(before(*bucket))))
            .filter(|(_, count)| *count > 0)
            .collect();
        // The largest of all time may be an old one: then the bucket says how large the new are.
        let newest = counts.last().map_or(0, |(bucket, _)| highest_of(*bucket));
        let max = if self.max > earlier.max { self.max } else { newest.min(self.max) };
        Distribution { counts, sum: self.sum.saturating_sub(earlier.sum), max }
    }

    /// The highest value of each bucket that is not empty, and how many values it has.
    #[cfg(feature = "metrics")]
    pub(super) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().map(|(bucket, count)| (highest_of(*bucket).min(self.max), *count))
    }
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Distribution", 7)?;
        out.serialize_field("count", &self.count())?;
        out.serialize_field("mean", &self.mean())?;
        out.serialize_field("p50", &self.quantile(0.5))?;
        out.serialize_field("p90", &self.quantile(0.9))?;
        out.serialize_field("p99", &self.quantile(0.99))?;
        out.serialize_field("p999", &self.quantile(0.999))?;
        out.serialize_field("max", &self.max)?;
        out.end()
    }
}

//! A histogram that is recorded into without a lock or an allocation.
//!
//! What must stay true here: recording is a few relaxed additions, whatever the value and however
//! many threads record; memory is fixed; a value is told from another that differs by more than
//! one part in [`STEPS`]. Values above [`LIMIT`] share the last bucket, and are still counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::distribution::Distribution;

/// Buckets per doubling: values of one bucket differ by less than 1/32, some 3 %.
pub(super) const STEPS: u64 = 1 << STEP_BITS;
const STEP_BITS: u32 = 5;
/// The first value beyond the buckets: as nanoseconds, 137 seconds.
pub(super) const LIMIT: u64 = 1 << LIMIT_BITS;
const LIMIT_BITS: u32 = 37;
/// One bucket per value below [`STEPS`], then [`STEPS`] per doubling.
pub(super) const BUCKETS: usize = (LIMIT_BITS - STEP_BITS + 1) as usize * STEPS as usize;

/// Counts of values, by bucket.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let buckets = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Histogram { buckets, sum: AtomicU64::new(0), max: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts one value.
    #[inline]
    pub(super) fn record(&self, value: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(value)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
        // A new maximum is rare: most values cost a load.
        if value > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// What was counted so far. A value that is recorded meanwhile may be in its sum and not yet
    /// in its count, or the other way round.
    pub(super) fn snapshot(&self) -> Distribution {
        let counts = self.buckets.iter().enumerate().filter_map(|(bucket, count)| {
            let count = count.load(Ordering::Relaxed);
            (count > 0).then_some((bucket as u16, count))
        });
        Distribution::new(
            counts.collect(),
            self.sum.load(Ordering::Relaxed),
            self.max.load(Ordering::Relaxed),
        )
    }
}

/// The bucket of a value; below [`BUCKETS`].
const fn bucket_of(value: u64) -> usize {
    let value = if value < LIMIT { value } else { LIMIT - 1 };
    if value < STEPS {
        return value as usize;
    }
    // The highest bit says which doubling, the next five bits which step in it.
    let doubling = value.ilog2() - STEP_BITS;
    (doubling as u64 * STEPS + (value >> doubling)) as usize
}

/// The highest value of a bucket.
pub(super) const fn highest_of(bucket: u16) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    ((bucket % STEPS + STEPS + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the definition says: the smallest value that at least the share `q` do not exceed.
    fn exact(sorted: &[u64], q: f64) -> u64 {
        let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize;
        sorted[rank - 1]
    }

    fn recorded(values: &[u64]) -> Histogram {
        let histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    /// Small and large values alike: nine decades are as likely as each other.
    fn value() -> impl Strategy<Value = u64> {
        (0u32..LIMIT_BITS, any::<u64>()).prop_map(|(bits, value)| value % (1 << (bits + 1)))
    }

    #[test]
    fn buckets_are_without_gap_or_overlap() {
        let mut lowest = 0;
        for bucket in 0..BUCKETS as u16 {
            let highest = highest_of(bucket);
            assert_eq!(bucket_of(lowest), usize::from(bucket));
            assert_eq!(bucket_of(highest), usize::from(bucket));
            assert!(highest - lowest <= lowest / STEPS, "{lowest} to {highest}");
            lowest = highest + 1;
        }
        assert_eq!(lowest, LIMIT);
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted_and_its_maximum_exact() {
        let values = recorded(&[1, LIMIT, u64::MAX / 4]).snapshot();
        assert_eq!(values.count(), 3);
        assert_eq!(values.max(), u64::MAX / 4);
        assert_eq!(values.quantile(0.0), 1);
    }

    #[test]
    fn many_threads_lose_no_count() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let histogram = &histogram;
                scope.spawn(move || (0..10_000).for_each(|n| histogram.record(n * (thread + 1))));
            }
        });
        let values = histogram.snapshot();
        assert_eq!(values.count(), 40_000);
        assert_eq!(values.max(), 9_999 * 4);
    }

    proptest! {
        #[test]
        fn quantiles_are_the_exact_ones_or_up_to_a_32nd_more(
            mut values in prop::collection::vec(value(), 1..400),
            q in 0.0..=1.0f64,
        ) {
            let snapshot = recorded(&values).snapshot();
            values.sort_unstable();
            for q in [q, 0.5, 0.99, 0.999, 1.0] {
                let (exact, told) = (exact(&values, q), snapshot.quantile(q));
                prop_assert!(told >= exact && told <= exact + exact / STEPS, "{q}: {exact}, {told}");
            }
            let sum: u64 = values.iter().sum();
            prop_assert_eq!(snapshot.count(), values.len() as u64);
            prop_assert_eq!(snapshot.max(), values[values.len() - 1]);
            prop_assert_eq!(snapshot.mean(), sum as f64 / values.len() as f64);
        }

        #[test]
        fn a_difference_is_what_was_recorded_in_between(
            before in prop::collection::vec(value(), 0..100),
            mut after in prop::collection::vec(value(), 1..100),
        ) {
            let histogram = recorded(&before);
            let earlier = histogram.snapshot();
            after.iter().for_each(|value| histogram.record(*value));
            let between = histogram.snapshot().since(&earlier);
            after.sort_unstable();
            prop_assert_eq!(between.count(), after.len() as u64);
            for q in [0.5, 0.99, 1.0] {
                let (exact, told) = (exact(&after, q), between.quantile(q));
                prop_assert!(told >= exact && told <= exact + exact / STEPS, "{q}: {exact}, {told}");
            }
        }
    }
}

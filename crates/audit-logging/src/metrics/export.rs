//! Pushes the counters to the recorder of the crate `metrics` once a second, under the names of
//! `docs/operations.md`.
//!
//! What must stay true here: a recorder is the service's code, so it runs on this thread only and
//! can neither hold up nor poison the writer; counters are pushed as differences, so a logger that
//! is opened again goes on counting; label values are bounded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ::metrics::{Unit, counter, gauge, histogram};

use super::{Distribution, Meters, Metrics};
use crate::shared::Shared;

/// How often values are pushed.
const INTERVAL: Duration = Duration::from_secs(1);
const NANOS: f64 = 1e9;

/// Starts the thread. It ends by itself, at most a second after the logger and its receipts.
///
/// # Errors
/// The operating system gives no thread.
pub(crate) fn start(shared: &Arc<Shared>, origin: &str) -> std::io::Result<()> {
    let (meters, alive) = (Arc::clone(&shared.meters), Arc::downgrade(shared));
    let exporter = Exporter::new(origin);
    let thread = std::thread::Builder::new().name("audit-metrics".to_owned());
    thread.spawn(move || run(exporter, &meters, &alive)).map(drop)
}

fn run(mut exporter: Exporter, meters: &Meters, alive: &Weak<Shared>) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        exporter.describe();
        let mut is_last = false;
        while !is_last {
            std::thread::park_timeout(INTERVAL);
            is_last = alive.strong_count() == 0;
            exporter.push(meters.snapshot());
        }
    }));
    if outcome.is_err() {
        tracing::error!("the metrics recorder panicked; nothing more is pushed to it");
    }
}

/// What was pushed last.
struct Exporter {
    /// Label of every value, so that several trails of a process are told apart.
    origin: String,
    earlier: Metrics,
}

impl Exporter {
    fn new(origin: &str) -> Exporter {
        Exporter { origin: origin.to_owned(), earlier: Metrics::default() }
    }

    /// Pushes what happened since the last call, and the state of `now`.
    fn push(&mut self, now: Metrics) {
        let new = now.since(&self.earlier);
        let origin = || self.origin.clone();
        for row in &new.events {
            for (critical, count) in [("false", row.routine), ("true", row.critical)] {
                if count > 0 {
                    let event_type = row.event_type.clone();
                    counter!("audit_events_total", "origin" => origin(), "event_type" => event_type, "critical" => critical)
                        .increment(count);
                }
            }
        }
        for row in &new.refused {
            for (critical, count) in [("false", row.routine), ("true", row.critical)] {
                if count > 0 {
                    counter!("audit_refused_total", "origin" => origin(), "cause" => row.cause, "critical" => critical)
                        .increment(count);
                }
            }
        }
        for (name, count) in [
            ("audit_durable_events_total", new.durable_events),
            ("audit_durable_bytes_total", new.durable_bytes),
            ("audit_storage_failures_total", new.storage_failures),
            ("audit_checkpoints_total", new.seals.checkpoints),
            ("audit_seal_failures_total", new.seals.failures),
        ] {
            counter!(name, "origin" => origin()).increment(count);
        }
        for (name, values, unit) in [
            ("audit_batch_events", &new.batch_events, 1.0),
            ("audit_batch_bytes", &new.batch_bytes, 1.0),
            ("audit_sync_seconds", &new.sync_ns, NANOS),
        ] {
            let histogram = histogram!(name, "origin" => origin());
            for (value, count) in values.buckets() {
                histogram
                    .record_many(value as f64 / unit, usize::try_from(count).unwrap_or(usize::MAX));
            }
        }
        // One per event would be a hundred thousand records a second: quantiles instead.
        for (name, values, unit) in [
            ("audit_ring_occupancy_bytes", &new.ring.occupancy_bytes, 1.0),
            ("audit_ring_residency_seconds", &new.ring.residency_ns, NANOS),
        ] {
            self.quantiles(name, values, unit);
        }
        for (name, value) in [
            ("audit_ring_occupied_bytes", new.ring.occupied_bytes as f64),
            ("audit_ring_capacity_bytes", new.ring.capacity_bytes as f64),
            ("audit_seal_failing", f64::from(u8::from(new.seals.failing))),
            ("audit_poisoned", f64::from(u8::from(new.poisoned))),
            ("audit_disk_level", f64::from(new.disk.level as u8)),
            ("audit_disk_free_bytes", new.disk.free_bytes as f64),
            ("audit_disk_total_bytes", new.disk.total_bytes as f64),
        ] {
            gauge!(name, "origin" => origin()).set(value);
        }
        self.earlier = now;
    }

    /// Quantiles of the last second; what they were stays when nothing happened.
    fn quantiles(&self, name: &'static str, values: &Distribution, unit: f64) {
        if values.count() == 0 {
            return;
        }
        for (quantile, q) in [("0.5", 0.5), ("0.99", 0.99), ("0.999", 0.999), ("1", 1.0)] {
            gauge!(name, "origin" => self.origin.clone(), "quantile" => quantile)
                .set(values.quantile(q) as f64 / unit);
        }
    }

    fn describe(&self) {
        use ::metrics::{describe_counter, describe_gauge, describe_histogram};
        describe_counter!("audit_events_total", Unit::Count, "events the audit writer took over");
        describe_counter!("audit_refused_total", Unit::Count, "events that emit refused");
        describe_counter!("audit_durable_events_total", Unit::Count, "events made durable");
        describe_counter!("audit_durable_bytes_total", Unit::Bytes, "bytes made durable");
        describe_counter!("audit_storage_failures_total", Unit::Count, "disk errors survived");
        describe_counter!("audit_checkpoints_total", Unit::Count, "checkpoints published");
        describe_counter!("audit_seal_failures_total", Unit::Count, "checkpoints that failed");
        describe_histogram!("audit_batch_events", Unit::Count, "events per sync");
        describe_histogram!("audit_batch_bytes", Unit::Bytes, "bytes per sync");
        describe_histogram!("audit_sync_seconds", Unit::Seconds, "time of one fdatasync");
        describe_gauge!("audit_ring_occupancy_bytes", Unit::Bytes, "ring fill when it was taken");
        describe_gauge!("audit_ring_residency_seconds", Unit::Seconds, "from emit until durable");
        describe_gauge!("audit_ring_occupied_bytes", Unit::Bytes, "bytes in the ring now");
        describe_gauge!("audit_ring_capacity_bytes", Unit::Bytes, "size of the ring");
        describe_gauge!("audit_seal_failing", Unit::Count, "1: what is durable is not signed");
        describe_gauge!("audit_poisoned", Unit::Count, "1: nothing is recorded any more");
        describe_gauge!(
            "audit_disk_level",
            Unit::Count,
            "0 normal, 1 low, 2 critical only, 3 full"
        );
        describe_gauge!("audit_disk_free_bytes", Unit::Bytes, "free on the trail's file system");
        describe_gauge!("audit_disk_total_bytes", Unit::Bytes, "size of the trail's file system");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use ::metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
        Recorder, SharedString, with_local_recorder,
    };

    use super::*;
    use crate::metrics::RefusalCause;
    use crate::shared::SpaceLevel;
    use crate::storage::Space;

    type Values = Arc<Mutex<BTreeMap<String, Vec<f64>>>>;

    /// Keeps every call, by name and labels.
    #[derive(Default)]
    struct Kept(Values);

    struct Series(Values, String);

    impl Series {
        fn add(&self, value: f64) {
            self.0.lock().unwrap().entry(self.1.clone()).or_default().push(value);
        }
    }

    impl CounterFn for Series {
        fn increment(&self, value: u64) {
            self.add(value as f64);
        }
        fn absolute(&self, value: u64) {
            self.add(value as f64);
        }
    }

    impl GaugeFn for Series {
        fn increment(&self, value: f64) {
            self.add(value);
        }
        fn decrement(&self, value: f64) {
            self.add(-value);
        }
        fn set(&self, value: f64) {
            self.add(value);
        }
    }

    impl HistogramFn for Series {
        fn record(&self, value: f64) {
            self.add(value);
        }
    }

    impl Kept {
        fn series(&self, key: &Key) -> Arc<Series> {
            let labels = key.labels().filter(|label| label.key() != "origin");
            let name = labels.fold(key.name().to_owned(), |name, label| {
                format!("{name} {}={}", label.key(), label.value())
            });
            Arc::new(Series(Arc::clone(&self.0), name))
        }
    }

    impl Recorder for Kept {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.series(key))
        }
        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.series(key))
        }
        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.series(key))
        }
    }

    #[test]
    fn differences_and_states_are_pushed_under_their_names() {
        let recorder = Kept::default();
        let meters = Meters::default();
        let mut exporter = Exporter::new("example/trail");
        meters.batch(3, 1_500);
        meters.refused(RefusalCause::Poisoned, true);
        with_local_recorder(&recorder, || exporter.push(meters.snapshot()));
        meters.batch(2, 900);
        meters.synced(Duration::from_micros(100));
        meters.synced(Duration::from_micros(100));
        meters.residency(Duration::from_micros(500));
        meters.disk(SpaceLevel::CriticalOnly, Space { total: 100, free: 4 });
        meters.poisoned();
        with_local_recorder(&recorder, || exporter.push(meters.snapshot()));
        let values = recorder.0.lock().unwrap();
        assert_eq!(values["audit_durable_events_total"], [3.0, 2.0]);
        assert_eq!(values["audit_durable_bytes_total"], [1_500.0, 900.0]);
        assert_eq!(values["audit_refused_total cause=poisoned critical=true"], [1.0]);
        assert_eq!(values["audit_batch_events"], [3.0, 2.0]);
        assert_eq!(values["audit_sync_seconds"], [100e-6, 100e-6]);
        assert_eq!(values["audit_ring_residency_seconds quantile=0.99"], [500e-6]);
        assert_eq!(values["audit_poisoned"], [0.0, 1.0]);
        assert_eq!(values["audit_disk_level"], [0.0, 2.0]);
        assert_eq!(values["audit_disk_free_bytes"], [0.0, 4.0]);
    }
}

//! What the logger counts about itself.
//!
//! What must stay true here: counting never blocks, never fails and never allocates on a caller's
//! thread; an event that is accepted costs its caller nothing, for the writer counts it from what
//! was encoded. Nothing but the type of an event is kept.

mod distribution;
#[cfg(feature = "metrics")]
mod export;
mod histogram;
mod snapshot;
mod types;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub use distribution::Distribution;
#[cfg(feature = "metrics")]
pub(crate) use export::start as start_export;
pub use snapshot::{DiskMetrics, Metrics, RefusedCount, RingMetrics, SealMetrics, TypeCount};

use crate::ledger::DropCause;
use crate::logger::AuditLogger;
use crate::shared::SpaceLevel;
use crate::storage::Space;
use histogram::Histogram;
use types::Types;

/// Why an event was refused: what the trail will say, and the two causes it cannot speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalCause {
    /// Counted in the ledger too.
    Dropped(DropCause),
    /// The logger was shut down.
    Closed,
    /// The trail cannot be written any more.
    Poisoned,
}

/// All causes, each at its [`RefusalCause::place`].
const CAUSES: [RefusalCause; 7] = [
    RefusalCause::Dropped(DropCause::QueueFull),
    RefusalCause::Dropped(DropCause::DiskFull),
    RefusalCause::Dropped(DropCause::InvalidEventType),
    RefusalCause::Dropped(DropCause::InvalidInput),
    RefusalCause::Dropped(DropCause::NoRandomness),
    RefusalCause::Closed,
    RefusalCause::Poisoned,
];

impl RefusalCause {
    const fn place(self) -> usize {
        match self {
            RefusalCause::Dropped(DropCause::QueueFull) => 0,
            RefusalCause::Dropped(DropCause::DiskFull) => 1,
            RefusalCause::Dropped(DropCause::InvalidEventType) => 2,
            RefusalCause::Dropped(DropCause::InvalidInput) => 3,
            RefusalCause::Dropped(DropCause::NoRandomness) => 4,
            RefusalCause::Closed => 5,
            RefusalCause::Poisoned => 6,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            RefusalCause::Dropped(cause) => cause.name(),
            RefusalCause::Closed => "closed",
            RefusalCause::Poisoned => "poisoned",
        }
    }
}

/// The counters of one open logger. All methods may be called from any thread.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    types: Types,
    /// By cause, then routine and critical.
    refused: [[AtomicU64; 2]; CAUSES.len()],
    durable_events: AtomicU64,
    durable_bytes: AtomicU64,
    batch_events: Histogram,
    batch_bytes: Histogram,
    sync_ns: Histogram,
    ring_capacity: AtomicU64,
    ring_occupied: AtomicU64,
    occupancy_bytes: Histogram,
    residency_ns: Histogram,
    storage_failures: AtomicU64,
    checkpoints: AtomicU64,
    seal_failures: AtomicU64,
    seal_failing: AtomicBool,
    poisoned: AtomicBool,
    disk_level: AtomicU64,
    disk_free: AtomicU64,
    disk_total: AtomicU64,
}

impl Meters {
    /// The writer, once per record it takes off the ring, with the record's body: some ten
    /// nanoseconds. Not for its own control entries, and not again for lines that are written a
    /// second time after a failure.
    pub(crate) fn accepted(&self, body: &[u8], critical: bool) {
        self.types.count(body, critical);
    }

    /// The caller's thread, once per event that `emit` refuses, beside the ledger: one addition.
    pub(crate) fn refused(&self, cause: RefusalCause, critical: bool) {
        if let Some(counts) = self.refused.get(cause.place()) {
            counts[usize::from(critical)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The writer, when it acknowledges: so many events and bytes of lines are durable by the sync
    /// that just returned.
    pub(crate) fn batch(&self, events: u64, bytes: u64) {
        self.durable_events.fetch_add(events, Ordering::Relaxed);
        self.durable_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.batch_events.record(events);
        self.batch_bytes.record(bytes);
    }

    /// The writer, after each `fdatasync` of a segment, failed or not: how long it took.
    pub(crate) fn synced(&self, took: Duration) {
        self.sync_ns.record(nanos(took));
    }

    /// The writer, each time it takes what is in the ring: bytes in it then, of how many.
    pub(crate) fn ring(&self, occupied_bytes: u64, capacity_bytes: u64) {
        self.ring_capacity.store(capacity_bytes, Ordering::Relaxed);
        self.ring_occupied.store(occupied_bytes, Ordering::Relaxed);
        self.occupancy_bytes.record(occupied_bytes);
    }

    /// The writer, once per record when its room is given free, after the acknowledgement: the
    /// time since `emit` put it there. One look at the clock per batch is enough.
    pub(crate) fn residency(&self, time: Duration) {
        self.residency_ns.record(nanos(time));
    }

    /// The writer, when it gives a segment or a ring up and goes on in a new one.
    pub(crate) fn storage_failed(&self) {
        self.storage_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The sealer, when the newest checkpoint covers what it should. True if the last one failed.
    pub(crate) fn sealed(&self) -> bool {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.seal_failing.swap(false, Ordering::Relaxed)
    }

    /// The sealer, when it could not publish one. True if the one before failed too.
    pub(crate) fn seal_failed(&self) -> bool {
        self.seal_failures.fetch_add(1, Ordering::Relaxed);
        self.seal_failing.swap(true, Ordering::Relaxed)
    }

    /// Whoever poisons the logger, before anybody is woken.
    pub(crate) fn poisoned(&self) {
        self.poisoned.store(true, Ordering::Relaxed);
    }

    /// The writer, each time it looked at the disk's free space, also when nothing changed.
    pub(crate) fn disk(&self, level: SpaceLevel, space: Space) {
        self.disk_level(level);
        self.disk_free.store(space.free, Ordering::Relaxed);
        self.disk_total.store(space.total, Ordering::Relaxed);
    }

    /// The writer, when it takes a step of the ladder for another reason: a write found no room.
    pub(crate) fn disk_level(&self, level: SpaceLevel) {
        self.disk_level.store(level as u64, Ordering::Relaxed);
    }

    /// `AuditLogger::metrics`, from any thread: everything as it is now.
    pub(crate) fn snapshot(&self) -> Metrics {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let refused = CAUSES.iter().zip(&self.refused).map(|(cause, [routine, critical])| {
            RefusedCount { cause: cause.name(), routine: get(routine), critical: get(critical) }
        });
        Metrics {
            events: self.types.rows(),
            refused: refused.filter(|row| row.routine + row.critical > 0).collect(),
            durable_events: get(&self.durable_events),
            durable_bytes: get(&self.durable_bytes),
            batch_events: self.batch_events.snapshot(),
            batch_bytes: self.batch_bytes.snapshot(),
            sync_ns: self.sync_ns.snapshot(),
            ring: RingMetrics {
                capacity_bytes: get(&self.ring_capacity),
                occupied_bytes: get(&self.ring_occupied),
                occupancy_bytes: self.occupancy_bytes.snapshot(),
                residency_ns: self.residency_ns.snapshot(),
            },
            storage_failures: get(&self.storage_failures),
            seals: SealMetrics {
                checkpoints: get(&self.checkpoints),
                failures: get(&self.seal_failures),
                failing: self.seal_failing.load(Ordering::Relaxed),
            },
            poisoned: self.poisoned.load(Ordering::Relaxed),
            disk: DiskMetrics {
                level: SpaceLevel::of(get(&self.disk_level)),
                free_bytes: get(&self.disk_free),
                total_bytes: get(&self.disk_total),
            },
        }
    }
}

impl AuditLogger {
    /// How the logger is doing: what it recorded and refused, how long the disk takes, how full
    /// ring and disk are. May be called as often as wished; waits for nobody.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared().map_or_else(Metrics::default, |shared| shared.meters.snapshot())
    }
}

/// As a count of nanoseconds; what does not fit, five centuries, is the most that does.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_place_and_name() {
        let meters = Meters::default();
        for (place, cause) in CAUSES.into_iter().enumerate() {
            assert_eq!(cause.place(), place);
            meters.refused(cause, place % 2 == 0);
        }
        let refused = meters.snapshot().refused;
        let names: std::collections::BTreeSet<_> = refused.iter().map(|row| row.cause).collect();
        assert_eq!(names.len(), CAUSES.len());
        assert!(refused.iter().enumerate().all(|(n, row)| row.critical == u64::from(n % 2 == 0)));
        assert_eq!(meters.snapshot().total_refused(), CAUSES.len() as u64);
    }

    #[test]
    fn a_difference_holds_what_is_new_and_the_state_of_now() {
        let meters = Meters::default();
        meters.refused(RefusalCause::Closed, false);
        meters.accepted(b"no type in it", true);
        meters.batch(3, 1_500);
        meters.storage_failed();
        meters.synced(Duration::from_millis(20));
        let earlier = meters.snapshot();
        meters.batch(2, 900);
        meters.synced(Duration::from_micros(130));
        meters.ring(4_096, 1 << 20);
        meters.residency(Duration::from_micros(200));
        meters.disk(SpaceLevel::Low, Space { total: 1_000, free: 90 });
        meters.poisoned();
        assert_eq!((earlier.total_events(), earlier.storage_failures), (1, 1));
        let new = meters.snapshot().since(&earlier);
        assert!(new.events.is_empty() && new.storage_failures == 0);
        assert_eq!((new.durable_events, new.durable_bytes), (2, 900));
        assert_eq!((new.batch_events.count(), new.batch_events.max()), (1, 2));
        assert!(new.sync_ns.max() < 140_000, "the slow sync was before");
        assert!(new.refused.is_empty() && new.poisoned);
        assert_eq!((new.ring.occupied_bytes, new.ring.capacity_bytes), (4_096, 1 << 20));
        assert_eq!(new.ring.residency_ns.count(), 1);
        assert_eq!((new.disk.level, new.disk.free_bytes), (SpaceLevel::Low, 90));
    }

    #[test]
    fn people_and_machines_can_read_it() {
        let meters = Meters::default();
        meters.synced(Duration::from_micros(130));
        meters.refused(RefusalCause::Dropped(DropCause::QueueFull), true);
        let metrics = meters.snapshot();
        let text = metrics.to_string();
        assert!(text.contains("works") && text.contains("queue_full"), "{text}");
        assert!(text.ends_with("disk         normal; 0 of 0 bytes free"), "{text}");
        let json = serde_json::to_value(&metrics).unwrap();
        assert_eq!(json["sync_ns"]["p99"], 130_000);
        assert_eq!(json["refused"][0]["cause"], "queue_full");
        assert_eq!(json["disk"]["level"], "normal");
    }
}

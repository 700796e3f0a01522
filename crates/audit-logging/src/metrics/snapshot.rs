//! What a logger says about itself at one moment.
//!
//! What must stay true here: every field says its unit; nothing of an event's content is in it but
//! its type.

use std::fmt;

use serde::Serialize;

use super::distribution::Distribution;
use crate::shared::SpaceLevel;

/// How a logger is doing, since it was opened; all zero when auditing is disabled.
///
/// Reading it costs some ten microseconds and holds up nobody. For an alarm on what is new, keep
/// the last one and look at [`Metrics::since`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Events that the writer took over, by type. Beyond 192 types the rest share `(other)`.
    pub events: Vec<TypeCount>,
    /// Events that were refused, by cause.
    pub refused: Vec<RefusedCount>,
    /// Events that became durable.
    pub durable_events: u64,
    /// Bytes of the lines that became durable, the writer's own entries included.
    pub durable_bytes: u64,
    /// Events made durable by one sync.
    pub batch_events: Distribution,
    /// Bytes made durable by one sync.
    pub batch_bytes: Distribution,
    /// How long `fdatasync` took, in nanoseconds.
    pub sync_ns: Distribution,
    /// Between `emit` and the disk.
    pub ring: RingMetrics,
    /// Disk errors that were survived by going on in a new segment, and rings that were taken away
    /// (`audit.storage_failed`).
    pub storage_failures: u64,
    /// The signed checkpoints.
    pub seals: SealMetrics,
    /// True when nothing is recorded any more: restart the service.
    pub poisoned: bool,
    /// The trail's file system.
    pub disk: DiskMetrics,
}

/// Events of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TypeCount {
    /// The type, or `(other)`.
    pub event_type: String,
    /// Those that are not critical.
    pub routine: u64,
    /// Those that are.
    pub critical: u64,
}

/// Refusals of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedCount {
    /// As `audit.events_dropped` names it, or `closed` or `poisoned`: those stand in no trail.
    pub cause: &'static str,
    /// Events that were not critical, or of which that is unknown.
    pub routine: u64,
    /// Critical events.
    pub critical: u64,
}

/// The ring: what was accepted and is not durable yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RingMetrics {
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// Bytes in it when the writer last looked.
    pub occupied_bytes: u64,
    /// Bytes in it, each time the writer took what was there.
    pub occupancy_bytes: Distribution,
    /// How long an event was in it, from `emit` until it was durable, in nanoseconds.
    pub residency_ns: Distribution,
}

/// How sealing goes. Entries are durable whether or not it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SealMetrics {
    /// Times that everything durable stood under a published checkpoint.
    pub checkpoints: u64,
    /// Attempts that failed: the disk, the signing device.
    pub failures: u64,
    /// True when the last attempt failed: what was written since is durable and not signed.
    pub failing: bool,
}

/// The disk as the writer last saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DiskMetrics {
    /// Step of the ladder.
    pub level: SpaceLevel,
    /// What this user may still write, in bytes.
    pub free_bytes: u64,
    /// Size of the file system, in bytes.
    pub total_bytes: u64,
}

impl Metrics {
    /// Routine and critical events that the writer took over, all types.
    #[must_use]
    pub fn total_events(&self) -> u64 {
        self.events.iter().map(|row| row.routine + row.critical).sum()
    }

    /// Refusals, all causes.
    #[must_use]
    pub fn total_refused(&self) -> u64 {
        self.refused.iter().map(|row| row.routine + row.critical).sum()
    }

    /// What happened after `earlier`, a snapshot of the same logger: counts and distributions are
    /// the difference; what is a state (occupied, level, poisoned) is that of now.
    #[must_use]
    pub fn since(&self, earlier: &Metrics) -> Metrics {
        let mut events = self.events.clone();
        for row in &mut events {
            if let Some(old) = earlier.events.iter().find(|old| old.event_type == row.event_type) {
                row.routine = row.routine.saturating_sub(old.routine);
                row.critical = row.critical.saturating_sub(old.critical);
            }
        }
        events.retain(|row| row.routine + row.critical > 0);
        let mut refused = self.refused.clone();
        for row in &mut refused {
            if let Some(old) = earlier.refused.iter().find(|old| old.cause == row.cause) {
                row.routine = row.routine.saturating_sub(old.routine);
                row.critical = row.critical.saturating_sub(old.critical);
            }
        }
        refused.retain(|row| row.routine + row.critical > 0);
        Metrics {
            events,
            refused,
            durable_events: self.durable_events.saturating_sub(earlier.durable_events),
            durable_bytes: self.durable_bytes.saturating_sub(earlier.durable_bytes),
            batch_events: self.batch_events.since(&earlier.batch_events),
            batch_bytes: self.batch_bytes.since(&earlier.batch_bytes),
            sync_ns: self.sync_ns.since(&earlier.sync_ns),
            ring: RingMetrics {
                occupancy_bytes: self.ring.occupancy_bytes.since(&earlier.ring.occupancy_bytes),
                residency_ns: self.ring.residency_ns.since(&earlier.ring.residency_ns),
                ..self.ring
            },
            storage_failures: self.storage_failures.saturating_sub(earlier.storage_failures),
            seals: SealMetrics {
                checkpoints: self.seals.checkpoints.saturating_sub(earlier.seals.checkpoints),
                failures: self.seals.failures.saturating_sub(earlier.seals.failures),
                ..self.seals
            },
            ..*self
        }
    }
}

/// For people: one thing a line.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.poisoned { "POISONED, nothing is recorded" } else { "works" };
        writeln!(f, "state        {state}; {} disk errors survived", self.storage_failures)?;
        let SealMetrics { checkpoints, failures, failing } = self.seals;
        let sealing = if failing { "FAILING, durable events are not signed" } else { "works" };
        writeln!(f, "seals        {sealing}; {checkpoints} checkpoints, {failures} failures")?;
        writeln!(
            f,
            "events       {} taken, {} durable ({} bytes), {} refused",
            self.total_events(),
            self.durable_events,
            self.durable_bytes,
            self.total_refused()
        )?;
        for row in &self.events {
            let TypeCount { event_type, routine, critical } = row;
            writeln!(f, "  {event_type:<40} {routine:>12} routine {critical:>10} critical")?;
        }
        for row in &self.refused {
            let RefusedCount { cause, routine, critical } = row;
            writeln!(f, "  refused: {cause:<31} {routine:>12} routine {critical:>10} critical")?;
        }
        let RingMetrics { capacity_bytes, occupied_bytes, .. } = self.ring;
        writeln!(f, "ring         {occupied_bytes} of {capacity_bytes} bytes")?;
        for (name, values, unit) in [
            ("  occupancy", &self.ring.occupancy_bytes, "bytes"),
            ("  residency", &self.ring.residency_ns, "ns"),
            ("batch", &self.batch_events, "events"),
            ("", &self.batch_bytes, "bytes"),
            ("sync", &self.sync_ns, "ns"),
        ] {
            let at = |q| values.quantile(q);
            let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
            let max = values.max();
            writeln!(f, "{name:<12} p50 {p50}, p99 {p99}, p99.9 {p999}, max {max} {unit}")?;
        }
        let DiskMetrics { level, free_bytes, total_bytes } = self.disk;
        write!(f, "disk         {}; {free_bytes} of {total_bytes} bytes free", level.name())
    }
}

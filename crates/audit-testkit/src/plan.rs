//! How one life of a child goes, from a seed: parent and child draw the same.
//!
//! What must stay true here: every flush mode, overflow policy, size of event and way to end comes
//! up often, also together; limits are small, so that rotation and a full ring are reached in
//! milliseconds.

use std::path::Path;

use audit_logging::{AuditConfig, AuditMode, FlushMode, OverflowPolicy, RotationPolicy};

use crate::{Rng, TestEvent};

/// One life.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When events are made durable.
    pub flush_mode: FlushMode,
    /// How many threads emit.
    pub threads: usize,
    /// Events of a thread, then the child shuts down; `u64::MAX` is until it dies.
    pub events: u64,
    /// The process kills itself before this event of its first thread, whatever the others do;
    /// `u64::MAX` is never. Unlike a moment of the clock this gives as many events on a slow machine.
    pub dies_at: u64,
    /// Every so many events the thread waits for its receipt; 0 is never.
    pub wait_every: u64,
    /// Every so many events the first thread flushes or seals; 0 is never.
    pub meddle_every: u64,
    overflow: OverflowPolicy,
    rotate_at: u64,
    seal_interval_ms: u64,
    padding: usize,
    big_one_in: u64,
}

impl Plan {
    /// The life that `seed` gives. `gentle` plans write less, for a small disk.
    #[must_use]
    pub fn new(seed: u64, gentle: bool) -> Plan {
        let mut rng = Rng::new(seed);
        let flush_mode = match rng.below(6) {
            0 => FlushMode::Batched { size: 3, interval_secs: 1 },
            1 => FlushMode::batched(),
            // Nothing is synced before the ring is full.
            2 => FlushMode::Batched { size: 1_000_000, interval_secs: 3_600 },
            3 => FlushMode::hybrid(),
            _ => FlushMode::Immediate,
        };
        let overflow = match rng.below(3) {
            0 => OverflowPolicy::Wait { limit_ms: 20 },
            _ => OverflowPolicy::Refuse,
        };
        let big = rng.one_in(if gentle { 10 } else { 8 });
        let threads = rng.between(1, 4);
        let events = if rng.one_in(4) { rng.below(300) } else { u64::MAX };
        let wait_every = if gentle { 1 + rng.below(9) } else { [0, 0, 0, 1, 7][rng.between(0, 4)] };
        // A receipt of a batch that does not fill takes a second: a life that is to end by itself
        // must not wait for a hundred of them.
        let waits = !matches!(flush_mode, FlushMode::Immediate) && wait_every > 0;
        let events = if waits && events != u64::MAX { events.min(20 * wait_every) } else { events };
        let meddle_every = [0, 40, 400][rng.between(0, 2)];
        let rotate_at = [64 << 10, 256 << 10, 4 << 20][rng.between(0, 2)];
        let seal_interval_ms = [1, 20, 500][rng.between(0, 2)];
        let padding = rng.between(0, 400);
        let most = match wait_every {
            0 => 700,
            _ if waits => 20 * wait_every,
            _ => 200,
        };
        let dies_at = if !gentle && rng.one_in(3) { rng.below(most) } else { u64::MAX };
        Plan {
            flush_mode,
            threads,
            events,
            dies_at,
            wait_every,
            meddle_every,
            overflow,
            rotate_at,
            seal_interval_ms,
            padding,
            big_one_in: if big { 2 } else { 200 },
        }
    }

    /// The logger's configuration.
    #[must_use]
    pub fn config(&self, trail: &Path) -> AuditConfig {
        AuditConfig {
            flush_mode: self.flush_mode,
            overflow: self.overflow,
            rotation: RotationPolicy::Both { bytes: self.rotate_at },
            seal_interval_ms: self.seal_interval_ms,
            queue_bytes: 1 << 20,
            ..base_config(trail)
        }
    }

    /// False when a receipt may take an hour.
    #[must_use]
    pub const fn is_prompt(&self) -> bool {
        !matches!(self.flush_mode, FlushMode::Batched { interval_secs: 3_600, .. })
    }

    /// One event: mostly small, now and then up to 32 KiB.
    pub fn event(&self, rng: &mut Rng, label: String) -> TestEvent {
        let padding =
            if rng.one_in(self.big_one_in) { rng.between(0, 31 << 10) } else { self.padding };
        let event =
            if rng.one_in(16) { TestEvent::critical(label) } else { TestEvent::routine(label) };
        event.padded(padding)
    }
}

/// What all lives and the last opening have in common.
#[must_use]
pub fn base_config(trail: &Path) -> AuditConfig {
    AuditConfig {
        mode: AuditMode::Local { base_dir: trail.to_owned() },
        ..AuditConfig::new("battery")
    }
}

/// A seed from a seed and where it is used.
#[must_use]
pub const fn derive(seed: u64, a: u64, b: u64) -> u64 {
    let mixed =
        seed ^ a.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ b.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    Rng::new(mixed).next_u64()
}

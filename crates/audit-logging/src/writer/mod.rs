//! The writer: one plain thread that turns accepted records into durable, chained entries.
//!
//! What must stay true here: a record is acknowledged only after the sync that covers it returned
//! and its segment was seen to be in place; records are released only then, so the ring is the
//! retry buffer; the head never moves back; a panic here is never silent.

mod abandon;
mod append;
mod commit;
mod control;
mod keys;
mod ring;
mod rotate;
mod space;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use audit_core::chain::{Hash, Head};
use audit_core::encode::{EncodePolicy, Encoder};
use audit_core::meta::{ManifestFile, TrailInfo};
use audit_core::text::redact::RedactionConfig;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::config::{AuditConfig, FailurePolicy};
use crate::error::Fault;
use crate::ring::{Position, Refusals, WaitFor};
use crate::seal::Sealer;
use crate::shared::{Shared, SpaceLevel};
use crate::storage::Storage;
use crate::trail::{Active, RingHome, SegmentState, Trail};

/// How often a full disk is looked at, and refusals are written into the trail at the most.
const POLL: Duration = Duration::from_millis(200);

/// Spins between two looks at the ring: about two microseconds.
const LOOK_SPINS: u32 = 100;
/// Looks without a new record after which the thread sleeps: some 60 microseconds, which is what
/// being woken costs.
const FIRST_LOOKS: u32 = 32;
/// Looks without a new record after which those that came are written.
const MORE_LOOKS: u32 = 8;
/// Looks after which everything waits long enough, whatever still comes: a producer that does not wait
/// brings something new for ever.
const ALL_LOOKS: u32 = 64;

/// Everything written since the last sync: kept so that it can be written again elsewhere.
#[derive(Default)]
struct Unsynced {
    /// The planned lines, in order.
    lines: Vec<u8>,
    /// How many bytes of them the segment has taken.
    written: usize,
    /// When those of them that came through the ring were put there, nanoseconds since 1970.
    times: Vec<u64>,
    /// Their hashes, for the tree.
    hashes: Vec<Hash>,
    /// Entries in them that are events, not the writer's own.
    events: u64,
    entries: u64,
    critical: bool,
    /// Refusals that they tell of.
    refusals: Refusals,
    /// Monotonic time of the first of them.
    since: Option<Duration>,
}

/// The writer's own state; no other thread sees it.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    sealer: Arc<Sealer>,
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    config: Arc<AuditConfig>,
    /// For the writer's own entries: no redaction, as no secret can be in them.
    policy: EncodePolicy,
    encoder: Encoder,

    info: TrailInfo,
    /// Head of what is planned, and of what is known to be durable.
    head: Head,
    durable_head: Head,
    active: Active,
    /// State of the active segment at the last sync.
    durable_state: SegmentState,
    closed: Vec<ManifestFile>,

    unsynced: Unsynced,
    /// Position behind the last record planned.
    position: Position,
    /// The body of the record that is looked at.
    body: Vec<u8>,
    ring_watch: ring::RingWatch,
    /// Wall and monotonic clock when they were last compared.
    clocks: (Timestamp, Duration),
    last_entry: Duration,
    /// Waiters that the last sync woke.
    woken: usize,
    /// Monotonic time since which the signing key is in force.
    key_since: Duration,
    is_rotating_key: bool,
    failures: Vec<abandon::StorageFailure>,
    last_drop_report: Option<Duration>,
    /// `AuditLogger::new` has not returned: its caller gets an error, not a wait without end.
    opening: bool,
    /// When the end was first asked for while the disk was full.
    closing_since: Option<Duration>,
}

/// What a writer is made from.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) ring_home: RingHome,
    /// The first entry to write is the `audit.epoch_sealed` that the writer before did not.
    pub(crate) finish_rotation: bool,
    /// Bodies of events that the writer before accepted and did not write, in order.
    pub(crate) salvaged: Vec<Vec<u8>>,
    /// The key is to be replaced before the first event is taken.
    pub(crate) rotate_key: bool,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Arc<AuditConfig>,
}

impl Writer {
    /// Takes a trail over: finds or makes the active segment, writes the first control entries and
    /// makes them durable, so that a trail that cannot be written is known before `new` returns.
    pub(crate) fn start(parts: Parts, trail: Trail) -> Result<Writer, Fault> {
        let Parts { shared, sealer, ring_home, finish_rotation, salvaged, rotate_key, .. } = parts;
        let Parts { storage, clock, config, .. } = parts;
        let now = clock.now();
        let clocks = (now, clock.monotonic());
        let closed = trail.closed;
        let key_age = trail.key_since.map_or(Duration::ZERO, |since| {
            now.duration_since(since).try_into().unwrap_or(Duration::ZERO)
        });
        let active = match trail.active {
            Some(active) => active,
            None => rotate::begin_segment(&*storage, trail.newest, trail.head, now)?,
        };
        let mut writer = Writer {
            shared,
            sealer,
            storage,
            clock,
            config,
            policy: EncodePolicy::default()
                .with_redaction(&RedactionConfig { enabled: false, ..RedactionConfig::default() }),
            encoder: Encoder::default(),
            info: trail.info,
            head: trail.head,
            durable_head: trail.head,
            durable_state: active.state.clone(),
            active,
            closed,
            unsynced: Unsynced::default(),
            position: 0,
            body: Vec::new(),
            ring_watch: ring::RingWatch::new(ring_home),
            clocks,
            last_entry: clocks.1,
            woken: 0,
            key_since: clocks.1.saturating_sub(key_age),
            is_rotating_key: false,
            failures: Vec::new(),
            last_drop_report: None,
            opening: true,
            closing_since: None,
        };
        writer.refresh_space();
        if finish_rotation {
            writer.finish_rotation()?;
        }
        writer.write_opening(trail.recovered.as_ref(), &salvaged, trail.last_control)?;
        writer.sync()?;
        if rotate_key {
            writer.rotate_key_as_asked()?;
        }
        writer.write_manifest()?;
        writer.opening = false;
        Ok(writer)
    }

    /// The thread's whole life. Never unwinds; whatever happens, nobody waits for ever. True when the
    /// trail was left in order: its last entry says so, durably.
    pub(crate) fn run(mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let failure = self.config.failure;
        let segment = self.active.state.name.to_string();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.work()));
        let fault = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(_) => {
                let error =
                    std::io::Error::other("the writer's thread panicked (a bug: report it)");
                Some(Fault::new("write", &segment, &error))
            }
        };
        let Some(fault) = fault else { return true };
        tracing::error!(%fault, "audit trail is poisoned: nothing more is recorded");
        shared.poison(fault);
        if failure == FailurePolicy::Abort {
            std::process::abort();
        }
        false
    }

    fn work(&mut self) -> Result<(), Fault> {
        let mut closing = false;
        while !closing {
            self.linger();
            let timeout = self.next_timeout();
            let wake = self.shared.ring.wait(WaitFor {
                read: self.position,
                durable: self.shared.progress.durable(),
                records: self.records_to_wait_for(),
                timeout,
            });
            closing = wake.closed;
            self.refresh_space();
            self.watch_clock()?;
            self.append_accepted(closing)?;
            self.report_drops(closing)?;
            self.beat_if_idle()?;
            self.rotate_key_if_old()?;
            if closing {
                // Before the last entry: what comes after it would look like a writer that was killed.
                self.watch_ring()?;
                self.write_closing()?;
            }
            if closing || self.is_sync_due(wake.flush_to) {
                self.sync()?;
            }
            if !closing {
                self.watch_ring()?;
            }
        }
        self.write_manifest()
    }

    /// Stays awake for those whom the last sync woke: they come in with their next events within
    /// some microseconds, one after the other, and then share a sync instead of waiting for this
    /// thread to be woken and for two syncs. Ends when a look brings nothing new: not a timer. Ends at
    /// once when something hurries, and in any case after some hundred microseconds.
    fn linger(&mut self) {
        let woken = std::mem::take(&mut self.woken);
        if woken == 0 {
            return;
        }
        // One alone is not worth waiting for others.
        let more = if woken == 1 { 0 } else { MORE_LOOKS };
        let mut seen = self.position;
        let mut idle = 0;
        for _ in 0..ALL_LOOKS {
            let patience = if seen == self.position { FIRST_LOOKS } else { more };
            let durable = self.shared.progress.durable();
            if idle >= patience || self.shared.ring.is_hurried(self.position, durable) {
                break;
            }
            // Not a yield: that would give the core away for a whole time slice on a busy machine.
            (0..LOOK_SPINS).for_each(|_| std::hint::spin_loop());
            let tail = self.shared.ring.tail();
            idle = if tail == seen { idle + 1 } else { 0 };
            seen = tail;
        }
    }

    fn is_sync_due(&self, flush_to: Position) -> bool {
        let Some(since) = self.unsynced.since else { return false };
        let waited = self.clock.monotonic().saturating_sub(since);
        self.config.flush_mode.is_due(self.unsynced.events, self.unsynced.critical, waited)
            || flush_to > self.shared.progress.durable()
            || self.shared.ring.is_pressed()
    }

    /// How many more events are worth being woken for. The first one is, as its interval begins.
    fn records_to_wait_for(&self) -> u64 {
        match self.config.flush_mode.batch_size() {
            Some(size) if self.unsynced.since.is_some() => {
                u64::from(size).saturating_sub(self.unsynced.events).max(1)
            }
            _ => 1,
        }
    }

    /// How long nothing needs to be done if nothing comes.
    fn next_timeout(&self) -> Option<Duration> {
        let now = self.clock.monotonic();
        let after =
            |start: Duration, span: Duration| start.saturating_add(span).saturating_sub(now);
        let sync = self.unsynced.since.and_then(|since| {
            self.config.flush_mode.interval().map(|interval| after(since, interval))
        });
        let beat = self.heartbeat().map(|span| after(self.last_entry, span));
        let space = (self.shared.space() >= SpaceLevel::CriticalOnly).then_some(POLL);
        let drops = self
            .shared
            .ledger
            .is_pending()
            .then(|| self.last_drop_report.map_or(Duration::ZERO, |at| after(at, POLL)));
        [sync, beat, space, drops].into_iter().flatten().min()
    }
}

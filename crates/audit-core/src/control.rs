//! Control entries: what the writer says about itself (FORMAT section 9).
//!
//! What must stay true here: only the writer makes these; `audit.*` is refused from callers. A
//! control event is never critical, so the ten critical types stay exactly ten.

use serde::Serialize;

use crate::encode::Details;
use crate::event::{Event, Outcome};

/// Prefix of every control type; no caller may use it.
pub const CONTROL_PREFIX: &str = "audit.";

/// Refused events of one type for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DroppedEvents {
    /// The type of the refused events.
    pub event_type: String,
    /// Why they were refused: `queue_full`, `disk_full`, …
    pub cause: &'static str,
    /// How many.
    pub count: u64,
}

/// One entry about the trail itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlEvent<'a> {
    /// Entry 0: repeats the facts of `trail.json` as evidence.
    TrailCreated {
        /// Identity of the history.
        trail_id: &'a str,
        /// Name of the log in checkpoints.
        origin: &'a str,
        /// The first public key, as a C2SP vkey.
        initial_key: &'a str,
    },
    /// A writer took the trail.
    Opened {
        /// Version of this library.
        version: &'a str,
        /// Process id.
        pid: u32,
        /// The kernel's boot id, empty where there is none.
        boot_id: &'a str,
        /// Flush mode with its numbers.
        flush_mode: &'a str,
        /// SHA-256 over the effective configuration.
        config_sha256: &'a str,
    },
    /// A writer left the trail in order.
    Closed {
        /// Events this writer recorded, control entries not counted.
        entries: u64,
        /// Events this writer refused.
        drops: u64,
    },
    /// What the previous writer left behind was put in order.
    Recovered {
        /// Entries that the last checkpoint covered. Those from there on, up to this one, were signed by
        /// nobody: what they say was deleted, released or a new key is void.
        signed: u64,
        /// Entries of the last segment that are kept.
        entries_kept: u64,
        /// Bytes moved to `quarantine/`.
        quarantined_bytes: u64,
        /// SHA-256 of those bytes, hex; absent when there are none.
        quarantined_sha256: Option<&'a str>,
        /// File under `quarantine/` that holds them.
        quarantine_file: Option<&'a str>,
        /// True: same boot, so only the process died and nothing written may be missing.
        same_boot: bool,
        /// Offset of a damaged line that was left in place, as `segment:offset`.
        damaged_at: Option<&'a str>,
        /// True: there were entries and no checkpoint. After a crash before the first one that is as
        /// it should be; otherwise somebody took it away, and what was signed before is not known.
        checkpoint_missing: bool,
        /// Events that the previous writer had accepted and not written: the entries that follow.
        entries_salvaged: u64,
        /// Events, routine and critical ones, that the previous writer refused and that no
        /// `audit.events_dropped` is known to tell of.
        refused: [u64; 2],
        /// Bytes in emit rings that were reserved and hold no event: of threads that were killed inside
        /// `emit`, or of events that somebody erased.
        ring_unfinished_bytes: u64,
        /// Emit rings that are gone, could not be read (those are in `quarantine/`) or were changed,
        /// and how.
        ring_problem: Option<&'a str>,
    },
    /// Events that were refused since the last such entry.
    EventsDropped {
        /// Sum over all rows.
        count: u64,
        /// Rows by type and cause.
        dropped: &'a [DroppedEvents],
        /// When the first was refused, RFC 3339.
        first: &'a str,
        /// When the last was refused, RFC 3339.
        last: &'a str,
    },
    /// Nothing else happened; the trail is alive.
    Heartbeat,
    /// Storage failed and writing went on in a new segment.
    StorageFailed {
        /// `append`, `sync`, `replaced`, …
        operation: &'a str,
        /// The operating system's words.
        error: &'a str,
        /// The abandoned segment.
        segment: &'a str,
        /// Bytes at its front that are durable and stay.
        durable_bytes: u64,
        /// Entries that were written again at the front of this segment.
        entries_rewritten: u64,
    },
    /// The next signing key; the old one signs up to and including this entry.
    KeyRotated {
        /// The epoch that begins.
        epoch: u64,
        /// Its public key, as a C2SP vkey.
        new_key: &'a str,
    },
    /// The old key's checkpoint over everything up to the entry before, which names the new key.
    EpochSealed {
        /// The epoch that ends.
        epoch: u64,
        /// The signed note, line by line, without the LFs.
        checkpoint: &'a [&'a str],
    },
    /// The wall clock jumped against the monotonic one.
    ClockStepped {
        /// What the clock should have shown, RFC 3339.
        from: &'a str,
        /// What it showed, RFC 3339.
        to: &'a str,
    },
}

impl Event for ControlEvent<'_> {
    fn event_type(&self) -> &str {
        match self {
            ControlEvent::TrailCreated { .. } => "audit.trail_created",
            ControlEvent::Opened { .. } => "audit.opened",
            ControlEvent::Closed { .. } => "audit.closed",
            ControlEvent::Recovered { .. } => "audit.recovered",
            ControlEvent::EventsDropped { .. } => "audit.events_dropped",
            ControlEvent::Heartbeat => "audit.heartbeat",
            ControlEvent::StorageFailed { .. } => "audit.storage_failed",
            ControlEvent::KeyRotated { .. } => "audit.key_rotated",
            ControlEvent::EpochSealed { .. } => "audit.epoch_sealed",
            ControlEvent::ClockStepped { .. } => "audit.clock_stepped",
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            ControlEvent::EventsDropped { .. } | ControlEvent::StorageFailed { .. } => {
                Outcome::Failure
            }
            _ => Outcome::Success,
        }
    }

    fn details(&self, d: &mut Details<'_>) {
        match self {
            ControlEvent::TrailCreated { trail_id, origin, initial_key } => {
                d.field("format", crate::meta::FORMAT);
                d.field("trail_id", trail_id);
                d.field("origin", origin);
                d.field("initial_key", initial_key);
            }
            ControlEvent::Opened { version, pid, boot_id, flush_mode, config_sha256 } => {
                d.field("version", version);
                d.field("pid", pid);
                d.field("boot_id", boot_id);
                d.field("flush_mode", flush_mode);
                d.field("config_sha256", config_sha256);
            }
            ControlEvent::Closed { entries, drops } => {
                d.field("entries", entries);
                d.field("drops", drops);
            }
            ControlEvent::Recovered {
                signed,
                entries_kept,
                quarantined_bytes,
                quarantined_sha256,
                quarantine_file,
                same_boot,
                damaged_at,
                checkpoint_missing,
                entries_salvaged,
                refused: [routine, critical],
                ring_unfinished_bytes,
                ring_problem,
            } => {
                d.field("signed", signed);
                d.field("entries_kept", entries_kept);
                d.field("quarantined_bytes", quarantined_bytes);
                optional(d, "quarantined_sha256", *quarantined_sha256);
                optional(d, "quarantine_file", *quarantine_file);
                d.field("same_boot", same_boot);
                optional(d, "damaged_at", *damaged_at);
                if *checkpoint_missing {
                    d.field("checkpoint_missing", &true);
                }
                d.field("entries_salvaged", entries_salvaged);
                for (name, count) in [("refused_routine", routine), ("refused_critical", critical)]
                {
                    if *count > 0 {
                        d.field(name, count);
                    }
                }
                if *ring_unfinished_bytes > 0 {
                    d.field("ring_unfinished_bytes", ring_unfinished_bytes);
                }
                optional(d, "ring_problem", *ring_problem);
            }
            ControlEvent::EventsDropped { count, dropped, first, last } => {
                d.field("count", count);
                d.field("dropped", dropped);
                d.field("first", first);
                d.field("last", last);
            }
            ControlEvent::Heartbeat => {}
            ControlEvent::StorageFailed {
                operation,
                error,
                segment,
                durable_bytes,
                entries_rewritten,
            } => {
                d.field("operation", operation);
                d.field("error", error);
                d.field("segment", segment);
                d.field("durable_bytes", durable_bytes);
                d.field("entries_rewritten", entries_rewritten);
            }
            ControlEvent::KeyRotated { epoch, new_key } => {
                d.field("epoch", epoch);
                d.field("new_key", new_key);
            }
            ControlEvent::EpochSealed { epoch, checkpoint } => {
                d.field("epoch", epoch);
                d.field("checkpoint", checkpoint);
            }
            ControlEvent::ClockStepped { from, to } => {
                d.field("from", from);
                d.field("to", to);
            }
        }
    }
}

fn optional(d: &mut Details<'_>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        d.field(name, value);
    }
}

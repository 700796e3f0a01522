//! The figures and their names: those of one run, and of several.
//!
//! What must stay true here: names are a contract, units are in them; what is not measured is
//! absent or null, never zero; each ratio is taken within one run.

use serde::{Deserialize, Serialize};

use super::conditions::Conditions;

/// Nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct EmitLatency {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct AckLatency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

/// This machine's limits, measured before and after everything else of the run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Raw {
    /// One append of an event's bytes and its sync, one after the other.
    pub(super) fdatasync_us_p50: f64,
    pub(super) fdatasync_us_p99: f64,
    /// Event-sized messages on one core.
    pub(super) sha256_bytes_per_s: f64,
    /// Event-sized copies, one after the other, into 16 MiB.
    pub(super) memcpy_bytes_per_s: f64,
    /// Two looks at the clock in a row: so much of each `emit_ns` is the looking.
    pub(super) clock_ns_p50: u64,
}

/// A load of so many events a second from one producer.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Paced {
    /// Asked for, and reached.
    pub(super) rate: u64,
    pub(super) achieved_per_s: f64,
    /// The call alone.
    pub(super) emit_ns: EmitLatency,
    /// From the moment each event was due to the end of its call: what a stall costs all those
    /// that wait behind it.
    pub(super) emit_due_ns: EmitLatency,
    pub(super) allocations_per_emit: f64,
    /// From `emit` until the event is durable, whoever waits or not.
    pub(super) residency_us: Option<AckLatency>,
}

/// Producers that never wait.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Saturation {
    pub(super) producers: u64,
    /// Until the last is durable.
    pub(super) durable_events_per_s: f64,
    /// To the single syncs of the same run.
    pub(super) to_single_syncs: f64,
    /// Bytes written per second to SHA-256 of one core, of the same run.
    pub(super) to_sha256: f64,
}

/// One producer that waits for each event while another never waits.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Loaded {
    pub(super) ack_us: AckLatency,
    /// What the other wrote meanwhile.
    pub(super) flood_events_per_s: f64,
}

/// Figures held against the raw limits of the same run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Ratios {
    /// `durable_events_per_s` to single append-and-syncs.
    pub(super) durable_to_single_syncs: f64,
    /// `emit_ns.p50` to a copy of as many bytes.
    pub(super) emit_p50_to_memcpy: f64,
    /// `ack_us.p50` to one append and sync.
    pub(super) ack_p50_to_fdatasync: Option<f64>,
    /// `awaiting_64_events_per_s` to single append-and-syncs.
    pub(super) awaiting_64_to_single_syncs: Option<f64>,
    /// `verify_events_per_s` to SHA-256 of as many bytes on one core.
    pub(super) verify_to_sha256: f64,
}

/// One run, or the medians of several. The first names are the contract.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) mode: String,
    /// The most producers of `saturation`: the figures without an own list are theirs.
    pub(super) producers: u64,
    pub(super) events: u64,
    pub(super) bytes_per_event: f64,
    /// As in the first of `paced`.
    pub(super) emit_ns: EmitLatency,
    pub(super) emit_due_ns: EmitLatency,
    pub(super) allocations_per_emit: f64,
    pub(super) durable_events_per_s: f64,
    /// One producer that waits each time. Absent in the batched modes, where waiting means
    /// waiting for the batch; so are all that wait.
    pub(super) ack_us: Option<AckLatency>,
    pub(super) verify_events_per_s: f64,
    pub(super) raw: Raw,

    /// 64 tasks that each wait for `durable`.
    pub(super) awaiting_64_events_per_s: Option<f64>,
    pub(super) loaded: Option<Loaded>,
    pub(super) disabled_emit_ns: f64,
    /// Making the event, which is the caller's and in none of the figures.
    pub(super) build_event_ns: f64,
    pub(super) paced: Vec<Paced>,
    pub(super) saturation: Vec<Saturation>,
    pub(super) ratios: Ratios,
}

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Medians over all runs, figure by figure.
    #[serde(flatten)]
    pub(super) median: Report,
    pub(super) conditions: Conditions,
    /// Every run as it was, when there were several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) runs: Vec<Report>,
}

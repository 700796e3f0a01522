//! The answer of a verification.
//!
//! What must stay true here: never a bare pass. The JSON has exactly the members that
//! `auditlog verify --json` promises, always all of them.

use audit_core::verify::Findings;
use serde::Serialize;

/// What a verification says in one word (FORMAT section 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Intact, as signed by the key.
    Proven,
    /// At least one violation.
    Violated,
    /// No violation, but nothing to prove it by.
    Unproven,
}

/// Where the key came from that signatures were held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyTrust {
    /// From whoever asked.
    Pinned,
    /// From the trail itself.
    SelfAsserted,
}

/// What bounds how old the trail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Freshness {
    /// Nothing: it may be an old copy.
    Unknown,
}

/// What a verification found.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Name of the log, as `trail.json` says.
    pub origin: Option<String>,
    /// The key that signatures were held against.
    pub key: Option<String>,
    /// Where that key came from.
    pub key_trust: KeyTrust,
    /// Lines that are entries.
    pub entries: u64,
    /// `seq` of the first.
    pub first_seq: Option<u64>,
    /// `seq` of the last.
    pub last_seq: Option<u64>,
    /// How many entries are signed.
    pub sealed_size: Option<u64>,
    /// The root that is signed, base64.
    pub root: Option<String>,
    /// How many entries are chained but not signed yet.
    pub unsigned_tail: Option<u64>,
    /// What bounds how old the trail is.
    pub freshness: Freshness,
    /// What was found.
    pub findings: Findings,
    /// How many segments were read.
    pub segments: u64,
    /// How many bytes of segments were read.
    pub bytes: u64,
    /// How long that took.
    pub seconds: f64,
    /// A file `checkpoint` is there; this version does not examine its signature.
    #[serde(skip)]
    pub checkpoint_unexamined: bool,
}

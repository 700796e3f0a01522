//! The answer of a verification.
//!
//! What must stay true here: never a bare pass. The JSON has exactly the members that
//! `auditlog verify --json` promises, always all of them.

use audit_core::Timestamp;
use audit_core::verify::{Bound, Findings, Seal};
use serde::Serialize;

use super::state::VerifiedState;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Freshness {
    /// Nothing: it may be an old copy.
    Unknown,
    /// It is no older than a checkpoint that was seen earlier.
    Reference {
        /// The size of that checkpoint.
        size: u64,
    },
    /// A cosigner has seen it.
    Cosigned {
        /// How many of its entries.
        size: u64,
        /// When, RFC 3339.
        time: String,
    },
}

impl Freshness {
    pub(super) fn new(bound: Bound) -> Freshness {
        match bound {
            Bound::Reference(size) => Freshness::Reference { size },
            Bound::Cosigned(size, seconds) => {
                let time = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
                let time = time.map_or_else(|| format!("@{seconds}"), |time| time.to_string());
                Freshness::Cosigned { size, time }
            }
            _ => Freshness::Unknown,
        }
    }
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
    /// It went on from an earlier verification: the entries before this `seq` were not read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<u64>,
    /// The checkpoint, if it holds, with the key of its epoch.
    #[serde(skip)]
    pub seal: Option<Seal>,
    /// Where a later verification can go on, if nothing is wrong.
    #[serde(skip)]
    pub verified: Option<VerifiedState>,
}

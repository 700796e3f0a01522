//! What goes into a verification and what comes out of it.
//!
//! What must stay true here: what it says of keys and seals was proven; nothing of it is taken from a file
//! on trust.

use std::collections::BTreeSet;

use super::finding::Findings;
use super::seals::{Bound, Seal};
use super::verified::Verified;
use crate::note::VerifierKey;
use crate::segment::SegmentName;

/// The key that a verification begins with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FirstKey {
    /// Given by whoever verifies.
    Pinned(VerifierKey),
    /// Taken from the trail: its text, as `trail.json` has it, if that could be read.
    SelfAsserted(Option<String>),
}

/// What [`TrailVerifier::finish`](super::TrailVerifier::finish) gives.
#[derive(Debug)]
#[non_exhaustive]
pub struct Summary {
    /// All findings.
    pub findings: Findings,
    /// Lines that are entries.
    pub entries: u64,
    /// `seq` of the first entry.
    pub first_seq: Option<u64>,
    /// `seq` of the last entry.
    pub last_seq: Option<u64>,
    /// The checkpoint, if it holds.
    pub seal: Option<Seal>,
    /// Entries after it.
    pub unsigned_tail: Option<u64>,
    /// What bounds how old the trail is.
    pub bound: Bound,
    /// The key that the verification began with.
    pub first_key: Option<VerifierKey>,
    /// The segments that `audit.retention_applied` entries say were deleted, of those that were
    /// [looked for](super::TrailVerifier::look_for); `None` where it is not known which entries count.
    pub deleted: Option<BTreeSet<SegmentName>>,
    /// Where a later verification can go on, if nothing is wrong.
    pub verified: Option<Verified>,
}

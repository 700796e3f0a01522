//! Control entries that a verification reports or needs (FORMAT section 9).
//!
//! What must stay true here: only the `event_type` decides, and no caller may use `audit.*`.

use serde::Deserialize;

use super::finding::FindingKind;

/// The notice a control entry gives rise to.
pub(super) fn notice(event_type: &str) -> Option<FindingKind> {
    match event_type.strip_prefix("audit.")? {
        "recovered" => Some(FindingKind::Recovered),
        "events_dropped" => Some(FindingKind::EventsDropped),
        "clock_stepped" => Some(FindingKind::ClockStepped),
        "retention_applied" => Some(FindingKind::RetentionApplied),
        _ => None,
    }
}

/// What `audit.retention_applied` says in its `details`.
#[derive(Deserialize)]
pub(super) struct Retention {
    /// Every segment that was deleted.
    pub(super) segments: Vec<DeletedSegment>,
}

/// One deleted segment.
#[derive(Deserialize)]
pub(super) struct DeletedSegment {
    /// Its name.
    pub(super) filename: String,
    /// `seq` of its last entry.
    pub(super) last_seq: u64,
}

impl Retention {
    /// Reads the `details` of an `audit.retention_applied` entry; what does not say which segments
    /// went excuses nothing.
    pub(super) fn read(details: &str) -> Retention {
        serde_json::from_str(details).unwrap_or(Retention { segments: Vec::new() })
    }
}

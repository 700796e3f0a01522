//! Control entries that a verification reports or needs (FORMAT section 9).
//!
//! What must stay true here: only the `event_type` decides, and no caller may use `audit.*`.

use serde::Deserialize;

use super::finding::FindingKind;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};

/// A control entry that matters to verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ControlKind {
    /// It gives a notice.
    Notice(FindingKind),
    /// `audit.trail_created`.
    TrailCreated,
    /// `audit.key_rotated`.
    KeyRotated,
    /// `audit.epoch_sealed`.
    EpochSealed,
}

impl ControlKind {
    pub(super) fn of(event_type: &str) -> Option<ControlKind> {
        Some(match event_type.strip_prefix("audit.")? {
            "recovered" => ControlKind::Notice(FindingKind::Recovered),
            "events_dropped" => ControlKind::Notice(FindingKind::EventsDropped),
            "clock_stepped" => ControlKind::Notice(FindingKind::ClockStepped),
            "retention_applied" => ControlKind::Notice(FindingKind::RetentionApplied),
            "trail_created" => ControlKind::TrailCreated,
            "key_rotated" => ControlKind::KeyRotated,
            "epoch_sealed" => ControlKind::EpochSealed,
            _ => return None,
        })
    }
}

/// What `audit.retention_applied` says in its `details`.
#[derive(Debug, Deserialize)]
pub(super) struct Retention {
    /// Every segment that was deleted.
    pub(super) segments: Vec<DeletedSegment>,
    /// Where the trail begins after that.
    #[serde(default)]
    pub(super) front: Option<Front>,
}

/// Where a trail begins whose front was deleted.
#[derive(Debug, Deserialize)]
pub(super) struct Front {
    /// `seq` of the first entry.
    pub(super) seq: u64,
    /// The key in force there.
    #[serde(default)]
    pub(super) key: Option<String>,
}

/// One deleted segment.
#[derive(Debug, Deserialize)]
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
        serde_json::from_str(details).unwrap_or(Retention { segments: Vec::new(), front: None })
    }
}

/// What `audit.trail_created` says of the first key.
#[derive(Deserialize)]
pub(super) struct TrailCreated {
    pub(super) initial_key: String,
}

/// What `audit.key_rotated` says in its `details`.
#[derive(Debug, Deserialize)]
pub(crate) struct KeyRotated {
    /// The epoch that begins.
    pub(crate) epoch: u64,
    /// Its key.
    pub(crate) new_key: String,
}

/// What `audit.epoch_sealed` says in its `details`.
#[derive(Deserialize)]
pub(super) struct EpochSealed {
    /// The epoch that ends.
    pub(super) epoch: u64,
    /// The note, line by line.
    pub(super) checkpoint: Vec<String>,
}

impl EpochSealed {
    /// The note.
    pub(super) fn note(&self) -> Result<SignedCheckpoint, CheckpointError> {
        let mut note = self.checkpoint.join("\n");
        note.push('\n');
        SignedCheckpoint::parse(note.as_bytes())
    }
}

//! `trail.json` and `manifest.json` (FORMAT sections 2 and 8): signposts, never evidence.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The only format this version writes and reads.
pub const FORMAT: &str = "audit-trail/1";

/// `trail.json`: what a directory is. Written once, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailInfo {
    /// [`FORMAT`].
    pub format: String,
    /// Identity of this one history.
    pub trail_id: Uuid,
    /// Name of the log in checkpoints.
    pub origin: String,
    /// Who writes it.
    pub service_id: String,
    /// RFC 3339, nine fraction digits.
    pub created_at: String,
    /// `sha256`.
    pub hash: String,
    /// The first public key, as a C2SP vkey.
    pub initial_key: String,
}

/// `manifest.json`: the index of the segments, derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Who writes the trail.
    pub service_id: String,
    /// When the trail was made.
    pub created_at: String,
    /// One per segment, in order.
    pub files: Vec<ManifestFile>,
}

/// What the manifest says of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Name of the segment.
    pub filename: String,
    /// When it was begun.
    pub created_at: String,
    /// When it was closed; `None` for the active segment.
    pub closed_at: Option<String>,
    /// Entries in it, when this was written.
    pub event_count: u64,
    /// `seq` of its first entry.
    pub first_seq: u64,
    /// `audit_id` of its first entry.
    pub first_audit_id: Option<Uuid>,
    /// `audit_id` of its last entry.
    pub last_audit_id: Option<Uuid>,
    /// `prev_hash` of its first entry, hex.
    pub first_prev_hash: String,
    /// `hash` of its last entry, hex.
    pub last_hash: String,
    /// SHA-256 of the file, hex; `None` for the active segment.
    pub sha256: Option<String>,
    /// Bytes in it, when this was written.
    pub size_bytes: u64,
}

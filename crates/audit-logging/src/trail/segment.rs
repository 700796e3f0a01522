//! What is known of one segment while it is written or scanned.
//!
//! What must stay true here: the numbers and the running SHA-256 always describe the same prefix
//! of the file.

use audit_core::chain::Head;
use audit_core::entry::Entry;
use audit_core::meta::ManifestFile;
use audit_core::segment::SegmentName;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::rfc3339;

/// A prefix of a segment.
#[derive(Debug, Clone)]
pub(crate) struct SegmentState {
    pub(crate) name: SegmentName,
    pub(crate) created_at: String,
    /// Head before its first entry.
    pub(crate) start: Head,
    /// Head after its last entry.
    pub(crate) end: Head,
    pub(crate) bytes: u64,
    first_id: Option<Uuid>,
    last_id: Option<Uuid>,
    sha: Sha256,
}

impl SegmentState {
    pub(crate) fn new(name: SegmentName, start: Head, now: Timestamp) -> SegmentState {
        SegmentState {
            name,
            created_at: rfc3339(now),
            start,
            end: start,
            bytes: 0,
            first_id: None,
            last_id: None,
            sha: Sha256::new(),
        }
    }

    /// Adds a line that `append_line` or a scan vouches for, LF included.
    pub(crate) fn add(&mut self, line: &[u8], end: Head, audit_id: Option<Uuid>) {
        self.sha.update(line);
        self.bytes += line.len() as u64;
        self.end = end;
        self.first_id = self.first_id.or(audit_id);
        self.last_id = audit_id.or(self.last_id);
    }

    /// Adds an entry read from disk, LF not included.
    pub(crate) fn add_entry(&mut self, entry: &Entry<'_>) {
        if self.entries() == 0 && self.bytes == 0 {
            self.start = Head { next_seq: entry.seq(), last_hash: entry.prev_hash() };
            entry.timestamp().clone_into(&mut self.created_at);
        }
        let end = Head { next_seq: entry.seq() + 1, last_hash: entry.hash() };
        self.add(entry.line().as_bytes(), end, Some(entry.audit_id()));
        self.add_raw(b"\n");
    }

    /// Adds bytes that are no entry but stay in the file.
    pub(crate) fn add_raw(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(crate) const fn entries(&self) -> u64 {
        self.end.next_seq - self.start.next_seq
    }

    /// SHA-256 of the prefix, hex.
    pub(crate) fn sha256(&self) -> String {
        audit_core::chain::Hash(self.sha.clone().finalize().into()).to_string()
    }

    /// Its row in the manifest.
    pub(crate) fn row(&self, closed: Option<(Timestamp, String)>) -> ManifestFile {
        let (closed_at, sha256) = closed.map(|(at, sha)| (rfc3339(at), sha)).unzip();
        ManifestFile {
            filename: self.name.to_string(),
            created_at: self.created_at.clone(),
            closed_at,
            event_count: self.entries(),
            first_seq: self.start.next_seq,
            first_audit_id: self.first_id,
            last_audit_id: self.last_id,
            first_prev_hash: self.start.last_hash.to_string(),
            last_hash: self.end.last_hash.to_string(),
            sha256,
            size_bytes: self.bytes,
        }
    }
}

/// Name of a segment's checksum file.
pub(crate) fn checksum_name(segment: &str) -> String {
    format!("{segment}.sha256")
}

//! What the segments turned out to be, to hold the derived files against.

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use audit_core::segment::SegmentName;
use uuid::Uuid;

use crate::SegmentEnd;

/// What was read of one segment.
#[derive(Debug)]
pub(super) struct SegmentFacts {
    pub(super) name: SegmentName,
    pub(super) entries: u64,
    pub(super) first: Option<FirstEntry>,
    pub(super) last: Option<(Uuid, Hash)>,
    pub(super) bytes: u64,
    pub(super) sha256: Option<Hash>,
    /// Entry 0, if it is in this segment.
    pub(super) zero: Option<EntryZero>,
}

/// The first entry of a segment.
#[derive(Debug)]
pub(super) struct FirstEntry {
    pub(super) seq: u64,
    pub(super) audit_id: Uuid,
    pub(super) prev_hash: Hash,
}

/// What entry 0 says of the trail.
#[derive(Debug)]
pub(super) struct EntryZero {
    pub(super) event_type: String,
    pub(super) service_id: String,
    pub(super) details: String,
}

impl SegmentFacts {
    pub(super) const fn new(name: SegmentName) -> SegmentFacts {
        SegmentFacts {
            name,
            entries: 0,
            first: None,
            last: None,
            bytes: 0,
            sha256: None,
            zero: None,
        }
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        self.entries += 1;
        self.last = Some((entry.audit_id(), entry.hash()));
        self.first.get_or_insert_with(|| FirstEntry {
            seq: entry.seq(),
            audit_id: entry.audit_id(),
            prev_hash: entry.prev_hash(),
        });
    }

    pub(super) fn end(&mut self, end: &SegmentEnd) {
        self.bytes = end.bytes;
        self.sha256 = end.sha256.map(Hash);
    }
}

impl EntryZero {
    pub(super) fn read(entry: &Entry<'_>) -> EntryZero {
        EntryZero {
            event_type: entry.event_type().to_owned(),
            service_id: entry.service_id().decode().into_owned(),
            details: entry.details().unwrap_or("{}").to_owned(),
        }
    }
}

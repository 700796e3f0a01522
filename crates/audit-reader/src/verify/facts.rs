//! What the segments turned out to be, to hold the derived files against.

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use audit_core::segment::SegmentName;
use uuid::Uuid;

/// What was read of one segment.
#[derive(Debug)]
pub(super) struct SegmentFacts {
    pub(super) name: SegmentName,
    pub(super) entries: Entries,
    pub(super) bytes: u64,
    pub(super) sha256: Option<Hash>,
}

/// What was read of some lines.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) count: u64,
    pub(super) first: Option<FirstEntry>,
    pub(super) last: Option<(Uuid, Hash)>,
    /// Entry 0, if it is among them.
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
    pub(super) fn new(name: SegmentName) -> SegmentFacts {
        SegmentFacts { name, entries: Entries::default(), bytes: 0, sha256: None }
    }

    /// The segment, and the `seq` that it begins with.
    pub(super) fn begins(&self) -> (SegmentName, Option<u64>) {
        (self.name, self.entries.first.as_ref().map(|first| first.seq))
    }
}

impl Entries {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        self.count += 1;
        self.last = Some((entry.audit_id(), entry.hash()));
        if self.first.is_none() {
            self.first = Some(FirstEntry {
                seq: entry.seq(),
                audit_id: entry.audit_id(),
                prev_hash: entry.prev_hash(),
            });
        }
        if entry.seq() == 0 && self.zero.is_none() {
            self.zero = Some(EntryZero::read(entry));
        }
    }

    /// Adds those that come after.
    pub(super) fn append(&mut self, later: Entries) {
        self.count += later.count;
        self.first = self.first.take().or(later.first);
        self.last = later.last.or(self.last);
        self.zero = self.zero.take().or(later.zero);
    }
}

impl EntryZero {
    fn read(entry: &Entry<'_>) -> EntryZero {
        EntryZero {
            event_type: entry.event_type().to_owned(),
            service_id: entry.service_id().decode().into_owned(),
            details: entry.details().unwrap_or("{}").to_owned(),
        }
    }
}

//! What a deletion that an entry announces means for the trail as it is.
//!
//! What must stay true here: only what matters is kept, whatever an entry names. Where the trail began long
//! ago matters to nobody.

use std::collections::BTreeSet;

use super::control::Retention;
use crate::segment::SegmentName;

/// What an `audit.retention_applied` says.
#[derive(Debug)]
pub(super) struct Deletion {
    /// The entry before the first one that is there is among what was deleted.
    pub(super) names_front: bool,
    /// The segments that somebody asks about.
    pub(super) names: Vec<SegmentName>,
    /// Where the trail begins behind each segment that may still be there.
    pub(super) fronts: Vec<u64>,
}

impl Deletion {
    /// What the entry `seq` says of a trail whose first entry is `first`; `None` if that is nothing.
    pub(super) fn read(
        details: &str,
        first: u64,
        seq: u64,
        looked_for: Option<&BTreeSet<SegmentName>>,
    ) -> Option<Deletion> {
        let mut said = Deletion { names_front: false, names: Vec::new(), fronts: Vec::new() };
        for segment in Retention::read(details).segments {
            // What came after the entry it did not delete.
            if let Some(front) = segment.last_seq.checked_add(1).filter(|front| *front <= seq) {
                said.names_front |= front == first;
                said.fronts.extend(Some(front).filter(|front| *front > first));
            }
            let name = SegmentName::parse(&segment.filename);
            said.names
                .extend(name.filter(|name| looked_for.is_none_or(|names| names.contains(name))));
        }
        (said.names_front || !said.names.is_empty() || !said.fronts.is_empty()).then_some(said)
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        // Twice, as vectors grow by doubling.
        2 * (size_of::<Deletion>()
            + size_of_val(self.names.as_slice())
            + size_of_val(self.fronts.as_slice()))
    }
}

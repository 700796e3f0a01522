//! What was found out about exported records.
//!
//! What must stay true here: what is missing is named, and counted when there is too much of it to name.

use serde::Serialize;

/// How many ranges and numbers are named of each kind; the counts go on.
const NAMED: usize = 1_000;

/// Exported records, held against their trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reconciled {
    /// `seq` of the first entry that should be there.
    pub first_seq: u64,
    /// And of the last.
    pub last_seq: u64,
    /// Records that could be read.
    pub records: u64,
    /// Of those that agree with the trail: that carry the entry itself, so that its bytes were checked.
    pub carried: u64,
    /// Entries that are not there.
    pub missing: u64,
    /// Which: ranges of `seq`, both ends included.
    pub missing_ranges: Vec<(u64, u64)>,
    /// Records that came again: a stream that delivers at least once does that.
    pub repeated: u64,
    /// Records that are not what the trail has under their `seq`.
    pub altered: u64,
    /// Which.
    pub altered_seqs: Vec<u64>,
    /// Records with a `seq` that the trail has not reached: they are not of this trail, or the trail was cut.
    pub beyond: u64,
    /// Which.
    pub beyond_seqs: Vec<u64>,
    /// Records before the range: out of it, or of entries that retention removed.
    pub before: u64,
    /// Records after the range.
    pub after: u64,
    /// Records of other trails.
    pub foreign: u64,
    /// Lines that are no records.
    pub unreadable: u64,
}

impl Reconciled {
    pub(super) const fn new(first_seq: u64, last_seq: u64) -> Reconciled {
        Reconciled {
            first_seq,
            last_seq,
            records: 0,
            carried: 0,
            missing: 0,
            missing_ranges: Vec::new(),
            repeated: 0,
            altered: 0,
            altered_seqs: Vec::new(),
            beyond: 0,
            beyond_seqs: Vec::new(),
            before: 0,
            after: 0,
            foreign: 0,
            unreadable: 0,
        }
    }

    /// Every entry of the range is there, as the trail has it.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.missing == 0 && !self.is_contradicted()
    }

    /// Some record is not what the trail has, or the trail ends before it.
    #[must_use]
    pub const fn is_contradicted(&self) -> bool {
        self.altered > 0 || self.beyond > 0
    }

    pub(super) fn missing(&mut self, seq: u64) {
        self.missing += 1;
        let goes_on = self.missing_ranges.last_mut().filter(|(_, last)| *last + 1 == seq);
        if let Some((_, last)) = goes_on {
            *last = seq;
        } else if self.missing_ranges.len() < NAMED {
            self.missing_ranges.push((seq, seq));
        }
    }

    pub(super) fn altered(&mut self, seq: u64) {
        self.altered += 1;
        if self.altered_seqs.len() < NAMED {
            self.altered_seqs.push(seq);
        }
    }

    pub(super) fn beyond(&mut self, seq: u64) {
        self.beyond += 1;
        if self.beyond_seqs.len() < NAMED {
            self.beyond_seqs.push(seq);
        }
    }
}

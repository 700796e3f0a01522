//! What a scan of some lines tells, without the lines.
//!
//! What must stay true here: however the lines of a trail are cut into scans, at the ends of
//! segments, the items are the same. That makes a parallel verification find what a sequential one
//! finds.

use super::control::ControlKind;
use super::finding::Finding;
use crate::chain::Hash;

/// Something a [`Scanner`](super::Scanner) came upon, in the order of the trail.
#[derive(Debug)]
pub struct Item(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Run(Run),
    /// A line that is not an entry; the finding lacks its file.
    Unreadable(Finding),
    /// The last line of the newest segment, which nobody writes any more, has no end; the finding
    /// lacks its file.
    Torn(Finding),
    /// Complete, from whoever reads.
    Reported(Finding),
    /// `tree.hashes` has another hash than the entries; the finding is complete.
    TreeMismatch(Finding),
}

/// Entries that continue each other. More than one only if each states its true hash.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) offset: u64,
    /// Where its last line begins, and where that ends, LF included.
    pub(super) last: (u64, u64),
    pub(super) seq: u64,
    pub(super) count: u64,
    pub(super) prev_hash: Hash,
    /// What the first states as its hash, and what the last states and has.
    pub(super) first_hash: Hash,
    pub(super) stated: Hash,
    pub(super) computed: Hash,
    /// The perfect subtrees of the leaves, by level.
    pub(super) subtrees: Vec<(u8, Hash)>,
    /// The one entry is a control entry that matters.
    pub(super) control: Option<Control>,
}

/// A control entry that matters.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) kind: ControlKind,
    pub(super) details: String,
    /// The whole line, of an entry that names a key.
    pub(super) line: Vec<u8>,
}

/// How the last line of a segment comes to have no LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unended {
    /// A writer is at it.
    InFlight,
    /// Nobody is writing the newest segment any more. What of it was never signed a crash may have
    /// left behind.
    Torn,
    /// A segment that is followed by another, or has a digest, ends in LF.
    Closed,
}

impl Item {
    /// A finding about the segment, in its place among what a scan of it tells.
    #[must_use]
    pub const fn reported(finding: Finding) -> Item {
        Item(Kind::Reported(finding))
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let more = match &self.0 {
            Kind::Run(run) => {
                let control = run.control.as_ref().map_or(0, |c| c.details.len() + c.line.len());
                run.subtrees.len() * 40 + control
            }
            Kind::Unreadable(_) | Kind::Torn(_) | Kind::Reported(_) | Kind::TreeMismatch(_) => 512,
        };
        size_of::<Item>() + more
    }
}

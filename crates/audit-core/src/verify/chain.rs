//! The chain part of a verification: grammar, hash, `seq`, `prev_hash` (FORMAT section 10, step 2).
//!
//! What must stay true here: every entry is held against the one before it, and one act of damage
//! gives few findings. For that the verifier takes up the chain again after damage, but only where
//! entries continue each other, so taking it up can hide nothing: the break was reported.

use std::collections::BTreeSet;

use super::deletion::Deletion;
use super::finding::{Finding, FindingKind as Kind, Findings};
use super::item::Run;
use crate::chain::{Hash, Head};
use crate::retention::Claims;
use crate::segment::SegmentName;

/// How much of a control entry's `details` a notice quotes.
const MAX_QUOTE: usize = 512;

/// Holds the entries of a trail against each other.
#[derive(Debug)]
pub(super) struct Chain {
    segment: String,
    findings: Findings,
    entries: u64,
    first: Option<First>,
    last_seq: Option<u64>,
    /// What the next entry should continue.
    link: Link,
    /// An entry that stepped back, and may turn out to be where the trail goes on.
    aside: Option<Head>,
    /// Lines since the last entry that could not be read, and may have been entries.
    unreadable: u64,
    /// The size that the checkpoint states: an entry from there on was signed by nobody, and excuses
    /// nothing.
    signed: u64,
    /// What entries say was deleted.
    deletions: Claims<Deletion>,
    /// The segments whose deletion matters; all if it is not said which.
    looked_for: Option<BTreeSet<SegmentName>>,
    /// Changes of keys that fail: findings, but for what was unsigned when the trail was opened next.
    rotations: Claims<Finding>,
    /// Changes of keys that another key signed, since the one given was last named: findings of the same
    /// kind if it turns out to have been in force.
    elsewhere: Claims<Finding>,
}

/// What retention deleted, as the trail says.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    /// Names of segments; `None` where it is not known which entries count.
    pub(super) names: Option<BTreeSet<SegmentName>>,
    /// The entry before the first one that is there is, or may be, among what was deleted.
    pub(super) front: bool,
    /// Where the trail may begin later.
    pub(super) fronts: BTreeSet<u64>,
}

/// The end of the chain so far.
#[derive(Debug, Clone, Copy)]
struct Link {
    next_seq: u64,
    /// The last entry's hash as stated, and as computed: they differ only if that was reported.
    stated: Hash,
    computed: Hash,
}

/// The first entry, when it is not entry 0.
#[derive(Debug)]
struct First {
    seq: u64,
    place: Option<(String, u64)>,
}

impl Chain {
    /// The chain from entry 0, of which so many entries are said to be signed.
    pub(super) fn new(signed: u64) -> Chain {
        Chain {
            segment: String::new(),
            findings: Findings::default(),
            entries: 0,
            first: None,
            last_seq: None,
            link: Link { next_seq: 0, stated: Hash::ZERO, computed: Hash::ZERO },
            aside: None,
            unreadable: 0,
            signed,
            deletions: Claims::default(),
            looked_for: None,
            rotations: Claims::default(),
            elsewhere: Claims::default(),
        }
    }

    /// The chain from a place that was verified before.
    pub(super) fn resumed(head: Head, first_seq: Option<u64>, signed: u64) -> Chain {
        let first = first_seq.map(|seq| First { seq, place: None });
        let (stated, last_seq) = (head.last_hash, head.next_seq.checked_sub(1));
        let link = Link { next_seq: head.next_seq, stated, computed: stated };
        let entries = head.next_seq.saturating_sub(first_seq.unwrap_or(0));
        Chain { first, link, last_seq, entries, ..Chain::new(signed) }
    }

    /// What was verified before began elsewhere than what is there now.
    pub(super) fn begins_now(&mut self, seq: u64, segment: &str) {
        self.first = Some(First { seq, place: Some((segment.to_owned(), 0)) });
    }

    /// Of no other segments it matters whether they were deleted.
    pub(super) fn look_for(&mut self, names: BTreeSet<SegmentName>) {
        self.looked_for = Some(names);
    }

    /// The runs that follow are of this segment.
    pub(super) fn begin_segment(&mut self, name: &str) {
        name.clone_into(&mut self.segment);
    }

    /// Takes the next entries.
    pub(super) fn run(&mut self, run: &Run) {
        let Run { offset, seq, count, stated, computed, .. } = *run;
        if computed != stated {
            let finding = self.finding(Kind::HashMismatch, offset).of(seq);
            self.findings.push(finding.evidence(computed, stated));
        }
        let last = seq.saturating_add(count - 1);
        self.entries += count;
        self.last_seq = Some(last);
        self.link_up(run);
        if count > 1 {
            // The others continue the first: whatever became of it, the trail goes on from them.
            self.aside = None;
            self.link = Link { next_seq: last.saturating_add(1), stated, computed };
        }
    }

    /// Takes note of a line that is not an entry.
    pub(super) fn unreadable(&mut self, finding: Finding) {
        let finding = self.in_segment(finding);
        self.findings.push(finding);
        self.unreadable += 1;
    }

    /// Takes note of a control entry that gives a notice. What nobody signed is a notice and no more:
    /// whoever can write the files could announce a deletion of his own.
    pub(super) fn notice(&mut self, kind: Kind, run: &Run, details: &str) {
        let mut finding = self.finding(kind, run.offset).of(run.seq);
        finding.found = Some(details.chars().take(MAX_QUOTE).collect());
        self.findings.push(finding);
        if run.computed != run.stated || run.seq >= self.signed {
            return;
        }
        match kind {
            Kind::RetentionApplied => {
                let first = self.first_seq().unwrap_or(0);
                let said = Deletion::read(details, first, run.seq, self.looked_for.as_ref());
                if let Some(said) = said {
                    let bytes = said.bytes();
                    self.deletions.claim_of(run.seq, said, bytes);
                }
            }
            Kind::Recovered => {
                self.deletions.recovered(run.seq, details);
                self.rotations.recovered(run.seq, details);
                self.elsewhere.recovered(run.seq, details);
            }
            _ => {}
        }
    }

    /// Takes note of a change of keys at `seq` that fails, so that no key came into force. Anybody can
    /// plant one behind a trail that is not open; the opening then says that nobody had signed it.
    /// One says it for all that stand behind it, as a recovery that makes it void does for them.
    pub(super) fn no_rotation(&mut self, seq: u64, finding: Finding) {
        let bytes = finding.bytes();
        self.rotations.claim_first(seq, finding, bytes);
    }

    /// As [`Chain::no_rotation`], if the key given turns out to have been in force there.
    pub(super) fn elsewhere(&mut self, seq: u64, finding: Finding) {
        let bytes = finding.bytes();
        self.elsewhere.claim_first(seq, finding, bytes);
    }

    /// The key given is named only here: what another key signed before is as it should be.
    pub(super) fn named(&mut self) {
        self.elsewhere = Claims::default();
    }

    /// Reports the changes of keys that fail and are not void.
    pub(super) fn report_rotations(&mut self, was_in_force: bool) {
        let elsewhere = std::mem::take(&mut self.elsewhere);
        let elsewhere = if was_in_force { elsewhere } else { Claims::default() };
        for claims in [std::mem::take(&mut self.rotations), elsewhere] {
            if !claims.is_known() {
                self.void_unknown("changes of keys");
            }
            for (_, finding) in claims.in_force() {
                self.findings.push(finding);
            }
        }
    }

    fn void_unknown(&mut self, of: &str) {
        let finding = Finding::new(Kind::VoidUnknown);
        let expected = format!("{of} of which it can be told which are void");
        let found =
            "more of them, or of audit.recovered behind them, than a verifier keeps in mind";
        self.findings.push(finding.evidence(expected, found));
    }

    /// What was deleted, as far as the trail says so under signature and no recovery made it void.
    pub(super) fn deleted(&mut self) -> Deleted {
        let claims = std::mem::take(&mut self.deletions);
        if !claims.is_known() {
            self.void_unknown("deletions");
            let front = self.first_seq().is_some_and(|first| first > 0);
            return Deleted { front, ..Deleted::default() };
        }
        let mut deleted = Deleted::default();
        let mut names = BTreeSet::new();
        for (_, said) in claims.in_force() {
            deleted.front |= said.names_front;
            names.extend(said.names);
            deleted.fronts.extend(said.fronts);
        }
        Deleted { names: Some(names), ..deleted }
    }

    /// A finding in the segment that is being read.
    pub(super) fn in_segment(&self, finding: Finding) -> Finding {
        finding.in_file(self.segment.as_str())
    }

    /// The segment that is being read.
    pub(super) fn segment(&self) -> &str {
        &self.segment
    }

    /// Adds a finding.
    pub(super) fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The first entry must be entry 0, or said to be the first that was retained.
    pub(super) fn check_front(&mut self, deleted: &Deleted) {
        if let Some(First { seq, place: Some((segment, offset)) }) = &self.first
            && !deleted.front
        {
            let finding = Finding::new(Kind::SequenceGap).in_file(segment).at(*offset).of(*seq);
            let expected = "0, or an audit.retention_applied entry that says who came before, signed \
                            and not void by an audit.recovered";
            self.findings.push(finding.evidence(expected, seq));
        }
    }

    pub(super) fn into_findings(self) -> Findings {
        self.findings
    }

    pub(super) const fn findings(&self) -> &Findings {
        &self.findings
    }

    pub(super) const fn entries(&self) -> u64 {
        self.entries
    }

    pub(super) fn first_seq(&self) -> Option<u64> {
        self.first.as_ref().map(|first| first.seq)
    }

    pub(super) const fn last_seq(&self) -> Option<u64> {
        self.last_seq
    }

    /// Where the chain ends.
    pub(super) const fn head(&self) -> Head {
        Head { next_seq: self.link.next_seq, last_hash: self.link.stated }
    }

    pub(super) fn finding(&self, kind: Kind, offset: u64) -> Finding {
        Finding::new(kind).in_file(&self.segment).at(offset)
    }

    /// Holds the first entry of a run against the one before it.
    fn link_up(&mut self, run: &Run) {
        let (seq, offset, prev_hash, link) = (run.seq, run.offset, run.prev_hash, self.link);
        let unreadable = std::mem::take(&mut self.unreadable);
        // Of a longer run, each entry has the hash it states.
        let computed = if run.count > 1 { run.first_hash } else { run.computed };
        let here = Link { next_seq: seq.saturating_add(1), stated: run.first_hash, computed };
        let aside = self.aside.take();

        if self.first.is_none() {
            let begins_late = seq > 0 && seq != unreadable;
            let place = begins_late.then(|| (self.segment.clone(), offset));
            self.first = Some(First { seq, place });
            if seq > 0 {
                self.link = here;
                return;
            }
        }
        let continues = [link.stated, link.computed].contains(&prev_hash);
        if seq == link.next_seq && continues {
            self.link = here;
            return;
        }
        // The lines between were reported; what they stood for cannot be compared with anything.
        if unreadable > 0 && seq == link.next_seq.saturating_add(unreadable) {
            self.link = here;
            return;
        }
        // A second entry in a row agrees that the trail goes on elsewhere.
        if aside.is_some_and(|aside| aside.next_seq == seq && aside.last_hash == prev_hash) {
            self.link = here;
            return;
        }
        let back = seq < link.next_seq;
        if seq != link.next_seq {
            let kind = if back { Kind::SequenceRepeat } else { Kind::SequenceGap };
            let finding = self.finding(kind, offset).of(seq);
            self.findings.push(finding.evidence(link.next_seq, seq));
        }
        if !continues {
            let finding = self.finding(Kind::ChainBreak, offset).of(seq);
            self.findings.push(finding.evidence(link.stated, prev_hash));
        }
        if back {
            self.aside = Some(Head { next_seq: here.next_seq, last_hash: here.stated });
        } else {
            self.link = here;
        }
    }
}

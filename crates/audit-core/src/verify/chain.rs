//! The chain part of a verification: grammar, hash, `seq`, `prev_hash` (FORMAT section 10, step 2).
//!
//! What must stay true here: every entry is held against the one before it, and one act of damage
//! gives few findings. For that the verifier takes up the chain again after damage, but only where
//! entries continue each other, so taking it up can hide nothing: the break was reported.

use std::collections::BTreeSet;

use super::control::{self, Retention};
use super::finding::{Finding, FindingKind as Kind, Findings};
use crate::chain::{Hash, Head};
use crate::entry::{Entry, Parser, excerpt};

/// How much of a control entry's `details` a notice quotes.
const MAX_QUOTE: usize = 512;
/// How many names of deleted segments are kept: decades of daily deletion.
const MAX_DELETED: usize = 100_000;

/// Verifies a trail line by line.
#[derive(Debug)]
pub struct ChainVerifier {
    parser: Parser,
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
    deleted: BTreeSet<String>,
    front_deleted: bool,
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

/// What [`ChainVerifier::finish`] gives.
#[derive(Debug)]
#[non_exhaustive]
pub struct ChainSummary {
    /// All findings.
    pub findings: Findings,
    /// Lines that are entries.
    pub entries: u64,
    /// `seq` of the first entry.
    pub first_seq: Option<u64>,
    /// `seq` of the last entry.
    pub last_seq: Option<u64>,
    /// Where the chain ends.
    pub head: Head,
    /// Names of the segments that `audit.retention_applied` entries say were deleted.
    pub deleted: BTreeSet<String>,
}

impl Default for ChainVerifier {
    fn default() -> ChainVerifier {
        ChainVerifier {
            parser: Parser::default(),
            segment: String::new(),
            findings: Findings::default(),
            entries: 0,
            first: None,
            last_seq: None,
            link: Link { next_seq: 0, stated: Hash::ZERO, computed: Hash::ZERO },
            aside: None,
            unreadable: 0,
            deleted: BTreeSet::new(),
            front_deleted: false,
        }
    }
}

impl ChainVerifier {
    /// The lines that follow are of this segment.
    pub fn begin_segment(&mut self, name: &str) {
        name.clone_into(&mut self.segment);
    }

    /// Takes one line, LF not included, that begins at `offset` of the segment. Gives the entry,
    /// if the line is one.
    pub fn line<'a>(&mut self, offset: u64, line: &'a [u8]) -> Option<Entry<'a>> {
        let entry = match self.parser.parse(line) {
            Ok(entry) => entry,
            Err(error) => {
                let finding = self.finding(Kind::MalformedEntry, offset + error.offset as u64);
                self.findings.push(finding.evidence(error.expected, error.found));
                self.unreadable += 1;
                return None;
            }
        };
        let computed = entry.computed_hash();
        if computed != entry.hash() {
            let finding = self.finding(Kind::HashMismatch, offset).of(entry.seq());
            self.findings.push(finding.evidence(computed, entry.hash()));
        }
        self.entries += 1;
        self.last_seq = Some(entry.seq());
        self.link_up(offset, &entry, computed);
        if let Some(kind) = control::notice(entry.event_type()) {
            self.control(kind, offset, &entry, computed);
        }
        Some(entry)
    }

    /// Takes note of a line that is longer than any entry; `head` is how it begins.
    pub fn oversized_line(&mut self, offset: u64, len: u64, head: &[u8]) {
        let finding = self.finding(Kind::MalformedEntry, offset);
        let found = format!("{len} bytes: {}", excerpt(head));
        self.findings.push(finding.evidence("a line no longer than an entry can be", found));
        self.unreadable += 1;
    }

    /// Takes note of a last line without its LF: of an open trail it is being written, of another
    /// it was torn or cut.
    pub fn partial_line(&mut self, offset: u64, len: u64, head: &[u8], in_flight: bool) {
        let kind = if in_flight { Kind::InFlight } else { Kind::MalformedEntry };
        let found = format!("{len} bytes without it: {}", excerpt(head));
        let finding = self.finding(kind, offset).evidence("a line that ends in LF", found);
        self.findings.push(finding);
        self.unreadable += 1;
    }

    /// Adds a finding from outside the chain.
    pub fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Ends the verification.
    #[must_use]
    pub fn finish(mut self) -> ChainSummary {
        if let Some(First { seq, place: Some((segment, offset)) }) = &self.first
            && !self.front_deleted
        {
            let finding = Finding::new(Kind::SequenceGap).in_file(segment).at(*offset).of(*seq);
            let expected = "0, or an audit.retention_applied entry that says who came before";
            self.findings.push(finding.evidence(expected, seq));
        }
        ChainSummary {
            findings: self.findings,
            entries: self.entries,
            first_seq: self.first.map(|first| first.seq),
            last_seq: self.last_seq,
            head: Head { next_seq: self.link.next_seq, last_hash: self.link.stated },
            deleted: self.deleted,
        }
    }

    fn finding(&self, kind: Kind, offset: u64) -> Finding {
        Finding::new(kind).in_file(&self.segment).at(offset)
    }

    /// Holds an entry against the one before it.
    fn link_up(&mut self, offset: u64, entry: &Entry<'_>, computed: Hash) {
        let (seq, link) = (entry.seq(), self.link);
        let unreadable = std::mem::take(&mut self.unreadable);
        let here = Link { next_seq: seq.saturating_add(1), stated: entry.hash(), computed };
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
        let continues = [link.stated, link.computed].contains(&entry.prev_hash());
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
        if aside.is_some_and(|aside| aside.next_seq == seq && aside.last_hash == entry.prev_hash())
        {
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
            self.findings.push(finding.evidence(link.stated, entry.prev_hash()));
        }
        if back {
            self.aside = Some(Head { next_seq: here.next_seq, last_hash: here.stated });
        } else {
            self.link = here;
        }
    }

    fn control(&mut self, kind: Kind, offset: u64, entry: &Entry<'_>, computed: Hash) {
        let details = entry.details().unwrap_or("");
        let mut finding = self.finding(kind, offset).of(entry.seq());
        finding.found = Some(details.chars().take(MAX_QUOTE).collect());
        self.findings.push(finding);
        if kind != Kind::RetentionApplied || computed != entry.hash() {
            return;
        }
        let first_seq = self.first.as_ref().map_or(0, |first| first.seq);
        for segment in Retention::read(details).segments {
            self.front_deleted |= segment.last_seq.checked_add(1) == Some(first_seq);
            if self.deleted.len() < MAX_DELETED {
                self.deleted.insert(segment.filename);
            }
        }
    }
}

//! The pass over the segments.
//!
//! What must stay true here: closed segments are checked side by side, the newest one as far as it has
//! whole lines; what is written meanwhile is read after that, line by line, until there is no more.

use std::collections::BTreeSet;

use audit_core::segment::SegmentName;
use audit_core::verify::{Finding, FindingKind, Item, TrailVerifier, Unended};

use super::facts::SegmentFacts;
use super::options::Progress;
use super::pool::Job;
use super::segment::{Message, SegmentScan};
use crate::stored::StoredFile;
use crate::{ReadError, Source, Step, TrailReader};

/// How a pass is made.
pub(super) struct Plan<'a> {
    pub(super) digested: &'a BTreeSet<SegmentName>,
    pub(super) stored: Option<&'a StoredFile>,
    /// Segments that are never written again, even the newest.
    pub(super) closed: &'a BTreeSet<SegmentName>,
    pub(super) jobs: usize,
    /// The place to begin at: what is before was verified earlier.
    pub(super) from: Option<(SegmentName, u64)>,
    pub(super) block: usize,
}

/// A pass over the segments, and what became known.
pub(super) struct Run<'a, 'p> {
    source: &'a Source,
    pub(super) verifier: TrailVerifier,
    stored: Option<StoredFile>,
    /// What is known of the segment that is being read.
    current: Option<SegmentFacts>,
    /// How far the whole lines of the newest one were read.
    open_at: Option<(SegmentName, u64)>,
    pub(super) facts: Vec<SegmentFacts>,
    /// The segments that were verified earlier, and the one of which a part was.
    pub(super) passed: Vec<SegmentName>,
    progress: Progress,
    /// The segment that is read from somewhere in it.
    from: Option<SegmentName>,
    tell: &'a mut (dyn FnMut(Progress) + 'p),
}

impl<'a, 'p> Run<'a, 'p> {
    pub(super) fn new(
        source: &'a Source,
        verifier: TrailVerifier,
        total_bytes: u64,
        tell: &'a mut (dyn FnMut(Progress) + 'p),
    ) -> Run<'a, 'p> {
        Run {
            source,
            verifier,
            stored: None,
            current: None,
            open_at: None,
            facts: Vec::new(),
            passed: Vec::new(),
            progress: Progress { bytes: 0, total_bytes, lines: 0 },
            from: None,
            tell,
        }
    }

    /// Reads everything there is.
    pub(super) fn read(&mut self, plan: &Plan<'_>) -> Result<(), ReadError> {
        let watched = self.verifier.watched();
        self.from = plan.from.map(|(name, _)| name);
        self.stored = plan.stored.map(StoredFile::scattered);
        // Whatever is older than a segment that is there is in the next listing for sure, and is
        // never written again.
        self.source.segments()?;
        let mut segments = self.source.segments()?;
        if let Some((from, _)) = plan.from {
            let before = segments.partition_point(|name| *name < from);
            self.passed = segments.drain(..before).collect();
        }
        // One that has a digest is closed, even if it is the newest.
        let newest = segments.last().copied();
        let open = newest.filter(|name| !plan.closed.contains(name));
        let job = Job {
            source: self.source,
            segments: &segments,
            open,
            digested: plan.digested,
            watched: &watched,
            stored: plan.stored,
            block: plan.block,
            from: plan.from,
        };
        job.run(plan.jobs, &mut |name, message| self.take(name, message, open))?;
        let reader = match self.open_at {
            Some((name, at)) => TrailReader::starting_at(self.source, name, at)?,
            None => TrailReader::new(self.source).after(newest),
        };
        self.read_open(reader, &watched)?;
        (self.tell)(self.progress);
        Ok(())
    }

    /// Reads on in the newest segment, and those that are begun meanwhile.
    fn read_open(
        &mut self,
        mut reader: TrailReader,
        watched: &BTreeSet<u64>,
    ) -> Result<(), ReadError> {
        let stored = self.stored.as_ref().map(StoredFile::again);
        let again = || SegmentScan::new(watched, stored.as_ref().map(StoredFile::again));
        let (mut looked_again, mut is_last) = (false, false);
        let mut scan = again();
        loop {
            let end = match reader.step()? {
                Step::Line(name, line) => {
                    looked_again = false;
                    scan.line(&line, Unended::Closed);
                    if let Some(message) = scan.full() {
                        self.take(name, message, None);
                    }
                    continue;
                }
                Step::Unfinished(_, line) => {
                    let in_flight = self.source.is_being_written()?;
                    // The writer may have finished the line and gone since it was read.
                    if !in_flight && !looked_again {
                        looked_again = true;
                        continue;
                    }
                    let how = if in_flight { Unended::InFlight } else { Unended::Torn };
                    scan.line(&line, how);
                    is_last = true;
                    reader.take_open()
                }
                Step::SegmentEnd(end) => Some(end),
                Step::CaughtUp => {
                    is_last = true;
                    reader.take_open()
                }
            };
            let message = std::mem::replace(&mut scan, again()).finish();
            if let Some(end) = end {
                self.take(end.name, message, None);
                self.end(end.bytes, None);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Takes what is told of a segment.
    fn take(&mut self, name: SegmentName, message: Message, open: Option<SegmentName>) {
        let current = match self.current.take() {
            Some(current) if current.name == name => current,
            _ => {
                self.verifier.begin_segment(&name.to_string());
                SegmentFacts::new(name)
            }
        };
        let current = self.current.insert(current);
        current.entries.append(message.entries);
        for item in message.items {
            self.verifier.item(item, &mut self.stored);
        }
        self.progress.bytes += message.bytes;
        self.progress.lines += message.lines;
        if let Some(end) = message.end {
            if let Some(damage) = end.damage {
                let finding = Finding::new(FindingKind::SegmentChanged).at(end.whole);
                let finding = finding.in_file(format!("{name}.zst"));
                let finding = finding.evidence("the whole segment, compressed", damage);
                self.verifier.item(Item::reported(finding), &mut self.stored);
            }
            if open == Some(name) && end.open {
                self.open_at = Some((name, end.whole));
            } else {
                self.end(end.bytes, end.sha256);
            }
        }
        (self.tell)(self.progress);
    }

    /// The segment that is being read is at its end.
    fn end(&mut self, bytes: u64, sha256: Option<audit_core::chain::Hash>) {
        if let Some(mut facts) = self.current.take() {
            (facts.bytes, facts.sha256) = (bytes, sha256);
            match self.from {
                // Of a part of a segment nothing can be compared that is said of the whole.
                Some(from) if from == facts.name => self.passed.push(from),
                _ => self.facts.push(facts),
            }
        }
    }
}

//! Verification of a trail directory (FORMAT section 10): chain, then the files beside it.
//!
//! What must stay true here: one pass, bounded memory. Sidecars are read before segments, so a
//! trail that is written meanwhile is only ever ahead of what they say.

mod facts;
mod report;
mod sidecar;

use std::fmt;
use std::path::Path;
use std::time::Instant;

use audit_core::verify::{ChainVerifier, Finding};

use crate::{DirSource, Line, LineKind, ReadError, Step, TrailReader};
use facts::{EntryZero, SegmentFacts};
pub use report::{Freshness, KeyTrust, Report, Verdict};
use sidecar::{Json, Sidecars};

/// How many bytes go by between two calls for progress.
const PROGRESS_EVERY: u64 = 4 * 1024 * 1024;

/// How to verify.
#[derive(Default)]
#[non_exhaustive]
pub struct VerifyOptions<'a> {
    /// Told now and then how far it is.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
}

impl<'a> VerifyOptions<'a> {
    /// Has `progress` called now and then.
    #[must_use]
    pub fn with_progress(mut self, progress: &'a mut dyn FnMut(Progress)) -> VerifyOptions<'a> {
        self.progress = Some(progress);
        self
    }
}

impl fmt::Debug for VerifyOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyOptions").finish_non_exhaustive()
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of segments read.
    pub bytes: u64,
    /// Bytes of segments there were at the beginning; a live trail grows.
    pub total_bytes: u64,
    /// Lines read.
    pub lines: u64,
}

/// Verifies the trail in a directory.
///
/// # Errors
/// When it could not be looked at. What is wrong with the trail itself is in the report.
pub fn verify_dir(path: &Path, options: VerifyOptions<'_>) -> Result<Report, ReadError> {
    let began = Instant::now();
    let source = DirSource::open(path)?;
    let sidecars = Sidecars::read(&source)?;
    let checkpoint_unexamined = source.has("checkpoint");

    let mut run = Run {
        chain: ChainVerifier::default(),
        facts: Vec::new(),
        zero: None,
        progress: Progress { bytes: 0, total_bytes: source.total_bytes()?, lines: 0 },
        told: 0,
        options,
    };
    run.read(&source, TrailReader::new(source.clone()).digesting(sidecars.digested()))?;

    let Run { mut chain, facts, zero, .. } = run;
    let report = &mut |finding: Finding| chain.report(finding);
    sidecars.check_trail(zero.as_ref(), report);
    sidecars.check_digests(&source, &facts, report)?;
    sidecars.check_manifest(&facts, report);
    let mut summary = chain.finish();
    let report = &mut |finding: Finding| summary.findings.push(finding);
    sidecars.check_missing(&source, &facts, &summary.deleted, report)?;

    let violated = summary.findings.violated();
    Ok(Report {
        verdict: if violated { Verdict::Violated } else { Verdict::Unproven },
        origin: match sidecars.trail {
            Json::Read(trail) => Some(trail.origin),
            Json::Absent | Json::Malformed(_) => None,
        },
        key: None,
        key_trust: KeyTrust::SelfAsserted,
        entries: summary.entries,
        first_seq: summary.first_seq,
        last_seq: summary.last_seq,
        sealed_size: None,
        root: None,
        unsigned_tail: None,
        freshness: Freshness::Unknown,
        findings: summary.findings,
        segments: facts.len() as u64,
        bytes: facts.iter().map(|segment| segment.bytes).sum(),
        seconds: began.elapsed().as_secs_f64(),
        checkpoint_unexamined,
    })
}

/// The pass over the segments.
struct Run<'a> {
    chain: ChainVerifier,
    facts: Vec<SegmentFacts>,
    zero: Option<EntryZero>,
    progress: Progress,
    /// Bytes when progress was last told.
    told: u64,
    options: VerifyOptions<'a>,
}

impl Run<'_> {
    fn read(&mut self, source: &DirSource, mut reader: TrailReader) -> Result<(), ReadError> {
        let mut looked_again = false;
        loop {
            match reader.step()? {
                Step::Line(name, line) => {
                    looked_again = false;
                    self.segment(name);
                    self.line(&line, false);
                }
                Step::SegmentEnd(end) => self.segment(end.name).end(&end),
                Step::Unfinished(name, line) => {
                    let in_flight = source.is_being_written()?;
                    // The writer may have finished the line and gone since it was read.
                    if !in_flight && !looked_again {
                        looked_again = true;
                        continue;
                    }
                    self.segment(name);
                    self.line(&line, in_flight);
                    break;
                }
                Step::CaughtUp => break,
            }
        }
        if let Some(end) = reader.finish() {
            self.segment(end.name).end(&end);
        }
        self.tell();
        Ok(())
    }

    /// The facts of a segment, which is the last one or begins now.
    fn segment(&mut self, name: audit_core::segment::SegmentName) -> &mut SegmentFacts {
        if self.facts.last().is_none_or(|segment| segment.name != name) {
            self.chain.begin_segment(&name.to_string());
            self.facts.push(SegmentFacts::new(name));
        }
        let last = self.facts.len() - 1;
        &mut self.facts[last]
    }

    fn line(&mut self, line: &Line<'_>, in_flight: bool) {
        match line.kind {
            LineKind::Complete => {
                let entry = self.chain.line(line.offset, line.bytes);
                if let (Some(entry), Some(facts)) = (entry, self.facts.last_mut()) {
                    facts.add(&entry);
                    if entry.seq() == 0 && self.zero.is_none() {
                        self.zero = Some(EntryZero::read(&entry));
                    }
                }
            }
            LineKind::Oversized => self.chain.oversized_line(line.offset, line.len, line.bytes),
            LineKind::Partial => {
                self.chain.partial_line(line.offset, line.len, line.bytes, in_flight);
            }
        }
        self.progress.bytes += line.len + 1;
        self.progress.lines += 1;
        if self.progress.bytes - self.told >= PROGRESS_EVERY {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told = self.progress.bytes;
        if let Some(tell) = &mut self.options.progress {
            tell(self.progress);
        }
    }
}

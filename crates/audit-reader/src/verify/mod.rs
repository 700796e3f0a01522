//! Verification of a trail directory (FORMAT section 10).
//!
//! What must stay true here: one pass, bounded memory. `checkpoint` is read first, then the files
//! beside the segments, then the segments, so a trail that is written meanwhile is only ever ahead
//! of what they say.

mod facts;
mod heads;
mod options;
mod pool;
mod report;
mod segment;
mod sidecar;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use audit_core::segment::SegmentName;
use audit_core::tree::stored_hash_count;
use audit_core::verify::{Finding, FindingKind, FirstKey, Seals, TrailVerifier};
use base64ct::{Base64, Encoding};

use crate::stored::StoredFile;
use crate::{DirSource, ReadError, Source, Step, TrailReader};
use facts::SegmentFacts;
pub use options::{Progress, VerifyOptions};
use pool::Job;
pub use report::{Freshness, KeyTrust, Report, Verdict};
use segment::{Message, SegmentScan};
use sidecar::{Json, Sidecars};

/// Verifies the trail in a directory.
///
/// # Errors
/// When it could not be looked at. What is wrong with the trail itself is in the report.
pub fn verify_dir(path: &Path, options: VerifyOptions<'_>) -> Result<Report, ReadError> {
    verify(DirSource::open(path)?, options)
}

/// Verifies a trail from anywhere.
///
/// # Errors
/// When it could not be looked at. What is wrong with the trail itself is in the report.
pub fn verify(source: impl Into<Source>, options: VerifyOptions<'_>) -> Result<Report, ReadError> {
    let began = Instant::now();
    let source = source.into();
    let seals = Seals {
        checkpoint: heads::read_checkpoint(&source)?,
        witnessed: heads::read_head(&source, "witnessed")?,
        references: options.references,
        witnesses: options.witnesses,
    };
    let sidecars = Sidecars::read(&source)?;
    let signed = seals.checkpoint.as_ref().and_then(|read| read.as_ref().ok());
    let stored = StoredFile::open(&source, signed.map_or(0, |signed| signed.unverified().size))?;
    let pinned = options.key.is_some();
    let first = match options.key {
        Some(key) => FirstKey::Pinned(key),
        None => FirstKey::SelfAsserted(sidecars.initial_key().map(str::to_owned)),
    };

    let progress = Progress { bytes: 0, total_bytes: source.total_bytes()?, lines: 0 };
    let mut run = Run {
        verifier: TrailVerifier::new(first, seals),
        stored: stored.as_ref().map(StoredFile::again),
        segment: None,
        facts: Vec::new(),
        progress,
        tell: options.progress,
    };
    run.read(&source, &sidecars.digested(), stored.as_ref(), options.jobs)?;

    let Run { mut verifier, facts, .. } = run;
    let size = verifier.size();
    let report = &mut |finding: Finding| verifier.report(finding);
    let zero = facts.iter().find_map(|segment| segment.zero.as_ref());
    sidecars.check_trail(zero, report);
    sidecars.check_digests(&source, &facts, report)?;
    sidecars.check_manifest(&facts, report);
    if let Some(stored) = stored
        && stored.count() > stored_hash_count(size)
    {
        let expected = format!("{} hashes of {size} entries", stored_hash_count(size));
        let finding = Finding::new(FindingKind::TreeMismatch).in_file("tree.hashes");
        report(finding.evidence(expected, stored.count()));
    }
    let mut summary = verifier.finish();
    let report = &mut |finding: Finding| summary.findings.push(finding);
    sidecars.check_missing(&source, &facts, &summary.deleted, report)?;

    let violated = summary.findings.violated();
    let seal = summary.seal;
    Ok(Report {
        verdict: match &seal {
            _ if violated => Verdict::Violated,
            Some(_) => Verdict::Proven,
            None => Verdict::Unproven,
        },
        origin: match sidecars.trail {
            Json::Read(trail) => Some(trail.origin),
            Json::Absent | Json::Malformed(_) => None,
        },
        key: summary.first_key.map(|key| key.to_string()),
        key_trust: if pinned { KeyTrust::Pinned } else { KeyTrust::SelfAsserted },
        entries: summary.entries,
        first_seq: summary.first_seq,
        last_seq: summary.last_seq,
        sealed_size: seal.as_ref().map(|seal| seal.size),
        root: seal.as_ref().map(|seal| Base64::encode_string(&seal.root.0)),
        unsigned_tail: summary.unsigned_tail,
        freshness: Freshness::new(summary.bound),
        findings: summary.findings,
        segments: facts.len() as u64,
        bytes: facts.iter().map(|segment| segment.bytes).sum(),
        seconds: began.elapsed().as_secs_f64(),
        verified: summary.verified.filter(|_| !violated),
        seal,
    })
}

/// The pass over the segments.
struct Run<'a> {
    verifier: TrailVerifier,
    stored: Option<StoredFile>,
    /// The segment that items are taken from.
    segment: Option<SegmentName>,
    facts: Vec<SegmentFacts>,
    progress: Progress,
    tell: Option<&'a mut dyn FnMut(Progress)>,
}

impl Run<'_> {
    fn read(
        &mut self,
        source: &Source,
        digested: &BTreeSet<SegmentName>,
        stored: Option<&StoredFile>,
        jobs: usize,
    ) -> Result<(), ReadError> {
        let watched = self.verifier.watched();
        // Whatever is older than a segment that is there is in the next listing for sure, and is
        // never written again.
        source.segments()?;
        let mut segments = source.segments()?;
        let mut open = segments.last().copied();
        let mut reader = TrailReader::new(source.clone());
        if let Some(name) = open.take_if(|name| digested.contains(name)) {
            // Its digest is taken from its first byte to its last, in one go.
            segments.pop();
            reader = reader.after(segments.last().copied()).digesting([name].into());
        } else {
            reader = reader.after(open);
        }
        let job = Job { source, segments: &segments, open, digested, watched: &watched, stored };
        let mut begun = None;
        job.run(jobs, &mut |name, mut message| {
            begun = message.open.take().map(|open| (name, open));
            self.take(name, message);
        })?;
        let mut scan = None;
        if let Some((name, (open, scanned))) = begun {
            reader = TrailReader::starting_at(source.clone(), name, scanned)?;
            scan = Some(*open);
        }
        self.read_open(source, reader, scan, &watched)?;
        self.told();
        Ok(())
    }

    /// Has the scan of a segment begun.
    fn begin<'w>(
        &self,
        scan: &mut Option<SegmentScan<'w>>,
        name: SegmentName,
        watched: &'w BTreeSet<u64>,
    ) -> Result<(), ReadError> {
        if scan.is_none() {
            let stored = self.stored.as_ref().map(StoredFile::again);
            *scan = Some(SegmentScan::new(name, watched, stored));
        }
        Ok(())
    }

    /// Reads the newest segment, and those that are begun meanwhile.
    fn read_open<'w>(
        &mut self,
        source: &Source,
        mut reader: TrailReader,
        mut scan: Option<SegmentScan<'w>>,
        watched: &'w BTreeSet<u64>,
    ) -> Result<(), ReadError> {
        let mut looked_again = false;
        loop {
            let end = loop {
                match reader.step()? {
                    Step::Line(name, line) => {
                        looked_again = false;
                        self.begin(&mut scan, name, watched)?;
                        let message = scan.as_mut().and_then(|scan| scan.line(&line, false));
                        if let Some(message) = message {
                            self.take(name, message);
                        }
                    }
                    Step::SegmentEnd(end) => break Some(end),
                    Step::Unfinished(name, line) => {
                        let in_flight = source.is_being_written()?;
                        // The writer may have finished the line and gone since it was read.
                        if !in_flight && !looked_again {
                            looked_again = true;
                            continue;
                        }
                        self.begin(&mut scan, name, watched)?;
                        let message = scan.as_mut().and_then(|scan| scan.line(&line, in_flight));
                        if let Some(message) = message {
                            self.take(name, message);
                        }
                        break None;
                    }
                    Step::CaughtUp => break None,
                }
            };
            let (end, is_last) = match end {
                Some(end) => (Some(end), false),
                None => (reader.take_open(), true),
            };
            if let Some(end) = end {
                self.begin(&mut scan, end.name, watched)?;
                if let Some(scan) = scan.take() {
                    self.take(end.name, scan.end(&end));
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Takes what is told of a segment.
    fn take(&mut self, name: SegmentName, message: Message<'_>) {
        if self.segment.replace(name) != Some(name) {
            self.verifier.begin_segment(&name.to_string());
        }
        for item in message.items {
            self.verifier.item(item, &mut self.stored);
        }
        self.facts.extend(message.end);
        self.progress.bytes += message.bytes;
        self.progress.lines += message.lines;
        self.told();
    }

    fn told(&mut self) {
        if let Some(tell) = &mut self.tell {
            tell(self.progress);
        }
    }
}

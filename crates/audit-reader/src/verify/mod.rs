//! Verification of a trail directory (FORMAT section 10).
//!
//! What must stay true here: one pass, bounded memory. `checkpoint` is read first, then the files
//! beside the segments, then the segments, so a trail that is written meanwhile is only ever ahead
//! of what they say.

mod chunk;
mod facts;
mod heads;
mod lane;
mod options;
mod pool;
mod report;
mod run;
mod segment;
mod sidecar;

use std::path::Path;
use std::time::Instant;

use audit_core::tree::stored_hash_count;
use audit_core::verify::{Finding, FindingKind, FirstKey, Seals, TrailVerifier};
use base64ct::{Base64, Encoding};

use crate::stored::StoredFile;
use crate::{DirSource, ReadError, Source};
pub use options::{Progress, VerifyOptions};
pub use report::{Freshness, KeyTrust, Report, Verdict};
use run::{Plan, Run};
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
/// A writer that survives a disk failure moves lines from one segment to another, and for some
/// milliseconds they stand in both. So a trail that is being written is looked at twice before it is
/// said to be violated.
///
/// # Errors
/// When it could not be looked at. What is wrong with the trail itself is in the report.
pub fn verify(
    source: impl Into<Source>,
    mut options: VerifyOptions<'_>,
) -> Result<Report, ReadError> {
    let source = source.into();
    let live = source.is_being_written()?;
    let report = look(&source, &mut options)?;
    if live && report.verdict == Verdict::Violated {
        return look(&source, &mut options);
    }
    Ok(report)
}

fn look(source: &Source, options: &mut VerifyOptions<'_>) -> Result<Report, ReadError> {
    let began = Instant::now();
    let seals = Seals {
        checkpoint: heads::read_checkpoint(source)?,
        witnessed: heads::read_head(source, "witnessed")?,
        references: options.references.clone(),
        witnesses: options.witnesses.clone(),
    };
    let sidecars = Sidecars::read(source)?;
    let signed = seals.checkpoint.as_ref().and_then(|read| read.as_ref().ok());
    let stored = StoredFile::open(source, signed.map_or(0, |signed| signed.unverified().size))?;
    let pinned = options.key.is_some();
    let first = match &options.key {
        Some(key) => FirstKey::Pinned(key.clone()),
        None => FirstKey::SelfAsserted(sidecars.initial_key().map(str::to_owned)),
    };

    let mut silent = |_: Progress| {};
    let tell: &mut dyn FnMut(Progress) = match &mut options.progress {
        Some(tell) => *tell,
        None => &mut silent,
    };
    let verifier = TrailVerifier::new(first, seals);
    let mut run = Run::new(source, verifier, source.total_bytes()?, tell);
    run.read(&Plan {
        digested: &sidecars.digested(),
        closed: &sidecars.closed(),
        stored: stored.as_ref(),
        jobs: options.jobs,
        block: options.block.unwrap_or(chunk::BLOCK),
    })?;

    let Run { mut verifier, facts, .. } = run;
    let size = verifier.size();
    let report = &mut |finding: Finding| verifier.report(finding);
    let zero = facts.iter().find_map(|segment| segment.entries.zero.as_ref());
    sidecars.check_trail(zero, report);
    sidecars.check_digests(source, &facts, report)?;
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
    sidecars.check_missing(source, &facts, &summary.deleted, report)?;

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

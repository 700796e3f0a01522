//! Verification of a trail (FORMAT section 10).
//!
//! What must stay true here: one pass, bounded memory. `checkpoint` is read first, then the files
//! beside the segments, then the segments, so a trail that is written meanwhile is only ever ahead
//! of what they say.

mod chunk;
mod facts;
mod front;
mod heads;
mod lane;
mod options;
mod pool;
mod report;
mod run;
mod segment;
mod sidecar;
mod state;
mod twins;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::segment::SegmentName;
use audit_core::tree::stored_hash_count;
use audit_core::verify::{Finding, FindingKind, FirstKey, Seals, TrailVerifier};
use base64ct::{Base64, Encoding};

use crate::stored::StoredFile;
use crate::{DirSource, ReadError, Source};
use facts::SegmentFacts;
use front::Front;
pub use options::{Progress, VerifyOptions};
pub use report::{Freshness, KeyTrust, Report, Verdict};
use run::{Plan, Run};
use sidecar::{Json, Sidecars};
use state::Segments;
pub use state::{StateError, VerifiedState};

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
    let (live, before) = (source.is_being_written()?, heads::bytes(&source)?);
    let report = look(&source, &mut options)?;
    let touched = || Ok(live || source.is_being_written()? || heads::bytes(&source)? != before);
    if report.verdict == Verdict::Violated && touched()? {
        return look(&source, &mut options);
    }
    Ok(report)
}

/// What an earlier verification left, where in which segment it ended, and where the trail begins now.
type Resumption<'o> = (&'o VerifiedState, (SegmentName, u64), (SegmentName, u64));

/// Where an earlier verification can be gone on from: what it verified last stands where it stood, of the
/// segments before at most the first ones are gone, and nobody asks for what is before.
fn resumption<'o>(
    source: &Source,
    options: &'o VerifyOptions<'_>,
) -> Result<Option<Resumption<'o>>, ReadError> {
    let Some((_, state)) = &options.from else { return Ok(None) };
    let older = |(_, seen): &(String, SignedCheckpoint)| seen.unverified().size < state.size();
    let other = options.key.as_ref().is_some_and(|key| key != state.first_key());
    if other || options.references.iter().any(older) {
        return Ok(None);
    }
    let Some((segment, seq)) = state.front_now(source)? else { return Ok(None) };
    // A front that cannot be read, or is another, the whole verification names.
    if front::first_seq(source) != Some(seq) {
        return Ok(None);
    }
    Ok(state.holds(source)?.map(|place| (state, place, (segment, seq))))
}

fn look(source: &Source, options: &mut VerifyOptions<'_>) -> Result<Report, ReadError> {
    let began = Instant::now();
    let checkpoint = heads::read_checkpoint(source)?;
    let resumed = resumption(source, options)?;
    let mut references = options.references.clone();
    if let Some((name, state)) = &options.from {
        references.push((name.clone(), state.verified().checkpoint.clone()));
    }
    let seals = Seals {
        checkpoint,
        witnessed: heads::read_head(source, "witnessed")?,
        references,
        witnesses: options.witnesses.clone(),
        now: Some(options.now.unwrap_or_else(seconds_now)),
    };
    let sidecars = Sidecars::read(source)?;
    let signed = seals.checkpoint.as_ref().and_then(|read| read.as_ref().ok());
    let signed = signed.map_or(0, |signed| signed.unverified().size);
    let stored = StoredFile::open(source, signed)?;
    let pinned = options.key.is_some();
    // Who goes on from a state needs nothing of the front.
    let Front { stored, key: front_key } = match &resumed {
        Some(_) => Front { stored, key: None },
        None => front::read(source, stored, signed, !pinned),
    };
    let first = match &options.key {
        Some(key) => FirstKey::Pinned(key.clone()),
        None => FirstKey::SelfAsserted(sidecars.initial_key().map(str::to_owned)),
    };

    let (mut verifier, from) = match resumed {
        // A state that holds is a tree: it was looked at when it was read.
        Some((state, place, (segment, seq))) => {
            match TrailVerifier::resume(state.verified(), pinned, seals) {
                Some(mut verifier) => {
                    verifier.begins_now(seq, &segment.to_string());
                    (verifier, Some((place, state.size(), state.segments().clone())))
                }
                None => return Err(ReadError::NotATrail(source.place())),
            }
        }
        None => (TrailVerifier::new(first, seals), None),
    };
    if let Some(key) = front_key {
        verifier.front_says(key);
    }
    verifier.look_for(sidecars.spoken_of());
    let mut silent = |_: Progress| {};
    let tell: &mut dyn FnMut(Progress) = match &mut options.progress {
        Some(tell) => *tell,
        None => &mut silent,
    };
    let mut run = Run::new(source, verifier, source.total_bytes()?, tell);
    run.read(&Plan {
        digested: &sidecars.digested(),
        closed: &sidecars.closed(),
        stored: stored.as_ref(),
        jobs: options.jobs,
        from: from.as_ref().map(|(place, ..)| *place),
        block: options.block.unwrap_or(chunk::BLOCK),
    })?;

    let Run { mut verifier, facts, passed, .. } = run;
    let size = verifier.size();
    let report = &mut |finding: Finding| verifier.report(finding);
    let zero = facts.iter().find_map(|segment| segment.entries.zero.as_ref());
    sidecars.check_trail(zero, report);
    sidecars.check_digests(source, &facts, report)?;
    sidecars.check_manifest(&facts, report);
    twins::check(source, report)?;
    if let Some(stored) = stored
        && stored.count() > stored_hash_count(size)
    {
        let expected = format!("{} hashes of {size} entries", stored_hash_count(size));
        let finding = Finding::new(FindingKind::TreeMismatch).in_file("tree.hashes");
        report(finding.evidence(expected, stored.count()));
    }
    let mut summary = verifier.finish();
    let report = &mut |finding: Finding| summary.findings.push(finding);
    let there: BTreeSet<_> = facts.iter().map(|segment| segment.name).chain(passed).collect();
    // What announced the deletion of older ones may be among what was verified before.
    let since = from.as_ref().and_then(|_| there.first().copied());
    // Where it is not known which deletions count, that is said, and takes the place of what is missing.
    if let Some(deleted) = &summary.deleted {
        sidecars.check_missing(source, &there, since, deleted, report)?;
    }
    if let (None, Some(seal)) = (zero, &summary.seal) {
        sidecars.check_origin(seal.key.key.name(), &mut |finding| summary.findings.push(finding));
    }

    let mut segments: Segments = facts.iter().map(SegmentFacts::begins).collect();
    let resumed_from = from.as_ref().map(|(_, size, _)| *size);
    if let Some((_, _, before)) = from {
        segments.extend(before.into_iter().filter(|(name, _)| there.contains(name)));
    }
    let violated = summary.findings.violated();
    let seal = summary.seal;
    Ok(Report {
        verdict: match &seal {
            _ if violated => Verdict::Violated,
            Some(_) if summary.findings.proven() => Verdict::Proven,
            _ => Verdict::Unproven,
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
        resumed_from,
        verified: summary
            .verified
            .filter(|_| !violated)
            .and_then(|verified| VerifiedState::new(verified, segments)),
        seal,
    })
}

/// By a clock that is before 1970 every cosigner is ahead.
fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

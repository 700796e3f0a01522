//! Every kept time stamp, held against its checkpoint, and the checkpoints against the trail.
//!
//! What must stay true here: a size is said to have existed only if its token holds, its checkpoint is
//! signed by the trail's key in force at that size, as far as the entries that name it are here, and the
//! trail as it is now, verified whole, extends it. The worst answer is the answer for all.

use std::path::Path;

use audit_core::checkpoint::SignedCheckpoint;
use audit_reader::{
    DirSource, Finding, FindingKind, KeyHistory, Report, Verdict, VerifyOptions, key_history,
    verify,
};
use serde::Serialize;

use super::error::{TimestampError, TokenError};
use super::roots::Roots;
use super::store::{Kept, Store, path_of_checkpoint};
use super::token::{self, Stamp};

/// A kept time stamp, judged.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Judged {
    /// The size of the checkpoint that is stamped.
    pub size: u64,
    /// *Proven*: the first `size` entries existed at the time of the stamp.
    pub verdict: Verdict,
    /// What the token says, if it holds.
    #[serde(flatten)]
    pub stamp: Option<Stamp>,
    /// What is wrong.
    pub problem: Option<String>,
}

/// All of them, and the trail.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// The worst of all. With no time stamp at all: unproven.
    pub verdict: Verdict,
    /// Each time stamp, by size.
    pub timestamps: Vec<Judged>,
    /// The verification of the trail, with the stamped checkpoints as references.
    pub trail: Report,
}

/// Verifies all time stamps of the trail in `dir`, and the trail with them.
///
/// # Errors
/// [`TimestampError`] if files could not be read. What does not hold is a verdict and no error.
pub fn check(
    dir: &Path,
    roots: &Roots,
    mut options: VerifyOptions<'_>,
) -> Result<CheckReport, TimestampError> {
    let source = DirSource::open(dir)?;
    let store = Store::of(dir);
    let mut judged = Vec::new();
    for size in store.sizes()? {
        // Taken away meanwhile: then it is as if it had not been listed.
        let Some(kept) = store.read(size)? else { continue };
        let (one, note) = judge(size, &kept, roots);
        if let Some(note) = &note {
            options = options.with_reference(path_of_checkpoint(size), note.clone());
        }
        judged.push((one, note));
    }
    let trail = verify(source.clone(), options)?;
    let keys = if judged.is_empty() { KeyHistory::default() } else { key_history(source)? };
    let mut timestamps = Vec::new();
    for (mut one, note) in judged {
        if let Some(note) = note {
            one.hold_signature(&note, &keys, &trail);
            one.hold_trail(&trail);
        }
        timestamps.push(one);
    }
    let all = timestamps.iter().map(|one| one.verdict).chain([trail.verdict]);
    let verdict = match timestamps.is_empty() {
        true => worst([trail.verdict, Verdict::Unproven]),
        false => worst(all),
    };
    Ok(CheckReport { verdict, timestamps, trail })
}

/// A token and the checkpoint beside it; gives the checkpoint too, if it is one of this size.
pub(super) fn judge(size: u64, kept: &Kept, roots: &Roots) -> (Judged, Option<SignedCheckpoint>) {
    let mut judged = Judged { size, verdict: Verdict::Proven, stamp: None, problem: None };
    let Some(bytes) = &kept.checkpoint else {
        judged.find(Verdict::Unproven, "the checkpoint that it stamps is not there");
        return (judged, None);
    };
    match token::verify(&kept.response, bytes, None, roots) {
        Ok(stamp) => judged.stamp = Some(stamp),
        Err(error) => judged.find(verdict(&error), error.to_string()),
    }
    match SignedCheckpoint::parse(bytes) {
        Ok(note) if note.unverified().size == size => (judged, Some(note)),
        Ok(note) => {
            let found = note.unverified().size;
            judged.find(Verdict::Violated, format!("its checkpoint is of {found} entries"));
            (judged, None)
        }
        Err(error) => {
            judged.find(Verdict::Violated, format!("its checkpoint: {error}"));
            (judged, None)
        }
    }
}

/// What a token that does not hold means for the trail it was kept in. It was verified before it was
/// kept, so one that contradicts itself was changed since.
pub(super) const fn verdict(error: &TokenError) -> Verdict {
    if error.is_contradiction() { Verdict::Violated } else { Verdict::Unproven }
}

impl Judged {
    /// Takes in what is wrong; the worst stays.
    pub(super) fn find(&mut self, verdict: Verdict, problem: impl Into<String>) {
        if self.problem.is_none() || worst([self.verdict, verdict]) != self.verdict {
            self.problem = Some(problem.into());
        }
        self.verdict = worst([self.verdict, verdict]);
        if verdict == Verdict::Violated {
            self.stamp = None;
        }
    }

    /// The checkpoint's signature, by the key in force at its size.
    fn hold_signature(&mut self, note: &SignedCheckpoint, keys: &KeyHistory, trail: &Report) {
        let in_force = keys.epochs.iter().find(|epoch| {
            epoch.from_size <= self.size && epoch.to_size.is_none_or(|to| self.size <= to)
        });
        match in_force {
            Some(epoch) if note.verify(&epoch.key).is_ok() => {}
            Some(_) => self.find(
                Verdict::Violated,
                "its checkpoint is not signed by the trail's key in force at its size",
            ),
            // Retention deleted the entries that name the key. A later key signed a tree that extends this
            // one, which the verification of the trail tells, and that is as much.
            None if trail.first_seq != Some(0)
                && trail.sealed_size.is_some_and(|signed| self.size <= signed) => {}
            None => self.find(Verdict::Unproven, "the key in force at its size is not known"),
        }
    }

    /// What the verification of the trail says of its checkpoint.
    fn hold_trail(&mut self, trail: &Report) {
        let name = path_of_checkpoint(self.size);
        // Of very many findings the first of each kind is kept, and this one's may not be among them.
        let of_references =
            [FindingKind::Rollback, FindingKind::Fork, FindingKind::ReferenceUnproven];
        let is_one = |finding: &&Finding| of_references.contains(&finding.kind);
        let found = of_references.iter().filter_map(|kind| trail.findings.counts().get(kind));
        if found.sum::<u64>() != trail.findings.kept().iter().filter(is_one).count() as u64 {
            self.find(Verdict::Unproven, "the trail has more findings than are kept apart");
        }
        for finding in trail.findings.kept() {
            if finding.segment.as_deref() != Some(name.as_str()) {
                continue;
            }
            match finding.kind {
                FindingKind::Rollback => {
                    self.find(Verdict::Violated, "the trail has fewer entries than were stamped");
                }
                FindingKind::Fork => {
                    self.find(Verdict::Violated, "the trail is another history than was stamped");
                }
                _ => self.find(
                    Verdict::Unproven,
                    "the trail no longer shows that it extends the stamped checkpoint",
                ),
            }
        }
    }
}

/// The worst of all; proven if there is none.
fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().fold(Verdict::Proven, |worst, verdict| match (worst, verdict) {
        (Verdict::Violated, _) | (_, Verdict::Violated) => Verdict::Violated,
        (Verdict::Unproven, _) | (_, Verdict::Unproven) => Verdict::Unproven,
        _ => Verdict::Proven,
    })
}

//! The verdict over the trail that a report is about, with what anybody needs to check it.
//!
//! What must stay true here: a verdict is never given for a trail that was not verified; what is
//! attached was verified before it is attached.

use audit_core::entry::Entry;
use audit_core::note::MAX_NOTE;
use serde::Serialize;

use super::silence::{recorded_ms, time};
use crate::{ReadError, Source, Verdict, prove, verify};

/// What is known of the trail's integrity.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Integrity {
    /// Nobody asked: the report says nothing about whether entries were altered.
    NotChecked,
    /// The whole trail was verified.
    Checked(Box<Checked>),
}

/// The verification, with its evidence.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// What `auditlog verify --json` says.
    pub verification: verify::Report,
    /// The signed checkpoint, as it stands in the trail.
    pub checkpoint: Option<String>,
    /// Proofs of the period's first and last signed entry: who has these and the key can check them
    /// without the trail.
    pub proofs: Vec<AttachedProof>,
    /// Why a proof is not here.
    pub not_attached: Vec<String>,
}

/// An entry with its C2SP tlog-proof: the two files that `auditlog check` takes.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct AttachedProof {
    /// Which entry.
    pub seq: u64,
    /// Its line, as it stands on disk.
    pub entry: String,
    /// The proof.
    pub proof: String,
    /// The key that signed the checkpoint in it.
    pub key: String,
    /// The oldest key of the trail from which the rotations in the proof lead to that one, if it is
    /// another: the first one, as a rule, which verifiers pin.
    pub from_key: Option<String>,
}

impl Integrity {
    /// The verdict, if there is one.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Integrity::NotChecked => None,
            Integrity::Checked(checked) => Some(checked.verification.verdict),
        }
    }

    /// Attaches the evidence for entries from `first` to `last`.
    pub(super) fn checked(
        source: &Source,
        verification: verify::Report,
        range: Option<(u64, u64)>,
    ) -> Result<Integrity, ReadError> {
        let checkpoint = source.small_file("checkpoint", MAX_NOTE as u64 + 1)?;
        let checkpoint = checkpoint.and_then(|bytes| String::from_utf8(bytes).ok());
        let mut checked =
            Checked { verification, checkpoint, proofs: Vec::new(), not_attached: Vec::new() };
        let size = checked.verification.sealed_size.unwrap_or(0);
        if let Some((first, last)) = range.filter(|(first, _)| *first < size) {
            let mut wanted = vec![first, last.min(size - 1)];
            wanted.dedup();
            for seq in wanted {
                checked.attach(source, seq);
            }
        }
        Ok(Integrity::Checked(Box::new(checked)))
    }

    pub(super) fn findings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let findings = match self {
            Integrity::NotChecked => None,
            Integrity::Checked(checked) => Some(&checked.verification.findings),
        };
        let counts = findings.into_iter().flat_map(|findings| findings.counts());
        counts.map(|(kind, count)| (kind.name(), *count))
    }
}

impl Checked {
    fn attach(&mut self, source: &Source, seq: u64) {
        match prove(source, seq) {
            Ok(evidence) => self.proofs.push(AttachedProof {
                seq,
                entry: String::from_utf8_lossy(&evidence.line).into_owned(),
                proof: evidence.proof.to_string(),
                key: evidence.key.to_string(),
                from_key: evidence.from_key.map(|key| key.to_string()),
            }),
            Err(error) => self.not_attached.push(format!("no proof of entry {seq}: {error}")),
        }
    }
}

/// When the first entry that the trail still has was recorded, as its id says: the time that an event
/// states of itself may be any.
pub(super) fn oldest(source: &Source) -> Result<Option<(u64, String)>, ReadError> {
    let mut reader = crate::TrailReader::new(source.clone());
    Ok(match reader.step()? {
        crate::Step::Line(_, line) => {
            let entry = Entry::parse(line.bytes).ok();
            entry.map(|entry| (entry.seq(), time(recorded_ms(entry.audit_id()))))
        }
        _ => None,
    })
}

//! One round: the trail's newest checkpoint, every witness of the policy, `witnessed`.
//!
//! What must stay true here: `witnessed` moves forward only, and only to what satisfies the policy.
//! What it says is held against the trail first, so a rollback or fork is found without a network.
//! Witnesses are asked side by side: one that is slow holds up no other.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit_core::checkpoint::{CheckpointError, SignedCheckpoint};
use audit_core::meta::TrailInfo;
use audit_core::note::{NoteSignature, VerifierKey};
use audit_reader::{DirSource, ReadError};
use serde::Serialize;
use thiserror::Error;

use crate::claim::{Claim, WITNESSED, read_note};
use crate::client::{self, Client};
use crate::policy::{Policy, Witness};
use crate::submit::{Evidence, Outcome, Submission};
use crate::tree::{TrailTree, TreeReadError};

/// How witnesses are asked.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// How long one exchange with a witness may take.
    pub timeout: Duration,
}

impl Default for SyncOptions {
    fn default() -> SyncOptions {
        SyncOptions { timeout: Duration::from_secs(10) }
    }
}

/// Why nothing was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The trail has no checkpoint yet.
    #[error("the trail has no checkpoint yet; its writer makes one, look again later")]
    NoCheckpoint,
    /// The trail's checkpoint is none.
    #[error("the trail's checkpoint: {0}; run `auditlog verify`")]
    Checkpoint(CheckpointError),
    /// The checkpoint is of another log than the policy or the trail says.
    #[error("the checkpoint is of {found}, expected {expected}; check the policy's `log` lines")]
    OtherLog {
        /// What the policy or `trail.json` names.
        expected: String,
        /// What the checkpoint names.
        found: String,
    },
    /// The trail does not lead to its own checkpoint.
    #[error(transparent)]
    Tree(#[from] TreeReadError),
    /// Another process is doing the same.
    #[error("another process is asking witnesses for this trail; let one of them do it")]
    Busy,
    /// `witnessed` could not be read or written.
    #[error("cannot {what} in {}: {source}; check owner and space", dir.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What came of a round.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// The log.
    pub origin: String,
    /// The size of the checkpoint that was submitted.
    pub size: u64,
    /// Whether its cosignatures satisfy the policy.
    pub satisfied: bool,
    /// Whether `witnessed` was replaced by it.
    pub written: bool,
    /// What `witnessed`, as it stood, says against the trail.
    pub local_finding: Option<Outcome>,
    /// Each witness of the policy.
    pub witnesses: Vec<WitnessReport>,
}

/// What one witness did.
#[derive(Debug, Clone, Serialize)]
pub struct WitnessReport {
    /// Its name in the policy.
    pub name: String,
    /// What came of asking it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl SyncReport {
    /// Whether anybody reports another history than the trail's. Loud: look at once.
    #[must_use]
    pub fn has_finding(&self) -> bool {
        self.local_finding.is_some() || self.witnesses.iter().any(|by| by.outcome.is_finding())
    }

    /// How many entries are witnessed as the policy asks for, by somebody at least, and with nobody
    /// reporting another history: what a follower tells the logger. `None` if that is not so.
    #[must_use]
    pub fn witnessed_size(&self) -> Option<u64> {
        let is_seen =
            self.witnesses.iter().any(|by| matches!(by.outcome, Outcome::Cosigned { .. }));
        (self.satisfied && is_seen && !self.has_finding()).then_some(self.size)
    }
}

/// What asking one witness gave: an outcome and its signatures.
type Answer = Result<(Outcome, Vec<NoteSignature>), TreeReadError>;

/// Gets a trail's checkpoints cosigned.
#[derive(Debug)]
pub struct WitnessSync {
    dir: PathBuf,
    policy: Policy,
    agent: ureq::Agent,
    /// What each witness cosigned last, as far as is known.
    seen: HashMap<String, u64>,
}

impl WitnessSync {
    /// For the trail in `dir`. Touches nothing yet.
    #[must_use]
    pub fn new(dir: &Path, policy: Policy, options: &SyncOptions) -> WitnessSync {
        let agent = client::agent(options.timeout);
        WitnessSync { dir: dir.to_owned(), policy, agent, seen: HashMap::new() }
    }

    /// The trail's checkpoint as it stands, to see whether it changed; `None` if there is none.
    pub(crate) fn checkpoint_bytes(&self) -> Option<Vec<u8>> {
        read_note(&self.dir, "checkpoint").ok().flatten()
    }

    /// Asks every witness for the newest checkpoint.
    ///
    /// # Errors
    /// [`SyncError`] if nothing could be asked. What witnesses do is never an error but an
    /// [`Outcome`].
    pub fn sync(&mut self) -> Result<SyncReport, SyncError> {
        let io = |what| {
            let dir = self.dir.clone();
            move |source| SyncError::Io { what, dir, source }
        };
        let source = DirSource::open(&self.dir)?;
        let claim = Claim::take(&self.dir).map_err(io("lock"))?.ok_or(SyncError::Busy)?;
        let old = read_note(&self.dir, WITNESSED).map_err(io("read `witnessed`"))?;
        let bytes = read_note(&self.dir, "checkpoint").map_err(io("read `checkpoint`"))?;
        let bytes = bytes.ok_or(SyncError::NoCheckpoint)?;
        let checkpoint = SignedCheckpoint::parse(&bytes).map_err(SyncError::Checkpoint)?;
        let stated = checkpoint.unverified().clone();
        let initial_key = self.check_log(&stated.origin)?;

        let tree = TrailTree::new(source.clone(), stated.size, stated.root);
        let (old, local_finding) = self.judge(old.as_deref(), &tree, &stated.origin)?;
        let submission =
            Submission { source: &source, tree: &tree, checkpoint: &checkpoint, initial_key };
        let mut note = checkpoint.clone();
        let mut witnesses = Vec::new();
        for (witness, answer) in self.ask_all(&submission, old.as_ref()) {
            let (outcome, signatures) = answer?;
            if let Outcome::Cosigned { .. } = outcome {
                self.seen.insert(witness.name.clone(), stated.size);
                for signature in signatures {
                    // Full only with more witnesses than a note can hold: then it is not satisfied.
                    drop(note.add(signature));
                }
            }
            witnesses.push(WitnessReport { name: witness.name.clone(), outcome });
        }
        let keys = self.policy.keys();
        let cosigned = note.verify_cosignatures(&keys).unwrap_or_default();
        let satisfied = self.policy.is_satisfied_by(cosigned.iter().map(|by| by.key));
        let better = old.as_ref().is_none_or(|old| {
            let had = old.verify_cosignatures(&keys).map_or(0, |by| by.len());
            stated.size > old.unverified().size || cosigned.len() >= had
        });
        let written = satisfied && better && local_finding.is_none();
        if written {
            claim
                .replace(&self.dir, WITNESSED, note.to_string().as_bytes())
                .map_err(io("replace `witnessed`"))?;
        }
        let (origin, size) = (stated.origin, stated.size);
        Ok(SyncReport { origin, size, satisfied, written, local_finding, witnesses })
    }

    /// The origin against the policy and `trail.json`; gives the key the trail says it began with.
    fn check_log(&self, origin: &str) -> Result<Option<VerifierKey>, SyncError> {
        let other = |expected: &str| SyncError::OtherLog {
            expected: expected.to_owned(),
            found: origin.to_owned(),
        };
        let logs = self.policy.logs();
        if let Some(first) = logs.first()
            && !logs.iter().any(|key| key.name() == origin)
        {
            return Err(other(first.name()));
        }
        let info = read_note(&self.dir, "trail.json").ok().flatten();
        let info = info.and_then(|bytes| serde_json::from_slice::<TrailInfo>(&bytes).ok());
        let Some(info) = info else { return Ok(None) };
        if info.origin != origin {
            return Err(other(&info.origin));
        }
        Ok(VerifierKey::parse(&info.initial_key).ok())
    }

    /// `witnessed` as it stands: is it true, and is it of this history? One that no quorum of
    /// witnesses cosigned says nothing.
    fn judge(
        &self,
        bytes: Option<&[u8]>,
        tree: &TrailTree,
        origin: &str,
    ) -> Result<(Option<SignedCheckpoint>, Option<Outcome>), SyncError> {
        let note = bytes.and_then(|bytes| SignedCheckpoint::parse(bytes).ok());
        let keys = self.policy.keys();
        let note = note.filter(|note| {
            let by = note.verify_cosignatures(&keys).unwrap_or_default();
            note.unverified().origin == origin
                && !by.is_empty()
                && self.policy.is_satisfied_by(by.iter().map(|by| by.key))
        });
        let Some(note) = note else { return Ok((None, None)) };
        let (seen, root) = (note.unverified().size, note.unverified().root);
        let evidence = Some(Evidence { checkpoint: note.to_string(), signed_by_log: false });
        if seen > tree.size() {
            return Ok((Some(note), Some(Outcome::Rollback { seen, evidence })));
        }
        let fork = tree.root_at(seen)? != root;
        Ok((Some(note), fork.then_some(Outcome::Fork { seen, evidence })))
    }

    /// Asks all witnesses at once.
    fn ask_all(
        &self,
        submission: &Submission<'_>,
        old: Option<&SignedCheckpoint>,
    ) -> Vec<(Witness, Answer)> {
        std::thread::scope(|scope| {
            let asked: Vec<_> = self
                .policy
                .witnesses()
                .iter()
                .map(|witness| {
                    let guess = self.seen.get(&witness.name).copied().unwrap_or_else(|| {
                        let key = std::slice::from_ref(&witness.key);
                        old.filter(|old| old.verify_cosignatures(key).is_ok())
                            .map_or(0, |old| old.unverified().size)
                    });
                    let asking = witness.url.clone().map(|url| {
                        let client = Client::new(self.agent.clone(), url);
                        scope.spawn(move || submission.ask(&client, witness, guess))
                    });
                    (witness, asking)
                })
                .collect();
            asked
                .into_iter()
                .map(|(witness, asking)| {
                    let answer = match asking.map(std::thread::ScopedJoinHandle::join) {
                        None => Ok((Outcome::NoUrl, Vec::new())),
                        Some(Ok(answer)) => answer,
                        Some(Err(_)) => {
                            let reason = "this program failed while asking".to_owned();
                            Ok((Outcome::Unreachable { reason }, Vec::new()))
                        }
                    };
                    (witness.clone(), answer)
                })
                .collect()
        })
    }
}

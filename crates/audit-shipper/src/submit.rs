//! One checkpoint, one witness: from the first question to an outcome.
//!
//! What must stay true here: a proof is sent only after it was verified here, so a witness that
//! refuses it has seen another history, or lies; which of the two is told by what it signed. A
//! witness is asked a bounded number of times, whatever it answers.

use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::note::{NoteSignature, VerifierKey};
use audit_core::proof::{RotationProof, TlogProof};
use audit_reader::DirSource;
use serde::Serialize;

use crate::client::{Answer, Client, Failure};
use crate::policy::Witness;
use crate::rotation::rotations;
use crate::tree::{TrailTree, TreeReadError};

/// How often a witness may answer 409 with another size.
const MAX_TRIES: usize = 5;

/// What came of asking a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It cosigned, at this time (POSIX seconds).
    Cosigned {
        /// The time it says.
        time: u64,
    },
    /// The policy has no URL for it: it was not asked.
    NoUrl,
    /// It could not be reached. Try again; if it stays away, ask its operator.
    Unreachable {
        /// What the system said.
        reason: String,
    },
    /// It did not answer in time.
    TimedOut,
    /// It does not know this log: its operator must add it.
    UnknownLog,
    /// It knows the log, but not the key: its operator must add the key.
    UnknownKey,
    /// It answered something that is no outcome of the protocol: the fault of the witness.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// It answered what no honest witness does: a false signature, a size that cannot be.
    Lying {
        /// What it did.
        what: &'static str,
    },
    /// It has cosigned more of this log than there is: the trail was rolled back, or restored.
    Rollback {
        /// How many entries it says it has seen.
        seen: u64,
        /// What it shows for it.
        evidence: Option<Evidence>,
    },
    /// It has cosigned another history of this log.
    Fork {
        /// The size it cosigned.
        seen: u64,
        /// What it shows for it.
        evidence: Option<Evidence>,
    },
}

/// A checkpoint that the witness shows, with its cosignature, which was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The note. Keep it.
    pub checkpoint: String,
    /// A key of this trail signed it: then it is proof, and no word of the witness is needed.
    pub signed_by_log: bool,
}

impl Outcome {
    /// Whether it says that the trail is not the history the witness has seen.
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        matches!(self, Outcome::Rollback { .. } | Outcome::Fork { .. })
    }
}

/// What is submitted, and whence.
pub(crate) struct Submission<'a> {
    pub(crate) source: &'a DirSource,
    pub(crate) tree: &'a TrailTree,
    pub(crate) checkpoint: &'a SignedCheckpoint,
    /// The key the trail says it began with.
    pub(crate) initial_key: Option<VerifierKey>,
}

/// What ended the asking early.
enum Stop {
    Outcome(Outcome),
    Tree(TreeReadError),
}

impl From<TreeReadError> for Stop {
    fn from(error: TreeReadError) -> Stop {
        Stop::Tree(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Outcome(match failure {
            Failure::Unreachable(reason) => Outcome::Unreachable { reason },
            Failure::TimedOut => Outcome::TimedOut,
            Failure::Nonsense(what) => Outcome::Lying { what },
        })
    }
}

/// What one round of `add-checkpoint` came to.
enum Round {
    Signatures(Vec<NoteSignature>),
    UnknownKey,
    /// The witness has cosigned this much, which is more.
    Ahead(u64),
    /// It refused the proof from this size.
    Refused(u64),
}

impl Submission<'_> {
    /// Asks a witness that probably cosigned `old` last. The signatures are its own and verified.
    pub(crate) fn ask(
        &self,
        client: &Client,
        witness: &Witness,
        old: u64,
    ) -> Result<(Outcome, Vec<NoteSignature>), TreeReadError> {
        match self.run(client, witness, old) {
            Ok(done) => Ok(done),
            Err(Stop::Outcome(outcome)) => Ok((outcome, Vec::new())),
            Err(Stop::Tree(error)) => Err(error),
        }
    }

    fn run(
        &self,
        client: &Client,
        witness: &Witness,
        old: u64,
    ) -> Result<(Outcome, Vec<NoteSignature>), Stop> {
        let size = self.tree.size();
        let mut round = self.add(client, self.checkpoint, self.tree, old.min(size))?;
        if matches!(round, Round::UnknownKey) {
            let known = match self.introduce_keys(client) {
                Err(Stop::Outcome(Outcome::UnknownKey)) => {
                    return Err(Stop::Outcome(self.unknown_key(client, witness)?));
                }
                known => known?,
            };
            round = self.add(client, self.checkpoint, self.tree, known)?;
        }
        match round {
            Round::Signatures(signatures) => self.verify(witness, signatures),
            Round::UnknownKey => Err(Stop::Outcome(self.unknown_key(client, witness)?)),
            Round::Ahead(seen) => {
                let evidence = self.evidence(client, witness);
                let outcome = match &evidence {
                    Some((shown, _)) if shown.size <= size => {
                        Outcome::Lying { what: "409 with a larger size than it shows" }
                    }
                    _ => Outcome::Rollback { seen, evidence: evidence.map(|shown| shown.1) },
                };
                Err(Stop::Outcome(outcome))
            }
            Round::Refused(seen) => {
                let evidence = self.evidence(client, witness);
                if let Some((shown, _)) = &evidence
                    && shown.size <= size
                    && self.tree.root_at(shown.size)? == shown.root
                {
                    let what = "a valid consistency proof refused";
                    return Err(Stop::Outcome(Outcome::Lying { what }));
                }
                let evidence = evidence.map(|shown| shown.1);
                Err(Stop::Outcome(Outcome::Fork { seen, evidence }))
            }
        }
    }

    /// A witness that does not know our key may know another history's, which changed keys otherwise: what
    /// it shows says which it is.
    fn unknown_key(&self, client: &Client, witness: &Witness) -> Result<Outcome, Stop> {
        let Some((shown, evidence)) = self.evidence(client, witness) else {
            return Ok(Outcome::UnknownKey);
        };
        let (seen, evidence) = (shown.size, Some(evidence));
        if seen > self.tree.size() {
            return Ok(Outcome::Rollback { seen, evidence });
        }
        let is_ours = self.tree.root_at(seen)? == shown.root;
        Ok(if is_ours { Outcome::UnknownKey } else { Outcome::Fork { seen, evidence } })
    }

    /// Submits a checkpoint, corrected by the sizes the witness reports.
    fn add(
        &self,
        client: &Client,
        checkpoint: &SignedCheckpoint,
        tree: &TrailTree,
        mut old: u64,
    ) -> Result<Round, Stop> {
        for _ in 0..MAX_TRIES {
            let (_, proof) = tree.consistency(old)?;
            match client.add_checkpoint(old, &proof, checkpoint)? {
                Answer::Signatures(signatures) => return Ok(Round::Signatures(signatures)),
                Answer::UnknownKey => return Ok(Round::UnknownKey),
                Answer::UnknownOrigin => return Err(Stop::Outcome(Outcome::UnknownLog)),
                Answer::Refused => return Ok(Round::Refused(old)),
                Answer::Status(status) => return Err(Stop::Outcome(Outcome::Status { status })),
                Answer::Conflict(size) if size > tree.size() => return Ok(Round::Ahead(size)),
                Answer::Conflict(size) if size == old => {
                    let what = "409 with the size that was sent";
                    return Err(Stop::Outcome(Outcome::Lying { what }));
                }
                Answer::Conflict(size) => old = size,
            }
        }
        Err(Stop::Outcome(Outcome::Lying { what: "409 with another size each time" }))
    }

    /// Leads the witness through the rotations it has not seen; gives the size it then has.
    fn introduce_keys(&self, client: &Client) -> Result<u64, Stop> {
        let origin = &self.checkpoint.unverified().origin;
        let mut known = match client.last_cosigned(origin) {
            Some(last) if last.unverified().origin == *origin => last.unverified().size,
            _ => 0,
        };
        known = known.min(self.tree.size());
        let found =
            rotations(self.source, origin, known.saturating_sub(1)).map_err(TreeReadError::Read)?;
        for rotation in found {
            let at = rotation.checkpoint.unverified();
            // What the trail holds of itself is believed only if it is a prefix of what was signed.
            if at.size > self.tree.size() || self.tree.root_at(at.size)? != at.root {
                continue;
            }
            let tree = TrailTree::new(self.source.clone(), at.size, at.root);
            match self.add(client, &rotation.checkpoint, &tree, known.min(at.size))? {
                Round::Signatures(_) => {}
                // It is further, or trusts a later key only: a later rotation may fit.
                Round::UnknownKey | Round::Ahead(_) => continue,
                Round::Refused(_) => return Ok(known),
            }
            known = at.size;
            let proof = TlogProof {
                extra: None,
                index: rotation.seq,
                hashes: tree.inclusion(rotation.seq, &rotation.leaf)?,
                checkpoint: rotation.checkpoint.clone(),
            };
            let proof = RotationProof { line: rotation.line, proof };
            if client.add_rotation(&proof.to_bytes())? != 200 {
                return Err(Stop::Outcome(Outcome::UnknownKey));
            }
        }
        Ok(known)
    }

    /// The witness's own signatures, all of them true.
    fn verify(
        &self,
        witness: &Witness,
        signatures: Vec<NoteSignature>,
    ) -> Result<(Outcome, Vec<NoteSignature>), Stop> {
        let lying = |what| Stop::Outcome(Outcome::Lying { what });
        let key = std::slice::from_ref(&witness.key);
        let mut own = Vec::new();
        let mut note = self.checkpoint.clone();
        for signature in signatures {
            if signature.name() == witness.key.name() && signature.id() == witness.key.id() {
                note.add(signature.clone()).map_err(|_| lying("too many signatures"))?;
                own.push(signature);
            }
        }
        if own.is_empty() {
            return Err(lying("200 without a signature of its key"));
        }
        let verified = note.verify_cosignatures(key).map_err(|_| lying("a false signature"))?;
        match verified.first().and_then(|by| by.timestamp) {
            Some(time) if time > 0 => {
                own.truncate(1);
                Ok((Outcome::Cosigned { time }, own))
            }
            _ => Err(lying("a cosignature without a time")),
        }
    }

    /// What the witness shows as its last, if it truly cosigned it.
    fn evidence(&self, client: &Client, witness: &Witness) -> Option<(Checkpoint, Evidence)> {
        let origin = &self.checkpoint.unverified().origin;
        let shown = client.last_cosigned(origin)?;
        shown.verify_cosignatures(std::slice::from_ref(&witness.key)).ok()?;
        if shown.unverified().origin != *origin {
            return None;
        }
        let mut keys: Vec<VerifierKey> = self.initial_key.iter().cloned().collect();
        let later = rotations(self.source, origin, 0).unwrap_or_default();
        keys.extend(later.into_iter().map(|rotation| rotation.new_key));
        let signed_by_log = keys.iter().any(|key| shown.verify(key).is_ok());
        let evidence = Evidence { checkpoint: shown.to_string(), signed_by_log };
        Some((shown.unverified().clone(), evidence))
    }
}

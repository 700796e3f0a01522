//! From a key that was pinned to the one that signed, within a proof.
//!
//! What must stay true here: the history stands in the proof's extra data, which nobody signs. So
//! nothing of it is believed: each step is a proof of its own, which the key before must have signed,
//! and the tree of each checkpoint is proven to extend the one before. Without the latter, the thief of
//! a key could put another past in front of the rotation to it. What is missing leaves a proof
//! unproven; what is there and does not hold spoils it.

use std::borrow::Cow;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use super::rotation::{RotationProof, RotationProofError};
use super::{ProofError, Proven, TlogProof};
use crate::chain::Hash;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{self, VerifierKey, VerifyError};
use crate::tree::{verify_consistency, verify_inclusion};

/// The rotations of a log's key, from one key on, as the extra data of a proof holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyHistory {
    /// In the order in which they happened.
    pub steps: Vec<KeyStep>,
}

/// One rotation, and what ties its tree to the next checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStep {
    /// That the key before vouches for the new one.
    pub rotation: RotationProof,
    /// That the tree of the next step's checkpoint, for the last step that of the proof itself,
    /// extends this one's: the hashes of an RFC 9162 consistency proof. A step without them proves
    /// no entry.
    pub consistency: Option<Vec<Hash>>,
}

/// The extra data: one JSON object.
#[derive(Serialize, Deserialize)]
struct Extra<'a> {
    #[serde(borrow)]
    key_history: Vec<Step<'a>>,
}

/// One rotation.
#[derive(Serialize, Deserialize)]
struct Step<'a> {
    /// The line of `audit.key_rotated`.
    #[serde(borrow)]
    entry: Cow<'a, str>,
    /// That it is the last of a tree, signed by the key before.
    #[serde(borrow)]
    proof: Cow<'a, str>,
    /// That the tree of the next checkpoint extends that one: each hash in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consistency: Option<Vec<String>>,
}

/// What a proof has proven by a key of another epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenFrom<'a> {
    /// The entry and the tree.
    pub proven: Proven<'a>,
    /// The key that signed.
    pub key: VerifierKey,
    /// How many rotations lead to it from the key that was given.
    pub rotations: usize,
}

impl KeyHistory {
    /// Reads extra data; `None` if it is something else, which is nobody's fault.
    ///
    /// # Errors
    /// [`RotationProofError`] if it is a key history and one of its proofs is none.
    pub fn parse(extra: &[u8]) -> Result<Option<KeyHistory>, RotationProofError> {
        let Ok(extra) = serde_json::from_slice::<Extra<'_>>(extra) else { return Ok(None) };
        let step = |step: Step<'_>| {
            let proof = TlogProof::parse(step.proof.as_bytes())?;
            let rotation = RotationProof { line: step.entry.into_owned().into_bytes(), proof };
            let consistency = step.consistency.as_deref().map(hashes).transpose()?;
            Ok::<_, RotationProofError>(KeyStep { rotation, consistency })
        };
        let steps = extra.key_history.into_iter().map(step).collect::<Result<_, _>>()?;
        Ok(Some(KeyHistory { steps }))
    }

    /// The bytes [`KeyHistory::parse`] reads; `None` for lines that are no entries: those are UTF-8.
    #[must_use]
    pub fn to_extra(&self) -> Option<Vec<u8>> {
        let step = |KeyStep { rotation, consistency }: &KeyStep| {
            let entry = str::from_utf8(&rotation.line).ok()?.to_owned().into();
            let base64 = |hash: &Hash| Base64::encode_string(&hash.0);
            let consistency =
                consistency.as_ref().map(|hashes| hashes.iter().map(base64).collect());
            Some(Step { entry, proof: rotation.proof.to_string().into(), consistency })
        };
        let key_history = self.steps.iter().map(step).collect::<Option<_>>()?;
        serde_json::to_vec(&Extra { key_history }).ok()
    }
}

fn hashes(encoded: &[String]) -> Result<Vec<Hash>, RotationProofError> {
    let hash = |text: &String| note::base64_hash(text).ok_or(RotationProofError::Hashes);
    encoded.iter().map(hash).collect()
}

/// A walk from the key that was given.
struct Walk<'a> {
    key: VerifierKey,
    /// It signs trees larger than this.
    after: u64,
    /// The keys before it, which sign nothing larger.
    retired: Vec<VerifierKey>,
    /// The last step, by its number: the next checkpoint must extend its tree.
    last: Option<(usize, &'a KeyStep)>,
    /// The first step that nothing ties to the next.
    untied: Option<usize>,
}

impl TlogProof {
    /// Verifies that `line` is entry `index` of the log whose key this is, or was: the proof may carry
    /// the rotations that lead from it to the key that signed.
    ///
    /// # Errors
    /// As [`TlogProof::verify_entry`]; [`ProofError::UnknownKey`] if nothing is wrong and nothing leads
    /// from this key to the one that signed, [`ProofError::Untied`] if nothing is wrong and nothing says
    /// that what was signed goes on from what the keys before signed; [`ProofError::History`] and [`ProofError::NotInForce`] if
    /// the rotations do not hold, or do not allow the key that signed.
    pub fn verify_from(
        &self,
        line: &[u8],
        pinned: &VerifierKey,
    ) -> Result<ProvenFrom<'_>, ProofError> {
        let leaf = self.leaf(line)?;
        // Before any key: what leads to no root is no proof, whoever signed it.
        let said = self.checkpoint.unverified();
        verify_inclusion(&leaf, self.index, said.size, &said.root, &self.hashes)?;
        let history = self.extra.as_deref().map(KeyHistory::parse).transpose();
        let history =
            history.map_err(|error| ProofError::History { step: 0, why: error.into() })?;
        let history = history.flatten().unwrap_or_default();
        let mut walk = walk(&history, pinned)?;
        let checkpoint = match self.checkpoint.verify(&walk.key) {
            Ok(checkpoint) if checkpoint.size > walk.after => checkpoint,
            Ok(checkpoint) => {
                return Err(ProofError::NotInForce { id: walk.key.id(), size: checkpoint.size });
            }
            Err(error) if !is_unknown(&error) => return Err(error.into()),
            Err(_) => {
                let old = walk.retired.iter().find(|key| self.checkpoint.verify(key).is_ok());
                return Err(match old {
                    Some(key) => ProofError::NotInForce { id: key.id(), size: said.size },
                    None => ProofError::UnknownKey { id: walk.key.id() },
                });
            }
        };
        walk.reach(checkpoint)?;
        if let Some(step) = walk.untied {
            return Err(ProofError::Untied { step });
        }
        let proven = Proven { index: self.index, leaf, checkpoint };
        Ok(ProvenFrom { proven, key: walk.key, rotations: walk.retired.len() })
    }
}

/// As far as the rotations lead.
fn walk<'a>(history: &'a KeyHistory, pinned: &VerifierKey) -> Result<Walk<'a>, ProofError> {
    let key = pinned.clone();
    let mut walk = Walk { key, after: 0, retired: Vec::new(), last: None, untied: None };
    for (number, step) in (1..).zip(&history.steps) {
        let rotation = &step.rotation;
        let why = match rotation.verify(&walk.key) {
            Ok(new) if rotation.size() > walk.after => {
                walk.reach(rotation.proof.checkpoint.unverified())?;
                walk.last = Some((number, step));
                walk.after = rotation.size();
                walk.retired.push(std::mem::replace(&mut walk.key, new));
                continue;
            }
            // The key that was given is of a later epoch.
            Err(RotationProofError::Proof(ProofError::Checkpoint(error)))
                if is_unknown(&error) && walk.retired.is_empty() =>
            {
                continue;
            }
            Ok(_) => RotationProofError::NotInOrder,
            Err(why) => why,
        };
        return Err(ProofError::History { step: number, why: why.into() });
    }
    Ok(walk)
}

impl Walk<'_> {
    /// The next checkpoint, which the key signed: its tree must extend that of the last step.
    fn reach(&mut self, next: &Checkpoint) -> Result<(), ProofError> {
        let Some((number, step)) = self.last else { return Ok(()) };
        let Some(hashes) = &step.consistency else {
            // What is wrong further on weighs more than what is missing here.
            self.untied.get_or_insert(number);
            return Ok(());
        };
        let old = step.rotation.proof.checkpoint.unverified();
        verify_consistency(old.size, &old.root, next.size, &next.root, hashes).map_err(|error| {
            let why = RotationProofError::NotExtended(error).into();
            ProofError::History { step: number, why }
        })
    }
}

/// Signed by others, and by nothing that fails.
fn is_unknown(error: &CheckpointError) -> bool {
    matches!(error, CheckpointError::Verify(VerifyError::NoKnownKey { .. }))
}

#[cfg(test)]
mod tests;

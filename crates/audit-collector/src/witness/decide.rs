//! What a witness answers: a function of what it knows and what it is asked.
//!
//! What must stay true here: the checks are those of C2SP tlog-witness, in its order, and nothing is
//! cosigned that does not extend what was cosigned before. No file, no clock.

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::{Verified, VerifierKey};
use audit_core::proof::RotationProof;
use audit_core::tree::{empty_root, verify_consistency};

use super::request::AddCheckpoint;
use super::state::{LogState, Rotation};

/// Why a request is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400.
    Malformed(&'static str),
    /// 403.
    Signature,
    /// 409 with the size that was cosigned last.
    Conflict(u64),
    /// 422.
    Inconsistent,
    /// 422, and signed: the log has two histories.
    Fork,
}

/// Whether to cosign; gives the checkpoint with the log's own signatures only.
pub(super) fn add_checkpoint(
    state: &LogState,
    pinned: &[VerifierKey],
    request: &AddCheckpoint,
) -> Result<SignedCheckpoint, Refusal> {
    let asked = request.checkpoint.unverified();
    let keys = state.keys_at(pinned, asked.size);
    let verified = request.checkpoint.note().verify(&keys).map_err(|_| Refusal::Signature)?;
    if request.old > asked.size {
        return Err(Refusal::Malformed("the old size is larger than the checkpoint's"));
    }
    let size = state.size();
    if request.old != size {
        return Err(Refusal::Conflict(size));
    }
    if asked.size == 0 && asked.root != empty_root() {
        return Err(Refusal::Inconsistent);
    }
    let root = state.last.as_ref().map_or_else(empty_root, |last| last.unverified().root);
    if request.old == asked.size && asked.root != root {
        return Err(Refusal::Fork);
    }
    verify_consistency(size, &root, asked.size, &asked.root, &request.proof)
        .map_err(|_| Refusal::Inconsistent)?;
    own_signatures(&request.checkpoint, &verified).ok_or(Refusal::Signature)
}

/// The checkpoint without signatures of keys nobody here knows.
fn own_signatures(
    checkpoint: &SignedCheckpoint,
    verified: &[Verified<'_>],
) -> Option<SignedCheckpoint> {
    let note = checkpoint.note();
    let mut text = format!("{}\n", note.text());
    for key in verified.iter().map(|by| by.key) {
        let mut lines = note.signatures().iter();
        let line = lines.find(|by| by.name() == key.name() && by.id() == key.id())?;
        text.push_str(&line.to_string());
    }
    SignedCheckpoint::parse(text.as_bytes()).ok()
}

/// Whether to follow a rotation. `None`: it is known already.
pub(super) fn add_rotation(
    state: &LogState,
    pinned: &[VerifierKey],
    request: &RotationProof,
) -> Result<Option<Rotation>, Refusal> {
    let signed = &request.proof.checkpoint;
    let at = signed.unverified();
    let keys = state.keys_at(pinned, at.size);
    let verified = signed.note().verify(&keys).map_err(|_| Refusal::Signature)?;
    let Some(old) = verified.first().map(|by| by.key) else { return Err(Refusal::Signature) };
    let new = request.verify(old).map_err(|_| Refusal::Inconsistent)?;
    let step = Rotation { size: at.size, old: old.clone(), new };
    if let Some(known) = state.rotations.iter().find(|known| known.old == step.old) {
        return if *known == step { Ok(None) } else { Err(Refusal::Fork) };
    }
    // Only at the place where we stand: everything before it is consistent, nothing is after it.
    if at.size != state.size() {
        return Err(Refusal::Conflict(state.size()));
    }
    if state.last.as_ref().is_none_or(|last| last.unverified().root != at.root) {
        return Err(Refusal::Fork);
    }
    let reused = state.rotations.iter().any(|known| known.old == step.new);
    if reused || step.old == step.new {
        return Err(Refusal::Inconsistent);
    }
    Ok(Some(step))
}

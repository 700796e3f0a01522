//! What a witness knows of one log, and the file that holds it.
//!
//! What must stay true here: a file says one thing only and is written back bit for bit; one that
//! is not understood is an error and never taken for "nothing seen yet", which would be a rollback.

use std::fmt::{self, Write};

use audit_core::chain::Hash;
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::VerifierKey;
use sha2::{Digest, Sha256};

use super::request::decimal;

/// The digest of everything after the line follows.
const HEADER: &str = "audit-witness-state/1 ";

/// As many steps are kept apart.
const MAX_ROTATIONS: usize = 64;

/// A rotation that was proven: the old key signs trees up to this size, the new one larger ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotation {
    pub(super) size: u64,
    pub(super) old: VerifierKey,
    pub(super) new: VerifierKey,
}

/// What is known of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogState {
    pub(super) rotations: Vec<Rotation>,
    /// The last cosigned checkpoint: the log's signature and ours.
    pub(super) last: Option<SignedCheckpoint>,
    /// The time of our last cosignature.
    pub(super) time: u64,
}

impl LogState {
    pub(super) const EMPTY: LogState = LogState { rotations: Vec::new(), last: None, time: 0 };

    /// The size cosigned last; 0 before the first.
    pub(super) fn size(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.unverified().size)
    }

    /// The keys that may sign a tree of this size, if the operator trusts `pinned`.
    pub(super) fn keys_at(&self, pinned: &[VerifierKey], size: u64) -> Vec<VerifierKey> {
        let mut keys: Vec<VerifierKey> = Vec::new();
        for first in pinned {
            let mut key = first;
            let mut after = 0;
            // In order of size, so one pass follows a whole chain.
            for step in &self.rotations {
                if step.old == *key && step.size >= after && size > step.size {
                    (key, after) = (&step.new, step.size);
                }
            }
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// Adds a rotation. Of long chains the oldest steps become one, so the file stays small: for
    /// sizes as old as that nothing is cosigned any more, whoever signs.
    pub(super) fn follow(&mut self, step: Rotation, pinned: &[VerifierKey]) {
        self.rotations.push(step);
        while self.rotations.len() > MAX_ROTATIONS {
            let steps = &self.rotations;
            let joint = |i: usize| {
                let middle = steps.get(i).map(|step| &step.new).filter(|k| !pinned.contains(k))?;
                steps.iter().position(|step| step.old == *middle).map(|j| (i, j))
            };
            let Some((first, second)) = (0..steps.len()).find_map(joint) else { return };
            self.rotations[second].old = self.rotations[first].old.clone();
            self.rotations.remove(first);
        }
    }

    /// Reads a file.
    pub(super) fn parse(bytes: &[u8]) -> Option<LogState> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.lines();
        // Its digest is compared below, with everything else.
        lines.next()?.strip_prefix(HEADER)?;
        let time = decimal(lines.next()?.strip_prefix("time ")?)?;
        let mut rotations = Vec::new();
        for line in lines {
            let mut words = line.strip_prefix("rotated ")?.split(' ');
            let size = decimal(words.next()?)?;
            let old = VerifierKey::parse(words.next()?).ok()?;
            let new = VerifierKey::parse(words.next()?).ok()?;
            if words.next().is_some() {
                return None;
            }
            rotations.push(Rotation { size, old, new });
        }
        // A file is made with the first cosignature: one without is cut.
        let last = Some(SignedCheckpoint::parse(note.as_bytes()).ok()?);
        let state = LogState { rotations, last, time };
        (state.to_string() == text).then_some(state)
    }
}

/// The file. The digest tells a cut or altered one; it is no defence against who may write it.
impl fmt::Display for LogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = format!("time {}\n", self.time);
        for Rotation { size, old, new } in &self.rotations {
            writeln!(rest, "rotated {size} {old} {new}")?;
        }
        rest.push('\n');
        if let Some(last) = &self.last {
            write!(rest, "{last}")?;
        }
        write!(f, "{HEADER}{}\n{rest}", Hash(Sha256::digest(&rest).into()))
    }
}

#[cfg(test)]
mod tests {
    use audit_core::note::{SignatureType, Signer, SigningKey};

    use super::*;

    fn key(n: u8) -> VerifierKey {
        let key = SigningKey::from_seed(SignatureType::Ed25519, "log.example", &[n; 32]);
        key.unwrap().verifier_key().clone()
    }

    #[test]
    fn a_retired_key_signs_nothing_more() {
        let step = |size, old, new| Rotation { size, old: key(old), new: key(new) };
        let rotations = vec![step(10, 1, 2), step(20, 2, 3)];
        let state = LogState { rotations, ..LogState::EMPTY };
        for (size, expected) in [(0, 1), (10, 1), (11, 2), (20, 2), (21, 3), (u64::MAX, 3)] {
            assert_eq!(state.keys_at(&[key(1)], size), [key(expected)], "{size}");
        }
        // Pinned in the middle, and beside a key that replaced a lost one.
        assert_eq!(state.keys_at(&[key(2)], 5), [key(2)]);
        assert_eq!(state.keys_at(&[key(1), key(3)], 30), [key(3)]);
        assert_eq!(state.keys_at(&[key(1), key(9)], 30), [key(3), key(9)]);
        assert_eq!(state.keys_at(&[], 5), []);
    }

    #[test]
    fn however_often_a_key_rotates_the_file_stays_small() {
        let mut state = LogState::EMPTY;
        let pinned = [key(0), key(30)];
        for n in 0..200u8 {
            let size = 10 * (u64::from(n) + 1);
            state.follow(Rotation { size, old: key(n), new: key(n + 1) }, &pinned);
            for trusted in &pinned[..1 + usize::from(n >= 30)] {
                let trusted = std::slice::from_ref(trusted);
                assert_eq!(state.keys_at(trusted, size + 1), [key(n + 1)]);
                assert_eq!(state.keys_at(trusted, size), [key(n)]);
            }
            assert!(state.rotations.len() <= MAX_ROTATIONS);
        }
    }
}

//! A log of four epochs: which keys prove an entry, and what a forged history is worth.

use std::convert::Infallible;

use super::*;
use crate::chain::{Hash, Head};
use crate::checkpoint::Checkpoint;
use crate::note::{SignatureType, Signer, SigningKey};
use crate::tree::{Frontier, consistency_proof, inclusion_proof};

const ORIGIN: &str = "example.com/history";
const EPOCHS: u8 = 4;

fn key(epoch: u8) -> SigningKey {
    SigningKey::from_seed(SignatureType::Ed25519, ORIGIN, &[epoch; 32]).unwrap()
}

fn public(epoch: u8) -> VerifierKey {
    key(epoch).verifier_key().clone()
}

/// A log: an entry, then for each further epoch `audit.key_rotated`, its seal and an entry.
struct Log {
    head: Head,
    tree: Frontier,
    stored: Vec<Hash>,
    lines: Vec<Vec<u8>>,
    rotations: Vec<RotationProof>,
}

impl Log {
    fn empty() -> Log {
        Log {
            head: Head::EMPTY,
            tree: Frontier::new(),
            stored: Vec::new(),
            lines: Vec::new(),
            rotations: Vec::new(),
        }
    }

    fn new() -> Log {
        let mut log = Log::empty();
        log.push("data.read", "{}");
        for epoch in 1..EPOCHS {
            log.rotate(epoch, &key(epoch - 1), &public(epoch));
            log.push("data.read", "{}");
        }
        log
    }

    fn push(&mut self, event_type: &str, details: &str) {
        let details =
            if details == "{}" { String::new() } else { format!(",\"details\":{details}") };
        let body = format!(
            "\"audit_id\":\"01932c05-aa01-7000-8000-{:012}\",\"timestamp\":\
             \"2026-11-23T06:54:00.000000000Z\",\"service_id\":\"x\",\"event_type\":\"{event_type}\",\
             \"result\":\"success\"{details}",
            self.lines.len()
        );
        let mut line = Vec::new();
        let leaf = crate::plan::append_line(&mut line, &mut self.head, body.as_bytes());
        line.pop();
        self.tree.push_with(leaf, |hash| self.stored.push(hash));
        self.lines.push(line);
    }

    fn rotate(&mut self, epoch: u8, old: &SigningKey, new: &VerifierKey) {
        let details = format!("{{\"epoch\":{epoch},\"new_key\":\"{new}\"}}");
        self.push("audit.key_rotated", &details);
        let proof = self.prove(self.tree.size() - 1, old);
        let line = self.lines.last().unwrap().clone();
        self.rotations.push(RotationProof { line, proof });
        self.push("audit.epoch_sealed", "{}");
    }

    fn stored(&self, at: u64) -> Result<Hash, Infallible> {
        Ok(self.stored[usize::try_from(at).unwrap()])
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency_proof(old, new, |at| self.stored(at)).unwrap()
    }

    /// As the log itself tells it now.
    fn history(&self) -> KeyHistory {
        let next = self.rotations.iter().skip(1).map(RotationProof::size);
        let next = next.chain([self.tree.size()]);
        let steps = self.rotations.iter().zip(next).map(|(rotation, next)| KeyStep {
            rotation: rotation.clone(),
            consistency: Some(self.consistency(rotation.size(), next)),
        });
        KeyHistory { steps: steps.collect() }
    }

    fn prove(&self, index: u64, key: &SigningKey) -> TlogProof {
        let size = self.tree.size();
        let checkpoint = Checkpoint::new(ORIGIN, size, self.tree.root()).sign(key).unwrap();
        let hashes = inclusion_proof(index, size, |at| self.stored(at)).unwrap();
        TlogProof { extra: None, index, hashes, checkpoint }
    }

    /// As written and read again.
    fn prove_with(&self, index: u64, key: &SigningKey, history: &KeyHistory) -> TlogProof {
        let proof = TlogProof { extra: history.to_extra(), ..self.prove(index, key) };
        let again = TlogProof::parse(proof.to_string().as_bytes()).unwrap();
        assert_eq!(again, proof);
        again
    }
}

#[test]
fn every_key_of_the_log_leads_to_the_one_that_signed() {
    let log = Log::new();
    for (index, line) in (0..).zip(&log.lines) {
        let proof = log.prove_with(index, &key(EPOCHS - 1), &log.history());
        for epoch in 0..EPOCHS {
            let proven = proof.verify_from(line, &public(epoch)).unwrap();
            assert_eq!(proven.key, public(EPOCHS - 1));
            assert_eq!(proven.rotations, usize::from(EPOCHS - 1 - epoch));
            assert_eq!((proven.proven.index, proven.proven.checkpoint.size), (index, 10));
        }
        let stranger = proof.verify_from(line, &public(99));
        assert!(matches!(stranger, Err(ProofError::UnknownKey { .. })), "{stranger:?}");
        let changed = String::from_utf8_lossy(line).replace("success", "failure");
        assert!(matches!(
            proof.verify_from(changed.as_bytes(), &public(0)),
            Err(ProofError::EntryHash { .. })
        ));
    }
}

#[test]
fn without_a_history_or_with_another_nothing_is_wrong_and_nothing_proven() {
    let log = Log::new();
    let signer = key(EPOCHS - 1);
    for extra in [None, Some(b"anything".to_vec()), Some(b"{\"key_history\":[]}".to_vec())] {
        let proof = TlogProof { extra, ..log.prove(0, &signer) };
        assert!(matches!(
            proof.verify_from(&log.lines[0], &public(0)),
            Err(ProofError::UnknownKey { .. })
        ));
        assert_eq!(proof.verify_from(&log.lines[0], &public(EPOCHS - 1)).unwrap().rotations, 0);
    }
    // The front or the end of it left out.
    let whole = log.history().steps;
    for part in [&whole[1..], &whole[..2]] {
        let part = KeyHistory { steps: part.to_vec() };
        let proof = log.prove_with(0, &signer, &part);
        let refused = proof.verify_from(&log.lines[0], &public(0));
        assert!(matches!(refused, Err(ProofError::UnknownKey { .. })), "{refused:?}");
    }
}

#[test]
fn a_history_that_does_not_hold_spoils_the_proof() {
    let log = Log::new();
    let signer = key(EPOCHS - 1);
    let refused = |history: &KeyHistory| {
        let proof = log.prove_with(0, &signer, history);
        proof.verify_from(&log.lines[0], &public(0)).unwrap_err()
    };
    // One left out, repeated, exchanged, or with another key written into its entry.
    let mut missing = log.history();
    missing.steps.remove(1);
    let mut repeated = log.history();
    repeated.steps.insert(1, repeated.steps[0].clone());
    let mut exchanged = log.history();
    exchanged.steps.swap(1, 2);
    let mut forged = log.history();
    let rotation = &mut forged.steps[0].rotation;
    let line = String::from_utf8(rotation.line.clone()).unwrap();
    rotation.line = line.replace(&public(1).to_string(), &public(7).to_string()).into();
    for history in [missing, repeated, exchanged, forged] {
        let refused = refused(&history);
        assert!(matches!(refused, ProofError::History { .. }), "{refused:?}");
    }
    // The thief of a key that is not in force any more.
    for epoch in 0..EPOCHS - 1 {
        let proof = log.prove_with(0, &key(epoch), &log.history());
        let refused = proof.verify_from(&log.lines[0], &public(0));
        assert!(matches!(refused, Err(ProofError::NotInForce { .. })), "{refused:?}");
    }
    // A key that signs before it is in force: the tree that the old one vouched for.
    let mut early = Log::empty();
    early.push("data.read", "{}");
    early.rotate(1, &key(0), &public(1));
    let size = early.rotations[0].size();
    let mut proof = early.rotations[0].proof.clone();
    let root = proof.checkpoint.unverified().root;
    proof.checkpoint = Checkpoint::new(ORIGIN, size, root).sign(&key(1)).unwrap();
    proof.extra = early.history().to_extra();
    let refused = proof.verify_from(&early.lines[1], &public(0));
    assert!(matches!(refused, Err(ProofError::NotInForce { .. })), "{refused:?}");
}

#[test]
fn an_entry_that_only_looks_like_a_rotation_names_no_key() {
    let mut log = Log::empty();
    let details = format!("{{\"epoch\":1,\"new_key\":\"{}\"}}", public(1));
    log.push("data.read", &details);
    let proof = log.prove(0, &key(0));
    log.rotations.push(RotationProof { line: log.lines[0].clone(), proof });
    log.push("data.read", "{}");
    let proof = log.prove_with(1, &key(1), &log.history());
    let refused = proof.verify_from(&log.lines[1], &public(0));
    assert!(matches!(refused, Err(ProofError::History { .. })), "{refused:?}");
}

#[test]
fn every_step_must_be_tied_to_the_next() {
    let log = Log::new();
    let signer = key(EPOCHS - 1);
    let proven_from = |epoch: u8, history: &KeyHistory| {
        let proof = log.prove_with(0, &signer, history);
        proof.verify_from(&log.lines[0], &public(epoch)).map(|proven| proven.rotations)
    };
    for at in 0..EPOCHS - 1 {
        let index = usize::from(at);
        let mut missing = log.history();
        missing.steps[index].consistency = None;
        let mut wrong = log.history();
        wrong.steps[index].consistency.as_mut().unwrap()[0].0[0] ^= 1;
        let mut short = log.history();
        short.steps[index].consistency.as_mut().unwrap().pop();
        for epoch in 0..EPOCHS {
            let rotations = usize::from(EPOCHS - 1 - epoch);
            let (missing, spoilt) =
                (proven_from(epoch, &missing), [&wrong, &short].map(|h| proven_from(epoch, h)));
            if epoch > at {
                assert_eq!(missing, Ok(rotations), "what is before the given key does not count");
                assert_eq!(spoilt, [Ok(rotations), Ok(rotations)]);
                continue;
            }
            assert_eq!(missing, Err(ProofError::Untied { step: index + 1 }));
            assert!(missing.unwrap_err().is_unproven());
            for refused in spoilt {
                let Err(error @ ProofError::History { .. }) = &refused else {
                    panic!("{refused:?}");
                };
                assert!(!error.is_unproven());
                let ProofError::History { step, why } = error else { unreachable!() };
                assert_eq!(*step, index + 1);
                assert!(matches!(**why, RotationProofError::NotExtended(_)), "{why:?}");
            }
        }
    }
    // What is wrong weighs more than what is missing before it.
    let mut both = log.history();
    both.steps[0].consistency = None;
    both.steps[2].consistency = Some(Vec::new());
    assert!(matches!(proven_from(0, &both), Err(ProofError::History { step: 3, .. })));
    // Hashes that are none.
    let extra = String::from_utf8(log.history().to_extra().unwrap()).unwrap();
    let extra = extra.replacen("\"consistency\":[\"", "\"consistency\":[\"*", 1);
    let refused = KeyHistory::parse(extra.as_bytes());
    assert_eq!(refused, Err(RotationProofError::Hashes));
}

/// Ten entries, a rotation in a tree of 11, then entries up to 20; `forged` is written otherwise.
fn of_twenty(forged: Option<usize>) -> Log {
    let mut log = Log::empty();
    let fill = |log: &mut Log, end| {
        while log.lines.len() < end {
            let is_forged = forged == Some(log.lines.len());
            log.push(if is_forged { "data.deleted" } else { "data.read" }, "{}");
        }
    };
    fill(&mut log, 10);
    log.rotate(1, &key(0), &public(1));
    fill(&mut log, 20);
    log
}

#[test]
fn the_thief_of_a_key_cannot_put_another_past_before_its_rotation() {
    let (honest, forged) = (of_twenty(None), of_twenty(Some(5)));
    assert_eq!((honest.rotations[0].size(), forged.tree.size()), (11, 20));
    let stolen = key(1);
    let refused = |log: &Log, signer: &SigningKey, history: &KeyHistory| {
        let proof = log.prove_with(5, signer, history);
        proof.verify_from(&log.lines[5], &public(0)).unwrap_err()
    };
    // The history is public. Whatever ties it to the forged tree: what was true for the honest one,
    // what is true within the forged one, or nothing.
    let mut history = honest.history();
    let within = forged.consistency(11, 20);
    for consistency in [history.steps[0].consistency.clone(), Some(within), Some(Vec::new())] {
        history.steps[0].consistency = consistency;
        let error = refused(&forged, &stolen, &history);
        assert!(matches!(error, ProofError::History { step: 1, .. }), "{error:?}");
    }
    history.steps[0].consistency = None;
    assert_eq!(refused(&forged, &stolen, &history), ProofError::Untied { step: 1 });

    // One more rotation, which the thief makes himself, in between.
    let mut longer = of_twenty(Some(5));
    longer.rotations.clone_from(&honest.rotations);
    longer.rotate(2, &stolen, &public(2));
    longer.push("data.read", "{}");
    let error = refused(&longer, &key(2), &longer.history());
    assert!(matches!(error, ProofError::History { step: 1, .. }), "{error:?}");

    // The honest one is proven, and what comes after the rotation is within the thief's reach.
    for (log, index) in [(&honest, 5), (&of_twenty(Some(15)), 15)] {
        let proof = log.prove_with(index, &stolen, &log.history());
        let line = &log.lines[usize::try_from(index).unwrap()];
        assert_eq!(proof.verify_from(line, &public(0)).unwrap().rotations, 1);
    }
}

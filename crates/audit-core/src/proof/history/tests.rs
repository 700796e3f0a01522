//! A log of four epochs: which keys prove an entry, and what a forged history is worth.

use std::convert::Infallible;

use super::*;
use crate::chain::{Hash, Head};
use crate::checkpoint::Checkpoint;
use crate::note::{SignatureType, Signer, SigningKey};
use crate::tree::{Frontier, inclusion_proof};

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
    history: KeyHistory,
}

impl Log {
    fn empty() -> Log {
        Log {
            head: Head::EMPTY,
            tree: Frontier::new(),
            stored: Vec::new(),
            lines: Vec::new(),
            history: KeyHistory::default(),
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
        self.history.rotations.push(RotationProof { line, proof });
        self.push("audit.epoch_sealed", "{}");
    }

    fn prove(&self, index: u64, key: &SigningKey) -> TlogProof {
        let size = self.tree.size();
        let checkpoint = Checkpoint::new(ORIGIN, size, self.tree.root()).sign(key).unwrap();
        let read = |at| Ok::<_, Infallible>(self.stored[usize::try_from(at).unwrap()]);
        let hashes = inclusion_proof(index, size, read).unwrap();
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
        let proof = log.prove_with(index, &key(EPOCHS - 1), &log.history);
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
    for part in [&log.history.rotations[1..], &log.history.rotations[..2]] {
        let part = KeyHistory { rotations: part.to_vec() };
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
    let mut missing = log.history.clone();
    missing.rotations.remove(1);
    let mut repeated = log.history.clone();
    repeated.rotations.insert(1, repeated.rotations[0].clone());
    let mut exchanged = log.history.clone();
    exchanged.rotations.swap(1, 2);
    let mut forged = log.history.clone();
    let line = String::from_utf8(forged.rotations[0].line.clone()).unwrap();
    forged.rotations[0].line = line.replace(&public(1).to_string(), &public(7).to_string()).into();
    for history in [missing, repeated, exchanged, forged] {
        let refused = refused(&history);
        assert!(matches!(refused, ProofError::History { .. }), "{refused:?}");
    }
    // The thief of a key that is not in force any more.
    for epoch in 0..EPOCHS - 1 {
        let proof = log.prove_with(0, &key(epoch), &log.history);
        let refused = proof.verify_from(&log.lines[0], &public(0));
        assert!(matches!(refused, Err(ProofError::NotInForce { .. })), "{refused:?}");
    }
    // A key that signs before it is in force: the tree that the old one vouched for.
    let mut early = Log::empty();
    early.push("data.read", "{}");
    early.rotate(1, &key(0), &public(1));
    let size = early.history.rotations[0].size();
    let mut proof = early.history.rotations[0].proof.clone();
    let root = proof.checkpoint.unverified().root;
    proof.checkpoint = Checkpoint::new(ORIGIN, size, root).sign(&key(1)).unwrap();
    proof.extra = early.history.to_extra();
    let refused = proof.verify_from(&early.lines[1], &public(0));
    assert!(matches!(refused, Err(ProofError::NotInForce { .. })), "{refused:?}");
}

#[test]
fn an_entry_that_only_looks_like_a_rotation_names_no_key() {
    let mut log = Log::empty();
    let details = format!("{{\"epoch\":1,\"new_key\":\"{}\"}}", public(1));
    log.push("data.read", &details);
    let proof = log.prove(0, &key(0));
    let history =
        KeyHistory { rotations: vec![RotationProof { line: log.lines[0].clone(), proof }] };
    log.push("data.read", "{}");
    let proof = log.prove_with(1, &key(1), &history);
    let refused = proof.verify_from(&log.lines[1], &public(0));
    assert!(matches!(refused, Err(ProofError::History { .. })), "{refused:?}");
}

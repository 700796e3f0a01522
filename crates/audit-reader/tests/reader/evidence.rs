//! Proofs of entries across rotations of the key: the first key checks them, and no forged past.

use std::fs;

use crate::common::{Trail, key};
use audit_core::note::{Signer, VerifierKey};
use audit_core::proof::{KeyHistory, ProofError, TlogProof};
use audit_reader::{Evidence, Source, prove};

const ONE: &str = "2026-11-23.audit";
const TWO: &str = "2026-11-24.audit";
const THREE: &str = "2026-11-25.audit";

fn public(epoch: u8) -> VerifierKey {
    key(epoch).verifier_key().clone()
}

fn evidence(trail: &Trail, seq: u64) -> Evidence {
    prove(Source::open(trail.path()).unwrap(), seq).unwrap()
}

/// Ten entries, a rotation, seven more, a rotation, and one more.
fn of_three_epochs() -> Trail {
    let mut trail = Trail::of(10);
    trail.rotate(TWO);
    trail.write(TWO, 7);
    trail.rotate(THREE);
    trail.write(THREE, 1);
    trail
}

#[test]
fn every_entry_is_proven_by_every_key_before_with_stored_hashes_and_without() {
    let trail = of_three_epochs();
    for stored in [true, false] {
        if !stored {
            fs::remove_file(trail.file("tree.hashes")).unwrap();
        }
        for seq in 0..22 {
            let made = evidence(&trail, seq);
            assert_eq!((made.key, made.from_key), (public(2), Some(public(0))));
            let proof = TlogProof::parse(made.proof.to_string().as_bytes()).unwrap();
            for epoch in 0..3 {
                let proven = proof.verify_from(&made.line, &public(epoch)).unwrap();
                assert_eq!(proven.rotations, usize::from(2 - epoch), "entry {seq}");
            }
            let history = KeyHistory::parse(proof.extra.as_deref().unwrap()).unwrap().unwrap();
            let sizes = history.steps.iter().map(|step| step.rotation.size());
            assert_eq!(sizes.collect::<Vec<_>>(), [11, 20]);
            assert!(history.steps.iter().all(|step| step.consistency.is_some()));
        }
    }
}

#[test]
fn the_true_history_proves_no_forged_entry_before_it() {
    let mut honest = Trail::of(10);
    honest.rotate(TWO);
    honest.write(TWO, 8);
    // Entry 5 is another one. The thief has the second key only, and the public history.
    let mut forged = Trail::of(5);
    let mut line = Vec::new();
    forged.line(&mut line, "task.submitted", "{\"n\":\"forged\"}");
    forged.append(ONE, &line);
    forged.write(ONE, 4);
    forged.rotate(TWO);
    forged.write(TWO, 8);
    let (theirs, ours) = (evidence(&forged, 5), evidence(&honest, 5));
    assert_eq!(ours.proof.verify_from(&ours.line, &public(0)).unwrap().rotations, 1);
    let attack = TlogProof { extra: ours.proof.extra.clone(), ..theirs.proof.clone() };
    let refused = attack.verify_from(&theirs.line, &public(0));
    assert!(matches!(refused, Err(ProofError::History { step: 1, .. })), "{refused:?}");
    let mut untied = KeyHistory::parse(ours.proof.extra.as_deref().unwrap()).unwrap().unwrap();
    untied.steps[0].consistency = None;
    let attack = TlogProof { extra: untied.to_extra(), ..theirs.proof };
    let refused = attack.verify_from(&theirs.line, &public(0));
    assert_eq!(refused, Err(ProofError::Untied { step: 1 }));
}

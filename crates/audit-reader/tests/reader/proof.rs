//! Signed heads, keys, witnesses and stored hashes: what is proven, and each lie about them.

use std::fs;

use crate::common::{Trail, key};
use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::note::{SignatureType, Signer, SigningKey};
use audit_reader::FindingKind::{self, *};
use audit_reader::{Freshness, Report, Severity, Verdict, VerifyOptions, verify_dir};

const ONE: &str = "2026-11-23.audit";
const TWO: &str = "2026-11-24.audit";

fn options<'a>() -> VerifyOptions<'a> {
    VerifyOptions::default().with_key(key(0).verifier_key().clone())
}

fn verify(trail: &Trail) -> Report {
    verify_dir(trail.path(), options()).unwrap()
}

fn violations(report: &Report) -> Vec<FindingKind> {
    let kept = report.findings.kept().iter();
    kept.filter(|f| f.severity == Severity::Violation).map(|f| f.kind).collect()
}

/// 20 entries, a rotation, 20 more.
fn rotated() -> Trail {
    let mut trail = Trail::of(20);
    trail.rotate(TWO);
    trail.write(TWO, 20);
    trail
}

#[test]
fn trails_of_sizes_at_the_edges_are_proven() {
    for size in [1, 2, 3, 255, 256, 257] {
        let report = verify(&Trail::of(size));
        assert_eq!((report.verdict, report.sealed_size), (Verdict::Proven, Some(size)));
        assert!(report.verified.is_some());
    }
    let empty = verify(&Trail::new());
    assert_eq!((empty.verdict, empty.entries), (Verdict::Unproven, 0));
}

#[test]
fn keys_change_only_as_the_format_says() {
    let report = verify(&rotated());
    assert_eq!((report.verdict, violations(&report)), (Verdict::Proven, vec![]));
    assert_eq!(report.seal.unwrap().key.epoch, Some(1));
    // The old key signs nothing beyond the entry that names its successor.
    let trail = rotated();
    let late = trail.checkpoint().unverified().clone().sign(&key(0)).unwrap();
    fs::write(trail.file("checkpoint"), late.to_string()).unwrap();
    assert_eq!(violations(&verify(&trail)), [SignatureInvalid]);
}

#[test]
fn a_rotation_that_is_still_being_written_is_no_damage() {
    let mut trail = Trail::of(20);
    let old = trail.checkpoint();
    let [rotated, sealed] = trail.rotation();
    trail.append(TWO, &rotated);
    let report = verify(&trail);
    assert_eq!((report.verdict, report.unsigned_tail), (Verdict::Proven, Some(1)));
    trail.append(TWO, &sealed);
    let report = verify(&trail);
    assert_eq!((report.verdict, report.unsigned_tail), (Verdict::Proven, Some(2)));
    assert_eq!(old.unverified().size, report.sealed_size.unwrap());
}

#[test]
fn a_rotation_that_was_never_sealed_is_invalid() {
    let mut trail = Trail::of(20);
    let details = serde_json::json!({"epoch": 1, "new_key": key(1).verifier_key().to_string()});
    let mut line = Vec::new();
    trail.line(&mut line, "audit.key_rotated", &details.to_string());
    trail.append(TWO, &line);
    trail.write(TWO, 1);
    assert_eq!(violations(&verify(&trail)), [KeyRotationInvalid]);
}

#[test]
fn a_rotation_must_be_vouched_for_by_the_old_key_with_the_right_root() {
    for (lie, by) in [("root", 0), ("size", 0), ("signer", 1), ("epoch", 0)] {
        let mut trail = Trail::of(20);
        let details = serde_json::json!({"epoch": 1, "new_key": key(1).verifier_key().to_string()});
        let mut lines = Vec::new();
        trail.line(&mut lines, "audit.key_rotated", &details.to_string());
        let Checkpoint { origin, mut size, mut root, .. } = trail.checkpoint().unverified().clone();
        match lie {
            "root" => root.0[0] ^= 1,
            "size" => size -= 1,
            _ => {}
        }
        let note = Checkpoint::new(&origin, size, root).sign(&key(by)).unwrap().to_string();
        let note: Vec<_> = note.trim_end().split('\n').collect();
        let details = serde_json::json!({"epoch": u8::from(lie == "epoch"), "checkpoint": note});
        trail.line(&mut lines, "audit.epoch_sealed", &details.to_string());
        trail.append(TWO, &lines);
        trail.seal();
        assert_eq!(violations(&verify(&trail))[0], KeyRotationInvalid, "{lie}");
    }
}

#[test]
fn seals_that_are_stripped_empty_foreign_or_of_the_future() {
    let trail = rotated();
    let honest = fs::read_to_string(trail.file("checkpoint")).unwrap();
    let with = |text: &str| {
        fs::write(trail.file("checkpoint"), text).unwrap();
        let report = verify(&trail);
        assert_eq!(report.verdict, Verdict::Violated, "{text}");
        violations(&report)
    };
    let stranger = SigningKey::from_seed(SignatureType::Ed25519, "audit.example/other", &[9; 32]);
    let head = trail.checkpoint().unverified().clone();
    let foreign = Checkpoint::new("audit.example/other", head.size, head.root);
    assert_eq!(with(""), [CheckpointMalformed]);
    assert_eq!(with(honest.trim_end()), [CheckpointMalformed]);
    assert_eq!(with(&foreign.sign(&stranger.unwrap()).unwrap().to_string()), [SignatureInvalid]);
    let future = Checkpoint::new(&head.origin, head.size + 1, head.root).sign(&key(1)).unwrap();
    assert_eq!(with(&future.to_string()), [Truncated]);
    let other = Checkpoint::new(&head.origin, head.size - 1, head.root).sign(&key(1)).unwrap();
    assert_eq!(with(&other.to_string()), [RootMismatch]);
    fs::remove_file(trail.file("checkpoint")).unwrap();
    assert_eq!(violations(&verify(&trail)), [CheckpointMissing]);
}

#[test]
fn a_hundred_signatures_are_read_and_one_more_is_too_many() {
    let trail = rotated();
    let honest = fs::read_to_string(trail.file("checkpoint")).unwrap();
    let head = trail.checkpoint().unverified().clone();
    let strangers = (0..100_u8).map(|n| {
        // Of the log's name, as whoever wants to crowd the true one out would make them.
        let key = SigningKey::from_seed(SignatureType::Ed25519, &head.origin, &[100 + n; 32]);
        let signed = head.sign(&key.unwrap()).unwrap().to_string();
        signed.lines().last().unwrap().to_owned() + "\n"
    });
    let strangers: Vec<String> = strangers.collect();
    let (text, own) = honest.rsplit_once("\n\n").unwrap();
    let with = |before: &[String], after: &[String]| {
        let note = format!("{text}\n\n{}{own}{}", before.concat(), after.concat());
        fs::write(trail.file("checkpoint"), note).unwrap();
        verify(&trail)
    };
    for split in [0, 50, 99] {
        let report = with(&strangers[..split], &strangers[split..99]);
        assert_eq!((report.verdict, report.sealed_size), (Verdict::Proven, Some(head.size)));
    }
    assert_eq!(violations(&with(&strangers, &[])), [CheckpointMalformed]);
}

#[test]
fn every_byte_of_a_checkpoint_counts() {
    let trail = rotated();
    let honest = fs::read(trail.file("checkpoint")).unwrap();
    for at in 0..honest.len() {
        let mut broken = honest.clone();
        broken[at] ^= 1 << (at % 7);
        fs::write(trail.file("checkpoint"), broken).unwrap();
        assert_eq!(verify(&trail).verdict, Verdict::Violated, "byte {at}");
    }
}

#[test]
fn stored_hashes_that_contradict_the_entries() {
    let trail = rotated();
    let honest = fs::read(trail.file("tree.hashes")).unwrap();
    for at in [0, 31, 32, 64, 700, 1_300, honest.len() - 1] {
        let mut broken = honest.clone();
        broken[at] ^= 1;
        fs::write(trail.file("tree.hashes"), broken).unwrap();
        assert_eq!(violations(&verify(&trail)), [TreeMismatch], "byte {at}");
    }
    for (bytes, expected) in [
        (honest[..honest.len() - 40].to_vec(), vec![]),
        ([honest.clone(), vec![0; 31]].concat(), vec![]),
        // Behind the checkpoint a power cut may leave anything.
        ([honest, vec![0; 32]].concat(), vec![]),
    ] {
        fs::write(trail.file("tree.hashes"), bytes).unwrap();
        assert_eq!(violations(&verify(&trail)), expected);
    }
}

#[test]
fn a_copy_that_was_rolled_back_or_forked_is_seen_by_who_remembers() {
    let mut trail = Trail::of(20);
    let seen = trail.checkpoint();
    trail.write(TWO, 10);
    let newer = trail.checkpoint();
    let against = |trail: &Trail, seen: &SignedCheckpoint| {
        verify_dir(trail.path(), options().with_reference("seen", seen.clone())).unwrap()
    };
    let report = against(&trail, &seen);
    assert_eq!(
        (report.verdict, report.freshness),
        (Verdict::Proven, Freshness::Reference { size: 20 })
    );
    let old = Trail::of(20);
    assert_eq!(verify(&old).verdict, Verdict::Proven, "nothing in the copy itself tells");
    assert_eq!(violations(&against(&old, &newer)), [Rollback]);
    let mut forked = Trail::of(19);
    let mut line = Vec::new();
    forked.line(&mut line, "task.submitted", "{\"n\":\"another\"}");
    forked.append(ONE, &line);
    forked.write(TWO, 10);
    assert_eq!(verify(&forked).verdict, Verdict::Proven, "the key is the right one");
    assert_eq!(violations(&against(&forked, &seen)), [Fork]);
    assert_eq!(violations(&against(&forked, &newer)), [Fork]);
}

#[test]
fn a_witness_bounds_freshness_and_finds_what_was_cut() {
    let witness =
        |seed| SigningKey::from_seed(SignatureType::CosignatureV1, "w", &[seed; 32]).unwrap();
    let mut trail = Trail::of(20);
    let mut seen = trail.checkpoint();
    seen.cosign(&witness(40), 1_800_000_000).unwrap();
    fs::write(trail.file("witnessed"), seen.to_string()).unwrap();
    let asked = |trail: &Trail, seed| {
        let options = options().with_witness(witness(seed).verifier_key().clone());
        verify_dir(trail.path(), options.with_now(1_800_000_000)).unwrap()
    };
    trail.write(TWO, 5);
    let time = "2027-01-15T08:00:00Z".to_owned();
    assert_eq!(asked(&trail, 40).freshness, Freshness::Cosigned { size: 20, time });
    assert_eq!(asked(&trail, 41).freshness, Freshness::Unknown);
    assert_eq!(verify(&trail).freshness, Freshness::Unknown);
    assert_eq!(verify(&trail).verdict, Verdict::Proven);
    let old = Trail::of(10);
    fs::copy(trail.file("witnessed"), old.file("witnessed")).unwrap();
    assert_eq!(violations(&asked(&old, 40)), [Truncated]);
    let text = seen.to_string().replace("\n20\n", "\n19\n");
    fs::write(trail.file("witnessed"), text).unwrap();
    assert_eq!(violations(&asked(&trail, 40)), [SignatureInvalid]);
    fs::write(trail.file("witnessed"), "x").unwrap();
    assert_eq!(violations(&asked(&trail, 40)), [CheckpointMalformed]);
}

#[test]
fn a_front_that_retention_deleted_is_proven_by_the_stored_hashes() {
    let mut trail = Trail::of(20);
    let mut line = Vec::new();
    let said = format!(r#"{{"segments":[{{"filename":"{ONE}","first_seq":0,"last_seq":19}}]}}"#);
    trail.line(&mut line, "audit.retention_applied", &said);
    trail.append(TWO, &line);
    trail.write(TWO, 20);
    fs::remove_file(trail.file(ONE)).unwrap();
    let report = verify(&trail);
    assert_eq!((report.verdict, violations(&report)), (Verdict::Proven, vec![]));
    let unpinned = verify_dir(trail.path(), VerifyOptions::default()).unwrap();
    assert_eq!((unpinned.verdict, violations(&unpinned)), (Verdict::Unproven, vec![]));
    fs::remove_file(trail.file("tree.hashes")).unwrap();
    let report = verify(&trail);
    assert_eq!((report.verdict, violations(&report)), (Verdict::Unproven, vec![]));
}

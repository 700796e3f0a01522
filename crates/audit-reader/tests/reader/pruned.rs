//! Trails whose front is gone: what excuses that, and what is still known of what was deleted.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use audit_core::chain::Hash;
use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::note::Signer;
use audit_core::tree::stored_hash_index;
use audit_reader::FindingKind::{self, *};
use audit_reader::{Report, Verdict, VerifiedState, VerifyOptions, verify_dir};

use crate::common::{Trail, key};

pub(crate) const ONE: &str = "2026-11-23.audit";
pub(crate) const TWO: &str = "2026-11-24.audit";
pub(crate) const ORIGIN: &str = "audit.example/svc/1";

/// Entries 0 to 19 in one segment, 20 to 39 in the next, and a checkpoint over them.
pub(crate) fn whole() -> Trail {
    let mut trail = Trail::new();
    trail.write(ONE, 20);
    trail.close(ONE);
    trail.write(TWO, 20);
    trail
}

/// The entry that announces the deletion of the first segment.
pub(crate) fn announce(trail: &mut Trail) {
    announce_with(trail, serde_json::json!(Trail::of(20).subtrees()));
}

/// As [`announce`], with this as the tree over what is deleted.
pub(crate) fn announce_with(trail: &mut Trail, tree: serde_json::Value) {
    let mut line = Vec::new();
    let key = trail.key().verifier_key().to_string();
    let details = serde_json::json!({
        "segments": [{"filename": ONE, "first_seq": 0, "last_seq": 19}],
        "front": {"seq": 20, "key": key, "tree": tree},
    });
    trail.line(&mut line, "audit.retention_applied", &details.to_string());
    trail.append(TWO, &line);
}

pub(crate) fn delete(trail: &Trail) {
    fs::remove_file(trail.file(ONE)).unwrap();
    fs::remove_file(trail.file(&format!("{ONE}.sha256"))).unwrap();
}

/// A trail after honest retention.
pub(crate) fn pruned() -> Trail {
    let mut trail = whole();
    announce(&mut trail);
    trail.seal();
    delete(&trail);
    trail
}

pub(crate) fn pinned<'a>() -> VerifyOptions<'a> {
    VerifyOptions::default().with_key(key(0).verifier_key().clone()).with_jobs(2)
}

pub(crate) fn ask(trail: &Trail, options: VerifyOptions<'_>) -> Report {
    verify_dir(trail.path(), options).unwrap()
}

/// The independent verifier in `docs/` comes to the same verdict, where it can be run.
pub(crate) fn script_agrees(trail: &Trail, seen: Option<&SignedCheckpoint>, verdict: Verdict) {
    script_agrees_by(trail, Some(0), seen, verdict);
}

/// As [`script_agrees`], with the key of this epoch.
pub(crate) fn script_agrees_by(
    trail: &Trail,
    epoch: Option<u8>,
    seen: Option<&SignedCheckpoint>,
    verdict: Verdict,
) {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_full.py needs python3 and its package `cryptography`");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verify_full.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(trail.path());
    if let Some(epoch) = epoch {
        command.args(["--key", &key(epoch).verifier_key().to_string()]);
    }
    let dir = tempfile::tempdir().unwrap();
    if let Some(seen) = seen {
        let file = dir.path().join("seen");
        fs::write(&file, seen.to_string()).unwrap();
        command.arg("--checkpoint").arg(file);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let code = match verdict {
        Verdict::Proven => 0,
        Verdict::Violated => 1,
        Verdict::Unproven => 3,
    };
    assert_eq!(output.status.code(), Some(code), "{said}");
}

pub(crate) fn kinds(report: &Report) -> BTreeSet<FindingKind> {
    report.findings.counts().keys().copied().collect()
}

fn forged(size: u64) -> SignedCheckpoint {
    Checkpoint::new(ORIGIN, size, Hash([7; 32])).sign(&key(0)).unwrap()
}

#[test]
fn a_deletion_that_nobody_signed_excuses_nothing() {
    for digest in [false, true] {
        let mut trail = whole();
        let seen = trail.checkpoint();
        announce(&mut trail);
        delete(&trail);
        script_agrees(&trail, None, Verdict::Violated);
        if digest {
            // What still speaks of the segment is not excused either.
            let line = format!("{}  {ONE}\n", Hash([1; 32]));
            fs::write(trail.file(&format!("{ONE}.sha256")), line).unwrap();
        }
        for options in [pinned(), VerifyOptions::default(), pinned().with_reference("seen", seen)] {
            let report = ask(&trail, options);
            assert_eq!(report.verdict, Verdict::Violated);
            assert!(kinds(&report).contains(&SequenceGap), "{:?}", kinds(&report));
            assert_eq!(kinds(&report).contains(&SegmentMissing), digest);
        }
    }
    let report = ask(&pruned(), pinned());
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    let report = ask(&pruned(), VerifyOptions::default());
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
}

#[test]
fn a_reference_older_than_the_front_is_held_against_the_stored_hashes() {
    let trail = pruned();
    for size in 0..=20 {
        let seen = if size == 0 { Trail::new() } else { Trail::of(size) }.checkpoint();
        let report = ask(&trail, pinned().with_reference("seen", seen));
        assert_eq!(report.verdict, Verdict::Proven, "{size}: {:?}", report.findings.kept());
        assert!(!kinds(&report).contains(&FreshnessUnknown), "{size}");
        let report = ask(&trail, pinned().with_reference("seen", forged(size)));
        assert_eq!(report.verdict, Verdict::Violated, "{size}");
        assert!(kinds(&report).contains(&Fork), "{size}: {:?}", report.findings.kept());
    }
    for size in [7, 13, 16, 20] {
        script_agrees(&trail, Some(&Trail::of(size).checkpoint()), Verdict::Proven);
        script_agrees(&trail, Some(&forged(size)), Verdict::Violated);
    }
    // A checkpoint that a witness saw is no other than one that a reader saw.
    fs::write(trail.file("witnessed"), Trail::of(7).checkpoint().to_string()).unwrap();
    assert_eq!(ask(&trail, pinned()).verdict, Verdict::Proven);
    fs::write(trail.file("witnessed"), forged(7).to_string()).unwrap();
    assert!(kinds(&ask(&trail, pinned())).contains(&RootMismatch));
}

#[test]
fn a_reference_that_nothing_can_be_held_against_leaves_the_trail_unproven() {
    let trail = pruned();
    // What is left of the hashes when the file was made anew after retention.
    let mut hashes = fs::read(trail.file("tree.hashes")).unwrap();
    let kept = [stored_hash_index(0, 19), stored_hash_index(4, 0), stored_hash_index(2, 4)];
    for index in (0..stored_hash_index(0, 20)).filter(|index| !kept.contains(index)) {
        let at = usize::try_from(index * 32).unwrap();
        hashes[at..at + 32].fill(0);
    }
    fs::write(trail.file("tree.hashes"), hashes).unwrap();
    assert_eq!(ask(&trail, pinned()).verdict, Verdict::Proven);
    for seen in [Trail::of(7).checkpoint(), forged(7)] {
        script_agrees(&trail, Some(&seen), Verdict::Unproven);
        let report = ask(&trail, pinned().with_reference("seen", seen));
        assert_eq!(report.verdict, Verdict::Unproven, "{:?}", report.findings.kept());
        let mut named = report.findings.kept().iter().filter(|f| f.kind == ReferenceUnproven);
        assert_eq!(named.next().unwrap().segment.as_deref(), Some("seen"));
        assert!(report.verified.is_none());
    }
    // Of a subtree that stands whole, the hash is there.
    let report = ask(&trail, pinned().with_reference("seen", Trail::of(16).checkpoint()));
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
}

#[test]
fn a_checkpoint_older_than_the_front_hides_nothing() {
    let trail = pruned();
    let (small, other) = (forged(5).to_string(), Trail::of(5).checkpoint().to_string());
    for text in [small, other] {
        fs::write(trail.file("checkpoint"), text).unwrap();
        script_agrees(&trail, None, Verdict::Violated);
        let report = ask(&trail, pinned());
        assert_eq!(report.verdict, Verdict::Violated);
        assert!(kinds(&report).contains(&Rollback), "{:?}", report.findings.kept());
    }
}

#[test]
fn a_stored_leaf_that_the_front_does_not_continue_is_named() {
    let trail = pruned();
    let mut hashes = fs::read(trail.file("tree.hashes")).unwrap();
    hashes[usize::try_from(stored_hash_index(0, 19) * 32).unwrap()] ^= 1;
    fs::write(trail.file("tree.hashes"), hashes).unwrap();
    let report = ask(&trail, pinned());
    assert_eq!(report.verdict, Verdict::Violated);
    assert!(kinds(&report).contains(&TreeMismatch), "{:?}", report.findings.kept());
}

#[test]
fn what_was_witnessed_before_a_change_of_keys_is_no_alarm_without_a_key() {
    let mut trail = whole();
    fs::write(trail.file("witnessed"), trail.checkpoint().to_string()).unwrap();
    trail.rotate(TWO);
    announce(&mut trail);
    trail.seal();
    delete(&trail);
    let report = ask(&trail, VerifyOptions::default());
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    // `front.key` names the key at the front, which is not that of the end.
    let mut trail = whole();
    fs::write(trail.file("witnessed"), forged(30).to_string()).unwrap();
    announce(&mut trail);
    trail.rotate(TWO);
    trail.seal();
    delete(&trail);
    assert!(kinds(&ask(&trail, VerifyOptions::default())).contains(&RootMismatch));
}

#[test]
fn retention_before_an_earlier_verification_is_no_alarm_to_the_next() {
    let mut trail = whole();
    announce(&mut trail);
    trail.seal();
    let state = ask(&trail, pinned()).verified.unwrap();
    fs::remove_file(trail.file(ONE)).unwrap();
    trail.write(TWO, 3);
    // Its digest is deleted last: a reader may come in between.
    let report = ask(&trail, pinned().from_state("last", state));
    assert_eq!(report.resumed_from, Some(41));
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
}

#[test]
fn trail_json_must_name_the_log_even_where_entry_0_is_not_read() {
    for resumed in [false, true] {
        let mut trail = if resumed { whole() } else { pruned() };
        let mut options = pinned();
        if resumed {
            options = options.from_state("last", ask(&trail, pinned()).verified.unwrap());
        }
        trail.write(TWO, 1);
        let text = fs::read_to_string(trail.file("trail.json")).unwrap();
        let other = text.replace("\"audit.example/svc/1\"", "\"audit.example/svc/2\"");
        assert_ne!(text, other);
        fs::write(trail.file("trail.json"), other).unwrap();
        let report = ask(&trail, options);
        assert_eq!(report.resumed_from.is_some(), resumed);
        assert!(kinds(&report).contains(&TrailMismatch), "{:?}", report.findings.kept());
    }
}

#[test]
fn a_pruned_trail_without_stored_hashes_is_proven_by_what_it_says_of_its_front() {
    let with = |tree: serde_json::Value| {
        let mut trail = whole();
        announce_with(&mut trail, tree);
        trail.seal();
        delete(&trail);
        trail
    };
    let true_tree = serde_json::json!(Trail::of(20).subtrees());
    let mut trail = with(true_tree.clone());
    trail.rotate(TWO);
    trail.write(TWO, 300);
    let hashes = fs::read(trail.file("tree.hashes")).unwrap();
    for left in [None, Some(0), Some(5 * 32), Some(36 * 32)] {
        match left {
            None => fs::remove_file(trail.file("tree.hashes")).unwrap(),
            Some(bytes) => fs::write(trail.file("tree.hashes"), &hashes[..bytes]).unwrap(),
        }
        for options in [pinned(), pinned().with_jobs(1), VerifyOptions::default()] {
            let report = ask(&trail, options);
            assert_eq!(report.verdict, Verdict::Proven, "{left:?}: {:?}", report.findings.kept());
            assert_eq!((report.first_seq, report.sealed_size), (Some(20), Some(343)));
            let state = report.verified.unwrap();
            assert!(VerifiedState::parse(state.to_json().as_bytes()).is_ok());
        }
        script_agrees(&trail, None, Verdict::Proven);
    }
    // What it says must lead to what was signed.
    let mut wrong = Trail::of(20).subtrees();
    wrong.swap(0, 1);
    let trail = with(serde_json::json!(wrong));
    fs::remove_file(trail.file("tree.hashes")).unwrap();
    assert!(kinds(&ask(&trail, pinned())).contains(&RootMismatch));
    script_agrees(&trail, None, Verdict::Violated);
    // Where nothing is said that is a tree, nothing is proven, and why is said.
    for tree in [serde_json::json!(null), serde_json::json!([]), serde_json::json!(["", "ab"])] {
        let trail = with(tree);
        fs::remove_file(trail.file("tree.hashes")).unwrap();
        let report = ask(&trail, pinned());
        assert_eq!(report.verdict, Verdict::Unproven, "{:?}", report.findings.kept());
        assert!(kinds(&report).contains(&FrontUnproven), "{:?}", report.findings.kept());
        script_agrees(&trail, None, Verdict::Unproven);
    }
}

//! Entries that somebody without a key put behind a shortened trail, before its writer opened it again and
//! said that nobody had signed them: they accuse nobody, and name no key.

use std::fs;
use std::process::Command;

use audit_core::checkpoint::Checkpoint;
use audit_core::note::{Signer, SigningKey};
use audit_reader::FindingKind::*;
use audit_reader::{Verdict, VerifyOptions};
use serde_json::{Value, json};

use crate::common::{Trail, key};
use crate::pruned::*;

/// One more entry in the newest segment.
fn put(trail: &mut Trail, event_type: &str, details: &Value) {
    let mut line = Vec::new();
    trail.line(&mut line, event_type, &details.to_string());
    trail.append(TWO, &line);
}

/// Both entries of a change of keys to `new`, signed by a thief. He may say nothing as well.
fn plant_rotation(trail: &mut Trail, new: &SigningKey, says: bool) {
    put(
        trail,
        "audit.key_rotated",
        &json!({"epoch": 1, "new_key": new.verifier_key().to_string()}),
    );
    let tree = trail.checkpoint();
    let tree = tree.unverified();
    let signed = Checkpoint::new(ORIGIN, tree.size, tree.root).sign(&key(66)).unwrap().to_string();
    let note: Vec<&str> = signed.trim_end().split('\n').collect();
    let details = if says { json!({"epoch": 0, "checkpoint": note}) } else { json!({"x": 1}) };
    put(trail, "audit.epoch_sealed", &details);
}

/// The next opening says that so many were signed, and signs that.
fn recover(trail: &mut Trail, signed: u64) {
    put(trail, "audit.recovered", &json!({"signed": signed}));
    trail.seal();
}

fn assert_proven(trail: &Trail, context: &str) {
    for (epoch, options) in [(Some(0), pinned()), (None, VerifyOptions::default())] {
        let report = ask(trail, options);
        let found = report.findings.kept();
        assert_eq!(report.verdict, Verdict::Proven, "{context}, {epoch:?}: {found:?}");
        assert_eq!(report.key, Some(key(0).verifier_key().to_string()), "{context}");
        script_agrees_by(trail, epoch, None, Verdict::Proven);
    }
}

#[test]
fn a_change_of_keys_planted_behind_a_shortened_trail_accuses_nobody_once_it_is_void() {
    // To a key of the thief's, to the one that was given, and one that is no change of keys.
    for (name, to, says) in [("thief", 66, true), ("given", 0, true), ("words", 66, false)] {
        let mut trail = pruned();
        let signed = trail.head.next_seq;
        plant_rotation(&mut trail, &key(to), says);
        if name == "thief" {
            let report = ask(&trail, pinned());
            assert!(kinds(&report).contains(&KeyRotationInvalid), "{:?}", report.findings.kept());
            script_agrees(&trail, None, Verdict::Violated);
        }
        recover(&mut trail, signed);
        assert_proven(&trail, name);
        // The trail's own changes of keys, and the same act again.
        trail.rotate(TWO);
        trail.write(TWO, 3);
        assert_proven(&trail, name);
        let signed = trail.head.next_seq;
        plant_rotation(&mut trail, &key(to), says);
        recover(&mut trail, signed);
        assert_proven(&trail, name);
    }
}

#[test]
fn a_change_of_keys_that_is_not_void_accuses_by_the_key_given() {
    let mut trail = pruned();
    plant_rotation(&mut trail, &key(66), true);
    trail.seal();
    let report = ask(&trail, pinned());
    assert!(kinds(&report).contains(&KeyRotationInvalid), "{:?}", report.findings.kept());
    script_agrees(&trail, None, Verdict::Violated);
    // Where the key given comes into force only later, another one signs before.
    let mut trail = pruned();
    trail.rotate(TWO);
    trail.rotate(TWO);
    trail.write(TWO, 3);
    let options = VerifyOptions::default().with_key(key(2).verifier_key().clone());
    let report = ask(&trail, options);
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    script_agrees_by(&trail, Some(2), None, Verdict::Proven);
}

#[test]
fn without_a_word_on_the_front_the_first_change_of_keys_that_counts_names_the_key() {
    let mut trail = whole();
    let said = json!({"segments": [{"filename": ONE, "first_seq": 0, "last_seq": 19}]});
    put(&mut trail, "audit.retention_applied", &said);
    trail.seal();
    delete(&trail);
    let signed = trail.head.next_seq;
    plant_rotation(&mut trail, &key(66), true);
    recover(&mut trail, signed);
    let report = ask(&trail, VerifyOptions::default());
    assert_eq!(report.verdict, Verdict::Unproven, "{:?}", report.findings.kept());
    script_agrees_by(&trail, None, None, Verdict::Unproven);
    trail.rotate(TWO);
    trail.write(TWO, 3);
    let report = ask(&trail, VerifyOptions::default());
    assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    assert_eq!(report.key, Some(key(1).verifier_key().to_string()));
    script_agrees_by(&trail, None, None, Verdict::Proven);
}

#[test]
fn claims_that_say_nothing_of_their_form_excuse_nothing_and_stop_nobody() {
    let mut trail = pruned();
    for details in [
        json!({"segments": [{"first_seq": 0}]}),
        json!({"segments": 7, "front": 8}),
        json!({"segments": [], "front": {"seq": 20, "key": 5, "tree": 6}}),
        json!({"segments": [], "front": {"seq": 20, "key": "none"}}),
    ] {
        put(&mut trail, "audit.retention_applied", &details);
    }
    trail.seal();
    fs::remove_file(trail.file("tree.hashes")).unwrap();
    assert_proven(&trail, "malformed");
}

#[test]
fn many_planted_entries_accuse_nobody() {
    let mut trail = pruned();
    let (signed, mut lines) = (trail.head.next_seq, Vec::new());
    for _ in 0..10_100 {
        trail.line(&mut lines, "audit.key_rotated", r#"{"epoch":1,"new_key":"none"}"#);
    }
    trail.append(TWO, &lines);
    recover(&mut trail, signed);
    assert_proven(&trail, "changes of keys");

    // More recoveries than anybody keeps in mind, each of which might make the deletion void.
    let (signed, mut lines) = (trail.head.next_seq, Vec::new());
    for number in 0..100_100 {
        trail.line(&mut lines, "audit.recovered", &format!(r#"{{"signed":{}}}"#, 5 + number % 2));
    }
    trail.append(TWO, &lines);
    recover(&mut trail, signed);
    let report = ask(&trail, pinned());
    assert_eq!(report.verdict, Verdict::Unproven, "{:?}", report.findings.counts());
    assert!(kinds(&report).contains(&VoidUnknown) && report.verified.is_none());
}

/// A field of `/proc/self/status`, in KiB.
fn status(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Who reads the trail, in a process of its own, and tells how much memory it took.
const READER: &str = "AUDIT_TEST_TRAIL";

#[test]
#[cfg(target_os = "linux")]
fn what_is_planted_takes_no_memory() {
    if let Some(dir) = std::env::var_os(READER) {
        let before = status("VmRSS:");
        let report = audit_reader::verify_dir(dir.as_ref(), pinned()).unwrap();
        println!("took {} KiB: {:?}", status("VmHWM:") - before, report.verdict);
        return;
    }
    let mut trail = Trail::new();
    trail.write(TWO, 2_000);
    let row = |n: u64| json!({"filename": ONE, "first_seq": 0, "last_seq": n});
    let deletion = json!({"segments": (0..900).map(row).collect::<Vec<_>>()}).to_string();
    let rotation = json!({"epoch": "x".repeat(60_000), "new_key": ""}).to_string();
    for _ in 0..50 {
        let mut lines = Vec::new();
        for _ in 0..20 {
            trail.line(&mut lines, "audit.retention_applied", &deletion);
            trail.line(&mut lines, "audit.key_rotated", &rotation);
            trail.line(&mut lines, "audit.recovered", r#"{"signed":7}"#);
        }
        trail.append(TWO, &lines);
    }
    trail.seal();
    let mut reader = Command::new(std::env::current_exe().unwrap());
    reader.args(["--exact", "planted::what_is_planted_takes_no_memory", "--nocapture"]);
    let output = reader.env(READER, trail.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let took = said.split("took ").nth(1).and_then(|rest| rest.split(' ').next());
    let took: u64 = took.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    assert!(took < 48 * 1_024, "{said}");
}

//! The Python programs in `docs/` on a trail that was archived and shortened: they say what we say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use audit_core::note::VerifierKey;
use audit_testkit::TestClock;
use serde_json::Value;

use crate::common::*;

fn auditlog(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_auditlog")).args(args).output().unwrap()
}

fn script(name: &str, args: &[&str]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    Command::new("python3").arg(path).args(args).output().unwrap()
}

/// The scripts need a package for signatures, and something that unpacks.
fn can_run() -> bool {
    let works = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    let unpacks = works("zstd", &["--version"]) || works("python3", &["-c", "import zstandard"]);
    works("python3", &["-c", "import cryptography"]) && unpacks
}

/// The kinds of all findings.
fn kinds(output: &Output) -> BTreeSet<String> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

/// Verifies by both; gives the exit code that they agree on.
fn agreed(dir: &Path, more: &[&str], context: &str) -> i32 {
    let dir = dir.to_str().unwrap();
    let ours = auditlog(&[&["verify", "--json", dir][..], more].concat());
    let theirs = script("verify_full.py", &[&[dir][..], more].concat());
    let error = String::from_utf8_lossy(&theirs.stderr);
    assert_eq!(ours.status.code(), theirs.status.code(), "{context}: {error}");
    assert_eq!(kinds(&ours), kinds(&theirs), "{context}");
    ours.status.code().unwrap()
}

#[test]
fn the_scripts_verify_an_archived_and_a_pruned_trail_as_we_do() {
    if !can_run() {
        eprintln!(
            "SKIPPED: docs/*.py need python3, its package `cryptography`, and `zstandard` or zstd"
        );
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 20);
    let seen = temp.path().join("seen");
    fs::copy(dir.join("checkpoint"), &seen).unwrap();
    logger.apply_retention().unwrap();
    logger.shutdown_blocking().unwrap();
    let first = first_key(&dir).to_string();
    assert!(!ending(&dir, ".audit.zst").is_empty());
    let reference = ["--key", &first, "--checkpoint", seen.to_str().unwrap()];
    assert_eq!(agreed(&dir, &reference, "archived"), 0);
    proofs_agree(&dir, &first, &[0, 5, 200]);

    let logger = open(&dir, &clock);
    live(&logger, &clock, 20);
    logger.apply_retention().unwrap();
    logger.shutdown_blocking().unwrap();
    let front: VerifierKey = front_key(&applied(&dir));
    let front = front.to_string();
    let begins = applied(&dir)["front"]["seq"].as_u64().unwrap();
    let reference = ["--key", &front, "--checkpoint", seen.to_str().unwrap()];
    assert_eq!(agreed(&dir, &reference, "pruned"), 0);
    assert_eq!(agreed(&dir, &[], "pruned, no key given"), 0);
    assert_eq!(agreed(&dir, &["--key", &first], "pruned, the first key"), 3);
    proofs_agree(&dir, &front, &[begins, begins + 7, begins + 300]);

    // Without the stored hashes: what the trail says of its front does as well.
    let hashes = fs::read(dir.join("tree.hashes")).unwrap();
    fs::remove_file(dir.join("tree.hashes")).unwrap();
    assert_eq!(agreed(&dir, &["--key", &front], "without tree.hashes"), 0);
    fs::write(dir.join("tree.hashes"), hashes).unwrap();
    // One bit of an entry in the first archive.
    let archive = dir.join(&ending(&dir, ".audit.zst")[0]);
    let mut bytes = zstd::decode_all(fs::File::open(&archive).unwrap()).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::remove_file(&archive).unwrap();
    fs::write(&archive, zstd::encode_all(&*bytes, 3).unwrap()).unwrap();
    let dir = dir.to_str().unwrap();
    for output in [auditlog(&["verify", dir]), script("verify_full.py", &[dir])] {
        assert_eq!(output.status.code(), Some(1));
    }
}

/// Proofs of these entries, each checked by both.
fn proofs_agree(dir: &Path, key: &str, entries: &[u64]) {
    let temp = tempfile::tempdir().unwrap();
    for seq in entries {
        let proof = temp.path().join(format!("{seq}.tlog-proof"));
        let proof = proof.to_str().unwrap();
        let made = auditlog(&["prove", dir.to_str().unwrap(), &seq.to_string(), "-o", proof]);
        assert!(made.status.success(), "{seq}: {}", String::from_utf8_lossy(&made.stderr));
        let ours = auditlog(&["check", proof, "--key", key]);
        let theirs = script("verify_proof.py", &[proof, "--key", key]);
        let error = String::from_utf8_lossy(&ours.stderr).into_owned()
            + &String::from_utf8_lossy(&theirs.stderr);
        assert_eq!(ours.status.code(), theirs.status.code(), "{seq}: {error}");
        assert_eq!(ours.status.code(), Some(0), "{seq}: {error}");
    }
}

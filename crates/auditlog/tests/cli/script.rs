//! `docs/verify_trail.py` and `docs/verify_full.py` agree with us: on the chain, and on everything.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::{run, vector, vectors};

/// Found by the script: what breaks the chain or the strict reading of a line.
const CHAIN: &[&str] =
    &["malformed_entry", "hash_mismatch", "chain_break", "sequence_gap", "sequence_repeat"];

#[test]
fn the_script_passes_healthy_trails_and_finds_the_first_break() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no python3 to run docs/verify_trail.py with");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_trail.py");
    let expected = std::fs::read(vectors().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&expected).unwrap();
    for (name, vector) in expected {
        let output =
            Command::new("python3").arg(&script).arg(vectors().join(&name)).output().unwrap();
        let must = vector["must_include"].as_array().unwrap();
        let broken = must.iter().any(|kind| CHAIN.contains(&kind.as_str().unwrap()));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(broken)), "{name}: {text}");
        if name == "healthy" {
            let head = "479bca1eb6689e1877edb03cf2e11c622a387ad6511563a22e8bd79ea80db1cc";
            assert_eq!(text, format!("300 entries, head {head}\n"));
        }
    }
}

/// Kinds of all findings, from a report in JSON.
fn kinds(json: &[u8]) -> (String, BTreeSet<String>) {
    let report: serde_json::Value = serde_json::from_slice(json).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let kinds = findings.map(|finding| finding["kind"].as_str().unwrap().to_owned());
    (report["verdict"].as_str().unwrap().to_owned(), kinds.collect())
}

#[test]
fn the_independent_verifier_finds_what_we_find() {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_full.py needs python3 and its package `cryptography`");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_full.py");
    let keys = std::fs::read(vectors().join("keys.json")).unwrap();
    let keys: serde_json::Value = serde_json::from_slice(&keys).unwrap();
    let key = keys["vkeys"][0].as_str().unwrap();
    let expected = std::fs::read(vectors().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&expected).unwrap();
    let seen = vectors().join("healthy-unsigned-tail/checkpoint").display().to_string();
    for name in expected.keys() {
        let trail = vector(name);
        for more in [&["--key", key][..], &[], &["--checkpoint", &seen]] {
            let theirs = Command::new("python3").arg(&script).arg(&trail).args(more).output();
            let theirs = theirs.unwrap();
            let ours = run(&[&["verify", "--json", &trail][..], more].concat());
            let error = String::from_utf8_lossy(&theirs.stderr);
            assert_eq!(theirs.status.code(), ours.status.code(), "{name} {more:?}: {error}");
            assert_eq!(kinds(&theirs.stdout), kinds(&ours.stdout), "{name} {more:?}");
        }
    }
}

#[test]
fn the_independent_verifier_says_what_it_could_not_look_at() {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_full.py needs python3 and its package `cryptography`");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_full.py");
    let look = |trail: &Path| Command::new("python3").arg(&script).arg(trail).output().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let output = look(empty.path());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("is not an audit trail") && !error.contains("Traceback"), "{error}");

    // A torn tail behind what was signed, which a killed process leaves: both say so.
    let trail = tempfile::tempdir().unwrap();
    for item in std::fs::read_dir(vectors().join("healthy")).unwrap() {
        let item = item.unwrap();
        std::fs::copy(item.path(), trail.path().join(item.file_name())).unwrap();
    }
    let newest = trail.path().join("2026-11-24.audit");
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes.extend_from_slice(b"{\"seq\":300,\"audit");
    std::fs::write(&newest, bytes).unwrap();
    let theirs = look(trail.path());
    let ours = run(&["verify", "--json", trail.path().to_str().unwrap()]);
    assert_eq!(theirs.status.code(), Some(0), "{}", String::from_utf8_lossy(&theirs.stderr));
    assert_eq!(kinds(&theirs.stdout), kinds(&ours.stdout));
    assert!(kinds(&ours.stdout).1.contains("in_flight"));
}

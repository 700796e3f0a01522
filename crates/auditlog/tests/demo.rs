//! The demonstration, run as a newcomer runs it.
//!
//! What must stay true here: the trail it leaves is checked by others than the demonstration
//! itself: `auditlog verify` and `check`, `sha256sum` and the Python scripts, where these are
//! installed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn auditlog(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditlog"));
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

fn told(dir: &Path) -> Value {
    let output = auditlog(&["demo", "--json", "--dir", dir.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    assert_eq!(text.lines().count(), 1, "one JSON object and nothing else: {text}");
    serde_json::from_str(&text).unwrap()
}

fn step<'a>(story: &'a Value, name: &str) -> &'a Value {
    let steps = story["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}"))
}

#[test]
fn the_story_goes_as_told() {
    let dir = tempfile::tempdir().unwrap();
    let story = told(dir.path());
    assert_eq!(story["ok"], true);
    assert!(story["failed"].is_null());
    for step in story["steps"].as_array().unwrap() {
        assert_eq!(step["ok"], true, "{step}");
        assert!(step["checks"].as_array().unwrap().iter().all(|c| c["holds"] == true), "{step}");
    }

    assert!(step(&story, "use")["requests"].as_u64().unwrap() >= 200);
    assert!(step(&story, "kill")["answered_durable"].as_u64().unwrap() >= 60);
    assert!(step(&story, "kill")["unanswered"].as_u64().unwrap() >= 1);
    assert_eq!(step(&story, "recover")["lost"], 0);
    let verified = step(&story, "verify");
    assert_eq!(verified["verdict"], "proven");
    assert_eq!(verified["sealed_size"], verified["entries"]);
    assert!(verified["keys_retired"].as_u64().unwrap() >= 2);
    let forgeries = step(&story, "forge")["forgeries"].as_array().unwrap();
    let found_out = forgeries.iter().filter(|forgery| forgery["found_out"] == true).count();
    assert_eq!((found_out, forgeries.len()), (9, 9));
    for (name, kind) in [("rolled_back", "rollback"), ("forked", "fork")] {
        let outcome = &step(&story, "remember")[name];
        assert_eq!(outcome["alone"], "proven", "{outcome}");
        assert_eq!(
            (&outcome["noted"], &outcome["witness"]["outcome"]),
            (&kind.into(), &kind.into())
        );
    }

    // The commands say the same of what is left behind.
    let trail = dir.path().join("trail");
    let key = step(&story, "create")["key"].as_str().unwrap();
    let noted = dir.path().join("noted.checkpoint");
    let verify = |name: &str, more: &[&str]| {
        let path = dir.path().join(name);
        let args = [&["verify", path.to_str().unwrap(), "--key", key], more].concat();
        auditlog(&args).status.code()
    };
    let since = ["--checkpoint", noted.to_str().unwrap()];
    assert_eq!(verify("trail", &[]), Some(0));
    assert_eq!(verify("trail", &since), Some(0));
    assert_eq!(verify("forged/3-deleted", &[]), Some(1));
    assert_eq!(verify("forged/9-signed-again", &[]), Some(1));
    for forged in ["forged/10-rolled-back", "forged/11-signed-today"] {
        assert_eq!((verify(forged, &[]), verify(forged, &since)), (Some(0), Some(1)), "{forged}");
    }
    let proven = step(&story, "prove");
    let (proof, proof_key) = (proven["proof"].as_str().unwrap(), &proven["proof_key"]);
    let check = |key: &str| auditlog(&["check", proof, "--key", key]).status.code();
    assert_eq!(check(proof_key.as_str().unwrap()), Some(0));
    assert_eq!(check(key), Some(0), "the proof carries the rotations from the first key");

    without_our_software("sha256sum -c --quiet *.sha256", &trail);
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    without_our_software(&format!("python3 '{docs}/verify_trail.py' ."), &trail);
    if Command::new("python3")
        .args(["-c", "import cryptography"])
        .output()
        .is_ok_and(|o| o.status.success())
    {
        without_our_software(&format!("python3 '{docs}/verify_full.py' . --key '{key}'"), &trail);
        let check = format!("python3 '{docs}/verify_proof.py' '{proof}' --key '{key}'");
        without_our_software(&check, &trail);
    } else {
        println!(
            "SKIPPED, for Python's `cryptography` is not installed: verify_full.py, verify_proof.py"
        );
    }
}

fn without_our_software(command: &str, trail: &Path) {
    let output = Command::new("sh").args(["-c", command]).current_dir(trail).output().unwrap();
    match output.status.code() {
        Some(127) => println!("SKIPPED, for it is not installed: {command}"),
        code => assert_eq!(code, Some(0), "{command}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn a_directory_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "precious").unwrap();
    let output = auditlog(&["demo", "--dir", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Also a parent that is killed closes the pipe.
#[test]
fn the_service_does_not_outlive_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let trail = dir.path().join("trail");
    let mut service = Command::new(env!("CARGO_BIN_EXE_auditlog"))
        .args(["demo", "--serve", "--dir", trail.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(service.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on 127.0.0.1:"), "{line}");
    drop(service.stdin.take());
    assert!(service.wait().unwrap().success());
    let last = auditlog(&["tail", "-n", "1", trail.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&last.stdout).contains("audit.closed"));
}

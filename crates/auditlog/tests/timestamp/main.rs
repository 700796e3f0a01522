//! Time stamps of RFC 3161: a real authority, `openssl ts`, asked over loopback; what is kept is checked
//! by `openssl ts -verify` too.
//!
//! What must stay true here: nothing is accepted that openssl refuses, but where a test says why.
#![cfg(feature = "timestamps")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up must fail")]

mod authority;
mod days;
mod kept;
mod tokens;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn auditlog(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditlog"));
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

/// The exit code, and what it printed as JSON.
fn json(args: &[&str]) -> (i32, Value) {
    let output = auditlog(&[args, &["--json"]].concat());
    let printed = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap(), printed.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// Stamps the trail's checkpoint.
fn stamp(dir: &str, url: &str, roots: &Path) -> (i32, Value) {
    json(&["timestamp", dir, "--tsa", url, "--roots", roots.to_str().unwrap()])
}

/// Checks all that is kept.
fn check(dir: &str, roots: &Path) -> (i32, Value) {
    json(&["timestamp", dir, "--check", "--roots", roots.to_str().unwrap()])
}

/// Makes a trail in `dir`.
fn trail(dir: &Path) -> String {
    let dir = dir.to_str().unwrap().to_owned();
    let output = auditlog(&["init", &dir, "--service", "billing-api"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    emit(&dir, 3);
    dir
}

/// Adds some events; the checkpoint covers them.
fn emit(dir: &str, count: usize) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_auditlog"))
        .args(["emit", dir])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for _ in 0..count {
        writeln!(input, r#"{{"event_type":"auth.failure","result":"failure"}}"#).unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// The size of the trail's checkpoint.
fn size(dir: &str) -> u64 {
    let note = std::fs::read_to_string(Path::new(dir).join("checkpoint")).unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

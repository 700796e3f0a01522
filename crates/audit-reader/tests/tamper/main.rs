//! The tamper battery: every change is found, and no honest trail is accused.
//!
//! What must stay true here: the short form runs in every test run, the long form is the same code
//! with more rounds (`cargo xtask tamper --rounds N --seed S`). A failure names its seed. Trails are
//! kept in memory where the system has a file system for that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its trail must fail"
)]

mod alarms;
mod attacks;
mod bits;
#[path = "../reader/common.rs"]
#[allow(dead_code, reason = "shared with the tests of the reader, each of which uses a part")]
mod common;
mod derived;
mod histories;

use std::path::Path;

use audit_reader::{Report, VerifyOptions, verify_dir};
use audit_testkit::Rng;
use tempfile::TempDir;

/// How many rounds: what the long form asks for, else few.
fn rounds(few: u64) -> u64 {
    number("AUDIT_TAMPER_ROUNDS").unwrap_or(few)
}

/// Where the random numbers begin.
fn seed() -> u64 {
    number("AUDIT_TAMPER_SEED").unwrap_or(20_261_125)
}

/// Whether this is the long form.
fn is_long() -> bool {
    number("AUDIT_TAMPER_ROUNDS").is_some()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")))
}

/// Says how many were tried and found, so that the long form's output is the answer.
fn tell(what: &str, tried: u64, found: u64) {
    println!("tamper: {what}: {tried} tried, {found} found");
    assert_eq!(tried, found, "{what}");
}

fn below(rng: &mut Rng, limit: usize) -> usize {
    rng.between(0, limit - 1)
}

/// A directory, in memory if there is a place for that.
fn memory() -> TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap()
}

/// Verifies with the first key that `trail.json` named when the trail was honest.
fn verify_pinned(dir: &Path, vkey: &str) -> Report {
    let key = audit_core::note::VerifierKey::parse(vkey).unwrap();
    verify_dir(dir, VerifyOptions::default().with_key(key).with_jobs(1)).unwrap()
}

/// The first key, as `trail.json` says.
fn first_key(dir: &Path) -> String {
    let info = std::fs::read(dir.join("trail.json")).unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    info["initial_key"].as_str().unwrap().to_owned()
}

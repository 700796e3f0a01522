//! The bad days of a ring: openings that fail, directories that move, files that were changed, and
//! strangers. What was accepted comes into the trail, or the trail says why not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;

use audit_logging::{AuditConfig, AuditLogger, OpenError};
use audit_testkit::read::labels;
use common::rings::{killed, live, read, recovered, reopen, rings};
use common::{PATIENCE, config, durable};

#[test]
fn a_life() {
    live();
}

fn with_rings_in(dir: &Path, ring_dir: &Path) -> AuditConfig {
    AuditConfig { ring_dir: Some(ring_dir.to_owned()), ..config(dir) }
}

#[test]
fn openings_that_fail_forget_no_directory_that_rings_are_in() {
    let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [a, b, c] = ["a", "b", "c"].map(|name| tmp.path().join(name));
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "signed");
    logger.shutdown_timeout(PATIENCE).unwrap();
    killed(dir.path(), Some(&a), &["one", "two"]);
    // Fails after the new ring was made.
    let checkpoint = dir.path().join("trail/checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    std::fs::write(&checkpoint, text.replace("\n\n", "\nextension\n\n")).unwrap();
    for ring_dir in [&b, &c] {
        let error = AuditLogger::new(with_rings_in(dir.path(), ring_dir)).err().unwrap();
        assert!(matches!(error, OpenError::NotAnExtension { .. }), "{error:?}");
        assert!(rings(ring_dir).is_empty());
    }
    std::fs::write(&checkpoint, text).unwrap();
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["signed", "one", "two"]);
    assert_eq!(recovered(&lines)[0]["entries_salvaged"], 2);
    assert!(rings(&a).is_empty());
}

#[test]
fn a_directory_that_was_gone_for_a_while_is_still_looked_into() {
    let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, away) = (tmp.path().join("a"), tmp.path().join("away"));
    killed(dir.path(), Some(&a), &["one"]);
    std::fs::rename(&a, &away).unwrap();
    let lines = reopen(dir.path());
    let told = recovered(&lines)[0]["ring_problem"].as_str().unwrap();
    assert!(told.contains("missing"), "{told}");
    std::fs::rename(&away, &a).unwrap();
    assert_eq!(labels(&reopen(dir.path())), ["one"]);
    assert!(rings(&a).is_empty());
    // Nothing more is to be had there, and it is not looked into again.
    std::fs::remove_dir(&a).unwrap();
    assert_eq!(std::fs::read(dir.path().join("trail/ring.dir")).unwrap(), b"");
}

#[test]
fn the_trails_own_directory_may_be_named_for_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let trail = dir.path().join("trail");
    killed(dir.path(), Some(&trail), &["one"]);
    let again = with_rings_in(dir.path(), &trail);
    AuditLogger::new(again).unwrap().shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read(dir.path())), ["one"]);
    assert!(!trail.join("ring.dir").exists());
}

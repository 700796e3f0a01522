//! Opening again after bad days: needs no room, forgets nothing, believes nothing derived.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use audit_core::meta::Manifest;
use audit_logging::{AuditConfig, AuditLogger, OpenError, RotationPolicy};
use audit_testkit::read::{labels, of_type};
use audit_testkit::{CountingStorage, Op, TestEvent, read_dir};
use common::{PATIENCE, config, durable, lazy, open_over, segment_files, storage, with_mode};

fn first_segment(dir: &Path) -> PathBuf {
    segment_files(dir).remove(0)
}

/// Three events, and the bytes of the segment as a killed process leaves it, nothing sealed.
fn killed() -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    for label in ["a", "b", "c"] {
        durable(&logger, label);
    }
    let bytes = std::fs::read(first_segment(dir.path())).unwrap();
    logger.shutdown_timeout(PATIENCE).unwrap();
    std::fs::write(first_segment(dir.path()), &bytes).unwrap();
    for file in ["checkpoint", "tree.hashes"] {
        std::fs::remove_file(dir.path().join("trail").join(file)).unwrap();
    }
    (dir, bytes)
}

#[test]
fn an_unclean_restart_copies_no_segment() {
    let (dir, bytes) = killed();
    let segment = first_segment(dir.path());
    std::fs::write(&segment, [bytes.as_slice(), b"torn"].concat()).unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert_eq!(disk.count_of(Op::Replace, name), 0, "a full disk has no room for a copy");
    assert_eq!(disk.count_of(Op::WriteAgain, name), 1, "what a failed sync left is made durable");
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read_dir(&dir.path().join("trail"))), ["a", "b", "c"]);
}

#[test]
fn an_opening_that_fails_forgets_no_boot() {
    let (dir, bytes) = killed();
    let mut torn = bytes.clone();
    let at: usize = bytes.split_inclusive(|b| *b == b'\n').take(3).map(<[u8]>::len).sum();
    torn[at..at + 40].fill(0);
    std::fs::write(first_segment(dir.path()), &torn).unwrap();
    std::fs::write(dir.path().join("trail/lock"), "pid 1 started x boot another\n").unwrap();
    let wrong = AuditConfig { service_id: "somebody-else".into(), ..config(dir.path()) };
    assert!(matches!(AuditLogger::new(wrong), Err(OpenError::WrongService { .. })));
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    let recovered = of_type(&lines, "audit.recovered");
    assert_eq!(recovered[0].details["same_boot"], false);
    assert_eq!(recovered[0].details["quarantined_bytes"], torn.len() - at);
}

#[test]
fn a_closing_line_that_is_not_sealed_is_made_durable_again() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "a");
    logger.shutdown_timeout(PATIENCE).unwrap();
    // The last sync may have failed: the checkpoint that follows it was never published.
    std::fs::remove_file(dir.path().join("trail/checkpoint")).unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    assert_eq!(disk.count(Op::WriteAgain), 1);
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(of_type(&read_dir(&dir.path().join("trail")), "audit.recovered").len(), 1);
}

#[test]
fn a_segment_shortened_and_deleted_loses_nothing_that_was_not_durable() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(with_mode(dir.path(), lazy()), disk.clone());
    let segment = first_segment(dir.path());
    let name = segment.file_name().unwrap().to_str().unwrap().to_owned();
    let before = disk.count_of(Op::Append, &name);
    let receipts: Vec<_> =
        ["a", "b"].iter().map(|l| logger.emit(TestEvent::routine(*l)).unwrap()).collect();
    disk.wait_for_of(Op::Append, &name, before + 1);
    std::fs::File::options().write(true).open(&segment).unwrap().set_len(0).unwrap();
    std::fs::remove_file(&segment).unwrap();
    logger.flush_blocking().unwrap();
    assert!(receipts.iter().all(audit_logging::Receipt::is_durable));
    logger.shutdown_timeout(PATIENCE).unwrap();
    let all: String = std::fs::read_dir(dir.path().join("trail"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "audit"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for label in ["\"a\"", "\"b\"", "audit.storage_failed"] {
        assert!(all.contains(label), "{label} is gone: {all}");
    }
}

#[test]
fn a_wrong_row_of_the_manifest_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        rotation: RotationPolicy::SizeLimit { bytes: 64 << 10 },
        ..config(dir.path())
    };
    let logger = AuditLogger::new(config.clone()).unwrap();
    for n in 0..8 {
        durable_padded(&logger, n);
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    let path = dir.path().join("trail/manifest.json");
    let read = || -> Manifest { serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap() };
    let good = read();
    for break_row in [
        |m: &mut Manifest| m.files[0].event_count += 1,
        |m: &mut Manifest| m.files[1].last_hash = "0".repeat(64),
        |m: &mut Manifest| m.files[0].size_bytes -= 1,
        |m: &mut Manifest| m.files[1].sha256 = Some("0".repeat(64)),
    ] {
        let mut broken = read();
        break_row(&mut broken);
        std::fs::write(&path, serde_json::to_vec(&broken).unwrap()).unwrap();
        AuditLogger::new(config.clone()).unwrap().shutdown_timeout(PATIENCE).unwrap();
        for (row, right) in read().files.iter().zip(&good.files).take(2) {
            assert_eq!((row.event_count, row.size_bytes), (right.event_count, right.size_bytes));
            assert_eq!((&row.last_hash, &row.sha256), (&right.last_hash, &right.sha256));
        }
    }
}

fn durable_padded(logger: &AuditLogger, n: u32) {
    let event = TestEvent::routine(n.to_string()).padded(20_000);
    logger.emit(event).unwrap().wait_durable_timeout(PATIENCE).unwrap();
}

#[test]
fn interrupted_replacements_leave_nothing_behind() {
    let (dir, _) = killed();
    let trail = dir.path().join("trail");
    for file in ["manifest.json.tmp", "keys/1.key.tmp"] {
        std::fs::write(trail.join(file), "half").unwrap();
    }
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    assert!(!trail.join("manifest.json.tmp").exists());
    assert!(!trail.join("keys/1.key.tmp").exists());
}

#[test]
fn a_trailing_slash_follows_no_symlink() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), dir.path().join("trail")).unwrap();
    std::fs::create_dir(dir.path().join("elsewhere")).unwrap();
    let base_dir = PathBuf::from(format!("{}/trail/", dir.path().display()));
    let config = AuditConfig {
        mode: audit_logging::AuditMode::Local { base_dir },
        ..AuditConfig::new("billing-api")
    };
    assert!(matches!(AuditLogger::new(config), Err(OpenError::Insecure { .. })));
}

//! Somebody else touches the segment while it is written: noticed at the next commit, recorded,
//! nothing durable lost that the writer could keep.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger};
use audit_testkit::faulty::How;
use audit_testkit::read::{labels, of_type};
use audit_testkit::{FaultyStorage, Op, TestClock, TestEvent, read_dir};
use common::{PATIENCE, config, durable, open_over, segment_files, storage};

fn segment(dir: &tempfile::TempDir) -> PathBuf {
    segment_files(dir.path()).remove(0)
}

fn with_stranger(act: impl FnOnce(&PathBuf)) -> (tempfile::TempDir, Vec<audit_testkit::Line>) {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "before");
    act(&segment(&dir));
    durable(&logger, "noticed");
    durable(&logger, "after");
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    (dir, lines)
}

fn assert_recorded(lines: &[audit_testkit::Line]) {
    assert_eq!(labels(lines), ["before", "noticed", "after"]);
    let failed = of_type(lines, "audit.storage_failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].details["operation"], "keep");
    assert_eq!(failed[0].details["segment"], *lines[0].segment);
}

#[test]
fn a_deleted_segment_comes_back_whole() {
    let (_dir, lines) = with_stranger(|path| std::fs::remove_file(path).unwrap());
    assert_recorded(&lines);
}

#[test]
fn a_replaced_segment_comes_back_and_the_impostor_is_kept() {
    let (dir, lines) = with_stranger(|path| {
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, "{\"nothing\":\"happened\"}\n").unwrap();
    });
    assert_recorded(&lines);
    let quarantine = std::fs::read_dir(dir.path().join("trail/quarantine")).unwrap();
    let kept: Vec<_> =
        quarantine.map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    assert_eq!(kept, ["{\"nothing\":\"happened\"}\n"]);
}

#[test]
fn a_segment_that_a_stranger_appended_to_is_cut_back_and_the_bytes_are_kept() {
    let (dir, lines) = with_stranger(|path| {
        let mut file = std::fs::File::options().append(true).open(path).unwrap();
        file.write_all(&b"stranger ".repeat(500)).unwrap();
    });
    assert_recorded(&lines);
    let quarantine = std::fs::read_dir(dir.path().join("trail/quarantine")).unwrap();
    let kept = quarantine.map(|e| std::fs::read(e.unwrap().path()).unwrap()).next().unwrap();
    assert!(kept.ends_with(b"stranger "));
}

#[test]
fn a_segment_that_a_stranger_cut_is_left_as_it_is_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    for n in 0..20 {
        durable(&logger, &n.to_string());
    }
    let path = segment(&dir);
    let whole = std::fs::read(&path).unwrap();
    // Below what the next entry reaches, so that the gap shows.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
    durable(&logger, "noticed");
    logger.shutdown_timeout(PATIENCE).unwrap();
    let left = std::fs::read(&path).unwrap();
    // What the stranger took cannot come back, but it is never passed off as whole: the checksum
    // of what was durable stands beside it.
    assert_eq!(left, whole[..100]);
    let sum = std::fs::read_to_string(path.with_extension("audit.sha256")).unwrap();
    let expected = audit_testkit::read::sha256_hex(&whole);
    assert!(sum.starts_with(&expected), "{sum}");
    let next =
        path.with_file_name(path.file_stem().unwrap().to_string_lossy().into_owned() + "-1.audit");
    let text = std::fs::read_to_string(next).unwrap();
    assert!(text.contains("audit.storage_failed") && text.contains("\"noticed\""), "{text}");
}

#[test]
fn a_segment_deleted_just_before_rotation_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2026-11-23T23:59:00Z");
    let logger = AuditLogger::builder(config(dir.path())).clock(clock.shared()).open().unwrap();
    durable(&logger, "before");
    std::fs::remove_file(segment(&dir)).unwrap();
    clock.advance(Duration::from_secs(120));
    durable(&logger, "noticed");
    durable(&logger, "after");
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_recorded(&read_dir(&dir.path().join("trail")));
}

#[test]
fn a_segment_deleted_on_a_full_disk_comes_back_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    let patient = AuditConfig { drop_limit_ms: 30_000, ..config(dir.path()) };
    let logger = open_over(patient, disk.clone());
    durable(&logger, "before");
    std::fs::remove_file(segment(&dir)).unwrap();
    disk.fail_always(&[Op::Relink], How::Error(ErrorKind::StorageFull));
    let receipt = logger.emit(TestEvent::routine("noticed")).unwrap();
    disk.wait_failed(1);
    disk.heal();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
    // The ladder is left at the writer's next look.
    while logger.space_level() == audit_logging::SpaceLevel::Full {
        std::thread::yield_now();
    }
    durable(&logger, "after");
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_recorded(&read_dir(&dir.path().join("trail")));
}

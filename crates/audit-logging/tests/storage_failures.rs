//! Disks that fail: what was durable stays, what was accepted is written again elsewhere, and the
//! second failure is said on every call.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_logging::storage::DirStorage;
use audit_logging::{AuditConfig, AuditLogger, EmitError, RotationPolicy, SpaceLevel, WaitError};
use audit_testkit::faulty::How;
use audit_testkit::read::{labels, of_type, segments};
use audit_testkit::{FaultyStorage, Op, TestEvent, read_dir};
use common::{PATIENCE, config, lazy, open_over, storage};

const EIO: How = How::Error(ErrorKind::Other);
const FULL: How = How::Error(ErrorKind::StorageFull);

struct Fixture {
    dir: tempfile::TempDir,
    disk: Arc<FaultyStorage>,
    logger: AuditLogger,
}

fn fixture(change: impl FnOnce(&mut AuditConfig)) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    let mut config = config(dir.path());
    change(&mut config);
    let logger = open_over(config, disk.clone());
    Fixture { dir, disk, logger }
}

impl Fixture {
    fn trail(&self) -> std::path::PathBuf {
        self.dir.path().join("trail")
    }

    fn durable(&self, label: &str) {
        let receipt = self.logger.emit(TestEvent::routine(label)).unwrap();
        receipt.wait_durable_timeout(PATIENCE).unwrap();
    }
}

fn quarantined(trail: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(trail.join("quarantine")) else { return Vec::new() };
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// One failure: a new segment, the unsynced lines again, the old one cut and closed.
fn one_failure_is_survived(op: Op, operation: &str) {
    let f = fixture(|_| {});
    f.durable("before");
    // The file is looked at before the write and after the sync; the second look is meant.
    f.disk.fail_once(&[op], u64::from(op == Op::Identity), EIO);
    f.durable("during");
    f.durable("after");
    f.logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&f.trail());
    assert_eq!(labels(&lines), ["before", "during", "after"]);
    let failed = of_type(&lines, "audit.storage_failed");
    assert_eq!(failed.len(), 1);
    let old = &lines[0].segment;
    assert_eq!(failed[0].details["operation"], operation);
    assert_eq!(failed[0].details["segment"], **old);
    assert_eq!(failed[0].details["entries_rewritten"], 1);
    let names = segments(&DirStorage::open(&f.trail(), false).unwrap()).unwrap();
    assert_eq!(names.len(), 2);
    let cut = std::fs::metadata(f.trail().join(old)).unwrap().len();
    assert_eq!(failed[0].details["durable_bytes"], cut);
    let during = lines.iter().find(|line| line.label() == Some("during")).unwrap();
    assert_eq!(during.segment, names[1]);
    if op == Op::Sync {
        // Byte for byte what had been written before.
        assert_eq!(quarantined(&f.trail()), [format!("{}\n", during.raw).into_bytes()]);
    }
}

#[test]
fn a_failed_append_is_survived() {
    one_failure_is_survived(Op::Append, "append to");
}

#[test]
fn a_failed_sync_is_survived() {
    one_failure_is_survived(Op::Sync, "sync");
}

#[test]
fn a_failed_look_at_the_file_is_survived() {
    one_failure_is_survived(Op::Identity, "look at");
}

#[test]
fn short_writes_are_continued() {
    let f = fixture(|_| {});
    f.disk.fail_always(&[Op::Append], How::Take(7));
    f.durable("a");
    f.durable("b");
    f.logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read_dir(&f.trail())), ["a", "b"]);
}

#[test]
fn a_second_failure_poisons_and_nothing_durable_is_lost() {
    for op in [Op::Sync, Op::Append, Op::Create] {
        let f = fixture(|_| {});
        f.durable("durable");
        f.disk.fail_once(&[Op::Sync], 0, EIO);
        f.disk.rule(&[op], "-1.audit", 0, u64::MAX, EIO);
        let lost = f.logger.emit(TestEvent::routine("lost")).unwrap();
        let outcome = lost.wait_durable_timeout(PATIENCE);
        assert!(matches!(outcome, Err(WaitError::Poisoned(_))), "{op:?}: {outcome:?}");
        let refused = f.logger.emit(TestEvent::routine("refused"));
        assert!(matches!(refused, Err(EmitError::Poisoned(_))), "{op:?}");
        assert!(matches!(f.logger.shutdown_timeout(PATIENCE), Err(WaitError::Poisoned(_))));
        let Fixture { dir, disk, logger } = f;
        drop(logger);
        disk.heal();
        let logger = AuditLogger::new(config(dir.path())).unwrap();
        let more = logger.emit(TestEvent::routine("more")).unwrap();
        more.wait_durable_timeout(PATIENCE).unwrap();
        logger.shutdown_timeout(PATIENCE).unwrap();
        let lines = read_dir(&dir.path().join("trail"));
        let found = labels(&lines);
        assert_eq!((found[0], found[found.len() - 1]), ("durable", "more"), "{op:?}");
        assert!(found.len() == 2 || found[1] == "lost", "{op:?}: {found:?}");
        assert_eq!(of_type(&lines, "audit.recovered").len(), 1);
    }
}

#[test]
fn two_failures_far_apart_are_both_survived() {
    let f = fixture(|_| {});
    for round in 0..3 {
        f.disk.fail_once(&[Op::Sync], 0, EIO);
        f.durable(&round.to_string());
        // Durable only after `audit.storage_failed` is.
        f.durable("between");
    }
    f.logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&f.trail());
    assert_eq!(labels(&lines), ["0", "between", "1", "between", "2", "between"]);
    assert_eq!(of_type(&lines, "audit.storage_failed").len(), 3);
}

#[test]
fn a_given_up_segment_that_could_not_be_closed_is_closed_at_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    let mut small = config(dir.path());
    small.rotation = RotationPolicy::SizeLimit { bytes: 64 << 10 };
    let logger = open_over(small.clone(), disk.clone());
    disk.fail_once(&[Op::Sync], 0, EIO);
    // The quarantine fails, so the old segment keeps copies of lines that stand in the next one.
    disk.rule(&[Op::Replace], "quarantine", 0, 1, EIO);
    logger.emit(TestEvent::routine("a")).unwrap().wait_durable_timeout(PATIENCE).unwrap();
    // Several more segments, so that the given-up one is not the last but one.
    for n in 0..8 {
        let event = TestEvent::routine(n.to_string()).padded(30_000);
        logger.emit(event).unwrap().wait_durable_timeout(PATIENCE).unwrap();
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    AuditLogger::new(small).unwrap().shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    assert_eq!(labels(&lines), ["a", "0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn a_full_disk_is_waited_for_wherever_it_shows() {
    let small = |c: &mut AuditConfig| c.rotation = RotationPolicy::SizeLimit { bytes: 64 << 10 };
    for op in [Op::Append, Op::Create, Op::Replace] {
        let f = fixture(small);
        f.durable("before");
        f.disk.fail_always(&[op], FULL);
        // From the moment the writer meets the full disk, events are refused.
        let mut accepted = vec!["before".to_owned()];
        let mut receipts = Vec::new();
        for label in ["0", "1", "2", "3"] {
            if let Ok(receipt) = f.logger.emit(TestEvent::routine(label).padded(30_000)) {
                accepted.push(label.to_owned());
                receipts.push(receipt);
            }
        }
        f.disk.wait_failed(2);
        let refused = loop {
            if let Err(error) = f.logger.emit(TestEvent::critical("refused")) {
                break error;
            }
        };
        assert!(matches!(refused, EmitError::DiskFull), "{op:?}: {refused:?}");
        assert_eq!(f.logger.space_level(), SpaceLevel::Full);
        f.disk.heal();
        for receipt in receipts {
            receipt.wait_durable_timeout(PATIENCE).unwrap();
        }
        f.logger.shutdown_timeout(PATIENCE).unwrap();
        let lines = read_dir(&f.trail());
        let found: Vec<&str> = labels(&lines).into_iter().filter(|l| *l != "refused").collect();
        assert_eq!(found, accepted, "{op:?}");
        let dropped = of_type(&lines, "audit.events_dropped");
        assert_eq!(dropped[0].details["dropped"][0]["event_type"], "auth.failure");
        assert_eq!(dropped[0].details["dropped"][0]["cause"], "disk_full");
        assert!(of_type(&lines, "audit.storage_failed").is_empty(), "{op:?}");
    }
}

#[test]
fn shutdown_on_a_full_disk_ends_with_an_error_at_the_drop_limit() {
    let f = fixture(|c| {
        c.flush_mode = lazy();
        c.drop_limit_ms = 500;
    });
    f.durable_by_flush("safe");
    f.disk.fail_always(&[Op::Append], FULL);
    drop(f.logger.emit(TestEvent::routine("waits")).unwrap());
    let start = Instant::now();
    let outcome = f.logger.shutdown_timeout(PATIENCE);
    assert!(matches!(&outcome, Err(WaitError::Poisoned(f)) if f.kind() == ErrorKind::StorageFull));
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(5), "{took:?}");
    f.disk.heal();
    let Fixture { dir, logger, .. } = f;
    drop(logger);
    drop(AuditLogger::new(config(dir.path())).unwrap());
    assert_eq!(labels(&read_dir(&dir.path().join("trail")))[0], "safe");
}

impl Fixture {
    fn durable_by_flush(&self, label: &str) {
        drop(self.logger.emit(TestEvent::routine(label)).unwrap());
        self.logger.flush_blocking().unwrap();
    }
}

#[test]
fn opening_on_a_full_disk_is_an_error_and_does_not_wait() {
    for op in [Op::Append, Op::Create, Op::Replace] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyStorage::over(storage(dir.path()));
        disk.fail_always(&[op], FULL);
        let (send, receive) = std::sync::mpsc::channel();
        let config = config(dir.path());
        std::thread::spawn(move || {
            let opened = AuditLogger::builder(config).storage(disk).open();
            send.send(opened.map(drop)).unwrap();
        });
        let outcome = receive.recv_timeout(Duration::from_secs(10)).expect("opening hangs");
        assert!(outcome.is_err(), "{op:?}");
    }
}

#[test]
fn the_ladder_refuses_routine_events_first_and_resumes() {
    const GB: u64 = 1 << 30;
    let f = fixture(|_| {});
    let level = |free: u64, expected: SpaceLevel| {
        f.disk.set_space(free, 1000 * GB);
        // The writer looks before each batch.
        let end = Instant::now() + PATIENCE;
        while f.logger.space_level() != expected {
            assert!(Instant::now() < end, "{expected:?} is never reached");
            if f.logger.space_level() < SpaceLevel::CriticalOnly {
                drop(f.logger.emit(TestEvent::routine("probe")));
            }
            drop(f.logger.flush_blocking());
        }
    };
    level(GB / 2, SpaceLevel::Low);
    f.durable("low");
    level(GB / 10, SpaceLevel::CriticalOnly);
    for _ in 0..3 {
        let refused = f.logger.emit(TestEvent::routine("no"));
        assert!(matches!(refused, Err(EmitError::DiskFull)));
    }
    let critical = f.logger.emit(TestEvent::critical("critical")).unwrap();
    critical.wait_durable_timeout(PATIENCE).unwrap();
    level(GB / 100, SpaceLevel::Full);
    for _ in 0..2 {
        let refused = f.logger.emit(TestEvent::critical("no"));
        assert!(matches!(refused, Err(EmitError::DiskFull)));
    }
    level(500 * GB, SpaceLevel::Normal);
    f.durable("resumed");
    f.logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&f.trail());
    let found: Vec<&str> = labels(&lines).into_iter().filter(|l| *l != "probe").collect();
    assert_eq!(found, ["low", "critical", "resumed"]);
    let mut counts = std::collections::BTreeMap::new();
    for report in of_type(&lines, "audit.events_dropped") {
        for row in report.details["dropped"].as_array().unwrap() {
            assert_eq!(row["cause"], "disk_full");
            *counts.entry(row["event_type"].as_str().unwrap()).or_insert(0) +=
                row["count"].as_u64().unwrap();
        }
    }
    // Probes may have been refused on the way up.
    assert_eq!(counts["auth.failure"], 2);
    assert!(counts["data.read"] >= 3);
    assert_eq!(lines.last().unwrap().details["drops"], counts.values().sum::<u64>());
}

#[test]
fn a_panic_in_the_writer_poisons_and_hangs_nobody() {
    for op in [Op::Sync, Op::Append] {
        let f = fixture(|_| {});
        f.durable("durable");
        f.disk.fail_once(&[op], 0, How::Panic);
        let receipt = f.logger.emit(TestEvent::routine("x")).unwrap();
        let outcome = receipt.wait_durable_timeout(PATIENCE);
        assert!(matches!(outcome, Err(WaitError::Poisoned(_))), "{outcome:?}");
        assert!(matches!(f.logger.shutdown_timeout(PATIENCE), Err(WaitError::Poisoned(_))));
        assert!(f.logger.emit(TestEvent::routine("y")).is_err());
        let Fixture { dir, logger, .. } = f;
        drop(logger);
        drop(AuditLogger::new(config(dir.path())).unwrap());
        assert_eq!(labels(&read_dir(&dir.path().join("trail")))[0], "durable");
    }
}

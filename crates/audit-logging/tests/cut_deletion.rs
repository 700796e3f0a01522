//! A deletion that a crash cut short, crossed with a change of keys that one cut short.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_logging::storage::Storage;
use audit_logging::{AuditConfig, AuditLogger, RetentionPolicy, RotationPolicy};
use audit_testkit::faulty::How;
use audit_testkit::{FaultyStorage, Op, TestClock};
use common::{PATIENCE, config, copy_all, durable, storage};
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);

fn daily(dir: &Path) -> AuditConfig {
    AuditConfig {
        rotation: RotationPolicy::Daily,
        retention: RetentionPolicy {
            min_retention_days: 3,
            archive_after_days: 90,
            delete_after_days: 3,
        },
        retention_interval_hours: 0,
        ..config(dir)
    }
}

/// Every entry there is, in order.
fn entries(dir: &Path) -> Vec<Value> {
    let files = common::segment_files(dir);
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The key in force at a size, as the entries name it.
fn key_at(all: &[Value], size: u64) -> &str {
    let rotated = all.iter().filter(|entry| entry["event_type"] == "audit.key_rotated");
    let mut before = rotated.filter(|entry| size > entry["seq"].as_u64().unwrap() + 1);
    before.next_back().unwrap()["details"]["new_key"].as_str().unwrap()
}

/// A trail whose retention deleted the first three of its segments, when the third was still there, and
/// which changed its keys after that: the old one could not be destroyed, and the new one has signed or not.
fn cut(dir: &Path, clock: &TestClock, is_signed: bool, is_destroyed: bool) -> Vec<Value> {
    let logger = AuditLogger::builder(daily(dir)).clock(clock.shared()).open().unwrap();
    for day in 0..7 {
        durable(&logger, &format!("day {day}"));
        clock.advance(DAY);
    }
    durable(&logger, "today");
    logger.seal_blocking().unwrap();
    let whole = tempfile::tempdir().unwrap();
    copy_all(&dir.join("trail"), &whole.path().join("trail"));
    let all = entries(dir);
    assert_eq!(logger.apply_retention().unwrap().deleted.len(), 3);
    logger.shutdown_timeout(PATIENCE).unwrap();
    for file in ["2026-01-03.audit", "2026-01-03.audit.sha256"] {
        std::fs::copy(whole.path().join("trail").join(file), dir.join("trail").join(file)).unwrap();
    }
    let disk = FaultyStorage::over(storage(dir));
    let eio = How::Error(ErrorKind::Other);
    if !is_destroyed {
        disk.rule(&[Op::Destroy], "", 0, u64::MAX, eio);
    }
    if !is_signed {
        disk.rule(&[Op::Replace], "checkpoint", 0, u64::MAX, eio);
    }
    let over = disk as Arc<dyn Storage>;
    let builder = AuditLogger::builder(daily(dir)).clock(clock.shared()).storage(over);
    let logger = builder.rotate_key().open().unwrap();
    durable(&logger, "rotated");
    assert_eq!(logger.shutdown_timeout(PATIENCE).is_ok(), is_signed);
    all
}

#[test]
fn it_opens_and_goes_on() {
    for is_signed in [false, true] {
        for is_destroyed in [false, true] {
            let context = format!("signed {is_signed}, destroyed {is_destroyed}");
            let dir = tempfile::tempdir().unwrap();
            let clock = TestClock::at("2026-01-01T12:00:00Z");
            let all = cut(dir.path(), &clock, is_signed, is_destroyed);
            let first = entries(dir.path())[0]["seq"].as_u64().unwrap();
            let open = || {
                let builder = AuditLogger::builder(daily(dir.path())).clock(clock.shared());
                builder.open().unwrap_or_else(|error| panic!("{context}: {error}"))
            };
            for label in ["one", "two"] {
                let logger = open();
                durable(&logger, label);
                logger.shutdown_timeout(PATIENCE).unwrap();
            }
            assert_eq!(std::fs::read_dir(dir.path().join("trail/keys")).unwrap().count(), 1);
            // The next deletion knows the keys from the front on that was announced.
            clock.advance(DAY);
            let logger = open();
            assert_eq!(logger.apply_retention().unwrap().deleted.len(), 2);
            logger.shutdown_timeout(PATIENCE).unwrap();
            let now = entries(dir.path());
            let applied: Vec<&Value> = now
                .iter()
                .filter(|entry| entry["event_type"] == "audit.retention_applied")
                .map(|entry| &entry["details"]["front"])
                .collect();
            assert!(applied.len() > 1 && first < now[0]["seq"].as_u64().unwrap());
            for front in applied {
                let size = front["seq"].as_u64().unwrap();
                assert_eq!(front["key"], key_at(&all, size), "{context}: {front}");
            }
        }
    }
}

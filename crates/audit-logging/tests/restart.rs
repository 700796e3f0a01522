//! Stopping, starting and rotating: one chain, right names, right dates, right modes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use audit_core::chain::{Hash, Head};
use audit_core::meta::Manifest;
use audit_core::plan;
use audit_logging::{AuditConfig, AuditLogger, OpenError, RotationPolicy};
use audit_testkit::read::{labels, of_type, sha256_hex};
use audit_testkit::{TestClock, TestEvent, read_dir};
use common::{PATIENCE, config};

fn open(config: &AuditConfig, clock: &TestClock) -> AuditLogger {
    AuditLogger::builder(config.clone()).clock(clock.shared()).open().unwrap()
}

fn durable(logger: &AuditLogger, event: TestEvent) {
    logger.emit(event).unwrap().wait_durable_timeout(PATIENCE).unwrap();
}

fn file_names(dir: &Path, ending: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.join("trail"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
}

#[test]
fn five_restarts_across_midnight_give_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let clock = TestClock::at("2026-11-23T23:50:00Z");
    for life in 0..5 {
        let logger = open(&config, &clock);
        for n in 0..3 {
            durable(&logger, TestEvent::routine(format!("{life}/{n}")));
            clock.advance(Duration::from_secs(60));
        }
        logger.shutdown_timeout(PATIENCE).unwrap();
        clock.advance(Duration::from_secs(60));
    }
    let lines = read_dir(&dir.path().join("trail"));
    let expected: Vec<String> =
        (0..5).flat_map(|life| (0..3).map(move |n| format!("{life}/{n}"))).collect();
    assert_eq!(labels(&lines), expected);
    let ids: BTreeSet<_> = lines.iter().map(|line| line.audit_id).collect();
    assert_eq!(ids.len(), lines.len());
    // The key is replaced with each new segment, by two entries of its own.
    let types: Vec<&str> = lines
        .iter()
        .map(|line| line.event_type.as_str())
        .filter(|t| !["audit.key_rotated", "audit.epoch_sealed"].contains(t))
        .collect();
    assert_eq!(lines.len(), types.len() + 2);
    let life = ["audit.opened", "data.read", "data.read", "data.read", "audit.closed"];
    let expected: Vec<&str> =
        std::iter::once("audit.trail_created").chain(life.repeat(5)).collect();
    assert_eq!(types, expected);
    assert_eq!(file_names(dir.path(), ".audit"), ["2026-11-23.audit", "2026-11-24.audit"]);
    for line in &lines {
        assert_eq!(line.segment[..10], line.timestamp[..10], "{}", line.raw);
    }
    for closed in of_type(&lines, "audit.closed") {
        assert_eq!((&closed.details["entries"], &closed.details["drops"]), (&3.into(), &0.into()));
    }
}

#[test]
fn dates_never_go_back_and_steps_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        AuditConfig { rotation: RotationPolicy::Both { bytes: 64 << 10 }, ..config(dir.path()) };
    let clock = TestClock::at("2026-11-23T10:00:00Z");
    let logger = open(&config, &clock);
    durable(&logger, TestEvent::routine("a"));
    clock.step_to("2026-11-21T10:00:00Z");
    for n in 0..4 {
        durable(&logger, TestEvent::routine(n.to_string()).padded(30_000));
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    drop(logger);
    // Back again between two lives.
    clock.step_to("2026-11-20T10:00:00Z");
    open(&config, &clock).shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    let names = file_names(dir.path(), ".audit");
    assert!(
        names.len() >= 2 && names.iter().all(|name| name.starts_with("2026-11-23")),
        "{names:?}"
    );
    let steps = of_type(&lines, "audit.clock_stepped");
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert_eq!(steps[0].details["from"], "2026-11-23T10:00:00.000000000Z");
    assert_eq!(steps[0].details["to"], "2026-11-21T10:00:00.000000000Z");
    assert_eq!(steps[1].details["to"], "2026-11-20T10:00:00.000000000Z");
}

#[test]
fn time_that_passes_while_the_service_is_down_is_no_step() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2026-11-23T10:00:00Z");
    open(&config(dir.path()), &clock).shutdown_timeout(PATIENCE).unwrap();
    clock.advance(Duration::from_secs(9 * 86_400));
    open(&config(dir.path()), &clock).shutdown_timeout(PATIENCE).unwrap();
    assert!(of_type(&read_dir(&dir.path().join("trail")), "audit.clock_stepped").is_empty());
}

fn many_segments(rotation: RotationPolicy) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = AuditConfig { rotation, ..config(dir.path()) };
    let clock = TestClock::at("2026-11-23T23:00:00Z");
    let logger = open(&config, &clock);
    for n in 0..10 {
        if n == 5 {
            clock.advance(Duration::from_secs(3_600));
        }
        // Not waited for: rotation happens inside a batch too.
        drop(logger.emit(TestEvent::routine(n.to_string()).padded(20_000)).unwrap());
        if n == 4 {
            logger.flush_blocking().unwrap();
        }
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    dir
}

#[test]
fn a_size_limit_is_kept_exactly() {
    const LIMIT: u64 = 64 << 10;
    let dir = many_segments(RotationPolicy::SizeLimit { bytes: LIMIT });
    let lines = read_dir(&dir.path().join("trail"));
    assert_eq!(labels(&lines).len(), 10);
    let mut names: Vec<&str> = lines.iter().map(|line| line.segment.as_str()).collect();
    names.dedup();
    assert!(names.len() >= 4, "{names:?}");
    for pair in names.windows(2) {
        let len = std::fs::metadata(dir.path().join("trail").join(pair[0])).unwrap().len();
        // After the two entries of the key rotation comes the one that did not fit before.
        let first = lines.iter().filter(|line| line.segment == pair[1]).nth(2).unwrap();
        assert!(len <= LIMIT, "{} has {len} bytes", pair[0]);
        assert!(len + first.raw.len() as u64 + 1 > LIMIT, "{} was closed too early", pair[0]);
    }
}

#[test]
fn daily_rotates_at_midnight_only_and_both_at_whichever_comes_first() {
    let daily = many_segments(RotationPolicy::Daily);
    assert_eq!(file_names(daily.path(), ".audit"), ["2026-11-23.audit", "2026-11-24.audit"]);
    let both = many_segments(RotationPolicy::Both { bytes: 64 << 10 });
    let names = file_names(both.path(), ".audit");
    assert!(names.contains(&"2026-11-23-1.audit".to_owned()), "{names:?}");
    assert!(names.contains(&"2026-11-24.audit".to_owned()), "{names:?}");
    assert_eq!(labels(&read_dir(&both.path().join("trail"))).len(), 10);
}

#[test]
fn a_limit_that_is_met_exactly_does_not_rotate() {
    // Find how long the trail is, and set the limit to just that.
    let clock = || TestClock::at("2026-11-23T10:00:00Z");
    let write = |bytes: u64| {
        let dir = tempfile::tempdir().unwrap();
        let config =
            AuditConfig { rotation: RotationPolicy::SizeLimit { bytes }, ..config(dir.path()) };
        let logger = open(&config, &clock());
        for _ in 0..4 {
            durable(&logger, TestEvent::routine("x").padded(30_000));
        }
        let first = dir.path().join("trail/2026-11-23.audit");
        let len = std::fs::metadata(first).unwrap().len();
        drop(logger);
        (len, file_names(dir.path(), ".audit").len())
    };
    let (len, _) = write(1 << 30);
    // The pid's digits are the same within a process, so the lengths are too.
    assert_eq!(write(len), (len, 2), "audit.closed goes into the next");
    let (shorter, _) = write(len - 1);
    assert!(shorter < len - 1);
}

#[test]
fn the_manifest_says_what_the_segments_hold() {
    let dir = many_segments(RotationPolicy::Both { bytes: 64 << 10 });
    let trail = dir.path().join("trail");
    let lines = read_dir(&trail);
    let text = std::fs::read(trail.join("manifest.json")).unwrap();
    let manifest: Manifest = serde_json::from_slice(&text).unwrap();
    let names: Vec<&str> = manifest.files.iter().map(|row| row.filename.as_str()).collect();
    let mut in_order: Vec<&str> = lines.iter().map(|line| line.segment.as_str()).collect();
    in_order.dedup();
    assert_eq!(names, in_order);
    for (index, row) in manifest.files.iter().enumerate() {
        let bytes = std::fs::read(trail.join(&row.filename)).unwrap();
        let inside: Vec<_> = lines.iter().filter(|line| line.segment == row.filename).collect();
        let (first, last) = (inside[0], inside[inside.len() - 1]);
        assert_eq!(row.event_count, inside.len() as u64);
        assert_eq!(row.first_seq, first.seq);
        assert_eq!(row.first_audit_id, Some(first.audit_id));
        assert_eq!(row.last_audit_id, Some(last.audit_id));
        assert!(first.raw.contains(&format!("\"prev_hash\":\"{}\"", row.first_prev_hash)));
        assert!(last.raw.ends_with(&format!("\"hash\":\"{}\"}}", row.last_hash)));
        assert_eq!(row.size_bytes, bytes.len() as u64);
        if index + 1 < manifest.files.len() {
            assert_eq!(row.sha256.as_deref(), Some(sha256_hex(&bytes).as_str()));
            assert!(row.closed_at.is_some());
        } else {
            assert_eq!((row.sha256.as_ref(), row.closed_at.as_ref()), (None, None));
        }
    }
}

#[test]
fn modes_are_0700_0600_and_0400() {
    let dir = many_segments(RotationPolicy::Both { bytes: 64 << 10 });
    let trail = dir.path().join("trail");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&trail), 0o700);
    assert_eq!(mode(&trail.join("keys")), 0o700);
    let keys: Vec<_> = std::fs::read_dir(trail.join("keys")).unwrap().map(Result::unwrap).collect();
    assert_eq!(keys.len(), 1, "old keys are destroyed");
    assert_eq!(mode(&keys[0].path()), 0o600);
    for file in ["trail.json", "manifest.json", "lock", "checkpoint", "tree.hashes"] {
        assert_eq!(mode(&trail.join(file)), 0o600, "{file}");
    }
    let names = file_names(dir.path(), ".audit");
    let lines = read_dir(&trail);
    let newest = &lines.last().unwrap().segment;
    for name in &names {
        let expected = if name == newest { 0o600 } else { 0o400 };
        assert_eq!(mode(&trail.join(name)), expected, "{name}");
    }
    for name in file_names(dir.path(), ".sha256") {
        assert_eq!(mode(&trail.join(&name)), 0o400, "{name}");
    }
}

#[test]
fn a_quiet_trail_beats_and_a_busy_one_or_a_mute_one_does_not() {
    let beats = |heartbeat_secs, label: &str| {
        let dir = tempfile::tempdir().unwrap();
        let disk = audit_testkit::CountingStorage::over(common::storage(dir.path()));
        let config = AuditConfig { heartbeat_secs, ..config(dir.path()) };
        let logger = common::open_over(config, disk.clone());
        durable(&logger, TestEvent::routine(label));
        let syncs = disk.count(audit_testkit::Op::Sync);
        if heartbeat_secs == 1 {
            disk.wait_for(audit_testkit::Op::Sync, syncs + 1);
        }
        logger.shutdown_timeout(PATIENCE).unwrap();
        of_type(&read_dir(&dir.path().join("trail")), "audit.heartbeat").len()
    };
    assert_eq!((beats(1, "quiet"), beats(0, "mute"), beats(300, "busy")), (1, 0, 0));
}

#[test]
fn a_trail_shortened_by_an_entry_that_was_never_signed_is_not_signed_on() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let clock = TestClock::at("2026-11-23T23:50:00Z");
    for day in ["one", "two"] {
        let logger = open(&config, &clock);
        durable(&logger, TestEvent::routine(day));
        logger.shutdown_timeout(PATIENCE).unwrap();
        clock.advance(Duration::from_secs(3_600));
    }
    let segments = file_names(dir.path(), ".audit");
    let [one, two] = segments.as_slice() else { panic!("{segments:?}") };
    let trail = dir.path().join("trail");
    let lines = read_dir(&trail);
    let newest = std::fs::read_to_string(trail.join(two)).unwrap();
    let first: serde_json::Value = serde_json::from_str(newest.lines().next().unwrap()).unwrap();
    let last_seq = first["seq"].as_u64().unwrap() - 1;
    // Somebody without a key deletes the first segment and writes the excuse for it.
    let last: serde_json::Value = serde_json::from_str(newest.lines().last().unwrap()).unwrap();
    let last_hash = Hash::from_hex(last["hash"].as_str().unwrap().as_bytes()).unwrap();
    let mut head = Head { next_seq: lines.len() as u64, last_hash };
    let body = format!(
        r#""audit_id":"01932c05-aa01-7000-8000-000000000001","timestamp":"2026-11-24T06:54:00.037000000Z","service_id":"billing-api","event_type":"audit.retention_applied","result":"success","details":{{"segments":[{{"filename":"{one}","last_seq":{last_seq}}}]}}"#
    );
    let mut forged = newest.into_bytes();
    plan::append_line(&mut forged, &mut head, body.as_bytes());
    std::fs::write(trail.join(two), forged).unwrap();
    let digest = format!("{one}.sha256");
    let gone = [one, &digest].map(|name| {
        let bytes = std::fs::read(trail.join(name)).unwrap();
        std::fs::remove_file(trail.join(name)).unwrap();
        (name, bytes)
    });
    let before = std::fs::read(trail.join("checkpoint")).unwrap();
    let refused = AuditLogger::builder(config.clone()).clock(clock.shared()).open();
    let error = refused.map(drop).unwrap_err();
    assert!(matches!(error, OpenError::NotAnExtension { .. }), "{error:?}");
    assert!(error.to_string().contains("put the deleted segments back"), "{error}");
    assert_eq!(std::fs::read(trail.join("checkpoint")).unwrap(), before, "nothing was signed");
    // What is complete is opened.
    for (name, bytes) in gone {
        std::fs::write(trail.join(name), bytes).unwrap();
        std::fs::set_permissions(trail.join(name), PermissionsExt::from_mode(0o400)).unwrap();
    }
    open(&config, &clock).shutdown_timeout(PATIENCE).unwrap();
}

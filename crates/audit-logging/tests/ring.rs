//! What a killed process leaves in its ring comes into the trail, exactly once, and a ring that
//! cannot be read is said to be so.
//!
//! A copy of a live trail's directory is what a kill leaves: the ring is a file, and what was stored
//! into its mapping is what a reader of the file sees. Processes really killed are in the crash
//! battery (`docs/testing.md`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;

use audit_logging::{AuditConfig, AuditLogger, OpenError};
use audit_testkit::read::labels;
use audit_testkit::{CountingStorage, TestEvent};
use common::rings::{kill, killed, live, only_ring, read, recovered, reopen, rings};
use common::{PATIENCE, config, durable, lazy, open_over, storage, with_mode};

#[test]
fn a_life() {
    live();
}

/// A live logger whose events stay in the ring.
fn in_the_ring(dir: &Path, events: usize) -> (AuditLogger, Vec<String>) {
    let logger = AuditLogger::new(with_mode(dir, lazy())).unwrap();
    let names: Vec<String> = (0..events).map(|n| format!("n{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let event = TestEvent::routine(name).padded(if n % 50 == 49 { 30_000 } else { n % 700 });
        drop(logger.emit(event).unwrap());
    }
    (logger, names)
}

#[test]
fn what_was_emitted_and_not_written_is_salvaged_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (logger, names) = in_the_ring(dir.path(), 400);
    let copy = kill(dir.path());
    let ring = std::fs::read(only_ring(copy.path())).unwrap();
    let path = only_ring(copy.path());

    let lines = reopen(copy.path());
    assert_eq!(labels(&lines), names);
    let [told] = recovered(&lines)[..] else { panic!("{lines:#?}") };
    // How many the writer had taken before the kill, nobody knows.
    let before = lines.iter().position(|l| l.event_type == "audit.recovered").unwrap();
    let salvaged = lines[before + 1..].iter().filter(|l| l.label().is_some()).count();
    assert_eq!(told["entries_salvaged"], salvaged, "{told}");
    assert_eq!(told["same_boot"], true);
    assert!(rings(&copy.path().join("trail")).is_empty(), "drained rings are gone");

    // The removal of the ring was not durable, and it is back: nothing comes twice.
    std::fs::write(&path, ring).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let again = reopen(copy.path());
    assert_eq!(labels(&again), names);
    assert_eq!(recovered(&again).len(), 1);

    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read(dir.path())), names);
    assert!(rings(&dir.path().join("trail")).is_empty());
}

#[test]
fn what_was_written_and_not_acknowledged_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    durable(&logger, "before");
    disk.hold_syncs();
    let first: Vec<_> =
        (0..20).map(|n| logger.emit(TestEvent::routine(format!("w{n}"))).unwrap()).collect();
    disk.wait_held();
    let later: Vec<_> =
        (0..20).map(|n| logger.emit(TestEvent::routine(format!("r{n}"))).unwrap()).collect();
    let copy = kill(dir.path());
    let expected: Vec<String> = std::iter::once("before".to_owned())
        .chain((0..20).map(|n| format!("w{n}")))
        .chain((0..20).map(|n| format!("r{n}")))
        .collect();
    // How many of the first ones the writer took at once is its affair.
    let written = labels(&read(copy.path())).len();
    assert!((2..=21).contains(&written), "{written}");
    let lines = reopen(copy.path());
    assert_eq!(labels(&lines), expected);
    assert_eq!(recovered(&lines)[0]["entries_salvaged"], 41 - written);
    disk.release_syncs();
    for receipt in first.iter().chain(&later) {
        receipt.wait_durable_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_ring_whose_events_fill_many_segments_comes_in_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (_logger, names) = in_the_ring(dir.path(), 600);
    let copy = kill(dir.path());
    let small = AuditConfig {
        rotation: audit_logging::RotationPolicy::SizeLimit { bytes: 64 << 10 },
        ..config(copy.path())
    };
    AuditLogger::new(small).unwrap().shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read(copy.path())), names);
    assert!(common::segment_files(copy.path()).len() > 4);
}

#[test]
fn a_ring_that_cannot_be_read_is_kept_and_named() {
    type Break = fn(&Path);
    let cases: [(&str, Break); 5] = [
        ("shorter than", |ring| std::fs::write(ring, []).unwrap()),
        ("not as long", |ring| {
            std::fs::File::options().write(true).open(ring).unwrap().set_len(8_192).unwrap();
        }),
        ("not a ring", |ring| {
            let len = std::fs::metadata(ring).unwrap().len() as usize;
            let mut rng = audit_testkit::Rng::new(7);
            let bytes: Vec<u8> = (0..len).map(|_| rng.below(256) as u8).collect();
            std::fs::write(ring, bytes).unwrap();
        }),
        ("not a ring", |ring| {
            let len = std::fs::metadata(ring).unwrap().len() as usize;
            std::fs::write(ring, vec![0; len]).unwrap();
        }),
        ("missing", |ring| std::fs::remove_file(ring).unwrap()),
    ];
    for (problem, damage) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (_logger, _) = in_the_ring(dir.path(), 3);
        let copy = kill(dir.path());
        let ring = only_ring(copy.path());
        damage(&ring);
        let left = std::fs::read(&ring).ok();
        let lines = reopen(copy.path());
        let [told] = recovered(&lines)[..] else { panic!("{problem}: {lines:#?}") };
        assert!(told["ring_problem"].as_str().unwrap().contains(problem), "{problem}: {told}");
        let name = ring.file_name().unwrap();
        let kept = copy.path().join("trail/quarantine").join(name);
        assert_eq!(std::fs::read(kept).ok(), left, "{problem}");
        assert!(rings(&copy.path().join("trail")).is_empty(), "{problem}");
    }
}

#[test]
fn an_opening_that_fails_leaves_no_ring_behind() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "signed");
    logger.shutdown_timeout(PATIENCE).unwrap();
    let checkpoint = dir.path().join("trail/checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    let cut = text.replace("\n\n", "\nextension\n\n");
    std::fs::write(&checkpoint, cut).unwrap();
    for _ in 0..3 {
        let error = AuditLogger::new(config(dir.path())).err().unwrap();
        assert!(matches!(error, OpenError::NotAnExtension { .. }), "{error:?}");
        assert!(rings(&dir.path().join("trail")).is_empty());
    }
}

#[test]
fn a_writer_that_closed_left_no_ring_and_none_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "one");
    logger.shutdown_timeout(PATIENCE).unwrap();
    std::fs::remove_file(dir.path().join("trail/checkpoint")).unwrap();
    let lines = reopen(dir.path());
    let [told] = recovered(&lines)[..] else { panic!("{lines:#?}") };
    assert!(told.get("ring_problem").is_none(), "{told}");
}

#[test]
fn a_ring_of_another_trail_gives_nothing_to_this_one() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_first, _) = in_the_ring(one.path(), 3);
    let (_second, names) = in_the_ring(other.path(), 3);
    let (copy, foreign) = (kill(other.path()), only_ring(one.path()));
    let ours = only_ring(copy.path());
    // Under our trail's name, with another number.
    let name = ours.file_name().unwrap().to_str().unwrap();
    let (trail, _) = name.rsplit_once('-').unwrap();
    std::fs::copy(&foreign, ours.with_file_name(format!("{trail}-{}.ring", "0".repeat(32))))
        .unwrap();
    let lines = reopen(copy.path());
    assert_eq!(labels(&lines), names);
    let told = recovered(&lines)[0]["ring_problem"].as_str().unwrap();
    assert!(told.contains("another trail"), "{told}");
}

#[test]
fn a_ring_of_a_newer_version_is_not_guessed_at() {
    let dir = tempfile::tempdir().unwrap();
    let (_logger, _) = in_the_ring(dir.path(), 3);
    let copy = kill(dir.path());
    let ring = only_ring(copy.path());
    let mut bytes = std::fs::read(&ring).unwrap();
    bytes[8] = 9;
    let sum = crc32c::crc32c(&bytes[..96]);
    bytes[96..100].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&ring, &bytes).unwrap();
    let error = AuditLogger::new(config(copy.path())).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("version 9"), "{error}");
    assert_eq!(std::fs::read(&ring).unwrap(), bytes, "untouched");
}

#[test]
fn a_ring_deleted_while_it_is_used_is_noticed_and_the_trail_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    std::fs::remove_file(only_ring(dir.path())).unwrap();
    durable(&logger, "noticed");
    durable(&logger, "goes on");
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read(dir.path());
    assert_eq!(labels(&lines), ["noticed", "goes on"]);
    let told: Vec<_> = lines.iter().filter(|l| l.event_type == "audit.storage_failed").collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].raw.contains("emit ring was deleted"), "{}", told[0].raw);
}

#[test]
fn a_ring_may_lie_elsewhere_and_is_found_when_the_configuration_changes() {
    let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = tmp.path().join("rings");
    killed(dir.path(), Some(&home), &["there"]);
    assert!(rings(&dir.path().join("trail")).is_empty());
    assert_eq!(rings(&home).len(), 1);
    assert_eq!(labels(&reopen(dir.path())), ["written", "there"]);
    assert!(rings(&home).is_empty());
}

#[test]
fn a_full_ring_refuses_routine_events_first_and_the_trail_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let small = AuditConfig { queue_bytes: 1 << 20, ..config(dir.path()) };
    let logger = open_over(small, disk.clone());
    disk.hold_syncs();
    let fill = |critical: bool| {
        let event = |n: usize| {
            let label = format!("{critical}{n}");
            if critical { TestEvent::critical(label) } else { TestEvent::routine(label) }
        };
        (0..).map(|n| logger.emit(event(n).padded(900))).take_while(Result::is_ok).count()
    };
    let (routine, critical) = (fill(false), fill(true));
    assert!(routine > 500 && critical > 50, "{routine} {critical}");
    assert!(logger.metrics().ring.capacity_bytes <= 1 << 20);
    disk.release_syncs();
    logger.flush_blocking().unwrap();
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read(dir.path());
    assert_eq!(labels(&lines).len(), routine + critical);
    let dropped: u64 = lines
        .iter()
        .filter(|l| l.event_type == "audit.events_dropped")
        .map(|l| l.details["count"].as_u64().unwrap())
        .sum();
    assert_eq!(dropped, 2);
    assert_eq!(logger.metrics().total_refused(), 2);
}

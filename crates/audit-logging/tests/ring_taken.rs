//! A ring whose file is taken away under the running writer: another takes its place, or the trail says
//! that none does and what a kill then costs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger};
use audit_testkit::faulty::How;
use audit_testkit::read::{Line, labels, of_type};
use audit_testkit::{CountingStorage, FaultyStorage, Op, TestClock, TestEvent};
use common::rings::{kill, only_ring, read, recovered, reopen, rings};
use common::{PATIENCE, config, durable, lazy, open_over, segment_files, storage, with_mode};

fn told(lines: &[Line]) -> Vec<&str> {
    let failures = of_type(lines, "audit.storage_failed");
    failures.iter().map(|line| line.details["error"].as_str().unwrap()).collect()
}

/// Waits until the writer has put another file in the place of one with this inode.
fn await_other(ring: &Path, before: u64) -> u64 {
    loop {
        match ring.metadata() {
            Ok(now) if now.ino() != before => return now.ino(),
            _ => std::thread::yield_now(),
        }
    }
}

#[test]
fn another_file_takes_the_place_of_a_ring_that_is_moved_or_replaced() {
    type Take = fn(&Path, &Path);
    // And whether something stands in its place then.
    let ways: [(Take, bool); 3] = [
        (|ring, away| std::fs::rename(ring, away).unwrap(), false),
        (
            |ring, away| {
                std::fs::hard_link(ring, away).unwrap();
                std::fs::remove_file(ring).unwrap();
            },
            false,
        ),
        (
            |ring, away| {
                std::fs::copy(ring, away).unwrap();
                std::fs::rename(away, ring).unwrap();
            },
            true,
        ),
    ];
    for (take, leaves_impostor) in ways {
        let dir = tempfile::tempdir().unwrap();
        let logger = AuditLogger::new(with_mode(dir.path(), lazy())).unwrap();
        let ring = only_ring(dir.path());
        // Not durable when the ring is taken away, nor when the other one takes its place.
        drop(logger.emit(TestEvent::routine("one")).unwrap());
        take(&ring, &dir.path().join("away"));
        drop(logger.emit(TestEvent::routine("two")).unwrap());
        logger.flush_blocking().unwrap();
        while told(&read(dir.path())).is_empty() {
            std::thread::yield_now();
        }
        drop(logger.emit(TestEvent::routine("three")).unwrap());
        let killed = kill(dir.path());
        let lines = reopen(killed.path());
        assert_eq!(labels(&lines), ["one", "two", "three"]);
        let [told_there] = told(&lines)[..] else { panic!("{lines:#?}") };
        assert!(told_there.contains("emit ring was deleted, moved or replaced"), "{told_there}");
        assert!(told_there.contains("another has taken its place"), "{told_there}");
        assert!(recovered(&lines)[0].get("ring_problem").is_none(), "{lines:#?}");
        // The impostor is evidence.
        let aside = dir.path().join("trail/quarantine");
        let aside = std::fs::read_dir(aside).map_or(0, Iterator::count);
        assert_eq!(aside, usize::from(leaves_impostor));
        logger.shutdown_timeout(PATIENCE).unwrap();
        assert_eq!(told(&read(dir.path())).len(), 1);
        assert!(recovered(&reopen(dir.path())).is_empty());
        assert!(rings(&dir.path().join("trail")).is_empty());
    }
}

#[test]
fn nothing_is_lost_refused_or_repeated_while_rings_are_taken_away_until_it_is_enough() {
    const THREADS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    let ring = only_ring(dir.path());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    let emit = &|thread: usize| {
        let mut n = 0;
        while !is_over.load(relaxed) {
            // No room is a promise broken: what waits is little, and a ring that is held is waited for.
            let receipt = logger.emit(TestEvent::routine(format!("{thread}/{n}"))).unwrap();
            if n % 50 == 0 {
                receipt.wait_durable_timeout(PATIENCE).unwrap();
            }
            n += 1;
        }
        n
    };
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let producers: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || emit(thread))).collect();
        for _ in 0..8 {
            let taken = ring.metadata().unwrap().ino();
            std::fs::remove_file(&ring).unwrap();
            await_other(&ring, taken);
        }
        std::fs::remove_file(&ring).unwrap();
        while logger.metrics().storage_failures < 9 {
            std::thread::yield_now();
        }
        is_over.store(true, relaxed);
        producers.into_iter().map(|producer| producer.join().unwrap()).collect()
    });
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read(dir.path());
    for (thread, count) in counts.into_iter().enumerate() {
        let prefix = format!("{thread}/");
        let found: Vec<_> =
            labels(&lines).into_iter().filter(|label| label.starts_with(&prefix)).collect();
        let expected: Vec<_> = (0..count).map(|n| format!("{thread}/{n}")).collect();
        assert!(found == expected, "thread {thread}: {} of {count}", found.len());
    }
    let told = told(&lines);
    assert_eq!(told.len(), 9);
    assert!(told[8].contains("could not be made (it was taken away 8 times before)"), "{told:?}");
    assert!(recovered(&reopen(dir.path())).is_empty());
}

#[test]
fn where_no_other_can_be_made_the_trail_says_what_a_kill_costs() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ring_dir = elsewhere.path().join("rings");
    let lazily = with_mode(dir.path(), lazy());
    let logger =
        AuditLogger::new(AuditConfig { ring_dir: Some(ring_dir.clone()), ..lazily }).unwrap();
    std::fs::remove_dir_all(&ring_dir).unwrap();
    drop(logger.emit(TestEvent::routine("durable")).unwrap());
    logger.flush_blocking().unwrap();
    while logger.metrics().storage_failures == 0 {
        std::thread::yield_now();
    }
    drop(logger.emit(TestEvent::routine("flushed")).unwrap());
    // Also makes durable what the trail says of the ring.
    logger.flush_blocking().unwrap();
    for n in 0..10 {
        drop(logger.emit(TestEvent::routine(n.to_string())).unwrap());
    }
    let killed = kill(dir.path());
    // All that was durable, and of the rest what the writer had come to, which nobody else decides.
    let lines = reopen(killed.path());
    let kept = labels(&lines);
    assert_eq!(kept[..2], ["durable", "flushed"]);
    assert!(kept[2..].iter().zip(0..10).all(|(label, n)| *label == n.to_string()), "{kept:?}");
    let [told] = told(&lines)[..] else { panic!("{lines:#?}") };
    assert!(told.contains("could not be made"), "{told}");
    assert!(told.contains("a killed process loses events that are not durable"), "{told}");
    let problem = recovered(&lines)[0]["ring_problem"].as_str().unwrap();
    assert!(problem.contains("missing, and what was in it"), "{problem}");
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read(dir.path())).len(), 12);
}

#[test]
fn a_ring_that_is_taken_away_before_the_end_is_told_of_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "one");
    std::fs::remove_file(only_ring(dir.path())).unwrap();
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read(dir.path());
    assert_eq!(told(&lines).len(), 1);
    assert_eq!(lines.last().unwrap().event_type, "audit.closed");
    assert!(recovered(&reopen(dir.path())).is_empty());
}

#[test]
fn a_ring_that_could_not_be_made_is_made_when_it_can_be_and_each_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2024-05-01T10:00:00Z");
    let logger = AuditLogger::builder(config(dir.path())).clock(clock.shared()).open().unwrap();
    let ring = only_ring(dir.path());
    // Where another is made first, and what cannot be set aside.
    let mut in_the_way = ring.clone().into_os_string();
    in_the_way.push(".tmp");
    std::fs::create_dir(&in_the_way).unwrap();
    let no_quarantine = dir.path().join("trail/quarantine");
    std::fs::write(&no_quarantine, b"").unwrap();
    std::fs::remove_file(&ring).unwrap();
    durable(&logger, "one");
    while told(&read(dir.path())).is_empty() {
        std::thread::yield_now();
    }
    std::fs::remove_dir(&in_the_way).unwrap();
    std::fs::remove_file(&no_quarantine).unwrap();
    // Not at each commit.
    durable(&logger, "two");
    durable(&logger, "three");
    assert_eq!(told(&read(dir.path())).len(), 1);
    clock.advance(Duration::from_secs(2));
    durable(&logger, "four");
    await_other(&ring, 0);
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read(dir.path());
    let [first, second] = told(&lines)[..] else { panic!("{lines:#?}") };
    assert!(first.contains("could not be made") && first.contains("is tried again"), "{first}");
    assert!(second.contains("another has taken its place"), "{second}");
    assert_eq!(labels(&lines), ["one", "two", "three", "four"]);
    assert!(recovered(&reopen(dir.path())).is_empty());
}

#[test]
fn a_sync_that_fails_when_a_ring_is_told_of_costs_a_segment_and_not_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    let logger = open_over(with_mode(dir.path(), lazy()), disk.clone());
    std::fs::remove_file(only_ring(dir.path())).unwrap();
    disk.rule(&[Op::Sync], ".audit", 0, 1, How::Error(ErrorKind::Other));
    // Written and not synced, when the ring is looked at.
    let receipt = logger.emit(TestEvent::routine("one")).unwrap();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
    assert_eq!(disk.failed(), 1);
    drop(durable_after_flush(&logger, "two"));
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read(dir.path());
    assert_eq!(labels(&lines), ["one", "two"]);
    let told = told(&lines);
    let is_told = |what: &str| told.iter().filter(|told| told.contains(what)).count();
    assert_eq!((is_told("emit ring was deleted"), is_told("injected")), (1, 1), "{told:?}");
}

#[test]
fn what_is_told_of_a_ring_acknowledges_nothing_that_was_taken_away_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(with_mode(dir.path(), lazy()), disk.clone());
    // The sealer has nothing to sync from now on.
    durable_after_flush(&logger, "zero").wait_sealed_timeout(PATIENCE).unwrap();
    disk.hold_syncs();
    std::fs::remove_file(only_ring(dir.path())).unwrap();
    let receipt = logger.emit(TestEvent::routine("one")).unwrap();
    disk.wait_held();
    for file in segment_files(dir.path()).into_iter().chain(rings(&dir.path().join("trail"))) {
        std::fs::remove_file(file).unwrap();
    }
    disk.release_syncs();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read(dir.path())), ["zero", "one"]);
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(told(&read(dir.path())).len(), 3, "the ring, the segment, the ring");
}

fn durable_after_flush(logger: &AuditLogger, label: &str) -> audit_logging::Receipt {
    let receipt = logger.emit(TestEvent::routine(label)).unwrap();
    logger.flush_blocking().unwrap();
    receipt
}

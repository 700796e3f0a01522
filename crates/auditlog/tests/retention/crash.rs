//! Killed, or without power, or out of space, at every step of archiving and deleting.
//!
//! What must stay true here: a step is a call of the storage. The first thirty are tried and every third of
//! the rest (all of them take a minute, and were once); with power cuts every seventh. After each
//! the trail opens, is proven, has lost no entry that it does not name as deleted, and ends where an
//! undisturbed run does.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use audit_logging::storage::{DirStorage, Storage};
use audit_logging::{AuditConfig, AuditLogger};
use audit_reader::FindingKind;
use audit_testkit::faulty::How;
use audit_testkit::{FaultyStorage, Op, SimDisk, TestClock};

use crate::common::*;

/// Everything that changes something, or that a dead process cannot do.
const ALL: [Op; 14] = [
    Op::List,
    Op::Read,
    Op::Create,
    Op::Open,
    Op::Replace,
    Op::SetReadOnly,
    Op::RemoveTemporary,
    Op::Remove,
    Op::Destroy,
    Op::Len,
    Op::Append,
    Op::Sync,
    Op::Truncate,
    Op::WriteAgain,
];
/// The days before retention is applied: three segments are expired then, and three due to be compressed.
const DAYS: u32 = 34;

/// Few archives: their steps are alike.
fn rules(mut config: AuditConfig) -> AuditConfig {
    config.retention.archive_after_days = 28;
    config
}

fn reopen(dir: &Path, clock: &TestClock) -> AuditLogger {
    AuditLogger::builder(rules(config(dir))).clock(clock.shared()).open().unwrap()
}

fn open_over(clock: &TestClock, storage: Arc<dyn Storage>) -> AuditLogger {
    let config = rules(config("/trail".as_ref()));
    AuditLogger::builder(config).clock(clock.shared()).storage(storage).open().unwrap()
}

fn clock() -> TestClock {
    TestClock::at("2026-01-01T12:00:00Z")
}

/// A trail of many days, closed in order, and the clock after them.
fn grown(dir: &Path) -> TestClock {
    let clock = clock();
    let logger = reopen(dir, &clock);
    live(&logger, &clock, DAYS);
    logger.shutdown_blocking().unwrap();
    clock
}

fn copy(from: &Path, to: &Path) {
    let output = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(output.success());
}

/// Proven, by the first key while the front is there, or else by the one the trail names.
fn assert_whole(dir: &Path, context: &str) -> u64 {
    let applied = applied(dir);
    let is_short = !names(dir).iter().any(|name| name.starts_with("2026-01-01.audit"));
    let report = if is_short {
        // A deletion that was cut short begins somewhere between two of the segments it named: no key
        // is named for there, and the chain alone is held.
        let report = verify(dir, None);
        assert!(!report.findings.violated(), "{context}: {:?}", report.findings.kept());
        if report.first_seq == applied["front"]["seq"].as_u64() {
            assert_proven(dir, front_key(&applied), context);
        }
        report
    } else {
        assert_proven(dir, first_key(dir), context)
    };
    assert_eq!(notices(&report, FindingKind::SequenceGap), 0);
    report.last_seq.unwrap()
}

#[test]
fn a_process_that_is_killed_at_any_step_leaves_a_trail_that_verifies_and_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    let grown_dir = temp.path().join("grown");
    let clock = grown(&grown_dir);
    let mut steps = 0;
    for step in (0..30).chain((30..).step_by(3)) {
        let dir = temp.path().join(format!("step-{step}"));
        copy(&grown_dir, &dir);
        let storage = FaultyStorage::over(DirStorage::open(&dir, false).unwrap());
        let logger = open_over(&clock, Arc::clone(&storage) as Arc<dyn Storage>);
        storage.rule(&ALL, "", step, u64::MAX, How::Error(ErrorKind::Other));
        // Whoever waits for a seal that a dead disk never gets is let go by the end of the logger.
        let outcome = std::thread::scope(|scope| {
            let applying = scope.spawn(|| logger.apply_retention());
            while storage.failed() == 0 && !applying.is_finished() {
                std::thread::yield_now();
            }
            drop(logger.shutdown_timeout(PATIENCE));
            applying.join().unwrap()
        });
        drop(logger);
        let died = storage.failed() > 0;
        let context = format!("step {step}: {outcome:?}");
        // The next life ends what this one began.
        let logger = reopen(&dir, &clock);
        assert_whole(&dir, &context);
        let report = logger.apply_retention().unwrap();
        assert!(report.problems.is_empty(), "{context}: {report:?}");
        logger.shutdown_blocking().unwrap();
        assert_whole(&dir, &context);
        assert_eq!(ending(&dir, ".tmp"), [""; 0], "{context}");
        // Undisturbed or not, the same is left.
        let archives: Vec<String> =
            (4..=6).map(|day| format!("2026-01-{day:02}.audit.zst")).collect();
        assert_eq!(ending(&dir, ".audit.zst"), archives, "{context}");
        assert_eq!(ending(&dir, ".sha256").len(), 31, "{context}");
        std::fs::remove_dir_all(&dir).unwrap();
        steps = step;
        if !died {
            break;
        }
    }
    assert!(steps > 40, "only {steps} steps");
}

/// Copies what a simulated disk holds to where the verifier reads.
fn export(disk: &SimDisk, dir: &Path) {
    std::fs::create_dir(dir).unwrap();
    for name in disk.list("").unwrap() {
        let Ok(mut content) = disk.read(&name) else { continue };
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        std::fs::write(dir.join(&name), bytes).unwrap();
    }
}

#[test]
fn a_power_cut_at_any_step_leaves_a_trail_that_verifies_and_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    let seed = 0x5eed;
    let disk = SimDisk::new(seed);
    let clock = clock();
    let logger = open_over(&clock, Arc::new(disk.clone()));
    live(&logger, &clock, DAYS);
    logger.shutdown_blocking().unwrap();
    let begun = disk.steps();
    let whole = disk.after_kill();
    let logger = open_over(&clock, Arc::new(whole.clone()));
    let opened = whole.steps();
    let report = logger.apply_retention().unwrap();
    assert_eq!(report.deleted.len(), 3, "{report:?}");
    let steps = whole.steps() - opened;
    drop(logger);
    assert!(begun > 0 && steps > 100, "{steps}");
    for step in (1..steps).step_by(7) {
        let life = disk.after_kill();
        let logger = open_over(&clock, Arc::new(life.clone()));
        life.die_after(step);
        let outcome = std::thread::scope(|scope| {
            let applying = scope.spawn(|| logger.apply_retention());
            while !life.is_dead() && !applying.is_finished() {
                std::thread::yield_now();
            }
            drop(logger.shutdown_timeout(PATIENCE));
            applying.join().unwrap()
        });
        drop(logger);
        let context = format!("seed {seed}, step {step}: {outcome:?}");
        for (number, image) in (0..2).map(|n| life.crash_image(seed + step * 2 + n)).enumerate() {
            let context = format!("{context}, image {number}");
            let dir = temp.path().join(format!("{step}-{number}"));
            let logger = open_over(&clock, Arc::new(image.clone()));
            let report = logger.apply_retention().unwrap();
            assert!(report.problems.is_empty(), "{context}: {report:?}");
            logger.shutdown_blocking().unwrap();
            export(&image, &dir);
            assert_whole(&dir, &context);
            assert_eq!(ending(&dir, ".sha256").len(), 31, "{context}: {:?}", names(&dir));
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
}

#[test]
fn a_full_disk_leaves_segments_as_they_are_and_the_logger_working() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let storage = FaultyStorage::over(DirStorage::open(&dir, false).unwrap());
    let logger = open_over(&clock, Arc::clone(&storage) as Arc<dyn Storage>);
    storage.rule(&[Op::Replace], ".zst", 0, u64::MAX, How::Error(ErrorKind::StorageFull));
    let report = logger.apply_retention().unwrap();
    assert_eq!(report.deleted.len(), 3, "deleting makes room: {report:?}");
    assert_eq!((report.archived.len(), report.problems.len()), (0, 3), "{report:?}");
    assert!(report.problems[0].contains("2026-01-04.audit.zst"), "{report:?}");
    assert_eq!(ending(&dir, ".tmp"), [""; 0]);
    live(&logger, &clock, 1);
    // Not even begun where it would take the room that the writer needs.
    storage.heal();
    storage.set_space(100, 1 << 30);
    let report = logger.apply_retention().unwrap();
    assert!(report.problems.iter().all(|text| text.contains("100 are free")), "{report:?}");
    storage.set_space(1 << 29, 1 << 30);
    let report = logger.apply_retention().unwrap();
    assert!(report.problems.is_empty() && report.archived.len() >= 3, "{report:?}");
    logger.shutdown_blocking().unwrap();
    assert_whole(&dir, "with room again");
}

#[test]
fn nothing_goes_before_the_trail_said_so() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let storage = FaultyStorage::over(DirStorage::open(&dir, false).unwrap());
    let logger = open_over(&clock, Arc::clone(&storage) as Arc<dyn Storage>);
    // The first thing that is removed cannot be: by then the entry stands in the trail and is signed.
    storage.rule(&[Op::Remove], "", 0, u64::MAX, How::Error(ErrorKind::Other));
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty() && !report.problems.is_empty(), "{report:?}");
    assert_eq!(ending(&dir, ".sha256").len(), DAYS as usize);
    let named = applied(&dir);
    assert_eq!(named["segments"].as_array().unwrap().len(), 3);
    let report = assert_proven(&dir, first_key(&dir), "named and still there");
    assert_eq!(notices(&report, FindingKind::RetentionApplied), 1);
    // A trail that cannot say so loses nothing.
    storage.heal();
    storage.rule(&[Op::Append, Op::Create], "", 0, u64::MAX, How::Error(ErrorKind::Other));
    let outcome = logger.apply_retention();
    assert!(outcome.as_ref().is_ok_and(|report| report.deleted.is_empty()), "{outcome:?}");
    drop(logger);
    assert_eq!(ending(&dir, ".sha256").len(), DAYS as usize);
}

//! Retention on trails that chain, and are not what was signed; and holds on trails that are damaged.

use std::fs;
use std::io::Write;

use audit_logging::AuditLogger;
use audit_logging::core::event::ActorInfo;
use audit_logging::core::retention::HoldScope;
use audit_logging::retention::RetentionError;
use audit_testkit::TestClock;

use crate::common::*;

fn counsel() -> ActorInfo {
    ActorInfo::internal("counsel")
}

/// Forty days, the first ten of which are due to be deleted.
fn grown(dir: &std::path::Path, clock: &TestClock) -> AuditLogger {
    let logger = open(dir, clock);
    live(&logger, clock, 40);
    logger
}

fn assert_nothing_goes(logger: &AuditLogger, dir: &std::path::Path, problem: &str) {
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{report:?}");
    assert!(report.problems.iter().any(|text| text.contains(problem)), "{report:?}");
    // Closed segments are compressed all the same.
    assert!(names(dir).iter().any(|name| name.starts_with("2026-01-01.audit")));
}

#[test]
fn a_history_that_chains_and_was_never_signed_loses_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = grown(&dir, &clock);
    logger.add_hold(&counsel(), "case-7", HoldScope::default(), None).unwrap();
    // Whoever can write the files makes the hold another event, and every hash behind it fit.
    forge(&dir, |line| line.replace("audit.hold_added", "door.opened_wide"));
    assert_nothing_goes(&logger, &dir, "do not lead to the root that was signed");
    let refused = logger.holds().unwrap_err();
    assert!(matches!(refused, RetentionError::NotWhatWasSigned { .. }), "{refused}");
}

#[test]
fn an_older_checkpoint_is_not_what_was_signed_last() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = grown(&dir, &clock);
    let older = fs::read(dir.join("checkpoint")).unwrap();
    logger
        .add_hold(
            &counsel(),
            "case-7",
            HoldScope { last_seq: Some(3), ..HoldScope::default() },
            None,
        )
        .unwrap();
    logger.release_hold(&counsel(), "case-7", None).unwrap();
    fs::write(dir.join("checkpoint"), older).unwrap();
    assert_nothing_goes(&logger, &dir, "not the one that was signed last");
    // The next one that is signed is in its place again.
    live(&logger, &clock, 1);
    let report = logger.apply_retention().unwrap();
    assert!(report.problems.is_empty() && report.deleted.len() >= 9, "{report:?}");
}

#[test]
fn a_release_that_nobody_signed_releases_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = grown(&dir, &clock);
    logger.add_hold(&counsel(), "case-7", HoldScope::default(), None).unwrap();
    // One more line behind all that was written, which continues it as a line must.
    let (name, lines) = lines_of(&dir).pop().unwrap();
    let added = lines.iter().find(|line| line.contains("audit.hold_added")).unwrap();
    let last = lines.last().unwrap();
    let entry = audit_logging::core::entry::Entry::parse(last.as_bytes()).unwrap();
    let seq = |line: &str| line[7..].split(',').next().unwrap().to_owned();
    let release = added.replace("audit.hold_added", "audit.hold_released");
    let release = release.replacen(&seq(added), &(entry.seq() + 1).to_string(), 1);
    let release = chained(&release, &mut Some(entry.hash()));
    let mut file = fs::OpenOptions::new().append(true).open(dir.join(name)).unwrap();
    writeln!(file, "{release}").unwrap();
    assert_eq!(logger.holds().unwrap()[0].id, "case-7");
    let plan = logger.retention_plan().unwrap();
    assert_eq!(plan.holds.len(), 1, "{plan:?}");
}

#[test]
fn an_archive_that_does_not_unpack_keeps_everything_and_stops_neither_holds_nor_compressing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 20);
    assert!(logger.apply_retention().unwrap().archived.len() >= 9);
    live(&logger, &clock, 20);
    let archive = dir.join("2026-01-03.audit.zst");
    let whole = fs::read(&archive).unwrap();
    // In its header, in what it holds, and cut off.
    for (at, end) in [(0, whole.len()), (whole.len() / 2, whole.len()), (0, 1)] {
        let mut damaged = whole[..end].to_vec();
        damaged[at] ^= 0x10;
        fs::remove_file(&archive).unwrap();
        fs::write(&archive, damaged).unwrap();
        let id = format!("case-{at}-{end}");
        logger.add_hold(&counsel(), &id, HoldScope::default(), None).unwrap();
        let refused = logger.holds().unwrap_err();
        assert!(matches!(refused, RetentionError::Unproven { .. }), "{refused}");
        let report = logger.apply_retention().unwrap();
        assert!(report.deleted.is_empty(), "{report:?}");
        let told = report.problems.iter().any(|text| text.contains("2026-01-03.audit, byte"));
        assert!(told, "{report:?}");
        // Nothing is in the way of compressing the rest.
        assert!(at > 0 || end == 1 || report.archived.len() > 9, "{report:?}");
    }
    fs::remove_file(&archive).unwrap();
    fs::write(&archive, whole).unwrap();
    assert_eq!(logger.holds().unwrap().len(), 3);
}

#[test]
fn a_hold_is_added_to_a_damaged_trail_and_counts_when_it_is_whole_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = grown(&dir, &clock);
    let file = dir.join("2026-01-20.audit");
    let whole = fs::read(&file).unwrap();
    let damaged = String::from_utf8(whole.clone()).unwrap().replacen("entry 3", "entry 4", 1);
    fs::remove_file(&file).unwrap();
    fs::write(&file, damaged).unwrap();
    logger.add_hold(&counsel(), "case-7", HoldScope::default(), Some("who did this?")).unwrap();
    // Adding it again is no error, and releasing waits until it is known what is in force.
    logger.add_hold(&counsel(), "case-7", HoldScope::default(), None).unwrap();
    let refused = logger.release_hold(&counsel(), "case-7", None).unwrap_err();
    assert!(matches!(refused, RetentionError::Unproven { .. }), "{refused}");
    assert_nothing_goes(&logger, &dir, "2026-01-20.audit");
    logger.shutdown_blocking().unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, whole).unwrap();
    let logger = open(&dir, &clock);
    assert_eq!(logger.holds().unwrap()[0].id, "case-7");
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty() && report.problems.is_empty(), "{report:?}");
    logger.release_hold(&counsel(), "case-7", None).unwrap();
    assert!(logger.holds().unwrap().is_empty(), "one release is enough");
    assert!(logger.apply_retention().unwrap().deleted.len() >= 9);
}

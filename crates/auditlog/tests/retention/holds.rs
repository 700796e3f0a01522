//! Legal holds against a deletion that is due.

use std::fs;

use audit_logging::AuditLogger;
use audit_logging::core::event::ActorInfo;
use audit_logging::core::retention::{Fate, HoldScope, Why};
use audit_testkit::{TestClock, TestEvent};

use crate::common::*;

#[test]
fn a_hold_outlasts_restarts_and_deletions_and_ends_when_it_is_released() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 36);
    let counsel = ActorInfo::internal("counsel");
    let third = HoldScope {
        since: Some("2026-01-03".parse().unwrap()),
        until: Some("2026-01-03".parse().unwrap()),
        ..HoldScope::default()
    };
    logger.add_hold(&counsel, "case-7", third, Some("subpoena")).unwrap();
    // The same again is no error, another of that name is.
    logger.add_hold(&counsel, "case-7", third, None).unwrap();
    assert!(logger.add_hold(&counsel, "case-7", HoldScope::default(), None).is_err());
    assert!(logger.add_hold(&counsel, "case 7", HoldScope::default(), None).is_err());
    assert!(logger.release_hold(&counsel, "case-8", None).is_err());
    logger.shutdown_blocking().unwrap();

    let logger = open(&dir, &clock);
    let plan = logger.retention_plan().unwrap();
    assert_eq!(plan.holds[0].id, "case-7");
    let report = logger.apply_retention().unwrap();
    let deleted: Vec<&str> = report.deleted.iter().map(|one| one.filename.as_str()).collect();
    // The segment of the second ends on the third.
    assert_eq!(deleted, ["2026-01-01.audit"], "{report:?}");
    let plan = logger.retention_plan().unwrap();
    let held = Fate::Keep { why: Why::Held { holds: vec!["case-7".to_owned()] } };
    assert_eq!((&plan.decisions[0].fate, &plan.decisions[1].fate), (&held, &held));
    assert_eq!(plan.decisions[2].fate, Fate::Keep { why: Why::Behind });
    // Held is not plain: what is held is compressed like the rest.
    assert!(plan.decisions[0].segment.archived);
    logger.release_hold(&counsel, "case-7", Some("settled")).unwrap();
    let report = logger.apply_retention().unwrap();
    assert_eq!(report.deleted.len(), 4, "{report:?}");
    logger.shutdown_blocking().unwrap();
    assert_proven(&dir, front_key(&applied(&dir)), "released");
}

/// A trail of forty days with a hold on everything in its middle.
fn held(dir: &std::path::Path, clock: &TestClock) -> AuditLogger {
    let logger = open(dir, clock);
    live(&logger, clock, 34);
    let counsel = ActorInfo::internal("counsel");
    logger.add_hold(&counsel, "case-7", HoldScope::default(), None).unwrap();
    live(&logger, clock, 6);
    logger
}

fn assert_kept(logger: &AuditLogger, dir: &std::path::Path, problem: &str) {
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{report:?}");
    assert!(report.problems.iter().any(|text| text.contains(problem)), "{report:?}");
    assert!(names(dir).iter().any(|name| name.starts_with("2026-01-01.audit")));
    // Holds that cannot be believed are not told, either.
    assert!(logger.holds().is_err());
}

fn rewrite(file: &std::path::Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(file).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    fs::remove_file(file).unwrap();
    fs::write(file, changed).unwrap();
}

#[test]
fn a_hold_does_not_vanish_with_a_byte_of_its_entry() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = held(&dir, &clock);
    let file = dir.join("2026-02-04.audit");
    rewrite(&file, |text| text.replacen("audit.hold_added", "audit.hold_addee", 1));
    assert_kept(&logger, &dir, "2026-02-04.audit");
}

#[test]
fn a_hold_does_not_vanish_with_its_segment() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = held(&dir, &clock);
    fs::remove_file(dir.join("2026-02-04.audit")).unwrap();
    fs::remove_file(dir.join("2026-02-04.audit.sha256")).unwrap();
    assert_kept(&logger, &dir, "does not continue");
}

#[test]
fn a_release_is_not_believed_for_standing_there() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = held(&dir, &clock);
    // The next day's first entry becomes one that the writer never wrote.
    let hold = fs::read_to_string(dir.join("2026-02-04.audit")).unwrap();
    let hold = hold.lines().find(|line| line.contains("audit.hold_added")).unwrap();
    let release = hold.replace("audit.hold_added", "audit.hold_released");
    rewrite(&dir.join("2026-02-05.audit"), |text| format!("{release}\n{text}"));
    assert_kept(&logger, &dir, "not what its hash says");
}

#[test]
fn a_front_that_no_entry_names_is_no_front() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 40);
    for name in ["2026-01-01.audit", "2026-01-01.audit.sha256"] {
        fs::remove_file(dir.join(name)).unwrap();
    }
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{report:?}");
    assert!(report.problems.iter().any(|text| text.contains("no entry names it")), "{report:?}");
}

#[test]
fn what_was_accepted_is_on_disk_before_holds_are_counted() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let config = audit_logging::AuditConfig {
        flush_mode: audit_logging::FlushMode::Batched { size: 1_000, interval_secs: 60 },
        ..config(&dir)
    };
    let open = || AuditLogger::builder(config.clone()).clock(clock.shared()).open().unwrap();
    let logger = open();
    let receipt = logger.emit(TestEvent::routine("accepted")).unwrap();
    assert!(logger.holds().unwrap().is_empty());
    assert!(receipt.is_durable());
    let receipt = logger.emit(TestEvent::routine("accepted")).unwrap();
    logger.apply_retention().unwrap();
    assert!(receipt.is_durable());
}

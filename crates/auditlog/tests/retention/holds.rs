//! Legal holds against a deletion that is due.

use audit_logging::core::event::ActorInfo;
use audit_logging::core::retention::{Fate, HoldScope, Why};
use audit_testkit::TestClock;

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

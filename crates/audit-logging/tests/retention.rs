//! Retention by the logger itself: its schedule, its configuration, and what it leaves for tools. What
//! the verifier says of the result is tested in `auditlog`, where writer and reader meet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use audit_logging::retention::{RetentionError, settings};
use audit_logging::storage::Storage;
use audit_logging::{AuditConfig, AuditLogger, AuditMode, RetentionPolicy, RotationPolicy};
use audit_testkit::{CountingStorage, Op, TestClock};
use common::{config, durable, storage};

const DAY: Duration = Duration::from_secs(86_400);

fn daily(dir: &std::path::Path) -> AuditConfig {
    AuditConfig {
        rotation: RotationPolicy::Daily,
        retention: RetentionPolicy {
            min_retention_days: 3,
            archive_after_days: 1,
            delete_after_days: 3,
        },
        retention_interval_hours: 1,
        ..config(dir)
    }
}

#[test]
fn the_logger_compresses_and_deletes_by_itself() {
    let temp = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let counted = CountingStorage::over(storage(temp.path()));
    let logger = AuditLogger::builder(daily(temp.path()))
        .clock(clock.shared())
        .storage(Arc::clone(&counted) as Arc<dyn Storage>)
        .open()
        .unwrap();
    for day in 0..3 {
        durable(&logger, &format!("day {day}"));
        clock.advance(DAY);
    }
    durable(&logger, "today");
    // Over on the second of January, and today is the fourth.
    counted.wait_for_of(Op::Remove, "2026-01-01.audit", 1);
    let trail = temp.path().join("trail");
    assert!(trail.join("2026-01-01.audit.zst").exists());
    for day in 3..6 {
        clock.advance(DAY);
        durable(&logger, &format!("day {day}"));
    }
    counted.wait_for_of(Op::Remove, "2026-01-01.audit.sha256", 1);
    logger.shutdown_blocking().unwrap();
    // Closing ends what the keeper does: from now on nothing changes.
    assert!(matches!(logger.apply_retention(), Err(RetentionError::Closing)));
    let text = std::fs::read_to_string(trail.join("2026-01-07.audit")).unwrap();
    let closed = text.lines().last().unwrap();
    // What it recorded is no event of the service.
    assert!(closed.contains(r#""event_type":"audit.closed""#), "{closed}");
    assert!(closed.contains(r#""details":{"entries":7,"drops":0}"#), "{closed}");
}

#[test]
fn rules_that_delete_too_early_are_refused_with_the_reason() {
    let temp = tempfile::tempdir().unwrap();
    let mut wrong = daily(temp.path());
    wrong.retention.delete_after_days = 2;
    let error = AuditLogger::new(wrong).unwrap_err().to_string();
    let why = "delete_after_days (2) is below min_retention_days (3): entries would be deleted \
               before they may be";
    assert!(error.contains(why), "{error}");
    assert!(!temp.path().join("trail").exists(), "nothing was touched");
    let logger = AuditLogger::new(daily(temp.path())).unwrap();
    let lax =
        RetentionPolicy { min_retention_days: 9, delete_after_days: 8, archive_after_days: 0 };
    assert!(matches!(logger.apply_retention_by(lax, &mut |_, _| ()), Err(RetentionError::Open(_))));
}

#[test]
fn the_environment_sets_retention_and_the_trail_tells_tools() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let vars = |extra: &[(&str, &str)]| {
        let base = [("AUDIT_SERVICE_ID", "billing-api"), ("AUDIT_DIR", dir.to_str().unwrap())];
        let all = base.iter().chain(extra).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        AuditConfig::from_vars(all.collect::<Vec<_>>())
    };
    let config = vars(&[
        ("AUDIT_MIN_RETENTION_DAYS", "365"),
        ("AUDIT_ARCHIVE_AFTER_DAYS", "7"),
        ("AUDIT_DELETE_AFTER_DAYS", "400"),
        ("AUDIT_RETENTION_INTERVAL_HOURS", "12"),
        ("AUDIT_ACCESS", "false"),
    ])
    .unwrap();
    let policy =
        RetentionPolicy { min_retention_days: 365, archive_after_days: 7, delete_after_days: 400 };
    assert_eq!(config.retention, policy);
    assert!(vars(&[("AUDIT_ACCESS", "maybe")]).is_err());
    assert!(vars(&[("AUDIT_DELETE_AFTER_DAYS", "1")]).is_err());
    assert_eq!(settings(&dir).unwrap(), None);
    AuditLogger::new(config).unwrap().shutdown_blocking().unwrap();
    let said = settings(&dir).unwrap().unwrap();
    assert_eq!(
        (said.retention, said.retention_interval_hours, said.audit_access),
        (Some(policy), 12, false)
    );
    let off = AuditConfig { mode: AuditMode::Disabled, ..AuditConfig::new("off") };
    let error = AuditLogger::new(off).unwrap().apply_retention().unwrap_err();
    assert!(matches!(error, RetentionError::Disabled));
}

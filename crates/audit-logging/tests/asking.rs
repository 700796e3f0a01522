//! Processes that meet at one trail: one that opens it for a moment, one that asks and is not answered,
//! and a disk that gets full while segments are compressed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use audit_logging::core::event::ActorInfo;
use audit_logging::retention::{Ask, AskError, ask, settings};
use audit_logging::storage::Storage;
use audit_logging::{
    AuditConfig, AuditLogger, AuditMode, OpenError, RetentionPolicy, RotationPolicy, create_trail,
};
use audit_testkit::{FaultyStorage, TestClock, TestEvent};
use common::{Mount, PATIENCE, config, durable, storage};

fn hold() -> Ask {
    Ask::AddHold {
        by: "counsel".to_owned(),
        hold: "case-7".to_owned(),
        scope: audit_logging::retention::HoldScope::default(),
        reason: None,
    }
}

#[test]
fn whoever_is_not_answered_is_told_so_in_time() {
    let temp = tempfile::tempdir().unwrap();
    create_trail(config(temp.path())).unwrap();
    let dir = temp.path().join("trail");
    // Somebody holds the trail, and does not look for requests.
    let lock = storage(temp.path()).lock().unwrap();
    let told = ask(&dir, &hold(), Duration::ZERO);
    assert!(matches!(told, Err(AskError::NotTaken)), "{told:?}");
    let requests = || {
        let names = storage(temp.path()).list("requests").unwrap_or_default();
        names.into_iter().filter(|name| name.ends_with(".json")).collect::<Vec<_>>()
    };
    assert_eq!(requests(), [""; 0], "it was withdrawn");
    // Somebody takes it, and stands still.
    let told = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&dir, &hold(), Duration::from_secs(1)));
        let name = loop {
            match requests().pop() {
                Some(name) => break name,
                None => std::thread::yield_now(),
            }
        };
        let path = |end: &str| dir.join("requests").join(name.replace(".json", end));
        std::fs::rename(path(".json"), path(".taken")).unwrap();
        asking.join().unwrap()
    });
    let Err(error @ AskError::NoAnswer { .. }) = &told else { panic!("{told:?}") };
    assert!(error.to_string().contains("it may still do it: look"), "{error}");
    drop(lock);
}

#[test]
fn who_has_a_trail_for_a_moment_is_waited_for_and_who_keeps_it_is_not() {
    let temp = tempfile::tempdir().unwrap();
    // Being refused takes a known while: two refusals are longer than one opening would try.
    let other = tempfile::tempdir().unwrap();
    let kept = AuditLogger::new(config(other.path())).unwrap();
    let refused = || {
        let refused = AuditLogger::new(config(other.path()));
        assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
    };
    let tool = AuditLogger::builder(config(temp.path())).for_tool().briefly().open().unwrap();
    tool.record_access(&ActorInfo::internal("alice"), "query", &[], None).unwrap();
    let service = std::thread::scope(|scope| {
        let (began, begun) = std::sync::mpsc::channel();
        let config = config(temp.path());
        let starting = scope.spawn(move || {
            began.send(()).unwrap();
            AuditLogger::new(config)
        });
        begun.recv().unwrap();
        refused();
        refused();
        tool.shutdown_timeout(PATIENCE).unwrap();
        starting.join().unwrap()
    });
    let service = service.unwrap();
    durable(&service, "served");
    service.shutdown_timeout(PATIENCE).unwrap();
    kept.shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn a_trail_that_was_only_made_is_kept_by_nobodys_rules() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    create_trail(config(temp.path())).unwrap();
    let said = settings(&dir).unwrap().unwrap();
    assert_eq!((said.retention, said.retention_interval_hours, said.audit_access), (None, 0, true));
    let text = std::fs::read_to_string(dir.join("settings.json")).unwrap();
    assert!(!text.contains("retention") && !text.contains("days"), "{text}");
    // The service that writes it says what it was configured with.
    AuditLogger::new(config(temp.path())).unwrap().shutdown_blocking().unwrap();
    let said = settings(&dir).unwrap().unwrap();
    assert_eq!(said.retention, Some(RetentionPolicy::default()));
    assert_eq!(said.retention_interval_hours, 24);
}

#[test]
fn a_disk_that_gets_full_in_the_middle_of_an_archive_keeps_the_segment() {
    let Some(mount) = Mount::new("12m") else {
        eprintln!("SKIPPED a_disk_that_gets_full: cannot mount a tmpfs here");
        return;
    };
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: mount.path().join("trail") },
        rotation: RotationPolicy::Daily,
        retention: RetentionPolicy { archive_after_days: 0, ..RetentionPolicy::default() },
        retention_interval_hours: 0,
        heartbeat_secs: 0,
        queue_bytes: 1 << 20,
        ..AuditConfig::new("billing-api")
    };
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    // It says that there is room, until there is none.
    let faulty = FaultyStorage::over(storage(mount.path()));
    let logger = AuditLogger::builder(config)
        .clock(clock.shared())
        .storage(Arc::clone(&faulty) as Arc<dyn Storage>)
        .open()
        .unwrap();
    // What does not compress well: hashes.
    let mut hash = audit_logging::core::chain::Hash::ZERO;
    for n in 0..3_500 {
        let mut text = String::new();
        while text.len() < 900 {
            hash = audit_logging::core::tree::leaf_hash(&hash.0);
            text.push_str(&hash.to_string());
        }
        drop(logger.emit(TestEvent::routine(text)).unwrap());
        if n % 100 == 0 {
            logger.flush_blocking().unwrap();
        }
    }
    logger.flush_blocking().unwrap();
    clock.advance(Duration::from_secs(2 * 86_400));
    durable(&logger, "today");
    let dir = mount.path().join("trail");
    let segment = dir.join("2026-01-01.audit");
    let before = std::fs::read(&segment).unwrap();
    assert!(before.len() > 3_000_000, "{}", before.len());
    faulty.set_space(1 << 30, 1 << 31);
    let ballast = mount.path().join("ballast");
    let space = storage(mount.path()).space().unwrap();
    // Room for the first frames, and not for all.
    std::fs::write(&ballast, vec![0; usize::try_from(space.free).unwrap() - 900_000]).unwrap();
    let report = logger.apply_retention().unwrap();
    assert!(report.archived.is_empty(), "{report:?}");
    let problem = &report.problems[0];
    assert!(problem.contains("2026-01-01.audit.zst") && problem.contains("No space"), "{report:?}");
    assert!(std::fs::read(&segment).unwrap() == before, "as it was");
    let names = storage(mount.path()).list("").unwrap();
    assert!(!names.iter().any(|name| name.contains(".zst") || name.contains(".tmp")), "{names:?}");
    durable(&logger, "the logger goes on");
    std::fs::remove_file(&ballast).unwrap();
    let report = logger.apply_retention().unwrap();
    assert!(report.problems.is_empty() && report.archived.len() == 1, "{report:?}");
    assert!(!segment.exists());
    logger.shutdown_timeout(PATIENCE).unwrap();
}

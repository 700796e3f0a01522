//! What callers do that they should not, and what they may do though it looks odd.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use audit_core::encode::Details;
use audit_core::event::Event;
use audit_logging::{AuditConfig, AuditLogger, AuditMode, EmitError, OverflowPolicy, WaitError};
use audit_testkit::read::{labels, of_type};
use audit_testkit::{CountingStorage, TestEvent, block_on, read_dir};
use common::{PATIENCE, config, lazy, open_over, storage, with_mode};

fn lines(dir: &tempfile::TempDir) -> Vec<audit_testkit::Line> {
    read_dir(&dir.path().join("trail"))
}

/// All rows of all `audit.events_dropped`, summed.
fn dropped(lines: &[audit_testkit::Line]) -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    for report in of_type(lines, "audit.events_dropped") {
        let rows = report.details["dropped"].as_array().unwrap();
        let count: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(report.details["count"], count);
        for row in rows {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            *sums.entry((text("event_type"), text("cause"))).or_insert(0) +=
                row["count"].as_u64().unwrap();
        }
    }
    sums
}

#[test]
fn emit_after_shutdown_is_refused_from_every_handle_and_the_trail_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    let other = logger.clone();
    logger.shutdown_blocking().unwrap();
    for handle in [&logger, &other] {
        assert!(matches!(handle.emit(TestEvent::routine("late")), Err(EmitError::Closed)));
        // Nobody would write that these were counted, so that is what the caller is told.
        for odd in ["Not A Type", "audit.closed"] {
            let late = handle.emit(TestEvent::routine("late").typed(odd));
            assert!(matches!(late, Err(EmitError::Closed)), "{late:?}");
        }
        handle.record_unreadable();
    }
    // Asking again is no error.
    logger.shutdown_blocking().unwrap();
    other.flush_blocking().unwrap();
    block_on(other.shutdown()).unwrap();
    assert_eq!(lines(&dir).last().unwrap().event_type, "audit.closed");
}

/// Emits when it is dropped.
struct Parting(AuditLogger, &'static str, Arc<Mutex<Vec<bool>>>);

impl Drop for Parting {
    fn drop(&mut self) {
        let accepted = match self.0.emit(TestEvent::routine(self.1)) {
            Ok(_) => true,
            Err(EmitError::Closed) => false,
            Err(error) => panic!("{error}"),
        };
        self.2.lock().unwrap().push(accepted);
    }
}

thread_local! {
    static LOCAL: std::cell::RefCell<Option<Parting>> = const { std::cell::RefCell::new(None) };
}

#[test]
fn emit_from_destructors_is_recorded_before_and_refused_after_shutdown() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    drop(Parting(logger.clone(), "before", seen.clone()));
    let local = Parting(logger.clone(), "thread local", seen.clone());
    std::thread::spawn(|| LOCAL.set(Some(local))).join().unwrap();
    let after = Parting(logger.clone(), "after", seen.clone());
    logger.shutdown_blocking().unwrap();
    drop(after);
    assert_eq!(*seen.lock().unwrap(), [true, true, false]);
    assert_eq!(labels(&lines(&dir)), ["before", "thread local"]);
}

#[test]
fn emit_races_with_shutdown_and_what_was_accepted_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(with_mode(dir.path(), lazy())).unwrap();
    let accepted = Mutex::new(Vec::new());
    let started = std::sync::Barrier::new(5);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (logger, accepted, started) = (&logger, &accepted, &started);
            scope.spawn(move || {
                started.wait();
                let mut mine = Vec::new();
                for n in 0.. {
                    let label = format!("{thread}/{n}");
                    match logger.emit(TestEvent::routine(&label)) {
                        Ok(_) => mine.push(label),
                        Err(EmitError::Closed) => break,
                        Err(EmitError::QueueFull) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                accepted.lock().unwrap().extend(mine);
            });
        }
        started.wait();
        logger.shutdown_blocking().unwrap();
    });
    let lines = lines(&dir);
    let mut found: Vec<String> = labels(&lines).into_iter().map(str::to_owned).collect();
    let mut expected = accepted.into_inner().unwrap();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_hundred_threads_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..100 {
            let logger = &logger;
            scope.spawn(move || {
                for n in 0..20 {
                    let event = TestEvent::routine(format!("{thread}/{n}"));
                    drop(logger.emit(event).unwrap());
                }
            });
        }
    });
    logger.shutdown_blocking().unwrap();
    let lines = lines(&dir);
    let mut next: BTreeMap<&str, u32> = BTreeMap::new();
    for label in labels(&lines) {
        let (thread, n) = label.split_once('/').unwrap();
        let expected = next.entry(thread).or_insert(0);
        assert_eq!(n, expected.to_string(), "{label}");
        *expected += 1;
    }
    assert_eq!(next.len(), 100);
    assert!(next.values().all(|n| *n == 20));
}

/// Does something of its own while it is encoded.
struct Busy<F>(F);

impl<F: Fn()> Event for Busy<F> {
    fn event_type(&self) -> &str {
        "data.write"
    }
    fn details(&self, details: &mut Details<'_>) {
        details.field("label", "outer");
        (self.0)();
    }
}

#[test]
fn an_event_may_emit_another_while_it_is_encoded() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    let inner = logger.clone();
    let event = Busy(move || drop(inner.emit(TestEvent::routine("inner")).unwrap()));
    drop(logger.emit(event).unwrap());
    logger.shutdown_blocking().unwrap();
    assert_eq!(labels(&lines(&dir)), ["inner", "outer"]);
}

#[test]
fn a_panic_in_the_callers_code_hurts_the_caller_only() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(logger.emit(Busy(|| panic!("the caller's own"))));
    }));
    assert!(outcome.is_err());
    // Same thread, same encoder.
    let receipt = logger.emit(TestEvent::routine("after")).unwrap();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
    logger.shutdown_blocking().unwrap();
    assert_eq!(labels(&lines(&dir)), ["after"]);
}

#[test]
fn disabled_accepts_everything_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let off = AuditConfig { mode: AuditMode::Disabled, ..config(dir.path()) };
    let logger = AuditLogger::new(off).unwrap();
    assert!(!logger.is_enabled() && logger.origin().is_none() && logger.initial_key().is_none());
    let receipt = logger.emit(TestEvent::routine("x").typed("audit.opened")).unwrap();
    assert!(receipt.is_durable() && receipt.audit_id().is_nil());
    block_on(receipt.durable()).unwrap();
    logger.flush_blocking().unwrap();
    logger.shutdown_blocking().unwrap();
    drop(logger.emit(TestEvent::routine("after shutdown")).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A logger whose disk is held, with its queue full of routine events.
fn with_full_queue(
    dir: &tempfile::TempDir,
    overflow: OverflowPolicy,
) -> (AuditLogger, Arc<CountingStorage>, usize) {
    let disk = CountingStorage::over(storage(dir.path()));
    let small = AuditConfig { queue_bytes: 1 << 20, overflow, ..config(dir.path()) };
    let logger = open_over(small, disk.clone());
    disk.hold_syncs();
    drop(logger.emit(TestEvent::routine("held")).unwrap());
    disk.wait_held();
    let mut accepted = 1;
    while logger.emit(TestEvent::routine("filler").padded(20_000)).is_ok() {
        accepted += 1;
        assert!(accepted < 1_000, "the queue has no end");
    }
    (logger, disk, accepted)
}

#[test]
fn a_full_queue_refuses_keeps_a_share_for_critical_events_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (logger, disk, accepted) = with_full_queue(&dir, OverflowPolicy::Refuse);
    for _ in 0..4 {
        let refused = logger.emit(TestEvent::routine("no").padded(20_000));
        assert!(matches!(refused, Err(EmitError::QueueFull)));
    }
    let critical = logger.emit(TestEvent::critical("critical").padded(20_000)).unwrap();
    disk.release_syncs();
    critical.wait_durable_timeout(PATIENCE).unwrap();
    logger.shutdown_blocking().unwrap();
    let lines = lines(&dir);
    assert_eq!(labels(&lines).len(), accepted + 1);
    // The one that found the queue full first, and four more.
    let expected = [(("data.read".to_owned(), "queue_full".to_owned()), 5)];
    assert_eq!(dropped(&lines), BTreeMap::from(expected));
    assert_eq!(lines.last().unwrap().details["drops"], 5);
}

#[test]
fn a_full_queue_can_be_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (logger, disk, accepted) = with_full_queue(&dir, OverflowPolicy::Wait { limit_ms: 50 });
    let start = Instant::now();
    let refused = logger.emit(TestEvent::routine("no").padded(20_000));
    assert!(matches!(refused, Err(EmitError::QueueFull)));
    assert!(start.elapsed() >= Duration::from_millis(50));
    disk.release_syncs();
    logger.flush_blocking().unwrap();
    drop(logger.emit(TestEvent::routine("room").padded(20_000)).unwrap());
    logger.shutdown_blocking().unwrap();
    assert_eq!(labels(&lines(&dir)).len(), accepted + 1);
}

#[test]
fn types_that_are_malformed_reserved_or_unknown_are_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let strict = AuditConfig {
        accepted_event_types: vec!["shop.order_placed".into()],
        ..config(dir.path())
    };
    let logger = AuditLogger::new(strict).unwrap();
    let emit = |event_type: &str| logger.emit(TestEvent::routine("x").typed(event_type));
    for bad in ["", "one", "Upper.case", "a.b c", "a..b", ".a", "a.", "ä.b", &"a.".repeat(80)] {
        assert!(matches!(emit(bad), Err(EmitError::InvalidEventType)), "{bad:?}");
    }
    assert!(matches!(emit("audit.opened"), Err(EmitError::ReservedEventType)));
    assert!(matches!(emit("audit.anything"), Err(EmitError::ReservedEventType)));
    assert!(matches!(emit("shop.other"), Err(EmitError::UnknownEventType)));
    drop(emit("shop.order_placed").unwrap());
    drop(emit("auth.failure").unwrap());
    logger.record_unreadable();
    logger.shutdown_blocking().unwrap();
    let lines = lines(&dir);
    let counts = dropped(&lines);
    let by_cause = |cause: &str| -> u64 {
        counts.iter().filter(|((_, c), _)| c == cause).map(|(_, n)| n).sum()
    };
    assert_eq!((by_cause("invalid_event_type"), by_cause("invalid_input")), (12, 1));
    let key = ("shop.other".to_owned(), "invalid_event_type".to_owned());
    assert_eq!(counts.get(&key), Some(&1));
    assert_eq!(labels(&lines), ["x", "x"]);
}

#[test]
fn drop_with_a_disk_that_does_not_answer_ends_at_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let hasty = AuditConfig { drop_limit_ms: 100, ..config(dir.path()) };
    let logger = open_over(hasty, disk.clone());
    disk.hold_syncs();
    let receipt = logger.emit(TestEvent::routine("x")).unwrap();
    disk.wait_held();
    let limit = Duration::from_millis(10);
    assert!(matches!(logger.shutdown_timeout(limit), Err(WaitError::TimedOut)));
    let start = Instant::now();
    drop(logger);
    assert!(start.elapsed() < Duration::from_secs(5));
    // The writer goes on when the disk answers.
    disk.release_syncs();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
}

//! Receipts: waiting for durability in tasks and threads, without a runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::future::Future;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use audit_logging::{AuditLogger, EmitError, Receipt, WaitError};
use audit_testkit::faulty::How;
use audit_testkit::{CountingStorage, FaultyStorage, Op, TestEvent, block_on};
use common::{PATIENCE, config, lazy, open_over, storage, with_mode};

#[test]
fn sixty_four_tasks_on_threads_of_their_own_all_get_their_answer() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    std::thread::scope(|scope| {
        for task in 0..64 {
            let logger = &logger;
            scope.spawn(move || {
                block_on(async move {
                    for n in 0..5 {
                        let event = TestEvent::routine(format!("{task}/{n}"));
                        let receipt = logger.emit(event).unwrap();
                        receipt.durable().await.unwrap();
                        assert!(receipt.is_durable());
                    }
                });
            });
        }
    });
}

#[test]
fn a_dropped_future_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    disk.hold_syncs();
    let receipts: Vec<Receipt> =
        (0..10).map(|n| logger.emit(TestEvent::routine(n.to_string())).unwrap()).collect();
    let mut context = Context::from_waker(Waker::noop());
    for receipt in &receipts {
        let mut future = Box::pin(receipt.durable());
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    drop(logger.flush());
    disk.release_syncs();
    block_on(receipts[9].durable()).unwrap();
}

#[test]
fn a_limit_beyond_the_clock_is_no_limit() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    for label in ["one", "two"] {
        let receipt = logger.emit(TestEvent::routine(label)).unwrap();
        receipt.wait_durable_timeout(Duration::MAX).unwrap();
        assert!(receipt.is_durable());
    }
    logger.shutdown_timeout(Duration::MAX).unwrap();
}

#[test]
fn waiting_with_a_limit_ends_and_the_event_is_still_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(with_mode(dir.path(), lazy())).unwrap();
    let receipt = logger.emit(TestEvent::routine("late")).unwrap();
    let limit = Duration::from_millis(20);
    assert!(matches!(receipt.wait_durable_timeout(limit), Err(WaitError::TimedOut)));
    logger.flush_blocking().unwrap();
    receipt.wait_durable().unwrap();
}

#[test]
fn a_receipt_outlives_its_logger_and_carries_the_id_in_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    let receipt = logger.emit(TestEvent::routine("x")).unwrap();
    drop(logger);
    assert!(receipt.is_durable());
    let lines = audit_testkit::read_dir(&dir.path().join("trail"));
    let line = lines.iter().find(|line| line.label() == Some("x")).unwrap();
    assert_eq!(line.audit_id, receipt.audit_id());
}

#[test]
fn after_poison_every_wait_and_emit_says_so_and_what_was_durable_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    let durable = logger.emit(TestEvent::routine("durable")).unwrap();
    durable.wait_durable().unwrap();
    disk.fail_always(&[Op::Sync], How::Error(std::io::ErrorKind::Other));
    let lost = logger.emit(TestEvent::routine("lost")).unwrap();
    let outcome = block_on(lost.durable());
    assert!(matches!(outcome, Err(WaitError::Poisoned(_))), "{outcome:?}");
    assert!(matches!(lost.wait_durable(), Err(WaitError::Poisoned(_))));
    assert!(!lost.is_durable());
    durable.wait_durable().unwrap();
    assert!(matches!(logger.flush_blocking(), Err(WaitError::Poisoned(_))));
    let refused = logger.emit(TestEvent::routine("refused")).unwrap_err();
    assert!(matches!(&refused, EmitError::Poisoned(fault) if fault.operation() == "sync"));
    assert!(matches!(logger.shutdown_timeout(PATIENCE), Err(WaitError::Poisoned(_))));
}

/// A waker that polls another future where it is called, as executors on one thread do.
struct PollsAnother(Mutex<Option<(Receipt, Sender<bool>)>>);

impl Wake for PollsAnother {
    fn wake(self: Arc<Self>) {
        if let Some((receipt, done)) = self.0.lock().unwrap().take() {
            let mut future = Box::pin(receipt.durable());
            let poll = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            done.send(poll.is_pending()).unwrap();
        }
    }
}

#[test]
fn a_waker_may_poll_another_receipt_where_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(with_mode(dir.path(), lazy()), disk.clone());
    let first = logger.emit(TestEvent::routine("first")).unwrap();
    disk.hold_syncs();
    let flush = logger.flush();
    disk.wait_held();
    // Not covered by the sync that is held.
    let second = logger.emit(TestEvent::routine("second")).unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let waker = Waker::from(Arc::new(PollsAnother(Mutex::new(Some((second, send))))));
    let mut future = Box::pin(first.durable());
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    disk.release_syncs();
    assert_eq!(receive.recv_timeout(PATIENCE), Ok(true), "the waker's poll hangs");
    block_on(flush).unwrap();
}

#[test]
fn a_receipt_in_a_log_shows_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(with_mode(dir.path(), lazy()), disk.clone());
    drop(logger.emit(TestEvent::routine("first")).unwrap());
    disk.hold_syncs();
    let flush = logger.flush();
    disk.wait_held();
    // Stays in the queue while the sync is held.
    let receipt = logger.emit(TestEvent::routine("S")).unwrap();
    let shown = format!("{receipt:?} {logger:?} {flush:?}");
    let queued = b"data.read".map(|byte| byte.to_string()).join(", ");
    assert!(!shown.contains(&queued) && !shown.contains("data.read"), "{shown}");
    disk.release_syncs();
    block_on(flush).unwrap();
}

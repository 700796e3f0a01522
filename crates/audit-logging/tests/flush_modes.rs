//! When each flush mode syncs, counted at the storage trait.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use audit_core::event::{CRITICAL_EVENT_TYPES, GenericEvent, catalogue};
use audit_logging::{AuditLogger, FlushMode};
use audit_testkit::read::labels;
use audit_testkit::{CountingStorage, Op, TestEvent, read_dir};
use common::{PATIENCE, lazy, open_over, storage, with_mode};

struct Fixture {
    dir: tempfile::TempDir,
    disk: Arc<CountingStorage>,
    logger: AuditLogger,
}

fn fixture(mode: FlushMode) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(with_mode(dir.path(), mode), disk.clone());
    Fixture { dir, disk, logger }
}

impl Fixture {
    fn syncs(&self) -> u64 {
        self.disk.count(Op::Sync)
    }

    fn labels(&self) -> Vec<String> {
        let lines = read_dir(&self.dir.path().join("trail"));
        labels(&lines).into_iter().map(str::to_owned).collect()
    }

    /// Waits until the writer has taken everything to the file, synced or not.
    fn wait_written(&self, label: &str) {
        let end = std::time::Instant::now() + PATIENCE;
        let needle = format!("\"label\":\"{label}\"");
        while !self.text().contains(&needle) {
            assert!(std::time::Instant::now() < end, "{label} is never written");
            std::thread::yield_now();
        }
    }

    fn text(&self) -> String {
        let trail = self.dir.path().join("trail");
        let mut text = String::new();
        for entry in std::fs::read_dir(trail).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "audit") {
                text += &std::fs::read_to_string(path).unwrap();
            }
        }
        text
    }
}

#[test]
fn immediate_is_the_default_and_syncs_before_acknowledging() {
    let f = fixture(FlushMode::default());
    for n in 0..10 {
        let before = f.syncs();
        let receipt = f.logger.emit(TestEvent::routine(n.to_string())).unwrap();
        receipt.wait_durable_timeout(PATIENCE).unwrap();
        assert_eq!(f.syncs(), before + 1);
    }
}

#[test]
fn immediate_does_not_acknowledge_while_the_sync_is_under_way() {
    let f = fixture(FlushMode::Immediate);
    f.disk.hold_syncs();
    let receipt = f.logger.emit(TestEvent::routine("held")).unwrap();
    f.disk.wait_held();
    assert!(!receipt.is_durable());
    f.disk.release_syncs();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
    assert!(receipt.is_durable());
}

#[test]
fn what_comes_during_a_sync_goes_into_exactly_one_more() {
    let f = fixture(FlushMode::Immediate);
    let before = f.syncs();
    f.disk.hold_syncs();
    let first = f.logger.emit(TestEvent::routine("first")).unwrap();
    f.disk.wait_held();
    let rest: Vec<_> =
        (0..500).map(|n| f.logger.emit(TestEvent::routine(n.to_string())).unwrap()).collect();
    f.disk.release_syncs();
    for receipt in rest.iter().chain([&first]) {
        receipt.wait_durable_timeout(PATIENCE).unwrap();
    }
    assert_eq!(f.syncs(), before + 2);
}

#[test]
fn batched_syncs_at_its_size_and_not_before() {
    let f = fixture(FlushMode::Batched { size: 100, interval_secs: 3_600 });
    let before = f.syncs();
    let receipts: Vec<_> =
        (0..99).map(|n| f.logger.emit(TestEvent::routine(format!("n{n}"))).unwrap()).collect();
    f.wait_written("n98");
    assert_eq!(f.syncs(), before);
    assert!(receipts.iter().all(|receipt| !receipt.is_durable()));
    let last = f.logger.emit(TestEvent::routine("n99")).unwrap();
    last.wait_durable_timeout(PATIENCE).unwrap();
    assert!(receipts.iter().all(audit_logging::Receipt::is_durable));
    assert_eq!(f.syncs(), before + 1);
}

#[test]
fn batched_syncs_after_its_interval_without_another_event() {
    let f = fixture(FlushMode::Batched { size: 1_000, interval_secs: 1 });
    let before = f.syncs();
    let start = std::time::Instant::now();
    let receipt = f.logger.emit(TestEvent::routine("alone")).unwrap();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
    assert!(start.elapsed().as_millis() >= 990, "too early: {:?}", start.elapsed());
    assert_eq!(f.syncs(), before + 1);
}

#[test]
fn hybrid_syncs_a_critical_event_at_once_with_everything_before_it() {
    let f = fixture(FlushMode::Hybrid {
        batch_size: 100,
        batch_interval_secs: 3_600,
        critical_immediate: true,
    });
    let before = f.syncs();
    let routine: Vec<_> =
        (0..50).map(|n| f.logger.emit(TestEvent::routine(format!("n{n}"))).unwrap()).collect();
    assert_eq!(f.syncs(), before);
    f.logger.emit(TestEvent::critical("c")).unwrap().wait_durable_timeout(PATIENCE).unwrap();
    assert!(routine.iter().all(audit_logging::Receipt::is_durable));
    assert_eq!(f.syncs(), before + 1);
}

#[test]
fn hybrid_makes_each_of_the_ten_critical_types_durable_at_once_and_no_other() {
    let f = fixture(FlushMode::Hybrid {
        batch_size: 1_000,
        batch_interval_secs: 3_600,
        critical_immediate: true,
    });
    let (mut critical, mut routine) = (0, 0);
    for description in catalogue() {
        let event_type = description.event_type;
        let event = GenericEvent::new(event_type).unwrap().detail("label", event_type);
        let before = f.syncs();
        let receipt = f.logger.emit(event).unwrap();
        if CRITICAL_EVENT_TYPES.contains(&event_type) {
            receipt.wait_durable_timeout(PATIENCE).unwrap();
            assert_eq!(f.syncs(), before + 1, "{event_type}");
            critical += 1;
        } else {
            assert!(!receipt.is_durable(), "{event_type}");
            assert_eq!(f.syncs(), before, "{event_type}");
            routine += 1;
        }
    }
    assert_eq!((critical, routine), (10, 25));
}

#[test]
fn hybrid_without_critical_immediate_is_batched() {
    let f = fixture(FlushMode::Hybrid {
        batch_size: 3,
        batch_interval_secs: 3_600,
        critical_immediate: false,
    });
    let first = f.logger.emit(TestEvent::critical("c")).unwrap();
    f.wait_written("c");
    assert!(!first.is_durable());
    for n in 0..2 {
        drop(f.logger.emit(TestEvent::routine(n.to_string())).unwrap());
    }
    first.wait_durable_timeout(PATIENCE).unwrap();
}

#[test]
fn flush_makes_what_is_buffered_durable_blocking_and_async() {
    let f = fixture(lazy());
    let receipt = f.logger.emit(TestEvent::routine("a")).unwrap();
    f.logger.flush_blocking().unwrap();
    assert!(receipt.is_durable());
    let receipt = f.logger.emit(TestEvent::routine("b")).unwrap();
    audit_testkit::block_on(f.logger.flush()).unwrap();
    assert!(receipt.is_durable());
}

#[test]
fn shutdown_makes_what_is_buffered_durable_and_closes() {
    let f = fixture(lazy());
    let receipt = f.logger.emit(TestEvent::routine("a")).unwrap();
    audit_testkit::block_on(f.logger.shutdown()).unwrap();
    assert!(receipt.is_durable());
    assert_eq!(f.labels(), ["a"]);
    assert_eq!(read_dir(&f.dir.path().join("trail")).last().unwrap().event_type, "audit.closed");
}

#[test]
fn dropping_the_last_handle_flushes_and_closes_and_an_earlier_one_does_not() {
    let f = fixture(lazy());
    let Fixture { dir, disk, logger } = f;
    let other = logger.clone();
    let receipt = logger.emit(TestEvent::routine("a")).unwrap();
    let before = disk.count(Op::Sync);
    drop(logger);
    assert_eq!(disk.count(Op::Sync), before);
    drop(other);
    assert!(receipt.is_durable());
    assert_eq!(read_dir(&dir.path().join("trail")).last().unwrap().event_type, "audit.closed");
}

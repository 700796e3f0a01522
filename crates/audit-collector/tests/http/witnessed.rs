//! Receipts that tell when witnesses have seen the event: logger, follower and witnesses together.

use audit_logging::{Receipt, WaitError};
use audit_shipper::Follower;
use audit_testkit::{TestEvent, block_on};

use super::*;

/// A wait longer than this is a failed test.
const PATIENCE: Duration = Duration::from_secs(30);

fn emit(logger: &AuditLogger, label: &str) -> Receipt {
    logger.emit(TestEvent::routine(label)).unwrap()
}

/// A follower that reports to the logger.
fn follow(logger: &AuditLogger, dir: &Path, policy: Policy) -> Follower {
    let options = SyncOptions { timeout: Duration::from_secs(5) };
    let sync = WitnessSync::new(dir, policy, &options);
    let handle = logger.witness_handle().unwrap();
    Follower::start(sync, Duration::from_millis(1), move |report| {
        if let Some(size) = report.as_ref().ok().and_then(SyncReport::witnessed_size) {
            handle.advance(size);
        }
    })
    .unwrap()
}

#[test]
fn a_receipt_tells_when_witnesses_have_cosigned() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write(&dir, "alice", 5);
    let (server, key) = witness(&temp.path().join("w"), &[log]);
    let logger = AuditLogger::new(config(&dir)).unwrap();
    let early = emit(&logger, "early");
    assert!(matches!(early.wait_witnessed(), Err(WaitError::NotWitnessed)));
    let follower = follow(&logger, &dir, policy(1, &[(&*server.url, &key)]));
    early.wait_witnessed_timeout(PATIENCE).unwrap();
    for number in 0..5 {
        let receipt = emit(&logger, &number.to_string());
        block_on(receipt.witnessed()).unwrap();
        assert!(receipt.is_witnessed() && receipt.is_sealed() && receipt.is_durable());
    }
    // The last checkpoint is cosigned after the logger has closed.
    let last = emit(&logger, "last");
    logger.shutdown_blocking().unwrap();
    drop(logger);
    last.wait_witnessed_timeout(PATIENCE).unwrap();
    follower.stop();
}

#[test]
fn witnesses_that_are_down_or_lie_make_nothing_witnessed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let log = write(&dir, "alice", 5);
    let (good, key) = witness(&temp.path().join("w"), &[log]);
    let lines = "\u{2014} liar.example AAAAAAAAAAAAAAAB\n".to_owned();
    let lying = quorum::liar(axum::http::StatusCode::OK, "text/plain", lines);
    let stranger = quorum::stranger();
    let logger = AuditLogger::new(config(&dir)).unwrap();
    let receipt = emit(&logger, "a");
    receipt.wait_sealed().unwrap();
    let two = policy(2, &[(&*good.url, &key), (&*lying.url, &stranger)]);
    let report = sync(&dir, two.clone());
    assert_eq!((report.satisfied, report.witnessed_size()), (false, None));
    // A policy that asks for nobody is satisfied, and nobody has seen anything.
    let nobody = Policy::parse(b"quorum none\n").unwrap();
    let report = sync(&dir, nobody);
    assert_eq!((report.satisfied, report.witnessed_size()), (true, None));
    let follower = follow(&logger, &dir, two);
    let waiting = std::thread::spawn({
        let receipt = receipt.clone();
        move || receipt.wait_witnessed()
    });
    // When the follower ends, whoever waits is told.
    follower.stop();
    assert!(matches!(waiting.join().unwrap(), Err(WaitError::NotWitnessed)));
    assert!(!receipt.is_witnessed());
    logger.shutdown_blocking().unwrap();
}

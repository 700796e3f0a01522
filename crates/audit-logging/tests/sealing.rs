//! Seals: what is signed when, by which key, and what is never signed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit_core::note::{SignatureType, Signer, SigningKey};
use audit_logging::{AuditConfig, AuditLogger, OpenError, RotationPolicy, WaitError};
use audit_testkit::faulty::How;
use audit_testkit::read::of_type;
use audit_testkit::seals::{self, Sealed};
use audit_testkit::{CountingStorage, FaultyStorage, Op, TestClock, TestEvent, block_on, read_dir};
use common::{PATIENCE, config, durable, open_over, storage};

fn check(dir: &Path) -> Sealed {
    let lines = read_dir(&dir.join("trail"));
    seals::check(&storage(dir), &lines).unwrap()
}

fn write(dir: &Path, config: &AuditConfig, labels: &[&str]) {
    let logger = AuditLogger::new(config.clone()).unwrap();
    for label in labels {
        durable(&logger, label);
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert!(dir.join("trail/checkpoint").exists());
}

#[test]
fn a_closed_trail_is_sealed_to_its_last_entry() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(dir.path()), &["a", "b"]);
    assert_eq!(check(dir.path()).size, 5);
    write(dir.path(), &config(dir.path()), &["c"]);
    assert_eq!(check(dir.path()).size, 8);
}

#[test]
fn a_receipt_is_sealed_within_the_interval_or_at_once_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let quick = AuditConfig { seal_interval_ms: 1, ..config(dir.path()) };
    let logger = AuditLogger::new(quick).unwrap();
    let receipt = logger.emit(TestEvent::routine("a")).unwrap();
    receipt.wait_sealed().unwrap();
    assert!(receipt.is_sealed() && receipt.is_durable());
    block_on(receipt.sealed()).unwrap();
    logger.shutdown_timeout(PATIENCE).unwrap();

    let slow = AuditConfig { seal_interval_ms: 60_000, ..config(dir.path()) };
    let logger = AuditLogger::new(slow).unwrap();
    let receipt = logger.emit(TestEvent::routine("b")).unwrap();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
    assert!(!receipt.is_sealed());
    logger.seal_blocking().unwrap();
    assert!(receipt.is_sealed());
    logger.shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn a_checkpoint_covers_only_what_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let quick = AuditConfig { seal_interval_ms: 1, ..config(dir.path()) };
    let logger = open_over(quick, disk.clone());
    logger.seal_blocking().unwrap();
    disk.hold_syncs();
    let receipt = logger.emit(TestEvent::routine("held")).unwrap();
    disk.wait_held();
    let seals = disk.count_of(Op::Replace, "checkpoint");
    assert!(!receipt.is_sealed());
    disk.release_syncs();
    receipt.wait_sealed().unwrap();
    assert!(disk.count_of(Op::Replace, "checkpoint") > seals);
    logger.shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn who_asks_for_a_seal_is_told_when_there_is_none_and_the_logger_goes_on_trying() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    let quick = AuditConfig { seal_interval_ms: 1, ..config(dir.path()) };
    let logger = open_over(quick, disk.clone());
    logger.seal_timeout(PATIENCE).unwrap();
    let broken = How::Error(std::io::ErrorKind::PermissionDenied);
    disk.rule(&[Op::Replace], "checkpoint", 0, u64::MAX, broken);
    let receipt = logger.emit(TestEvent::routine("a")).unwrap();
    for _ in 0..2 {
        let told = logger.seal_timeout(PATIENCE);
        assert!(matches!(told, Err(WaitError::NotSealed(_))), "{told:?}");
        let told = block_on(logger.seal());
        assert!(matches!(told, Err(WaitError::NotSealed(_))), "{told:?}");
    }
    assert!(receipt.is_durable() && !receipt.is_sealed());
    let told = receipt.wait_sealed_timeout(Duration::from_millis(5));
    assert!(matches!(told, Err(WaitError::TimedOut)), "{told:?}");
    let seals = logger.metrics().seals;
    assert!(seals.failing && seals.failures >= 4, "{seals:?}");
    disk.heal();
    receipt.wait_sealed_timeout(PATIENCE).unwrap();
    logger.seal_timeout(PATIENCE).unwrap();
    let seals = logger.metrics().seals;
    assert!(!seals.failing && seals.checkpoints >= 1, "{seals:?}");
    logger.shutdown_timeout(PATIENCE).unwrap();
    check(dir.path());
}

#[test]
fn nobody_waits_for_a_seal_that_a_dead_sealer_would_make() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    logger.seal_timeout(PATIENCE).unwrap();
    disk.rule(&[Op::Replace], "checkpoint", 0, 1, How::Panic);
    let receipt = logger.emit(TestEvent::routine("a")).unwrap();
    let told = logger.seal_timeout(PATIENCE);
    assert!(matches!(told, Err(WaitError::NotSealed(_))), "{told:?}");
    let told = receipt.wait_sealed_timeout(PATIENCE);
    assert!(matches!(told, Err(WaitError::NotSealed(_))), "{told:?}");
    let told = logger.shutdown_timeout(PATIENCE);
    assert!(matches!(told, Err(WaitError::NotSealed(_))), "{told:?}");
    write(dir.path(), &config(dir.path()), &["b"]);
    check(dir.path());
}

#[test]
fn the_key_is_replaced_with_each_segment_and_the_old_one_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        rotation: RotationPolicy::SizeLimit { bytes: 64 << 10 },
        ..config(dir.path())
    };
    let logger = AuditLogger::new(config).unwrap();
    for n in 0..12 {
        let event = TestEvent::routine(n.to_string()).padded(20_000);
        logger.emit(event).unwrap().wait_durable_timeout(PATIENCE).unwrap();
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    let sealed = check(dir.path());
    let lines = read_dir(&dir.path().join("trail"));
    assert!(sealed.rotations >= 3);
    assert_eq!(of_type(&lines, "audit.key_rotated").len() as u64, sealed.rotations);
    for rotated in of_type(&lines, "audit.key_rotated") {
        let first = lines.iter().find(|line| line.segment == rotated.segment).unwrap();
        assert_eq!(first.seq, rotated.seq, "a rotation begins a segment");
    }
}

#[test]
fn the_key_is_replaced_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2026-11-23T00:10:00Z");
    let config = AuditConfig {
        rotation: RotationPolicy::SizeLimit { bytes: 1 << 30 },
        key_max_age_hours: 2,
        ..config(dir.path())
    };
    let logger = AuditLogger::builder(config).clock(clock.shared()).open().unwrap();
    for _ in 0..3 {
        durable(&logger, "x");
        clock.advance(Duration::from_secs(8_000));
        durable(&logger, "y");
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(check(dir.path()).rotations, 3);
}

fn segment(dir: &Path) -> PathBuf {
    let name = read_dir(&dir.join("trail")).pop().unwrap().segment;
    dir.join("trail").join(name)
}

#[test]
fn a_trail_that_is_not_what_was_signed_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(dir.path()), &["a", "b", "c"]);
    let path = segment(dir.path());
    let whole = std::fs::read_to_string(&path).unwrap();
    let cut: String = whole.split_inclusive('\n').take(4).collect();
    // Somebody else's history of the same length, whole in itself.
    let other = tempfile::tempdir().unwrap();
    write(other.path(), &config(other.path()), &["a", "b", "c"]);
    let foreign = std::fs::read_to_string(segment(other.path())).unwrap();
    for forged in [cut, foreign] {
        for with_tree in [true, false] {
            std::fs::write(&path, &forged).unwrap();
            let tree = dir.path().join("trail/tree.hashes");
            let hashes = std::fs::read(&tree).unwrap();
            if !with_tree {
                std::fs::remove_file(&tree).unwrap();
            }
            let refused = AuditLogger::new(config(dir.path()));
            assert!(matches!(refused, Err(OpenError::NotAnExtension { .. })), "{refused:?}");
            std::fs::write(&tree, hashes).unwrap();
        }
    }
    std::fs::write(&path, &whole).unwrap();
    write(dir.path(), &config(dir.path()), &["d"]);
    check(dir.path());
}

#[test]
fn stored_hashes_that_lie_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(dir.path()), &["a", "b", "c"]);
    let tree = dir.path().join("trail/tree.hashes");
    let good = std::fs::read(&tree).unwrap();
    let mut flipped = good.clone();
    flipped[40] ^= 1;
    for bad in [vec![], good[..33].to_vec(), flipped, [good.as_slice(), &[7; 1000]].concat()] {
        std::fs::write(&tree, bad).unwrap();
        write(dir.path(), &config(dir.path()), &["more"]);
        check(dir.path());
        assert!(std::fs::read(&tree).unwrap().starts_with(&good));
    }
}

#[test]
fn a_missing_or_foreign_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(dir.path()), &["a"]);
    let key = dir.path().join("trail/keys/0.key");
    let good = std::fs::read_to_string(&key).unwrap();
    let other = tempfile::tempdir().unwrap();
    write(other.path(), &config(other.path()), &["a"]);
    let foreign = std::fs::read_to_string(other.path().join("trail/keys/0.key")).unwrap();
    for bad in [foreign, good[..40].to_owned(), String::new()] {
        std::fs::write(&key, &bad).unwrap();
        let refused = AuditLogger::new(config(dir.path())).unwrap_err().to_string();
        assert!(refused.contains("0.key"), "{refused}");
        assert!(!refused.contains("PRIVATE"), "{refused}");
    }
    std::fs::remove_file(&key).unwrap();
    assert!(AuditLogger::new(config(dir.path())).is_err());
    std::fs::write(&key, good).unwrap();
    use std::os::unix::fs::PermissionsExt;
    let mode =
        |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    let shared = AuditLogger::new(config(dir.path()));
    assert!(matches!(shared, Err(OpenError::Insecure { .. })), "{shared:?}");
    mode(0o600);
    write(dir.path(), &config(dir.path()), &["b"]);
    check(dir.path());
}

#[test]
fn a_signer_of_ones_own_signs_instead_of_key_files() {
    let dir = tempfile::tempdir().unwrap();
    let make = |origin: &str| -> Arc<dyn Signer> {
        Arc::new(SigningKey::from_seed(SignatureType::Ed25519, origin, &[7; 32]).unwrap())
    };
    for _ in 0..2 {
        let logger = AuditLogger::builder(config(dir.path())).signer(make).open().unwrap();
        durable(&logger, "a");
        logger.shutdown_timeout(PATIENCE).unwrap();
    }
    assert!(!dir.path().join("trail/keys").exists());
    let bytes = std::fs::read(dir.path().join("trail/checkpoint")).unwrap();
    let signed = audit_core::checkpoint::SignedCheckpoint::parse(&bytes).unwrap();
    let key = make(&signed.unverified().origin);
    assert_eq!(signed.verify(key.verifier_key()).unwrap().size, 7);
}

#[test]
fn a_checkpoint_whose_signature_does_not_hold_is_not_built_upon() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(dir.path()), &["a", "b"]);
    let trail = dir.path().join("trail");
    // A history of somebody else's making, whole in itself, with size and root to match and the old
    // signature under them: what a thief without the key can do.
    let text = std::fs::read_to_string(segment(dir.path())).unwrap();
    let mut forged = Vec::new();
    let mut head = audit_core::chain::Head::EMPTY;
    let mut tree = audit_core::tree::Frontier::new();
    for line in text.lines() {
        let line = line.replace("\"label\":\"a\"", "\"label\":\"z\"");
        let from = line.find("\"audit_id\"").unwrap();
        let body = &line[from..line.find(",\"prev_hash\"").unwrap()];
        tree.push(audit_core::plan::append_line(&mut forged, &mut head, body.as_bytes()));
    }
    std::fs::write(segment(dir.path()), &forged).unwrap();
    for derived in ["manifest.json", "tree.hashes"] {
        std::fs::remove_file(trail.join(derived)).unwrap();
    }
    let honest = std::fs::read_to_string(trail.join("checkpoint")).unwrap();
    let origin = honest.lines().next().unwrap();
    let checkpoint = audit_core::checkpoint::Checkpoint::new(origin, tree.size(), tree.root());
    let signature = honest.lines().last().unwrap();
    std::fs::write(trail.join("checkpoint"), format!("{checkpoint}\n{signature}\n")).unwrap();
    let refused = AuditLogger::new(config(dir.path()));
    assert!(matches!(refused, Err(OpenError::NotAnExtension { .. })), "{refused:?}");
}

//! Keys of epochs that are over: what a stranger can make of their words, and what a crash or a failed disk
//! leaves of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::ErrorKind;
use std::path::Path;

use audit_logging::storage::Storage;
use audit_logging::{AuditConfig, AuditLogger, OpenError, RotationPolicy};
use audit_testkit::faulty::How;
use audit_testkit::read::{labels, of_type};
use audit_testkit::stranger::{plant, rewrite};
use audit_testkit::{FaultyStorage, Op, TestEvent, read_dir, seals};
use common::epochs::{checkpoint, epochs, life, newest_key, trail};
use common::{PATIENCE, config, copy_all, durable, storage};
use serde_json::{Value, json};

const EIO: How = How::Error(ErrorKind::Other);

/// The notes in the entries that seal epochs, each with the `seq` of its entry.
fn words(dir: &Path) -> Vec<(u64, Value)> {
    let lines = read_dir(&trail(dir));
    let sealed = of_type(&lines, "audit.epoch_sealed");
    sealed.into_iter().map(|line| (line.seq, line.details["checkpoint"].clone())).collect()
}

fn note(lines: &Value) -> String {
    lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned() + "\n").collect()
}

fn assert_refused(dir: &Path, context: &str) {
    let before = std::fs::read(trail(dir).join("checkpoint")).unwrap();
    let opened = AuditLogger::new(config(dir));
    assert!(matches!(opened, Err(OpenError::NotAnExtension { .. })), "{context}: {opened:?}");
    assert_eq!(std::fs::read(trail(dir).join("checkpoint")).unwrap(), before, "{context}");
}

#[test]
fn the_last_word_of_a_key_is_no_checkpoint_to_go_on_from() {
    let dir = tempfile::tempdir().unwrap();
    life(dir.path(), false, "a");
    for label in ["b", "c"] {
        life(dir.path(), true, label);
    }
    life(dir.path(), false, "d");
    let words = words(dir.path());
    assert_eq!(words.len(), 2);
    for (sealed, word) in words {
        let copy = common::rings::kill(dir.path());
        std::fs::write(trail(copy.path()).join("checkpoint"), note(&word)).unwrap();
        assert_refused(copy.path(), "the word alone");
        // And all behind it is somebody else's.
        rewrite(&trail(copy.path()), |entry, line| {
            (entry.seq() <= sealed || entry.event_type() != "data.read")
                .then(|| line.to_owned())
                .or_else(|| Some(line.replace("data.read", "data.lost")))
        });
        assert_refused(copy.path(), "with another history");
    }
}

#[test]
fn what_later_keys_signed_is_held_against_the_entries_too() {
    let dir = tempfile::tempdir().unwrap();
    life(dir.path(), false, "a");
    let of_the_first_key = std::fs::read(trail(dir.path()).join("checkpoint")).unwrap();
    for label in ["b", "c"] {
        life(dir.path(), true, label);
    }
    std::fs::write(trail(dir.path()).join("checkpoint"), of_the_first_key).unwrap();
    // As after crashes between rotations and checkpoints: that is what a trail may look like.
    let honest = common::rings::kill(dir.path());
    life(honest.path(), false, "d");
    seals::check(&storage(honest.path()), &read_dir(&trail(honest.path()))).unwrap();
    rewrite(&trail(dir.path()), |_, line| Some(line.replace("\"label\":\"b\"", "\"label\":\"z\"")));
    assert_refused(dir.path(), "the second epoch rewritten");
}

/// A trail in epoch 2 with the key of epoch 1 still there, as a crash leaves it.
fn with_two_keys(is_signed: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    life(dir.path(), false, "a");
    life(dir.path(), true, "b");
    let disk = FaultyStorage::over(storage(dir.path()));
    disk.rule(&[Op::Destroy], "", 0, u64::MAX, EIO);
    if !is_signed {
        disk.rule(&[Op::Replace], "checkpoint", 0, u64::MAX, EIO);
    }
    let over = disk as std::sync::Arc<dyn Storage>;
    let opened = AuditLogger::builder(config(dir.path())).storage(over).rotate_key().open();
    let logger = opened.unwrap();
    durable(&logger, "c");
    assert_eq!(logger.shutdown_timeout(PATIENCE).is_ok(), is_signed);
    assert_eq!(epochs(dir.path()), [1, 2]);
    dir
}

#[test]
fn an_epoch_that_a_stranger_ended_does_not_hide_the_one_that_ended() {
    for is_signed in [false, true] {
        for is_overwritten in [false, true] {
            let dir = with_two_keys(is_signed);
            let key = newest_key(dir.path());
            if is_overwritten {
                let old = trail(dir.path()).join("keys/1.key");
                let len = std::fs::metadata(&old).unwrap().len();
                std::fs::write(&old, vec![0; usize::try_from(len).unwrap()]).unwrap();
            }
            for details in [json!({"epoch": 0}), json!({"epoch": 0, "checkpoint": ["none"]})] {
                plant(&trail(dir.path()), "audit.epoch_sealed", &details);
            }
            for label in ["d", "e"] {
                life(dir.path(), false, label);
                assert_eq!(epochs(dir.path()), [2], "{is_signed} {is_overwritten}");
                checkpoint(dir.path()).verify(&key).unwrap();
            }
            assert_eq!(labels(&read_dir(&trail(dir.path()))), ["a", "b", "c", "d", "e"]);
        }
    }
}

#[test]
fn a_checkpoint_that_anybody_copies_into_an_entry_ends_no_epoch() {
    let dir = tempfile::tempdir().unwrap();
    life(dir.path(), false, "a");
    let key = newest_key(dir.path());
    let lines: Vec<String> =
        checkpoint(dir.path()).to_string().lines().map(str::to_owned).collect();
    plant(&trail(dir.path()), "audit.epoch_sealed", &json!({"epoch": 0, "checkpoint": lines}));
    for label in ["b", "c"] {
        life(dir.path(), false, label);
        assert_eq!(epochs(dir.path()), [0]);
        checkpoint(dir.path()).verify(&key).unwrap();
    }
}

#[test]
fn a_key_that_could_not_be_destroyed_goes_with_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyStorage::over(storage(dir.path()));
    disk.fail_once(&[Op::Destroy], 0, EIO);
    let rotation = RotationPolicy::SizeLimit { bytes: 64 << 10 };
    let config = AuditConfig { rotation, ..config(dir.path()) };
    let logger = common::open_over(config, disk.clone());
    let mut kept = false;
    for n in 0..9 {
        let event = TestEvent::routine(n.to_string()).padded(20_000);
        logger.emit(event).unwrap().wait_durable_timeout(PATIENCE).unwrap();
        kept |= epochs(dir.path()) == [0, 1];
    }
    assert!(kept && disk.failed() == 1);
    assert_eq!(epochs(dir.path()).len(), 1, "{:?}", epochs(dir.path()));
    logger.shutdown_timeout(PATIENCE).unwrap();
    seals::check(&storage(dir.path()), &read_dir(&trail(dir.path()))).unwrap();
}

#[test]
fn a_segment_that_fails_in_a_rotation_does_not_end_the_writer() {
    let before = tempfile::tempdir().unwrap();
    life(before.path(), false, "a");
    for op in [Op::Append, Op::Sync, Op::Identity] {
        let mut in_between = 0;
        for skip in 0.. {
            let dir = tempfile::tempdir().unwrap();
            copy_all(&trail(before.path()), &trail(dir.path()));
            let disk = FaultyStorage::over(storage(dir.path()));
            disk.rule(&[op], ".audit", skip, 1, EIO);
            let over = disk.clone() as std::sync::Arc<dyn Storage>;
            let opened = AuditLogger::builder(config(dir.path())).storage(over).rotate_key().open();
            let logger = opened.unwrap_or_else(|error| panic!("{op:?} {skip}: {error}"));
            if disk.failed() == 0 {
                break;
            }
            durable(&logger, "b");
            logger.shutdown_timeout(PATIENCE).unwrap();
            let lines = read_dir(&trail(dir.path()));
            let sealed = seals::check(&storage(dir.path()), &lines).unwrap();
            assert_eq!(sealed.rotations, 1, "{op:?} {skip}");
            let position = |kind: &str| lines.iter().position(|line| line.event_type == kind);
            let failed = position("audit.storage_failed");
            in_between += u64::from(failed == position("audit.epoch_sealed").map(|at| at + 1));
        }
        assert!(in_between > 0, "{op:?} failed in the middle of a rotation");
    }
}

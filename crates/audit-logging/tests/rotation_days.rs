//! Rotations of keys on bad days: a stranger at work in the middle of one, or before the next opening; an
//! old archive that does not unpack.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audit_logging::AuditLogger;
use audit_logging::storage::Storage;
use audit_testkit::faulty::How;
use audit_testkit::hook::{Hook, HookStorage, Verdict};
use audit_testkit::read::{labels, of_type};
use audit_testkit::stranger::plant;
use audit_testkit::{FaultyStorage, Op, TestEvent, read_dir, seals};
use common::epochs::{
    checkpoint, epochs, in_small_segments, life, life_of_segments, newest_key, segments_of, trail,
};
use common::{PATIENCE, durable, storage};
use serde_json::json;

/// Takes the segment away while the next key is made, and stands in the way of the one after it.
struct Thief {
    dir: PathBuf,
    in_the_way: (Op, &'static str),
    has_come: AtomicBool,
}

impl Hook for Thief {
    fn before(&self, op: Op, name: &str) -> Verdict {
        let (of, ending) = self.in_the_way;
        if self.has_come.load(Ordering::SeqCst) && op == of && name.ends_with(ending) {
            return Verdict::Fail(ErrorKind::AlreadyExists.into());
        }
        Verdict::Pass
    }

    fn after(&self, op: Op, name: &str, _: bool) {
        if op == Op::Replace && name == "keys/1.key" {
            std::fs::remove_file(segments_of(&self.dir).pop().unwrap()).unwrap();
            self.has_come.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_writer_that_fails_behind_the_last_word_of_a_key_signs_nothing_more_with_it() {
    for in_the_way in [(Op::Create, ".audit"), (Op::Replace, ".audit.sha256")] {
        let dir = tempfile::tempdir().unwrap();
        life(dir.path(), false, "a");
        let old = newest_key(dir.path());
        let place = dir.path().to_owned();
        let thief = Thief { dir: place, in_the_way, has_come: AtomicBool::new(false) };
        let disk = HookStorage::new(Arc::new(storage(dir.path())), thief);
        let logger = common::open_over(in_small_segments(dir.path()), disk.clone());
        let mut accepted = 0;
        while let Ok(receipt) = logger.emit(TestEvent::routine("b").padded(20_000)) {
            accepted += 1;
            assert!(accepted < 100, "the writer goes on");
            if receipt.wait_durable_timeout(PATIENCE).is_err() {
                break;
            }
        }
        logger.shutdown_timeout(PATIENCE).unwrap_err();
        assert!(disk.hook().has_come.load(Ordering::SeqCst));

        let lines = read_dir(&trail(dir.path()));
        let sealed = of_type(&lines, "audit.epoch_sealed").pop().unwrap().seq;
        assert_eq!(epochs(dir.path()), [0, 1], "{in_the_way:?}: the new key never came to sign");
        let last = checkpoint(dir.path());
        let size = last.verify(&old).unwrap().size;
        assert!(size < sealed, "{in_the_way:?}: signed up to {size}, sealed at {sealed}");
        for label in ["c", "d"] {
            life(dir.path(), false, label);
            assert_eq!(epochs(dir.path()), [1], "{in_the_way:?}");
            seals::check(&storage(dir.path()), &read_dir(&trail(dir.path()))).unwrap();
        }
    }
}

#[test]
fn what_a_stranger_says_of_the_key_that_signed_last_refuses_no_trail() {
    let plants = [
        vec![("audit.epoch_sealed", json!({"epoch": 1}))],
        vec![
            ("audit.key_rotated", json!({"epoch": 1, "new_key": "x"})),
            ("audit.epoch_sealed", json!({"epoch": 0})),
        ],
        vec![
            ("audit.key_rotated", json!({"epoch": 2, "new_key": "x"})),
            ("audit.epoch_sealed", json!({"epoch": 1, "checkpoint": ["none"]})),
        ],
    ];
    for planted in plants {
        let dir = tempfile::tempdir().unwrap();
        life(dir.path(), false, "a");
        life(dir.path(), true, "b");
        let key = newest_key(dir.path());
        for (event_type, details) in &planted {
            plant(&trail(dir.path()), event_type, details);
        }
        for label in ["c", "d"] {
            life(dir.path(), false, label);
            assert_eq!(epochs(dir.path()), [1], "{planted:?}");
            checkpoint(dir.path()).verify(&key).unwrap();
        }
        let lines = read_dir(&trail(dir.path()));
        assert_eq!(labels(&lines), ["a", "b", "c", "d"]);
        assert_eq!(of_type(&lines, "audit.recovered").len(), 1, "{planted:?}");
        // And the next rotation is as any other.
        life(dir.path(), true, "e");
        assert_eq!(epochs(dir.path()), [2]);
    }
}

#[test]
fn an_old_archive_that_does_not_unpack_does_not_end_a_trail_that_died_in_a_rotation() {
    let eio = How::Error(ErrorKind::Other);
    for damaged in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        life_of_segments(dir.path(), 4);
        let [old] = epochs(dir.path())[..] else { panic!("one key") };

        let disk = FaultyStorage::over(storage(dir.path()));
        disk.rule(&[Op::Destroy], "", 0, u64::MAX, eio);
        disk.rule(&[Op::Replace], "checkpoint", 0, u64::MAX, eio);
        let over = disk as Arc<dyn Storage>;
        let config = in_small_segments(dir.path());
        let logger = AuditLogger::builder(config).storage(over).rotate_key().open().unwrap();
        durable(&logger, "b");
        logger.shutdown_timeout(PATIENCE).unwrap_err();
        assert_eq!(epochs(dir.path()), [old, old + 1]);

        let segment = &segments_of(dir.path())[damaged];
        std::fs::write(segment.with_extension("audit.zst"), b"no archive").unwrap();
        std::fs::remove_file(segment).unwrap();
        let key = newest_key(dir.path());
        for _ in 0..2 {
            let logger = AuditLogger::new(in_small_segments(dir.path()));
            let logger = logger.unwrap_or_else(|error| panic!("segment {damaged}: {error}"));
            durable(&logger, "c");
            logger.shutdown_timeout(PATIENCE).unwrap();
            assert_eq!(epochs(dir.path()), [old + 1], "segment {damaged}");
            checkpoint(dir.path()).verify(&key).unwrap();
        }
    }
}

//! Key files that are not what the entries say, and entries that say what is not so.
//!
//! What must stay true here: a key that the trail does not name signs nothing on; and nothing that somebody
//! without a key can write keeps an honest trail closed.

#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]

mod common;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use audit_core::checkpoint::Checkpoint;
use audit_core::note::{SignatureType, Signer, SigningKey};
use audit_logging::storage::Storage;
use audit_logging::{AuditLogger, OpenError};
use audit_testkit::faulty::How;
use audit_testkit::read::labels;
use audit_testkit::stranger::plant;
use audit_testkit::{FaultyStorage, Op, read_dir};
use common::epochs::{checkpoint, epochs, life, life_of_segments, newest_key, trail};
use common::{PATIENCE, config, durable, storage};
use serde_json::json;

const EIO: How = How::Error(ErrorKind::Other);

/// A service that cannot publish a checkpoint, and ends so.
fn life_unsealed(dir: &Path, rotate: bool, label: &str) {
    let disk = FaultyStorage::over(storage(dir));
    disk.rule(&[Op::Replace], "checkpoint", 0, u64::MAX, EIO);
    let builder = AuditLogger::builder(config(dir)).storage(disk as Arc<dyn Storage>);
    let builder = if rotate { builder.rotate_key() } else { builder };
    let logger = builder.open().unwrap();
    durable(&logger, label);
    logger.shutdown_timeout(PATIENCE).unwrap_err();
}

fn assert_goes_on(dir: &Path, context: &str) {
    life(dir, false, "again");
    let newest = newest_key(dir);
    let checkpoint = checkpoint(dir);
    assert!(checkpoint.verify(&newest).is_ok(), "{context}");
    let lines = read_dir(&trail(dir));
    assert_eq!(checkpoint.unverified().size, lines.len() as u64, "{context}");
    assert_eq!(labels(&lines).last().map(|label| &**label), Some("again"), "{context}");
}

fn assert_refused(dir: &Path, context: &str) {
    let opened = AuditLogger::new(config(dir));
    assert!(matches!(opened, Err(OpenError::NotAnExtension { .. })), "{context}: {opened:?}");
}

#[test]
fn an_entry_planted_where_the_last_checkpoint_ends_does_not_close_a_trail_that_dies_in_a_rotation()
{
    let sealed = ("audit.epoch_sealed", json!({"epoch": 99}));
    let named = ("audit.key_rotated", json!({"epoch": 99, "new_key": "x"}));
    for (planted, rotate) in [(vec![sealed.clone()], true), (vec![sealed, named], false)] {
        let dir = tempfile::tempdir().unwrap();
        life(dir.path(), false, "a");
        for (event_type, details) in &planted {
            plant(&trail(dir.path()), event_type, details);
        }
        life_unsealed(dir.path(), rotate, "b");
        assert_eq!(epochs(dir.path()), [1], "the key of epoch 0 is gone, and 1 has signed nothing");
        assert_goes_on(dir.path(), &format!("{planted:?}"));
    }
}

#[test]
fn a_copy_of_the_last_checkpoint_planted_there_does_not_either() {
    let dir = tempfile::tempdir().unwrap();
    life(dir.path(), false, "a");
    let note = checkpoint(dir.path()).to_string();
    let lines: Vec<&str> = note.lines().collect();
    plant(&trail(dir.path()), "audit.epoch_sealed", &json!({"epoch": 0, "checkpoint": lines}));
    life_unsealed(dir.path(), true, "b");
    assert_goes_on(dir.path(), "a copied checkpoint");
}

#[test]
fn a_key_that_the_trail_does_not_name_is_refused_with_a_checkpoint_of_its_own_too() {
    for file in ["keys/1.key", "keys/2.key", "keys/7.key"] {
        let dir = tempfile::tempdir().unwrap();
        life(dir.path(), false, "a");
        life(dir.path(), true, "b");
        let last = checkpoint(dir.path()).unverified().clone();
        let origin = newest_key(dir.path()).name().to_owned();
        let thiefs = SigningKey::from_seed(SignatureType::Ed25519, &origin, &[5; 32]).unwrap();
        let note = Checkpoint::new(&last.origin, last.size, last.root).sign(&thiefs).unwrap();
        fs::rename(trail(dir.path()).join("keys/1.key"), trail(dir.path()).join(file)).unwrap();
        fs::write(trail(dir.path()).join(file), thiefs.to_secret_line().as_bytes()).unwrap();
        fs::write(trail(dir.path()).join("checkpoint"), note.to_string()).unwrap();
        assert_refused(dir.path(), file);
    }
}

/// A stranger's key in a file of this epoch, in place of the one in force or beside it.
struct Stranger {
    epoch: u64,
    is_named: bool,
    has_checkpoint: bool,
}

impl Stranger {
    /// Puts it there; nothing may come of it.
    fn gains_nothing(&self, dir: &Path) {
        let Stranger { epoch, is_named, has_checkpoint } = *self;
        let here = trail(dir);
        let [own] = epochs(dir)[..] else { unreachable!("one key") };
        let own_file = here.join(format!("keys/{own}.key"));
        let bytes = fs::read(&own_file).unwrap();
        let last = checkpoint(dir).unverified().clone();
        let origin = newest_key(dir).name().to_owned();
        let thiefs = SigningKey::from_seed(SignatureType::Ed25519, &origin, &[5; 32]).unwrap();
        let note = Checkpoint::new(&last.origin, last.size, last.root).sign(&thiefs).unwrap();
        // A copy has the rights that a key file must have.
        let kept = here.join("keys/own");
        fs::copy(&own_file, &kept).unwrap();
        let path = here.join(format!("keys/{epoch}.key"));
        if epoch != own {
            fs::copy(&own_file, &path).unwrap();
        }
        fs::write(&path, thiefs.to_secret_line().as_bytes()).unwrap();
        if is_named {
            let vkey = thiefs.verifier_key().to_string();
            plant(&here, "audit.key_rotated", &json!({"epoch": epoch, "new_key": vkey}));
            let sealed = json!({"epoch": epoch - 1, "checkpoint": ["none"]});
            plant(&here, "audit.epoch_sealed", &sealed);
        }
        match has_checkpoint {
            true => fs::write(here.join("checkpoint"), note.to_string()).unwrap(),
            false => fs::remove_file(here.join("checkpoint")).unwrap(),
        }
        let context = format!("{epoch} over {own}, {is_named}, {has_checkpoint}");
        assert_refused(dir, &context);
        let kept = if epoch == own { kept } else { own_file };
        assert_eq!(fs::read(kept).unwrap(), bytes, "{context}");
    }
}

#[test]
fn a_key_that_a_stranger_puts_beside_the_one_in_force_destroys_nothing() {
    for (epoch, is_named, has_checkpoint) in
        [(1, false, true), (1, true, true), (2, true, true), (2, true, false), (3, true, true)]
    {
        let stranger = Stranger { epoch, is_named, has_checkpoint };
        let dir = tempfile::tempdir().unwrap();
        life(dir.path(), false, "a");
        life(dir.path(), true, "b");
        life(dir.path(), true, "c");
        stranger.gains_nothing(dir.path());
        // Where the newest segment names the newest key alone.
        let dir = tempfile::tempdir().unwrap();
        life_of_segments(dir.path(), 3);
        stranger.gains_nothing(dir.path());
    }
}

#[test]
fn a_key_file_with_the_number_of_another_epoch_is_refused() {
    for (rotate, from, to) in [(true, "1", "7"), (true, "1", "2"), (false, "0", "1")] {
        let dir = tempfile::tempdir().unwrap();
        life(dir.path(), false, "a");
        life(dir.path(), rotate, "b");
        let keys = trail(dir.path()).join("keys");
        let (from, to) = (keys.join(format!("{from}.key")), keys.join(format!("{to}.key")));
        fs::rename(&from, &to).unwrap();
        assert_refused(dir.path(), &to.display().to_string());
        // Under its own name it goes on.
        fs::rename(&to, &from).unwrap();
        life(dir.path(), true, "c");
        assert_goes_on(dir.path(), "its own name");
    }
}

#[test]
fn what_a_stranger_says_of_a_key_that_has_not_signed_yet_refuses_no_trail() {
    for (epoch, before) in [(0, false), (1, false), (1, true)] {
        let dir = tempfile::tempdir().unwrap();
        life(dir.path(), false, "a");
        let sealed = json!({"epoch": epoch});
        if before {
            plant(&trail(dir.path()), "audit.epoch_sealed", &sealed);
        }
        life_unsealed(dir.path(), true, "b");
        if !before {
            plant(&trail(dir.path()), "audit.key_rotated", &json!({"epoch": 1, "new_key": "x"}));
            plant(&trail(dir.path()), "audit.epoch_sealed", &sealed);
        }
        assert_goes_on(dir.path(), &format!("{epoch} {before}"));
    }
}

#[test]
fn an_old_key_that_cannot_be_destroyed_is_named_and_keeps_no_other() {
    let dir = tempfile::tempdir().unwrap();
    life(dir.path(), false, "a");
    let disk = FaultyStorage::over(storage(dir.path()));
    disk.rule(&[Op::Destroy], "", 0, u64::MAX, EIO);
    for label in ["b", "c"] {
        let builder = AuditLogger::builder(config(dir.path())).rotate_key();
        let opened = builder.storage(Arc::clone(&disk) as Arc<dyn Storage>).open();
        let Ok(logger) = opened else {
            assert_eq!(label, "c", "{opened:?}");
            let said = format!("{}", opened.unwrap_err());
            assert!(said.contains("0.key"), "{said}");
            continue;
        };
        durable(&logger, label);
        logger.shutdown_timeout(PATIENCE).unwrap();
        assert_eq!(epochs(dir.path()), [0, 1]);
    }
    assert_goes_on(dir.path(), "the disk is well again");
    assert_eq!(epochs(dir.path()), [1]);
}

//! Opening what a crash left: tails are moved aside, the middle is never touched.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use audit_logging::AuditLogger;
use audit_testkit::read::{labels, of_type, sha256_hex};
use audit_testkit::{Line, read_dir};
use common::{PATIENCE, config, durable, segment_files};

/// A trail as a killed process leaves it: three events, no `audit.closed`.
fn left_behind() -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    for label in ["a", "b", "c"] {
        durable(&logger, label);
    }
    let bytes = std::fs::read(segment(dir.path())).unwrap();
    logger.shutdown_timeout(PATIENCE).unwrap();
    std::fs::write(segment(dir.path()), &bytes).unwrap();
    (dir, bytes)
}

fn segment(dir: &Path) -> PathBuf {
    segment_files(dir).pop().unwrap()
}

/// Nothing of the trail is signed yet: the process before died within the seal interval.
fn unseal(dir: &Path) {
    for file in ["checkpoint", "tree.hashes"] {
        std::fs::remove_file(dir.join("trail").join(file)).unwrap();
    }
}

/// Puts `bytes` there, opens, adds an event, closes; the lines afterwards.
fn reopen(dir: &Path, bytes: &[u8]) {
    std::fs::write(segment(dir), bytes).unwrap();
    unseal(dir);
    let logger = AuditLogger::new(config(dir)).unwrap();
    durable(&logger, "more");
    logger.shutdown_timeout(PATIENCE).unwrap();
}

fn recovered(lines: &[Line]) -> &Line {
    let found = of_type(lines, "audit.recovered");
    assert_eq!(found.len(), 1);
    found[0]
}

fn quarantined(dir: &Path, entry: &Line) -> Vec<u8> {
    let file = entry.details["quarantine_file"].as_str().unwrap();
    let bytes = std::fs::read(dir.join("trail").join(file)).unwrap();
    assert_eq!(entry.details["quarantined_sha256"], sha256_hex(&bytes));
    assert_eq!(entry.details["quarantined_bytes"], bytes.len());
    bytes
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_entry() {
    let (dir, bytes) = left_behind();
    let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in last..=bytes.len() {
        let quarantine = dir.path().join("trail/quarantine");
        assert!(!quarantine.exists() || std::fs::remove_dir_all(quarantine).is_ok());
        reopen(dir.path(), &bytes[..cut]);
        let lines = read_dir(&dir.path().join("trail"));
        let entry = recovered(&lines);
        if cut == bytes.len() {
            assert_eq!(labels(&lines), ["a", "b", "c", "more"]);
        } else {
            assert_eq!(labels(&lines), ["a", "b", "more"], "cut at {cut}");
        }
        if cut == last || cut == bytes.len() {
            assert_eq!(entry.details["quarantined_bytes"], 0);
        } else {
            assert_eq!(quarantined(dir.path(), entry), &bytes[last..cut]);
        }
    }
}

#[test]
fn garbage_and_zeros_at_the_end_are_set_aside() {
    let mut almost = br#"{"seq":4,"audit_id":"#.to_vec();
    almost.extend_from_slice(&[0xff; 300]);
    for tail in [b"garbage\nmore garbage\n".to_vec(), vec![0; 5_000], vec![b'x'; 300_000], almost] {
        let (dir, bytes) = left_behind();
        reopen(dir.path(), &[bytes.as_slice(), &tail].concat());
        let lines = read_dir(&dir.path().join("trail"));
        assert_eq!(labels(&lines), ["a", "b", "c", "more"]);
        let entry = recovered(&lines);
        assert_eq!(quarantined(dir.path(), entry), tail);
        assert_eq!(entry.details["same_boot"], true);
        assert_eq!(entry.details["entries_kept"], 5);
    }
}

/// The lines of a segment as bytes, LF included.
fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn damage_in_the_middle_stays_and_the_chain_goes_on_after_it() {
    let (dir, bytes) = left_behind();
    let mut lines = lines_of(&bytes);
    // "a" becomes unreadable; "b" and "c" are still good.
    let at: usize = lines[..2].iter().map(Vec::len).sum();
    lines[2] = b"{\"not\":\"what it was\"}\n".to_vec();
    let damaged = lines.concat();
    reopen(dir.path(), &damaged);
    let path = segment(dir.path());
    let after = std::fs::read(&path).unwrap();
    assert!(after.starts_with(&damaged), "evidence was changed");
    let text = String::from_utf8(after[damaged.len()..].to_vec()).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(text.contains(&format!("\"damaged_at\":\"{name}:{at}\"")), "{text}");
    let first = audit_core::entry::Entry::parse(text.lines().next().unwrap().as_bytes()).unwrap();
    let last = lines.last().unwrap().strip_suffix(b"\n").unwrap();
    let last = audit_core::entry::Entry::parse(last).unwrap();
    assert_eq!((first.prev_hash(), first.seq()), (last.hash(), last.seq() + 1));
    assert!(!dir.path().join("trail/quarantine").exists());
}

#[test]
fn an_entry_taken_out_of_the_middle_is_damage_too() {
    let (dir, bytes) = left_behind();
    let mut lines = lines_of(&bytes);
    lines.remove(2);
    let damaged = lines.concat();
    reopen(dir.path(), &damaged);
    let after = std::fs::read(segment(dir.path())).unwrap();
    assert!(after.starts_with(&damaged));
    assert!(String::from_utf8(after).unwrap().contains("\"damaged_at\":"));
}

#[test]
fn zeros_in_the_middle_are_damage_on_the_same_boot_and_a_torn_sync_after_another() {
    for other_boot in [false, true] {
        let (dir, bytes) = left_behind();
        let lines = lines_of(&bytes);
        let at: usize = lines[..3].iter().map(Vec::len).sum();
        let mut torn = bytes.clone();
        torn[at..at + 40].fill(0);
        if other_boot {
            std::fs::write(dir.path().join("trail/lock"), "pid 1 started x boot another\n")
                .unwrap();
        }
        reopen(dir.path(), &torn);
        let after = std::fs::read(segment(dir.path())).unwrap();
        if other_boot {
            let lines = read_dir(&dir.path().join("trail"));
            assert_eq!(labels(&lines), ["a", "more"]);
            let entry = recovered(&lines);
            assert_eq!(quarantined(dir.path(), entry), &torn[at..]);
            assert_eq!(entry.details["same_boot"], false);
        } else {
            assert!(after.starts_with(&torn), "evidence was changed");
        }
    }
}

#[test]
fn opening_twice_is_opening_once() {
    let (dir, bytes) = left_behind();
    reopen(dir.path(), &[bytes.as_slice(), b"torn"].concat());
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    recovered(&lines);
    assert_eq!(labels(&lines), ["a", "b", "c", "more"]);
    assert_eq!(std::fs::read_dir(dir.path().join("trail/quarantine")).unwrap().count(), 1);
}

#[test]
fn derived_files_may_be_deleted_or_broken_and_come_back() {
    let (dir, bytes) = left_behind();
    let manifest = dir.path().join("trail/manifest.json");
    for broken in [None, Some(&b"{"[..]), Some(b"[]"), Some(b"\xff\xfe")] {
        match broken {
            None => std::fs::remove_file(&manifest).unwrap(),
            Some(text) => std::fs::write(&manifest, text).unwrap(),
        }
        std::fs::write(dir.path().join("trail/manifest.json.tmp"), "left over").unwrap();
        reopen(dir.path(), &bytes);
        assert_eq!(labels(&read_dir(&dir.path().join("trail"))), ["a", "b", "c", "more"]);
        let text = std::fs::read(&manifest).unwrap();
        let manifest: audit_core::meta::Manifest = serde_json::from_slice(&text).unwrap();
        assert_eq!(manifest.files.len(), 1);
        assert!(!dir.path().join("trail/manifest.json.tmp").exists());
    }
}

#[test]
fn empty_segments_at_the_end_do_not_restart_the_chain() {
    let (dir, bytes) = left_behind();
    let path = segment(dir.path());
    std::fs::write(&path, &bytes).unwrap();
    unseal(dir.path());
    for number in 1..=2 {
        let name = format!("{}-{number}.audit", path.file_stem().unwrap().to_str().unwrap());
        std::fs::write(path.with_file_name(name), "").unwrap();
    }
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "more");
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    assert_eq!(labels(&lines), ["a", "b", "c", "more"]);
    assert_eq!(of_type(&lines, "audit.trail_created").len(), 1);
}

#[test]
fn a_checkpoint_that_was_taken_away_is_named_in_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "a");
    logger.shutdown_timeout(PATIENCE).unwrap();
    // Closed in order, signed to the end: opened again, there is nothing to tell.
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    assert!(of_type(&read_dir(&dir.path().join("trail")), "audit.recovered").is_empty());
    std::fs::remove_file(dir.path().join("trail/checkpoint")).unwrap();
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    let told = of_type(&lines, "audit.recovered");
    assert_eq!((told.len(), &told[0].details["checkpoint_missing"]), (1, &true.into()));
    // Once: the next opening finds the checkpoint that this one signed.
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(of_type(&read_dir(&dir.path().join("trail")), "audit.recovered").len(), 1);
}

//! Honest trails by the thousand: none is accused.

use std::ops::ControlFlow;
use std::path::Path;

use audit_reader::{DirSource, FindingKind, Query, QueryOptions, Severity, Verdict};
use audit_testkit::{Rng, trails};

use crate::{first_key, memory, rounds, seed, verify_pinned};

/// The first key, or the one in force where retention left the trail to begin, as it says itself.
fn key_to_pin(dir: &Path) -> String {
    let (mut first, mut said, mut named) = (None, None, None);
    let source = DirSource::open(dir).unwrap();
    let asked = Query::new().run(source, QueryOptions::default(), |hit| {
        first = first.or(Some(hit.seq));
        let entry: serde_json::Value = serde_json::from_slice(hit.bytes).unwrap();
        let front = &entry["details"]["front"];
        if entry["event_type"] == "audit.retention_applied" && front["seq"].as_u64() == first {
            said = front["key"].as_str().map(str::to_owned);
        }
        // A hold may keep what a crash left of what was announced: no key is named for there.
        let key = entry["details"]["new_key"].as_str().map(str::to_owned);
        named = named.take().or(key);
        ControlFlow::Continue(())
    });
    asked.unwrap();
    if first == Some(0) {
        first_key(dir)
    } else {
        said.or(named).expect("a key that the trail names")
    }
}

/// Verifies honest trails that `make` made; gives how many entries they had.
fn none_is_accused(what: &str, few: u64, make: fn(&Path, &mut Rng)) {
    let (rounds, first) = (rounds(few), seed());
    let temp = memory();
    let mut entries = 0;
    for seed in first..first + rounds {
        let dir = temp.path().join("trail");
        make(&dir, &mut Rng::new(seed));
        let report = verify_pinned(&dir, &key_to_pin(&dir));
        let accused: Vec<_> =
            report.findings.kept().iter().filter(|f| f.severity == Severity::Violation).collect();
        assert!(accused.is_empty(), "seed {seed}, {what}: {accused:?}");
        assert_eq!(report.verdict, Verdict::Proven, "seed {seed}, {what}");
        assert_eq!(report.unsigned_tail, Some(0), "seed {seed}, {what}: closed, so sealed");
        entries += report.entries;
        std::fs::remove_dir_all(&dir).unwrap();
    }
    println!("tamper: {what}: {rounds} trails, {entries} entries, 0 false alarms");
}

#[test]
fn clean_trails_with_restarts_days_rotations_and_clocks_years_off() {
    none_is_accused("clean, rotated and clock-stepped trails", 60, trails::clean);
}

#[test]
fn trails_that_crashed_and_were_recovered() {
    none_is_accused("crash-recovered trails", 60, trails::crashed);
}

/// Compresses every closed segment, as an archiver does.
fn archived(dir: &Path, rng: &mut Rng) {
    trails::clean(dir, rng);
    for item in std::fs::read_dir(dir).unwrap() {
        let digest = item.unwrap().path();
        let Some(segment) = digest.to_str().unwrap().strip_suffix(".sha256") else { continue };
        let level = i32::try_from(rng.below(19)).unwrap();
        let packed = zstd::encode_all(std::fs::File::open(segment).unwrap(), level).unwrap();
        std::fs::write(format!("{segment}.zst"), packed).unwrap();
        std::fs::remove_file(segment).unwrap();
    }
}

#[test]
fn trails_whose_closed_segments_are_archived() {
    none_is_accused("archived trails", 40, archived);
}

#[test]
fn trails_that_retention_compressed_and_shortened() {
    none_is_accused("archived, held and pruned trails", 12, trails::retained);
}

#[test]
fn trails_of_killed_processes_that_nobody_opened_again() {
    let (rounds, first) = (rounds(40), seed());
    let temp = memory();
    let (mut looked, mut torn) = (0, 0);
    for seed in first..first + rounds {
        let dir = temp.path().join("trail");
        trails::killed(&dir, &mut Rng::new(seed));
        // Killed before the first seal there is nothing to prove it by, and FORMAT says what that is.
        if dir.join("checkpoint").exists() {
            let report = verify_pinned(&dir, &first_key(&dir));
            let accused: Vec<_> = report
                .findings
                .kept()
                .iter()
                .filter(|f| f.severity == Severity::Violation)
                .collect();
            assert!(accused.is_empty(), "seed {seed}: {accused:?}");
            assert_eq!(report.verdict, Verdict::Proven, "seed {seed}");
            looked += 1;
            torn += report.findings.counts().get(&FindingKind::InFlight).copied().unwrap_or(0);
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
    println!("tamper: killed and not reopened: {looked} trails, {torn} torn, 0 false alarms");
}

#[test]
fn trails_that_are_being_written() {
    let (looks, seed) = (rounds(60), seed());
    let temp = memory();
    let dir = temp.path().join("trail");
    let live = trails::Live::start(&dir, seed);
    let key = first_key(&dir);
    for look in 0..looks {
        live.write_more();
        let report = verify_pinned(&dir, &key);
        let accused: Vec<_> =
            report.findings.kept().iter().filter(|f| f.severity == Severity::Violation).collect();
        assert!(accused.is_empty(), "seed {seed}, look {look}: {accused:?}");
    }
    drop(live);
    let report = verify_pinned(&dir, &key);
    assert_eq!(report.verdict, Verdict::Proven);
    println!(
        "tamper: live trails: {looks} looks, 0 false alarms; {} entries at last",
        report.entries
    );
}

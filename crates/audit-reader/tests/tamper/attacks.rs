//! Each attack with random parameters is found, and the same is found however many segments are read
//! side by side.

use std::fs;

use crate::common::{Trail, key};
use crate::{below, rounds, seed, tell};
use audit_core::note::Signer;
use audit_reader::{FindingKind, Report, Verdict, VerifyOptions, verify_dir};
use audit_testkit::Rng;

const SEGMENTS: [&str; 4] =
    ["2026-11-23.audit", "2026-11-23-2.audit", "2026-11-23-10.audit", "2026-11-24.audit"];

/// Segments with rotations between, some of them closed.
fn trail() -> Trail {
    let mut trail = Trail::new();
    for (number, segment) in SEGMENTS.into_iter().enumerate() {
        if number > 0 {
            trail.rotate(segment);
        }
        trail.write(segment, 8);
        if number < 2 {
            trail.close(segment);
        }
    }
    trail
}

fn verify(trail: &Trail, jobs: usize) -> Report {
    let options = VerifyOptions::default().with_key(key(0).verifier_key().clone());
    verify_dir(trail.path(), options.with_jobs(jobs)).unwrap()
}

/// Verifies one after the other and side by side; what is found must be the same.
fn both(trail: &Trail) -> Report {
    let (one, four) = (verify(trail, 1), verify(trail, 4));
    assert_eq!(one.findings.kept(), four.findings.kept());
    assert_eq!(one.findings.counts(), four.findings.counts());
    let facts = |r: &Report| (r.verdict, r.entries, r.bytes, r.segments, r.sealed_size, r.last_seq);
    assert_eq!(facts(&one), facts(&four));
    one
}

/// Changes a segment and tells what the change was.
type Attack = fn(&mut Vec<Vec<u8>>, &mut Rng) -> String;

const ATTACKS: &[(&str, Attack)] = &[
    ("bit", |lines, random| {
        let (at, bit) = (below(random, lines.len()), below(random, 8));
        let byte = below(random, lines[at].len());
        lines[at][byte] ^= 1 << bit;
        format!("line {at} byte {byte} bit {bit}")
    }),
    ("delete", |lines, random| {
        let at = below(random, lines.len());
        let count = 1 + below(random, lines.len() - at);
        lines.drain(at..at + count);
        format!("{count} at {at}")
    }),
    ("repeat", |lines, random| {
        let (from, to) = (below(random, lines.len()), below(random, lines.len() + 1));
        lines.insert(to, lines[from].clone());
        format!("{from} at {to}")
    }),
    ("reorder", |lines, random| {
        let at = below(random, lines.len() - 1);
        lines.swap(at, at + 1);
        format!("at {at}")
    }),
    ("insert", |lines, random| {
        let at = below(random, lines.len() + 1);
        let forged = String::from_utf8(lines[below(random, lines.len())].clone()).unwrap();
        lines.insert(at, forged.replace("svc", "cvs").into_bytes());
        format!("at {at}")
    }),
    ("tear", |lines, random| {
        let at = below(random, lines.len());
        lines.truncate(at + 1);
        let keep = below(random, lines[at].len());
        lines[at].truncate(keep);
        format!("line {at} byte {keep}")
    }),
];

#[test]
fn each_attack_with_random_parameters_is_found() {
    let trail = trail();
    assert_eq!(both(&trail).verdict, Verdict::Proven);
    let (rounds, first) = (rounds(240), seed());
    for seed in first..first + rounds {
        let mut random = Rng::new(seed);
        let (name, attack) = ATTACKS[below(&mut random, ATTACKS.len())];
        let segment = SEGMENTS[below(&mut random, SEGMENTS.len())];
        let honest = fs::read(trail.file(segment)).unwrap();
        let mut lines: Vec<Vec<u8>> =
            honest.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let what = attack(&mut lines, &mut random);
        fs::write(trail.file(segment), lines.concat()).unwrap();
        let report = both(&trail);
        assert_eq!(report.verdict, Verdict::Violated, "seed {seed}: {name} {segment} {what}");
        fs::write(trail.file(segment), honest).unwrap();
    }
    assert_eq!(both(&trail).verdict, Verdict::Proven);
    tell("edits, deletions, repetitions, reorderings, insertions, tears", rounds, rounds);
}

#[test]
fn segments_removed_renamed_and_emptied_are_found() {
    let trail = trail();
    for segment in SEGMENTS {
        let honest = fs::read(trail.file(segment)).unwrap();
        fs::remove_file(trail.file(segment)).unwrap();
        assert_eq!(both(&trail).verdict, Verdict::Violated, "{segment} removed");
        fs::write(trail.file("2026-11-30.audit"), &honest).unwrap();
        if segment != SEGMENTS[3] {
            assert_eq!(both(&trail).verdict, Verdict::Violated, "{segment} renamed");
        }
        fs::remove_file(trail.file("2026-11-30.audit")).unwrap();
        fs::write(trail.file(segment), "").unwrap();
        assert_eq!(both(&trail).verdict, Verdict::Violated, "{segment} emptied");
        fs::write(trail.file(segment), &honest).unwrap();
    }
}

/// Forged entries with a true chain and tree, from `from` on: all that a thief of the key in force
/// can make.
fn rewritten(from: u64) -> Trail {
    let mut forged = Trail::new();
    for (number, segment) in SEGMENTS.into_iter().enumerate() {
        if number > 0 {
            forged.rotate(segment);
        }
        for _ in 0..8 {
            if forged.head.next_seq < from {
                forged.write(segment, 1);
            } else {
                let mut line = Vec::new();
                forged.line(&mut line, "task.submitted", "{\"forged\":true}");
                forged.append(segment, &line);
            }
        }
    }
    forged.seal();
    forged
}

/// journald, CVE-2023-31437: messages hidden by a tampered index, from a log that verifies.
#[test]
fn cve_2023_31437_nothing_is_hidden_by_derived_files() {
    let trail = trail();
    fs::create_dir(trail.file("index")).unwrap();
    fs::write(trail.file("index/actors"), [0; 100]).unwrap();
    assert_eq!(verify(&trail, 1).entries, 38);
    let line = fs::read(trail.file(SEGMENTS[1])).unwrap();
    let hidden = line.split_inclusive(|byte| *byte == b'\n').skip(3).collect::<Vec<_>>().concat();
    fs::write(trail.file(SEGMENTS[1]), hidden).unwrap();
    assert_eq!(both(&trail).verdict, Verdict::Violated);
}

/// journald, CVE-2023-31438: a sealed log truncated, and it verifies.
#[test]
fn cve_2023_31438_a_sealed_trail_is_not_cut_unnoticed() {
    let trail = trail();
    let bytes = fs::read(trail.file(SEGMENTS[3])).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for keep in 0..lines.len() {
        fs::write(trail.file(SEGMENTS[3]), lines[..keep].concat()).unwrap();
        let report = both(&trail);
        assert!(report.findings.counts().contains_key(&FindingKind::Truncated), "{keep}");
    }
}

/// journald, CVE-2023-31439: past entries changed and sealed again with the current key.
#[test]
fn cve_2023_31439_the_current_key_does_not_reach_the_past() {
    let honest = trail();
    // The thief has the last key; the notes of earlier epochs can only be copied.
    let forged = rewritten(3);
    let text = |trail: &Trail, segment: &str| fs::read_to_string(trail.file(segment)).unwrap();
    let notes = |segment: &str| {
        let sealed = text(&honest, segment).lines().nth(1).unwrap().to_owned();
        serde_json::from_str::<serde_json::Value>(&sealed).unwrap()["details"].to_string()
    };
    let mut trail = Trail::new();
    for (number, segment) in SEGMENTS.into_iter().enumerate() {
        for (at, line) in text(&forged, segment).lines().enumerate() {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let mut details = entry["details"].to_string();
            if number > 0 && at == 1 {
                details = notes(segment);
            }
            let mut line = Vec::new();
            trail.line(&mut line, entry["event_type"].as_str().unwrap(), &details);
            trail.append(segment, &line);
        }
    }
    let head = trail.checkpoint().unverified().clone();
    fs::write(trail.file("checkpoint"), head.sign(&key(3)).unwrap().to_string()).unwrap();
    let report = both(&trail);
    assert!(report.findings.counts().contains_key(&FindingKind::KeyRotationInvalid));
    assert_eq!(report.verdict, Verdict::Violated);
}

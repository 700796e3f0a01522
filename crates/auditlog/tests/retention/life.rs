//! What is archived, what goes, what stays, and what everybody says of it afterwards.

use std::fs;
use std::ops::ControlFlow;

use audit_logging::core::retention::{Fate, Why};
use audit_reader::{
    DirSource, FindingKind, Query, QueryOptions, VerifyOptions, find_by_seq, prove, verify_dir,
};
use audit_testkit::TestClock;

use crate::common::*;

#[test]
fn closed_segments_are_archived_and_read_like_before() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 15);
    let before = contents(&dir);
    let disk = blocks(&dir);
    let plan = logger.retention_plan().unwrap();
    let due = plan.decisions.iter().filter(|one| one.fate == Fate::Archive).count();
    let report = logger.apply_retention().unwrap();
    assert_eq!((report.problems.len(), report.deleted.len()), (0, 0), "{report:?}");
    assert_eq!(report.archived.len(), due);
    // Days 1 to 5 are ten days old or more; the last one is still being written.
    assert_eq!(ending(&dir, ".audit.zst").len(), 5);
    assert_eq!(ending(&dir, ".audit").len(), 11);
    assert_eq!(ending(&dir, ".sha256").len(), 15);
    assert!(blocks(&dir) < disk, "{} of {disk}", blocks(&dir));
    assert_eq!(contents(&dir), before, "by the reader");
    assert_proven(&dir, first_key(&dir), "archived");
    // Doing it again does nothing.
    assert!(logger.apply_retention().unwrap().archived.is_empty());
    logger.shutdown_blocking().unwrap();
    // The writer goes on, and keeps rows of what is archived.
    let logger = open(&dir, &clock);
    live(&logger, &clock, 1);
    logger.shutdown_blocking().unwrap();
    assert_proven(&dir, first_key(&dir), "reopened");
    let manifest = fs::read_to_string(dir.join("manifest.json")).unwrap();
    assert!(manifest.contains("2026-01-01.audit\""), "{manifest}");
}

#[test]
fn archives_are_what_zstd_unpacks_and_their_table_is_true() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    // More than one frame.
    for n in 0..90 {
        let event = audit_testkit::TestEvent::routine(format!("large {n}")).padded(32_000);
        drop(logger.emit(event).unwrap());
        logger.flush_blocking().unwrap();
    }
    live(&logger, &clock, 11);
    let plain = fs::read(dir.join("2026-01-01.audit")).unwrap();
    logger.apply_retention().unwrap();
    let packed = fs::read(dir.join("2026-01-01.audit.zst")).unwrap();
    let unpack = |bytes: &[u8]| zstd::stream::decode_all(bytes).unwrap();
    assert_eq!(unpack(&packed), plain);
    let number = |at: usize| u32::from_le_bytes(packed[at..at + 4].try_into().unwrap());
    let end = packed.len();
    assert_eq!(number(end - 4), 0x8f92_eab1);
    let frames = number(end - 9) as usize;
    assert!(frames > 2, "{frames}");
    let table = end - 9 - 8 * frames;
    assert_eq!(number(table - 8), 0x184d_2a5e);
    let (mut at, mut from) = (0, 0);
    for frame in 0..frames {
        let lengths = [0, 4].map(|half| number(table + frame * 8 + half) as usize);
        let lines = unpack(&packed[at..at + lengths[0]]);
        assert_eq!(lines, plain[from..from + lengths[1]]);
        assert!(lines.starts_with(b"{\"seq\":") && lines.ends_with(b"}\n"));
        (at, from) = (at + lengths[0], from + lengths[1]);
    }
    assert_eq!((at, from), (table - 8, plain.len()));
}

#[test]
fn expired_segments_go_after_the_trail_said_so_and_the_rest_is_proven() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 40);
    logger.apply_retention().unwrap();
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "nothing is left to do: {report:?}");
    logger.shutdown_blocking().unwrap();
    let entry = applied(&dir);
    let segments = entry["segments"].as_array().unwrap();
    // Begun on 1 January, over on the 2nd: kept for thirty days after that, on 10 February the first
    // eight or nine are gone.
    assert_eq!(segments[0]["filename"], "2026-01-01.audit");
    assert_eq!(segments[0]["first_seq"], 0);
    let left = ending(&dir, ".sha256");
    assert_eq!(left.len() + segments.len(), 40);
    for segment in segments {
        let name = segment["filename"].as_str().unwrap();
        assert!(names(&dir).iter().all(|there| !there.starts_with(name)), "{name}");
    }
    assert_eq!(entry["rules"]["delete_after_days"], 30);
    // The first pin is of an epoch whose entries are gone; the entry says what to pin now.
    let key = front_key(&entry);
    let report = assert_proven(&dir, key.clone(), "shortened");
    let first = entry["front"]["seq"].as_u64().unwrap();
    assert_eq!(report.first_seq, Some(first));
    assert_eq!(notices(&report, FindingKind::RetentionApplied), 1);
    // Proofs of what is left lead to the same checkpoint as ever.
    let source = DirSource::open(&dir).unwrap();
    prove(&source, first + 3).unwrap();
    assert!(find_by_seq(&source, first - 1).unwrap().is_none());
    assert!(find_by_seq(&source, first).unwrap().is_some());
    // And the next opening goes on.
    let logger = open(&dir, &clock);
    live(&logger, &clock, 2);
    let report = logger.apply_retention().unwrap();
    assert_eq!(report.deleted.len(), 2, "{report:?}");
    logger.shutdown_blocking().unwrap();
    assert_proven(&dir, front_key(&applied(&dir)), "shortened twice");
}

#[test]
fn stored_hashes_of_a_shortened_trail_are_made_anew_from_what_the_trail_says() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 40);
    logger.apply_retention().unwrap();
    logger.shutdown_blocking().unwrap();
    let key = front_key(&applied(&dir));
    let good = fs::read(dir.join("tree.hashes")).unwrap();
    for damaged in [None, Some(Vec::new()), Some(vec![7; good.len()])] {
        match damaged {
            None => fs::remove_file(dir.join("tree.hashes")).unwrap(),
            Some(bytes) => fs::write(dir.join("tree.hashes"), bytes).unwrap(),
        }
        let logger = open(&dir, &clock);
        live(&logger, &clock, 1);
        logger.shutdown_blocking().unwrap();
        assert_proven(&dir, key.clone(), "made anew");
    }
    // Without that entry nobody can know them, and nothing is signed that might be another history.
    fs::remove_file(dir.join("tree.hashes")).unwrap();
    for name in ending(&dir, ".audit") {
        let text = fs::read_to_string(dir.join(&name)).unwrap();
        if text.contains("audit.retention_applied") {
            fs::remove_file(dir.join(&name)).unwrap();
            fs::write(dir.join(&name), text.replace("\"front\":", "\"frond\":")).unwrap();
        }
    }
    let refused = audit_logging::AuditLogger::builder(config(&dir)).clock(clock.shared()).open();
    assert!(refused.is_err());
}

#[test]
fn a_segment_that_was_tampered_with_is_kept_and_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 40);
    let victim = dir.join("2026-01-03.audit");
    let bytes = fs::read(&victim).unwrap();
    let tampered = String::from_utf8(bytes).unwrap().replacen("entry 3", "entry 4", 1);
    fs::remove_file(&victim).unwrap();
    fs::write(&victim, &tampered).unwrap();
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{:?}", report.deleted);
    assert!(report.problems.iter().any(|text| text.contains("2026-01-03.audit")), "{report:?}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), tampered);
    assert!(
        !dir.join("2026-01-03.audit.zst").exists()
            && names(&dir).iter().any(|name| name.starts_with("2026-01-01.audit"))
    );
    logger.shutdown_blocking().unwrap();
    assert!(verify_dir(&dir, VerifyOptions::default()).unwrap().findings.violated());
}

#[test]
fn a_clock_that_jumps_ahead_at_start_deletes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 5);
    logger.shutdown_blocking().unwrap();
    let wrong = TestClock::at("2099-01-01T00:00:00Z");
    let logger = open(&dir, &wrong);
    let plan = logger.retention_plan().unwrap();
    assert_eq!(plan.as_of.to_string(), "2026-02-06");
    assert!(plan.decisions.iter().all(|one| one.fate != Fate::Delete));
    assert_eq!(plan.decisions[0].fate, Fate::Keep { why: Why::Leap });
    let report = logger.apply_retention().unwrap();
    assert!(report.problems.iter().any(|text| text.contains("leapt")), "{report:?}");
    drop(logger);
    // The second start finds control entries of that time, and believes them no more.
    let logger = open(&dir, &wrong);
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{report:?}");
    assert!(names(&dir).iter().any(|name| name.starts_with("2026-01-01.audit")));
    // Who was away for years waits for a day.
    wrong.advance(DAY);
    let report = logger.apply_retention().unwrap();
    assert!(!report.deleted.is_empty(), "{report:?}");
    drop(logger);
}

#[test]
fn what_was_written_by_a_clock_that_was_behind_is_not_old() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2016-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 3);
    clock.step_to("2026-01-01T12:00:00Z");
    live(&logger, &clock, 1);
    logger.shutdown_blocking().unwrap();
    let logger = open(&dir, &clock);
    live(&logger, &clock, 19);
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{report:?}");
    live(&logger, &clock, 20);
    let report = logger.apply_retention().unwrap();
    assert_eq!(report.deleted[0].filename, "2016-01-01.audit", "{report:?}");
}

#[test]
fn an_only_copy_that_is_compressed_is_closed_and_not_removed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 12);
    logger.apply_retention().unwrap();
    logger.shutdown_blocking().unwrap();
    let archive = ending(&dir, ".audit.zst").pop().unwrap();
    let plain = archive.strip_suffix(".zst").unwrap();
    for name in ending(&dir, ".audit") {
        fs::remove_file(dir.join(&name)).unwrap();
        drop(fs::remove_file(dir.join(format!("{name}.sha256"))));
    }
    let checksum = dir.join(format!("{plain}.sha256"));
    let said = fs::read(&checksum).unwrap();
    fs::remove_file(&checksum).unwrap();
    drop(audit_logging::AuditLogger::builder(config(&dir)).clock(clock.shared()).open());
    assert!(dir.join(&archive).exists());
    assert_eq!(fs::read(&checksum).unwrap(), said);
}

#[test]
fn young_and_open_segments_say_why_they_stay() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 2);
    let plan = logger.retention_plan().unwrap();
    let fates: Vec<&Fate> = plan.decisions.iter().map(|one| &one.fate).collect();
    let keep = |why| Fate::Keep { why };
    assert_eq!(fates, [&keep(Why::Young), &keep(Why::Young), &keep(Why::Open)]);
}

/// Every entry, as the reader gives it.
fn contents(dir: &std::path::Path) -> Vec<String> {
    let mut lines = Vec::new();
    let searched = Query::new()
        .run(DirSource::open(dir).unwrap(), QueryOptions::default(), |hit| {
            lines.push(String::from_utf8(hit.bytes.to_vec()).unwrap());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(searched.matched, lines.len() as u64);
    lines
}

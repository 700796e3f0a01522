//! Verification of whole directories: the files beside the segments, live trails, every bit.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{Trail, key};
use audit_core::note::Signer;
use audit_reader::FindingKind::{self, *};
use audit_reader::{ReadError, Report, Verdict, VerifyOptions, verify_dir};
use rustix::fs::{FlockOperation, flock};

const ONE: &str = "2026-11-23.audit";
const TWO: &str = "2026-11-23-1.audit";
const TEN: &str = "2026-11-23-10.audit";

/// Verifies with the first key pinned.
fn verify(trail: &Trail) -> Report {
    let key = key(0).verifier_key().clone();
    verify_dir(trail.path(), VerifyOptions::default().with_key(key)).unwrap()
}

/// What is found beyond what any copy without a witness gives.
fn kinds(trail: &Trail) -> Vec<FindingKind> {
    let kinds =
        verify(trail).findings.kept().iter().map(|finding| finding.kind).collect::<Vec<_>>();
    kinds.into_iter().filter(|kind| *kind != FreshnessUnknown).collect()
}

/// Three segments, of 5, 5 and 3 entries; the first two closed.
fn three() -> Trail {
    let mut trail = Trail::new();
    for (segment, count) in [(ONE, 5), (TWO, 5)] {
        trail.write(segment, count);
        trail.close(segment);
    }
    trail.write(TEN, 3);
    trail
}

/// The manifest a writer would have written, changed by `edit`.
fn manifest(trail: &Trail, edit: impl Fn(&mut Vec<serde_json::Value>)) {
    let rows = [(ONE, true), (TWO, true), (TEN, false)].map(|(name, closed)| {
        let text = fs::read_to_string(trail.file(name)).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (first, last) = (&lines[0], &lines[lines.len() - 1]);
        let digest = fs::read_to_string(trail.file(&format!("{name}.sha256")));
        let time = "2026-11-23T06:54:00.000000000Z";
        serde_json::json!({"filename": name, "created_at": time,
            "closed_at": closed.then_some(time), "event_count": lines.len(),
            "first_seq": first["seq"], "first_audit_id": first["audit_id"],
            "last_audit_id": last["audit_id"], "first_prev_hash": first["prev_hash"],
            "last_hash": last["hash"], "sha256": digest.ok().map(|d| d[..64].to_owned()),
            "size_bytes": text.len()})
    });
    let mut rows = rows.to_vec();
    edit(&mut rows);
    let json = serde_json::json!({"service_id": "svc", "created_at": "x", "files": rows});
    fs::write(trail.file("manifest.json"), json.to_string()).unwrap();
}

#[test]
fn an_honest_trail_is_proven_and_nothing_else() {
    let trail = three();
    manifest(&trail, |_| {});
    assert_eq!(kinds(&trail), []);
    let report = verify(&trail);
    assert_eq!((report.verdict, report.entries, report.segments), (Verdict::Proven, 13, 3));
    assert_eq!((report.first_seq, report.last_seq), (Some(0), Some(12)));
}

#[test]
fn json_has_exactly_the_promised_members() {
    let json = serde_json::to_value(verify(&three())).unwrap();
    let members: BTreeSet<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = "verdict origin key key_trust entries first_seq last_seq sealed_size root \
                    unsigned_tail freshness findings segments bytes seconds";
    assert_eq!(members, promised.split_whitespace().collect());
    assert_eq!(json["verdict"], "proven");
    assert_eq!(json["freshness"], "unknown");
}

#[test]
fn a_segment_that_differs_from_its_digest() {
    let trail = three();
    trail.append(ONE, b"");
    let digest = fs::read_to_string(trail.file("2026-11-23.audit.sha256")).unwrap();
    for text in [digest.replace(|c: char| c.is_ascii_digit(), "a"), digest.replace("  ", " ")] {
        fs::write(trail.file("2026-11-23.audit.sha256"), text).unwrap();
        assert_eq!(kinds(&trail), [SegmentChanged]);
    }
}

#[test]
fn a_closed_segment_that_was_torn_is_changed_to_the_last_byte() {
    let mut trail = three();
    trail.append(ONE, b"{\"seq\"");
    assert_eq!(kinds(&trail), [MalformedEntry, SegmentChanged]);
    trail.close(ONE);
    assert_eq!(kinds(&trail), [MalformedEntry]);
    trail.write(TEN, 1);
    assert_eq!(kinds(&trail), [MalformedEntry]);
}

#[test]
fn every_member_of_a_closed_row_is_held_against_the_segment() {
    let trail = three();
    let wrong = serde_json::json!({"event_count": 4, "first_seq": 1, "size_bytes": 10,
        "first_audit_id": "01932c05-aa00-7000-8000-0000000000ff",
        "last_audit_id": "01932c05-aa00-7000-8000-0000000000ff",
        "first_prev_hash": "00", "last_hash": "00", "sha256": "00"});
    for (member, value) in wrong.as_object().unwrap() {
        manifest(&trail, |rows| rows[1][member] = value.clone());
        assert_eq!(kinds(&trail), [ManifestMismatch], "{member}");
    }
    // One that says nothing says less than is known of a closed segment.
    for member in ["first_audit_id", "last_audit_id", "sha256"] {
        manifest(&trail, |rows| drop(rows[1].as_object_mut().unwrap().remove(member)));
        assert_eq!(kinds(&trail), [ManifestMismatch], "no {member}");
    }
    manifest(&trail, |rows| rows[2]["sha256"] = "00".into());
    assert_eq!(kinds(&trail), [ManifestMismatch], "a digest of what is not closed");
}

#[test]
fn the_row_of_the_open_segment_may_say_less_but_not_more() {
    let trail = three();
    let with = |count: u64, size: u64| {
        manifest(&trail, |rows| {
            rows[2]["event_count"] = count.into();
            rows[2]["size_bytes"] = size.into();
            rows[2]["last_hash"] = "00".into();
        });
        kinds(&trail)
    };
    assert_eq!(with(1, 100), []);
    assert_eq!(with(4, 100), [ManifestMismatch]);
    assert_eq!(with(1, 100_000), [ManifestMismatch]);
}

#[test]
fn rows_missing_and_manifests_broken() {
    let trail = three();
    manifest(&trail, |rows| drop(rows.remove(1)));
    assert_eq!(kinds(&trail), [ManifestMismatch]);
    manifest(&trail, |rows| drop(rows.pop()));
    assert_eq!(kinds(&trail), []);
    fs::write(trail.file("manifest.json"), "{").unwrap();
    assert_eq!(kinds(&trail), [ManifestMismatch]);
}

#[test]
fn a_segment_that_is_gone() {
    let trail = three();
    manifest(&trail, |_| {});
    fs::remove_file(trail.file(TWO)).unwrap();
    assert_eq!(kinds(&trail), [SequenceGap, ChainBreak, SegmentMissing]);
    fs::remove_file(trail.file("manifest.json")).unwrap();
    assert_eq!(kinds(&trail), [SequenceGap, ChainBreak, SegmentMissing]);
    fs::remove_file(trail.file(&format!("{TWO}.sha256"))).unwrap();
    assert_eq!(kinds(&trail), [SequenceGap, ChainBreak]);
}

#[test]
fn segments_that_retention_deleted_are_not_missing() {
    let mut trail = three();
    manifest(&trail, |_| {});
    let mut line = Vec::new();
    let said = format!(r#"{{"segments":[{{"filename":"{ONE}","first_seq":0,"last_seq":4}}]}}"#);
    trail.line(&mut line, "audit.retention_applied", &said);
    trail.append(TEN, &line);
    trail.seal();
    assert_eq!(kinds(&trail), [RetentionApplied], "said, not yet done");
    fs::remove_file(trail.file(ONE)).unwrap();
    assert_eq!(kinds(&trail), [RetentionApplied]);
    fs::remove_file(trail.file(TWO)).unwrap();
    let missing = [RetentionApplied, SegmentMissing, SequenceGap];
    assert_eq!(kinds(&trail).into_iter().collect::<BTreeSet<_>>(), missing.into());
}

#[test]
fn trail_json_must_say_what_entry_0_says() {
    let trail = three();
    let honest = fs::read_to_string(trail.file("trail.json")).unwrap();
    for (from, to) in [
        ("aaaa\"", "bbbb\""),
        ("svc/1\"", "svc/2\""),
        ("+AYqI", "+AYqJ"),
        ("\"svc\"", "\"cvs\""),
        ("trail/1", "trail/2"),
    ] {
        fs::write(trail.file("trail.json"), honest.replace(from, to)).unwrap();
        assert!(kinds(&trail).iter().all(|kind| *kind == TrailMismatch), "{to}");
        assert_eq!(verify(&trail).verdict, Verdict::Violated, "{to}");
    }
    fs::remove_file(trail.file("trail.json")).unwrap();
    assert_eq!(kinds(&trail), [TrailMismatch]);
}

#[test]
fn a_partial_last_line_takes_nothing_from_what_was_signed() {
    let mut trail = three();
    let line = trail.lines(1);
    let signed = fs::read(trail.file(TEN)).unwrap();
    // Nobody is writing: a killed process leaves this, and the next opening takes it away.
    trail.append(TEN, &line[..40]);
    assert_eq!(kinds(&trail), [InFlight]);
    assert_eq!(verify(&trail).verdict, Verdict::Proven);
    // But nothing that was signed may be torn, and nothing at all where nothing is signed.
    for cut in [1, 2, 60] {
        fs::write(trail.file(TEN), &signed[..signed.len() - cut]).unwrap();
        assert_eq!(kinds(&trail), [TreeMismatch, Truncated, MalformedEntry], "cut by {cut}");
    }
    let checkpoint = fs::read(trail.file("checkpoint")).unwrap();
    fs::remove_file(trail.file("checkpoint")).unwrap();
    fs::write(trail.file(TEN), [&signed, &line[..40]].concat()).unwrap();
    assert_eq!(kinds(&trail), [CheckpointMissing, MalformedEntry]);
    fs::write(trail.file("checkpoint"), checkpoint).unwrap();

    let lock = fs::File::create(trail.file("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    assert_eq!(kinds(&trail), [InFlight]);
    assert_eq!(verify(&trail).verdict, Verdict::Proven);
    trail.append(TEN, &line[40..]);
    assert_eq!(kinds(&trail), [UnsignedTail]);
    assert_eq!(verify(&trail).unsigned_tail, Some(1));
    trail.seal();
    assert_eq!(kinds(&trail), []);
}

#[test]
fn an_endless_line_is_one_finding() {
    let trail = three();
    let before = fs::read(trail.file(TEN)).unwrap();
    fs::write(trail.file(TEN), [vec![b'['; 5_000_000], b"\n".to_vec(), before].concat()).unwrap();
    let report = verify(&trail);
    assert_eq!(kinds(&trail), [MalformedEntry]);
    assert!(report.findings.kept()[0].found.as_deref().unwrap().len() < 200);
    assert_eq!(report.entries, 13);
}

#[test]
fn links_and_devices_are_not_read_as_segments() {
    let trail = three();
    fs::rename(trail.file(TWO), trail.file("elsewhere")).unwrap();
    std::os::unix::fs::symlink(trail.file("elsewhere"), trail.file(TWO)).unwrap();
    let result = verify_dir(trail.path(), VerifyOptions::default());
    assert!(matches!(result, Err(ReadError::NotAFile(_))), "{result:?}");
    fs::remove_file(trail.file(TWO)).unwrap();
    fs::create_dir(trail.file(TWO)).unwrap();
    let result = verify_dir(trail.path(), VerifyOptions::default());
    assert!(matches!(result, Err(ReadError::NotAFile(_))), "{result:?}");
}

#[test]
fn what_is_not_a_trail_is_an_error_and_not_a_verdict() {
    let empty = tempfile::tempdir().unwrap();
    let result = verify_dir(empty.path(), VerifyOptions::default());
    assert!(matches!(result, Err(ReadError::NotATrail(_))), "{result:?}");
    let result = verify_dir(&empty.path().join("nowhere"), VerifyOptions::default());
    assert!(matches!(result, Err(ReadError::Io { .. })), "{result:?}");
}

#[test]
fn every_byte_of_a_small_trail_counts() {
    let mut trail = Trail::new();
    trail.write(ONE, 20);
    let bytes = fs::read(trail.file(ONE)).unwrap();
    assert!(bytes.len() > 7_000);
    // Every single bit is the affair of the core's own tests; here the files count.
    for at in (0..bytes.len()).step_by(7) {
        let mut broken = bytes.clone();
        broken[at] ^= 1 << (at % 8);
        fs::write(trail.file(ONE), broken).unwrap();
        assert_eq!(verify(&trail).verdict, Verdict::Violated, "byte {at}");
    }
}

#[test]
fn reading_while_a_writer_appends_and_rotates_gives_no_false_alarm() {
    let mut trail = three();
    let lock = fs::File::create(trail.file("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let path = trail.path().to_owned();
    let writer = std::thread::spawn(move || {
        for number in 11..60 {
            let name = format!("2026-11-23-{number}.audit");
            trail.rotate(&name);
            for _ in 0..40 {
                trail.seal();
                let line = trail.lines(1);
                let (a, b) = line.split_at(line.len() / 2);
                trail.append(&name, a);
                trail.append(&name, b);
            }
            trail.close(&name);
        }
        trail
    });
    let mut rounds = 0;
    while !writer.is_finished() || rounds < 3 {
        let options = VerifyOptions::default().with_key(key(0).verifier_key().clone());
        let report = verify_dir(&path, options.with_jobs(rounds % 3)).unwrap();
        assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings);
        let fine = [InFlight, UnsignedTail, FreshnessUnknown];
        assert!(report.findings.counts().keys().all(|kind| fine.contains(kind)));
        rounds += 1;
    }
    assert_eq!(verify(&writer.join().unwrap()).entries, 13 + 49 * 42);
}

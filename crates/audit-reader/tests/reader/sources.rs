//! One trail from everywhere: a directory, archived segments, an archive file, memory.

use std::fs::{self, File};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::common::{Trail, key};
use audit_core::note::Signer;
use audit_reader::{
    FindingKind, MemorySource, Order, Query, QueryOptions, ReadError, Report, Source, Step,
    TrailReader, Verdict, VerifyOptions, find_by_seq, prove, tail, verify,
};

const SEGMENTS: [&str; 3] = ["2026-11-23.audit", "2026-11-23-1.audit", "2026-11-24.audit"];

/// Three segments, the first two closed.
fn three() -> Trail {
    let mut trail = Trail::new();
    for (number, segment) in SEGMENTS.into_iter().enumerate() {
        if number > 0 {
            trail.rotate(segment);
        }
        trail.write(segment, 100);
        if number < 2 {
            trail.close(segment);
        }
    }
    trail
}

fn options<'a>() -> VerifyOptions<'a> {
    VerifyOptions::default().with_key(key(0).verifier_key().clone())
}

fn verified(source: &Source) -> Report {
    let one = verify(source, options().with_jobs(1)).unwrap();
    let two = verify(source, options().with_jobs(2)).unwrap();
    assert_eq!(one.findings.kept(), two.findings.kept());
    one
}

/// What `auditlog verify` would say of a directory.
fn of_dir(trail: &Trail) -> Report {
    verified(&Source::open(trail.path()).unwrap())
}

fn violations(report: &Report) -> Vec<FindingKind> {
    let kinds = report.findings.counts().keys().copied();
    kinds.filter(|kind| *kind < FindingKind::UnsignedTail).collect()
}

/// Compresses a segment as FORMAT section 5 says.
fn archive(trail: &Trail, segment: &str) -> PathBuf {
    let packed = zstd::encode_all(File::open(trail.file(segment)).unwrap(), 3).unwrap();
    let path = trail.file(&format!("{segment}.zst"));
    fs::write(&path, packed).unwrap();
    fs::remove_file(trail.file(segment)).unwrap();
    path
}

fn in_memory(trail: &Trail) -> MemorySource {
    let files = fs::read_dir(trail.path()).unwrap().map(|item| item.unwrap());
    let read = |file: fs::DirEntry| {
        (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
    };
    files.map(read).collect()
}

/// All lines of a trail.
fn lines(source: &Source) -> Vec<Vec<u8>> {
    let mut reader = TrailReader::new(source);
    let mut all = Vec::new();
    loop {
        match reader.step().unwrap() {
            Step::Line(_, line) => all.push(line.bytes.to_vec()),
            Step::SegmentEnd(_) => {}
            _ => return all,
        }
    }
}

/// Where a query finds what, page by page.
fn asked(source: &Source, query: &Query, jobs: usize) -> Vec<(u64, String, u64, Vec<u8>)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let query = match after {
            Some(cursor) => query.clone().after(cursor),
            None => query.clone(),
        };
        let searched = query.run(source, QueryOptions::default().with_jobs(jobs), |hit| {
            all.push((hit.seq, hit.segment.to_string(), hit.offset, hit.bytes.to_vec()));
            ControlFlow::Continue(())
        });
        let searched = searched.unwrap();
        assert_eq!((searched.malformed, searched.unfinished), (0, false));
        if searched.complete {
            return all;
        }
        after = searched.next;
    }
}

/// Everything that reads gives the same from this source as from the directory.
fn reads_like(source: &Source, dir: &Source) {
    let (here, there) = (verified(source), verified(dir));
    assert_eq!(here.verdict, Verdict::Proven, "{:?}", here.findings.kept());
    assert_eq!(here.findings.kept(), there.findings.kept());
    let facts = |r: &Report| (r.entries, r.bytes, r.segments, r.root.clone(), r.last_seq);
    assert_eq!(facts(&here), facts(&there));
    assert_eq!(lines(source), lines(dir));
    for seq in [0, 57, 150, 303] {
        let found = find_by_seq(source, seq).unwrap().unwrap();
        assert_eq!(found, find_by_seq(dir, seq).unwrap().unwrap());
        let evidence = prove(source, seq).unwrap();
        assert_eq!(evidence.proof.to_string(), prove(dir, seq).unwrap().proof.to_string());
    }
    for order in [Order::OldestFirst, Order::NewestFirst] {
        for limit in [70, 1_000] {
            let query = Query::new().order(order).limit(limit);
            let found = asked(source, &query, 2);
            assert_eq!(found.len(), 304);
            assert_eq!(found, asked(dir, &query, 1));
        }
        let range = Query::new().order(order).seq(120, Some(240));
        assert_eq!(asked(source, &range, 1), asked(dir, &range, 2));
    }
    for wanted in [0, 1, 150, 1000] {
        let mut reader = tail(source, wanted).unwrap();
        let mut count = 0;
        while let Ok(Step::Line(..) | Step::SegmentEnd(_)) = reader.step().map(|step| {
            count += u64::from(matches!(step, Step::Line(..)));
            step
        }) {}
        assert_eq!(count, wanted.min(304));
    }
}

#[test]
fn archived_segments_read_as_what_they_were() {
    let trail = three();
    let whole = Source::new(in_memory(&trail)).unwrap();
    for segment in SEGMENTS {
        archive(&trail, segment);
        reads_like(&Source::open(trail.path()).unwrap(), &whole);
    }
}

#[test]
fn a_trail_in_memory() {
    let trail = three();
    let dir = Source::open(trail.path()).unwrap();
    reads_like(&Source::new(in_memory(&trail)).unwrap(), &dir);
    let empty = Source::new(MemorySource::new());
    assert!(matches!(empty, Err(ReadError::NotATrail(_))), "{empty:?}");
}

/// Packs a directory; `prefix` is what its files are under.
fn pack(trail: &Trail, prefix: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(prefix, trail.path()).unwrap();
    builder.into_inner().unwrap()
}

fn put(path: &Path, bytes: &[u8]) -> Result<Source, ReadError> {
    fs::write(path, bytes).unwrap();
    Source::open(path)
}

#[test]
fn a_trail_in_an_archive_file() {
    let trail = three();
    archive(&trail, SEGMENTS[0]);
    let dir = Source::open(trail.path()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("trail.tar");
    for prefix in [".", "audit", "var/lib/audit"] {
        let tar = pack(&trail, prefix);
        reads_like(&put(&file, &tar).unwrap(), &dir);
        reads_like(&put(&file, &zstd::encode_all(&*tar, 3).unwrap()).unwrap(), &dir);
    }
}

#[test]
fn an_archive_file_that_is_none_is_refused_with_a_reason() {
    let trail = three();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("trail.tar");
    let tar = pack(&trail, "audit");
    let packed = zstd::encode_all(&*tar, 3).unwrap();
    let two = {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_dir_all("a", trail.path()).unwrap();
        builder.append_dir_all("b", trail.path()).unwrap();
        builder.into_inner().unwrap()
    };
    let empty = tar::Builder::new(Vec::new()).into_inner().unwrap();
    for bytes in [&tar[..tar.len() / 2], &packed[..packed.len() / 2], &two, &empty, b"{}", b""] {
        let result = put(&file, bytes);
        assert!(matches!(result, Err(ReadError::NotAnArchive { .. })), "{result:?}");
    }
    let nowhere = Source::open(&place.path().join("nowhere"));
    assert!(matches!(nowhere, Err(ReadError::Io { .. })), "{nowhere:?}");
}

#[test]
fn damage_to_an_archived_segment_is_a_finding() {
    for (segment, changed) in [(0, r#""n":50"#), (1, r#""n":150"#)] {
        damage_is_a_finding(SEGMENTS[segment], changed);
    }
}

/// `changed` stands in the segment.
fn damage_is_a_finding(segment: &str, changed: &str) {
    let trail = three();
    let packed = archive(&trail, segment);
    let whole = fs::read(&packed).unwrap();
    let step = (whole.len() / 60).max(1);
    for at in (0..whole.len()).step_by(step) {
        let mut broken = whole.clone();
        broken[at] ^= 0x10;
        fs::write(&packed, &broken).unwrap();
        // A few bits of a frame's header do not matter to what is in it.
        let unpacked = zstd::decode_all(&*broken).ok();
        let same = unpacked.is_some() && unpacked == zstd::decode_all(&*whole).ok();
        assert_eq!(of_dir(&trail).verdict == Verdict::Violated, !same, "byte {at}");
    }
    for cut in [0, 1, 20, whole.len() / 2, whole.len() - 1] {
        fs::write(&packed, &whole[..cut]).unwrap();
        let found = violations(&of_dir(&trail));
        assert!(found.contains(&FindingKind::SegmentChanged), "cut at {cut}: {found:?}");
    }
    let mut longer = whole.clone();
    longer.extend(b"and more");
    fs::write(&packed, longer).unwrap();
    assert_eq!(violations(&of_dir(&trail)), [FindingKind::SegmentChanged]);
    // Compressed anew with other entries: what an archiver with bad intentions would do.
    let bytes = zstd::decode_all(&*whole).unwrap();
    let text = String::from_utf8(bytes).unwrap().replacen(changed, &format!("{changed}1"), 1);
    fs::write(&packed, zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap();
    let found = violations(&of_dir(&trail));
    assert_eq!(found[..2], [FindingKind::HashMismatch, FindingKind::SegmentChanged]);
    // One that is meant to exhaust memory asks for a window of 128 MiB.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    encoder.include_contentsize(false).unwrap();
    std::io::copy(&mut &*zstd::decode_all(&*whole).unwrap(), &mut encoder).unwrap();
    fs::write(&packed, encoder.finish().unwrap()).unwrap();
    assert!(violations(&of_dir(&trail)).contains(&FindingKind::SegmentChanged));
}

/// A member of a tar, its name byte for byte.
fn member(kind: tar::EntryType, name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    let mut all = header.as_bytes().to_vec();
    all.extend_from_slice(bytes);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

#[test]
fn a_member_whose_name_leads_elsewhere_or_is_a_segments_and_no_file_is_refused() {
    let trail = three();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("trail.tar");
    let tar = pack(&trail, "audit");
    let segment = fs::read(trail.file(SEGMENTS[2])).unwrap();
    let regular = tar::EntryType::Regular;
    for (kind, name, why) in [
        (regular, "audit/../audit/2026-11-24.audit", "leads out of its directory"),
        (regular, "../2026-11-25.audit", "leads out of its directory"),
        (regular, "/audit/2026-11-24.audit", "absolute name"),
        (regular, "audit/2026-11-24.audit/", "file with the name of a directory"),
        (regular, "audit/2026-11-25.audit.zst/", "file with the name of a directory"),
        (
            tar::EntryType::Directory,
            "audit/2026-11-25.audit/",
            "directory with the name of a segment",
        ),
    ] {
        let bytes = if kind == regular { &segment[..] } else { b"" };
        let more = [&member(kind, name, bytes), &tar[..]].concat();
        let refused = put(&file, &more).unwrap_err();
        assert!(matches!(refused, ReadError::NotAnArchive { .. }), "{refused:?}");
        assert!(refused.to_string().contains(why), "{name}: {refused}");
    }
    // Who packs with `./` in front does nothing strange.
    let more = [&member(regular, "./audit/notes", b"x"), &tar[..]].concat();
    assert_eq!(verified(&put(&file, &more).unwrap()).verdict, Verdict::Proven);
}

#[test]
fn an_archive_file_that_asks_for_much_is_refused() {
    let trail = three();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("trail.tar");
    let tar = pack(&trail, "audit");
    let name = |len: usize| {
        let name = "x".repeat(len);
        [&member(tar::EntryType::GNULongName, "././@LongLink", name.as_bytes()), &tar[..]].concat()
    };
    let pax = |len: usize| {
        let record = format!("{len} comment=");
        let record = format!("{record}{}\n", "x".repeat(len - record.len() - 1));
        [&member(tar::EntryType::XHeader, "pax", record.as_bytes()), &tar[..]].concat()
    };
    assert!(put(&file, &name(300)).is_ok() && put(&file, &pax(300)).is_ok());
    for large in [name(100_000), pax(100_000)] {
        let refused = put(&file, &large).unwrap_err().to_string();
        assert!(refused.contains("100000 bytes, more than any name"), "{refused}");
    }
    // One that another program takes for another archive.
    for (records, why) in [
        (&b"9 size=1\n9 size=2\n"[..], "states no length, or two"),
        (b"9 size=x\n", "states no length, or two"),
        (b"7 a=b\n9 size=1\n", "malformed"),
    ] {
        let pax = member(tar::EntryType::XHeader, "pax", records);
        let refused = put(&file, &[&pax[..], &tar[..]].concat()).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    // A few kilobytes that unpack to 300 MB of zeros.
    let mut packed = zstd::Encoder::new(Vec::new(), 3).unwrap();
    std::io::copy(&mut std::io::repeat(0).take(300 << 20), &mut packed).unwrap();
    let refused = put(&file, &packed.finish().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("unpack to more than"), "{refused}");
}

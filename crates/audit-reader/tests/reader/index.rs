//! An index never changes an answer: right, broken in every way, of other bytes, or half-written.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use audit_reader::index::{IndexError, IndexOptions, Indexed, index};
use audit_reader::{Cursor, DirSource, Order, Query, QueryOptions, Searched};

use crate::common::{Random, Trail};
use crate::query::{all_lines, condition, found, trail};

const SEGMENTS: [&str; 2] = ["2026-11-20.audit", "2026-11-20-1.audit"];

fn make(trail: &Trail) -> Indexed {
    let options = IndexOptions::default().with_jobs(2);
    let rows = NonZeroUsize::new(7).unwrap();
    index(DirSource::open(trail.path()).unwrap(), options.with_group_rows(rows)).unwrap()
}

/// A trail of three segments, the first two closed.
fn closed(random: &mut Random) -> Trail {
    let trail = trail(random);
    SEGMENTS.iter().for_each(|segment| trail.close(segment));
    trail
}

/// A trail in which one in twenty is somebody's, so that reading the others can be spared.
fn rare() -> Trail {
    let mut trail = Trail::new();
    trail.write(SEGMENTS[0], 1);
    for segment in [SEGMENTS[0], SEGMENTS[1], "2026-11-23.audit"] {
        let mut lines = Vec::new();
        for n in 0..60 {
            let who = if n % 20 == 7 { "mallory" } else { "alice" };
            trail.members(
                &mut lines,
                &format!(
                    r#""timestamp":"2026-11-{:02}T06:54:00.000000000Z","service_id":"svc","event_type":"data.read","actor":{{"user_id":"{who}"}},"result":"success""#,
                    1 + n % 28
                ),
            );
        }
        trail.append(segment, &lines);
    }
    SEGMENTS.iter().for_each(|segment| trail.close(segment));
    trail
}

fn file(trail: &Trail, name: &str) -> PathBuf {
    trail.file("index").join(name)
}

fn mallory(trail: &Trail) -> (Vec<String>, Searched) {
    found(trail, &Query::new().actor("mallory"), 2)
}

#[test]
fn every_answer_is_the_same_with_an_index_and_without() {
    let mut by_index = 0;
    for seed in 0..25 {
        let random = &mut Random(seed);
        let trail = closed(random);
        let made = make(&trail);
        assert_eq!((made.built, made.open, made.refused.len()), (2, 1, 0), "seed {seed}");
        for _ in 0..15 {
            let mut query = Query::new();
            for kind in 0..random.below(2) + 1 {
                query = condition((random.below(11) + kind) % 11, query, random).0;
            }
            let order = *random.one_of(&[Order::OldestFirst, Order::NewestFirst]);
            let mut query = query.order(order);
            if random.below(3) == 0 {
                query = query.limit(1 + random.below(4) as u64);
            }
            loop {
                let (expected, plain) = found(&trail, &query.clone().index(false), 1);
                let (answer, searched) = found(&trail, &query, 1 + random.below(3));
                assert!(answer == expected, "seed {seed}: {query:?}\n{answer:?}\n{expected:?}");
                assert_eq!(searched.next, plain.next, "seed {seed}");
                assert_eq!(searched.complete, plain.complete, "seed {seed}");
                assert_eq!((searched.malformed, searched.indexes_unusable), (0, 0), "seed {seed}");
                if searched.complete {
                    assert_eq!(searched.entries, plain.entries, "seed {seed}: {query:?}");
                    assert_eq!(searched.bytes, plain.bytes, "seed {seed}: {query:?}");
                }
                by_index += searched.segments_by_index;
                match plain.next.filter(|_| !plain.complete) {
                    Some(next) => query = query.after(next),
                    None => break,
                }
            }
        }
    }
    assert!(by_index > 150, "{by_index}");
}

#[test]
fn what_is_damaged_is_passed_over_and_made_again() {
    let trail = rare();
    let (expected, _) = mallory(&trail);
    assert_eq!(expected.len(), 9);
    make(&trail);
    let (answer, searched) = mallory(&trail);
    assert_eq!((answer, searched.segments_by_index), (expected.clone(), 2));
    let random = &mut Random(3);
    for name in SEGMENTS.map(|segment| [format!("{segment}.parquet"), format!("{segment}.json")]) {
        for name in name {
            let path = file(&trail, &name);
            let whole = fs::read(&path).unwrap();
            let mut broken =
                vec![vec![], whole[..whole.len() / 2].to_vec(), vec![b'x'; whole.len()]];
            for _ in 0..40 {
                let mut bytes = whole.clone();
                bytes[random.below(whole.len())] ^= 1 << random.below(8);
                broken.push(bytes);
            }
            for bytes in broken {
                fs::write(&path, bytes).unwrap();
                let (answer, searched) = mallory(&trail);
                assert_eq!(answer, expected, "{name}");
                assert_eq!((searched.segments_by_index, searched.indexes_unusable), (1, 1));
                let made = make(&trail);
                assert_eq!((made.built, made.kept), (1, 1), "{name}");
                assert!(fs::read(&path).unwrap() == whole || name.ends_with("json"), "{name}");
                let (answer, searched) = mallory(&trail);
                assert_eq!((answer, searched.segments_by_index), (expected.clone(), 2));
            }
            // A table without a binding is no index; a binding without a table is a broken one.
            fs::remove_file(&path).unwrap();
            let (answer, searched) = mallory(&trail);
            assert_eq!((answer, searched.segments_by_index), (expected.clone(), 1));
            assert_eq!(make(&trail).built, 1);
        }
    }
}

#[test]
fn an_index_of_other_bytes_is_not_believed() {
    let trail = rare();
    make(&trail);
    // Somebody changes a line, and nothing else: the hashes are wrong now, the length is not.
    let path = trail.file(SEGMENTS[0]);
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replacen("\"alice\"", "\"carol\"", 1);
    fs::write(&path, &changed).unwrap();
    let carol = |trail: &Trail| found(trail, &Query::new().actor("carol"), 1);
    let (answer, searched) = carol(&trail);
    assert_eq!((answer.len(), searched.segments_by_index, searched.indexes_unusable), (1, 1, 1));
    let made = make(&trail);
    assert_eq!((made.built, made.kept, made.refused.len()), (0, 1, 1));
    assert!(made.refused[0].why.contains(".sha256"), "{made:?}");
    assert!(!file(&trail, "2026-11-20.audit.parquet").exists());
    assert_eq!(carol(&trail).0.len(), 1);
    // With verification what was changed is no answer.
    let mut seen = 0;
    let query = Query::new().actor("carol");
    let source = DirSource::open(trail.path()).unwrap();
    let searched = query.run(&source, QueryOptions::default().verified(true), |_| {
        seen += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((seen, searched.unwrap().hash_mismatches), (0, 1));
    // Once its .sha256 fits the bytes it can be indexed: what the index is of is the bytes.
    trail.close(SEGMENTS[0]);
    assert_eq!(make(&trail).built, 1);
    let (answer, searched) = carol(&trail);
    assert_eq!((answer.len(), searched.segments_by_index), (1, 2));
}

#[test]
fn a_touched_file_is_hashed_again_before_its_index_is_believed() {
    let trail = rare();
    make(&trail);
    fs::set_permissions(trail.file(SEGMENTS[1]), fs::Permissions::from_mode(0o400)).unwrap();
    let (answer, searched) = mallory(&trail);
    assert_eq!((answer.len(), searched.segments_by_index, searched.indexes_unusable), (9, 1, 1));
    let made = make(&trail);
    assert_eq!((made.built, made.kept, made.refreshed), (0, 2, 1));
    assert_eq!(mallory(&trail).1.segments_by_index, 2);
}

#[test]
fn a_damaged_segment_gets_no_index_and_is_read() {
    let trail = rare();
    let path = trail.file(SEGMENTS[1]);
    let lines: Vec<String> =
        fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let gap = [&lines[..4], &lines[5..]].concat().join("\n") + "\n";
    let torn = lines.join("\n");
    let garbled = lines.join("\n").replacen("data.read", "data read", 1) + "\n";
    for (bytes, why) in [(gap, "gap"), (torn, "no end"), (garbled, "no entry")] {
        fs::write(&path, bytes).unwrap();
        trail.close(SEGMENTS[1]);
        let made = make(&trail);
        assert!(made.refused.len() == 1 && made.refused[0].why.contains(why), "{made:?}");
        let (answer, searched) = mallory(&trail);
        let (expected, plain) = found(&trail, &Query::new().actor("mallory").index(false), 1);
        assert_eq!((answer, searched.malformed), (expected, plain.malformed));
        assert_eq!((searched.segments_by_index, searched.indexes_unusable), (1, 0));
    }
}

#[test]
fn what_a_crash_and_retention_leave_is_swept_and_the_files_of_others_stay() {
    let trail = rare();
    make(&trail);
    for name in ["2026-11-20.audit.parquet.new", "2026-11-20.audit.json.new", "notes.parquet"] {
        fs::write(file(&trail, name), "half").unwrap();
    }
    fs::remove_file(trail.file(SEGMENTS[0])).unwrap();
    fs::remove_file(trail.file("2026-11-20.audit.sha256")).unwrap();
    assert_eq!(mallory(&trail).0.len(), 6);
    let made = make(&trail);
    assert_eq!((made.removed, made.kept, made.built), (4, 1, 0));
    let mut left: Vec<_> = fs::read_dir(trail.file("index"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["2026-11-20-1.audit.json", "2026-11-20-1.audit.parquet", "notes.parquet"]);
}

#[test]
fn one_process_makes_the_index_at_a_time() {
    let trail = rare();
    make(&trail);
    let dir = fs::File::open(trail.file("index")).unwrap();
    dir.lock().unwrap();
    let source = DirSource::open(trail.path()).unwrap();
    let error = index(&source, IndexOptions::default()).expect_err("two at a time");
    assert!(matches!(error, IndexError::Busy(_)), "{error}");
    // Who asks does not care.
    assert_eq!(mallory(&trail).1.segments_by_index, 2);
}

#[test]
fn times_that_no_number_can_say_are_found_all_the_same() {
    let mut trail = Trail::new();
    let mut lines = Vec::new();
    for n in 0..40 {
        let year = [1066, 1492, 2026, 2300, 9999][n % 5];
        trail.members(
            &mut lines,
            &format!(
                r#""timestamp":"{year:04}-11-20T06:54:00.000000000Z","service_id":"svc","event_type":"data.read","actor":{{"user_id":"user-{n}"}},"result":"success""#
            ),
        );
    }
    trail.append(SEGMENTS[0], &lines);
    trail.close(SEGMENTS[0]);
    trail.write("2026-11-23.audit", 1);
    assert_eq!(make(&trail).built, 1);
    let time = |text: &str| text.parse().unwrap();
    for (query, count) in [
        (Query::new().until(time("1100-01-01T00:00:00Z")), 8),
        (Query::new().since(time("2262-05-01T00:00:00Z")), 16),
        (Query::new().since(time("2262-05-01T00:00:00Z")).actor("user-4"), 1),
        (Query::new().since(time("1600-01-01T00:00:00Z")).actor("user-0"), 0),
    ] {
        let (answer, searched) = found(&trail, &query, 1);
        assert_eq!((answer.len(), searched.entries), (count, 41), "{query:?}");
    }
}

#[test]
fn a_cursor_into_an_indexed_segment_goes_on_right_behind_it() {
    let trail = rare();
    make(&trail);
    let lines = all_lines(&trail);
    let segment = audit_core::segment::SegmentName::parse(SEGMENTS[0]).unwrap();
    let mut offset = 0;
    for (seq, line) in lines.iter().enumerate().take(61) {
        let after = Query::new().actor("mallory").after(Cursor::new(seq as u64, segment, offset));
        let (forward, there) = found(&trail, &after, 2);
        let (backward, before) = found(&trail, &after.order(Order::NewestFirst), 2);
        assert_eq!(forward.len() + backward.len() + usize::from(line.contains("mallory")), 9);
        assert_eq!((there.entries, before.entries), (180 - seq as u64, seq as u64));
        offset += line.len() as u64 + 1;
    }
}

#[test]
fn a_pipe_in_the_place_of_an_index_is_waited_for_by_nobody() {
    let trail = closed(&mut Random(3));
    make(&trail);
    let expected = all_lines(&trail).len();
    for suffix in ["parquet", "json"] {
        let pipe = file(&trail, &format!("{}.{suffix}", SEGMENTS[0]));
        fs::remove_file(&pipe).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let query = Query::new().event_type("*");
        let source = DirSource::open(trail.path()).unwrap();
        let searched = query.run(source, QueryOptions::default(), |_| ControlFlow::Continue(()));
        assert_eq!(searched.unwrap().matched, expected as u64, "{suffix}");
    }
}

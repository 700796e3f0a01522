//! Limits, pages and ranges of `seq`, while the trail grows, is mended or was tampered with.

use std::fs;

use audit_reader::{Cursor, DirSource, Order, Query, QueryError, QueryOptions};

use crate::common::{Random, Trail};
use crate::query::{all_lines, found};

const SEGMENTS: [&str; 4] =
    ["2026-11-23.audit", "2026-11-23-1.audit", "2026-11-24.audit", "2026-11-25.audit"];

fn trail() -> Trail {
    let mut trail = Trail::new();
    for segment in SEGMENTS {
        trail.write(segment, 10);
    }
    trail
}

#[test]
fn pages_put_together_are_the_whole_in_either_order() {
    let trail = trail();
    let lines = all_lines(&trail);
    for limit in [1, 3, 10, 11, 39, 40, 41] {
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let page = Query::new().order(order).limit(limit);
            let (mut pages, mut after) = (Vec::new(), None::<Cursor>);
            loop {
                let query = match after {
                    Some(cursor) => page.clone().after(cursor),
                    None => page.clone(),
                };
                let (lines, searched) = found(&trail, &query, 2);
                assert!(lines.len() as u64 <= limit);
                assert_eq!(searched.complete, (lines.len() as u64) < limit);
                let ended = searched.complete;
                after = searched.next.map(|cursor| cursor.to_string().parse().unwrap()).or(after);
                pages.extend(lines);
                if ended {
                    break;
                }
            }
            if order == Order::NewestFirst {
                pages.reverse();
            }
            assert_eq!(pages, lines, "pages of {limit}, {order:?}");
        }
    }
}

#[test]
fn a_page_goes_on_behind_the_last_one_whatever_happened_meanwhile() {
    let mut trail = trail();
    let first = Query::new().limit(15);
    let (_, searched) = found(&trail, &first, 1);
    let cursor = searched.next.unwrap();
    assert_eq!((cursor.seq, cursor.segment.to_string().as_str()), (14, SEGMENTS[1]));
    let seqs = |trail: &Trail, query: &Query| -> Vec<u64> {
        let (lines, _) = found(trail, query, 1);
        let seq = |line: &String| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64()
        };
        lines.iter().map(|line| seq(line).unwrap()).collect()
    };
    let next = Query::new().after(cursor);
    let before = Query::new().after(cursor).order(Order::NewestFirst);
    assert_eq!(seqs(&trail, &next), (15..40).collect::<Vec<_>>());
    // More came.
    trail.write(SEGMENTS[3], 5);
    assert_eq!(seqs(&trail, &next), (15..45).collect::<Vec<_>>());
    assert_eq!(seqs(&trail, &before), (0..14).rev().collect::<Vec<_>>());
    // A failed sync had the lines written again into another segment.
    let moved = fs::read(trail.file(SEGMENTS[1])).unwrap();
    let lines: Vec<_> = moved.split_inclusive(|byte| *byte == b'\n').collect();
    fs::write(trail.file(SEGMENTS[1]), lines[..3].concat()).unwrap();
    fs::write(trail.file("2026-11-23-2.audit"), lines[3..].concat()).unwrap();
    assert_eq!(seqs(&trail, &next), (15..45).collect::<Vec<_>>());
    assert_eq!(seqs(&trail, &before), (0..14).rev().collect::<Vec<_>>());
    // Retention took the place away.
    fs::remove_file(trail.file(SEGMENTS[0])).unwrap();
    fs::remove_file(trail.file(SEGMENTS[1])).unwrap();
    fs::remove_file(trail.file("2026-11-23-2.audit")).unwrap();
    assert_eq!(seqs(&trail, &next), (20..45).collect::<Vec<_>>());
    assert!(seqs(&trail, &before).is_empty());
    assert_eq!(found(&trail, &next, 1).1.first_seq, Some(20));
    // The trail was cut behind it.
    fs::remove_file(trail.file(SEGMENTS[2])).unwrap();
    fs::remove_file(trail.file(SEGMENTS[3])).unwrap();
    let mut other = Trail::new();
    other.write(SEGMENTS[0], 5);
    let source = DirSource::open(other.path()).unwrap();
    let answer =
        next.run(&source, QueryOptions::default(), |_| std::ops::ControlFlow::Continue(()));
    assert!(matches!(answer, Err(QueryError::BeyondTheEnd { .. })), "{answer:?}");
}

#[test]
fn ranges_of_seq_look_only_where_they_can_be() {
    let trail = trail();
    let lines = all_lines(&trail);
    let random = &mut Random(7);
    for _ in 0..60 {
        let first = random.below(45);
        let last = first + random.below(20);
        let query = Query::new().seq(first as u64, Some(last as u64));
        let (answer, searched) = found(&trail, &query, 2);
        let expected = &lines[first.min(40)..(last + 1).min(40)];
        assert_eq!(answer, expected, "{first} to {last}");
        let touched = (0..4).filter(|s| first < 10 * s + 10 && last >= 10 * s).count() as u64;
        // Only the last segment has no next one that would say where it ends.
        let at_end = u64::from(first >= 40);
        assert_eq!((searched.segments, searched.segments_total), (touched + at_end, 4));
    }
    let (answer, searched) = found(&trail, &Query::new().seq(25, None), 1);
    assert_eq!((answer.len(), searched.segments), (15, 2));
}

#[test]
fn nothing_is_left_out_of_a_trail_that_is_out_of_order() {
    let trail = trail();
    let honest = fs::read(trail.file(SEGMENTS[1])).unwrap();
    fs::rename(trail.file(SEGMENTS[2]), trail.file(SEGMENTS[1])).unwrap();
    fs::write(trail.file(SEGMENTS[2]), honest).unwrap();
    for seq in 0..40 {
        let (answer, _) = found(&trail, &Query::new().seq(seq, Some(seq)), 1);
        assert_eq!(answer.len(), 1, "{seq}");
    }
}

#[test]
fn a_limit_of_nothing_and_what_is_no_cursor() {
    let trail = trail();
    let (lines, searched) = found(&trail, &Query::new().limit(0), 2);
    assert_eq!((lines.len(), searched.entries, searched.complete), (0, 0, false));
    let good = "14@2026-11-23-1.audit:1024";
    assert_eq!(good.parse::<Cursor>().unwrap().to_string(), good);
    for bad in [
        "",
        "14",
        "14@x:1",
        "014@2026-11-23.audit:1",
        "14@2026-11-23.audit:+1",
        "x@2026-11-23.audit:1",
    ] {
        assert!(bad.parse::<Cursor>().is_err(), "{bad}");
    }
}

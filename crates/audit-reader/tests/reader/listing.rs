//! The last entries, following, and finding one entry.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::common::Trail;
use audit_core::entry::Entry;
use audit_reader::{DirSource, Step, TrailReader, find_by_audit_id, find_by_seq, follow, tail};

const SEGMENTS: [&str; 4] =
    ["2026-11-23.audit", "2026-11-23-2.audit", "2026-11-23-10.audit", "2026-11-24.audit"];

fn trail() -> Trail {
    let mut trail = Trail::new();
    for segment in SEGMENTS {
        trail.write(segment, 10);
    }
    trail
}

fn source(trail: &Trail) -> DirSource {
    DirSource::open(trail.path()).unwrap()
}

fn seqs(mut reader: TrailReader) -> Vec<u64> {
    let mut seqs = Vec::new();
    loop {
        match reader.step().unwrap() {
            Step::Line(_, line) => seqs.push(Entry::parse(line.bytes).unwrap().seq()),
            Step::SegmentEnd(_) => {}
            Step::CaughtUp | Step::Unfinished(..) => return seqs,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_last_n_whatever_segments_they_are_in() {
    let mut trail = trail();
    for n in [0, 1, 9, 10, 11, 20, 25, 39, 40, 41, 1_000] {
        let expected: Vec<u64> = (40_u64.saturating_sub(n)..40).collect();
        assert_eq!(seqs(tail(source(&trail), n).unwrap()), expected, "{n}");
    }
    let line = trail.lines(1);
    trail.append(SEGMENTS[3], &line[..30]);
    assert_eq!(seqs(tail(source(&trail), 2).unwrap()), [38, 39]);
    assert!(seqs(tail(source(&trail), 0).unwrap()).is_empty());
}

#[test]
fn the_last_n_of_a_segment_longer_than_a_block() {
    let mut trail = Trail::new();
    trail.write(SEGMENTS[0], 2_000);
    for n in [1, 100, 190, 1_999] {
        assert_eq!(seqs(tail(source(&trail), n).unwrap()), (2_000 - n..2_000).collect::<Vec<_>>());
    }
}

#[test]
fn following_gives_every_line_once_and_whole_across_rotations() {
    let mut trail = trail();
    let mut reader = tail(source(&trail), 1).unwrap();
    let mut pending: Vec<(String, Vec<u8>)> = Vec::new();
    for segment in [SEGMENTS[3], "2026-11-24-1.audit", "2026-11-25.audit"] {
        let line = trail.lines(1);
        let (a, b) = line.split_at(50);
        pending.push((segment.to_owned(), a.to_vec()));
        pending.push((segment.to_owned(), b.to_vec()));
    }
    let mut pending = pending.into_iter();
    let mut seqs = Vec::new();
    follow(&mut reader, Duration::ZERO, |line| {
        if let Some((_, line)) = line {
            seqs.push(Entry::parse(line.bytes).unwrap().seq());
            return ControlFlow::Continue(());
        }
        // Half a line is written each time the follower has nothing left to give.
        match pending.next() {
            Some((segment, half)) => {
                trail.append(&segment, &half);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    })
    .unwrap();
    assert_eq!(seqs, [39, 40, 41, 42]);
}

#[test]
fn found_by_seq_and_by_id() {
    let trail = trail();
    for seq in 0..40 {
        let found = find_by_seq(source(&trail), seq).unwrap().unwrap();
        let entry = Entry::parse(&found.line).unwrap();
        assert_eq!(entry.seq(), seq);
        assert_eq!(found.segment.to_string(), SEGMENTS[usize::try_from(seq / 10).unwrap()]);
        let again = find_by_audit_id(source(&trail), entry.audit_id()).unwrap();
        assert_eq!(again, Some(found.clone()));
    }
    assert_eq!(find_by_seq(source(&trail), 40).unwrap(), None);
}

#[test]
fn an_entry_out_of_its_place_is_still_found() {
    let mut trail = trail();
    let line = trail.lines(1);
    let first = std::fs::read(trail.file(SEGMENTS[0])).unwrap();
    std::fs::write(trail.file(SEGMENTS[0]), [line, first].concat()).unwrap();
    for seq in 0..=40 {
        assert!(find_by_seq(source(&trail), seq).unwrap().is_some(), "{seq}");
    }
}

#[test]
fn found_in_a_segment_of_many_blocks_also_when_it_is_damaged() {
    let mut trail = Trail::new();
    trail.write(SEGMENTS[0], 4_000);
    let honest = std::fs::read(trail.file(SEGMENTS[0])).unwrap();
    for seq in [0, 1, 1_999, 2_000, 2_001, 3_998, 3_999] {
        let found = find_by_seq(source(&trail), seq).unwrap().unwrap();
        assert_eq!(Entry::parse(&found.line).unwrap().seq(), seq);
        assert_eq!(
            honest[usize::try_from(found.offset).unwrap()..][..found.line.len()],
            found.line
        );
    }
    // Half the lines in the middle say another number, or none.
    let text = String::from_utf8(honest).unwrap();
    for lie in ["{\"seq\":9", "{\"sqe\":"] {
        let damaged: Vec<_> = text
            .lines()
            .enumerate()
            .map(|(number, line)| match number {
                1_000..3_000 => line.replacen("{\"seq\":", lie, 1),
                _ => line.to_owned(),
            })
            .collect();
        std::fs::write(trail.file(SEGMENTS[0]), damaged.join("\n") + "\n").unwrap();
        for seq in [500, 3_500] {
            assert!(find_by_seq(source(&trail), seq).unwrap().is_some(), "{lie} {seq}");
        }
    }
}

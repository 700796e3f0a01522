//! What an attacker can do to a chain, act by act.

use super::FindingKind::{self, *};
use super::{Finding, FirstKey, Scanner, Seals, Severity, Summary, TrailVerifier};
use crate::chain::{HashedLine, Head};
use crate::plan;

/// The lines of a trail, as [`plan::append_line`] writes them.
fn trail(entries: usize) -> Vec<Vec<u8>> {
    let body = |i: usize| body("a.b", &format!(r#"{{"i":{i}}}"#));
    lines(Head::EMPTY, &(0..entries).map(body).collect::<Vec<_>>())
}

fn body(event_type: &str, details: &str) -> String {
    format!(
        r#""audit_id":"01932c05-aa01-7000-8000-000000000001","timestamp":"2026-11-23T06:54:00.037000000Z","service_id":"s","event_type":"{event_type}","result":"success","details":{details}"#
    )
}

fn lines(mut head: Head, bodies: &[String]) -> Vec<Vec<u8>> {
    let write = |body: &String| {
        let mut line = Vec::new();
        plan::append_line(&mut line, &mut head, body.as_bytes());
        line.pop();
        line
    };
    bodies.iter().map(write).collect()
}

/// Without seals, which have tests of their own.
fn verify(lines: &[Vec<u8>]) -> Summary {
    let mut verifier = TrailVerifier::new(FirstKey::SelfAsserted(None), Seals::default());
    verifier.begin_segment("2026-11-23.audit");
    let (watched, mut items) = (verifier.watched(), Vec::new());
    let mut scanner = Scanner::new(&watched, ());
    let mut offset = 0;
    for line in lines {
        scanner.line(offset, &HashedLine::new(line), &mut items);
        offset += line.len() as u64 + 1;
    }
    scanner.flush(&mut items);
    items.into_iter().for_each(|item| verifier.item(item, &mut ()));
    verifier.finish()
}

/// The findings that are not for want of seals.
fn of_chain(summary: &Summary) -> Vec<&Finding> {
    let unsealed = [CheckpointMissing, FreshnessUnknown];
    summary.findings.kept().iter().filter(|f| !unsealed.contains(&f.kind)).collect()
}

/// Kinds and `seq`s of the findings.
fn found(lines: &[Vec<u8>]) -> Vec<(FindingKind, Option<u64>)> {
    of_chain(&verify(lines)).iter().map(|f| (f.kind, f.seq)).collect()
}

#[test]
fn a_healthy_trail_gives_nothing() {
    let summary = verify(&trail(10));
    assert!(of_chain(&summary).is_empty());
    assert_eq!((summary.entries, summary.first_seq, summary.last_seq), (10, Some(0), Some(9)));
    assert!(summary.findings.counts().contains_key(&CheckpointMissing));
}

#[test]
fn removed() {
    let mut lines = trail(10);
    lines.remove(4);
    assert_eq!(found(&lines), [(SequenceGap, Some(5)), (ChainBreak, Some(5))]);
}

#[test]
fn repeated() {
    let mut lines = trail(10);
    lines.insert(7, lines[3].clone());
    assert_eq!(found(&lines), [(SequenceRepeat, Some(3)), (ChainBreak, Some(3))]);
}

#[test]
fn a_stretch_repeated_is_reported_once() {
    let mut lines = trail(20);
    let stretch = lines[5..12].to_vec();
    lines.splice(12..12, stretch);
    assert_eq!(found(&lines), [(SequenceRepeat, Some(5)), (ChainBreak, Some(5))]);
}

#[test]
fn reordered() {
    let mut lines = trail(10);
    lines.swap(4, 5);
    let expected = [(SequenceGap, 5), (ChainBreak, 5), (SequenceRepeat, 4), (ChainBreak, 4)];
    assert_eq!(found(&lines), expected.map(|(kind, seq)| (kind, Some(seq))));
}

#[test]
fn an_inserted_entry_with_a_wild_seq_does_not_drown_the_rest() {
    let mut lines = trail(1_000);
    let head = Head { next_seq: u64::MAX - 1, ..Head::EMPTY };
    lines.insert(4, self::lines(head, &[body("a.b", r#"{"x":1}"#)]).remove(0));
    assert!(found(&lines).len() <= 4, "{:?}", found(&lines));
    assert_eq!(verify(&lines).last_seq, Some(999));
}

#[test]
fn edited_and_hash_not_recomputed() {
    let mut lines = trail(10);
    let at = lines[4].windows(5).position(|w| w == b"\"i\":4").unwrap();
    lines[4][at + 4] = b'5';
    assert_eq!(found(&lines), [(HashMismatch, Some(4))]);
}

#[test]
fn hash_member_edited() {
    let mut lines = trail(10);
    let at = lines[4].len() - 10;
    lines[4][at] = if lines[4][at] == b'0' { b'1' } else { b'0' };
    assert_eq!(found(&lines), [(HashMismatch, Some(4))]);
}

#[test]
fn edited_and_rehashed() {
    let mut lines = trail(10);
    let before = crate::entry::Entry::parse(&lines[4]).unwrap().prev_hash();
    let head = Head { next_seq: 4, last_hash: before };
    lines[4] = self::lines(head, &[body("a.b", r#"{"i":5}"#)]).remove(0);
    assert_eq!(found(&lines), [(ChainBreak, Some(5))]);
}

#[test]
fn an_unreadable_line_excuses_itself_and_nothing_else() {
    let mut lines = trail(10);
    lines[4].truncate(50);
    assert_eq!(found(&lines), [(MalformedEntry, None)]);
    lines.remove(5);
    let expected = [(MalformedEntry, None), (SequenceGap, Some(6)), (ChainBreak, Some(6))];
    assert_eq!(found(&lines), expected);
    let mut lines = trail(10);
    lines.insert(4, b"inserted".to_vec());
    assert_eq!(found(&lines), [(MalformedEntry, None)]);
}

#[test]
fn findings_carry_place_and_evidence() {
    let mut lines = trail(10);
    let offset: u64 = lines[..4].iter().map(|line| line.len() as u64 + 1).sum();
    lines.remove(4);
    let summary = verify(&lines);
    let finding = &summary.findings.kept()[0];
    assert_eq!(
        serde_json::to_value(finding).unwrap(),
        serde_json::json!({"kind":"sequence_gap","severity":"violation","segment":"2026-11-23.audit","offset":offset,"seq":5,"expected":"4","found":"5"})
    );
}

#[test]
fn the_front_may_be_gone_only_if_the_trail_says_so() {
    let retained = |deleted: &str| {
        let mut bodies: Vec<_> = (0..20).map(|i| body("a.b", &format!(r#"{{"i":{i}}}"#))).collect();
        bodies[15] = body("audit.retention_applied", deleted);
        lines(Head::EMPTY, &bodies).split_off(10)
    };
    let said = r#"{"segments":[{"filename":"2026-11-22.audit","first_seq":0,"last_seq":9,"sha256":"ab"}]}"#;
    // No file of stored hashes is there.
    assert_eq!(found(&retained(said)), [(RetentionApplied, Some(15)), (FrontUnproven, None)]);
    let name = crate::segment::SegmentName::parse("2026-11-22.audit").unwrap();
    assert!(verify(&retained(said)).deleted.unwrap().contains(&name));
    for said in [said.replace(":9", ":8"), r#"{"segments":[]}"#.to_owned(), r#"{"x":1}"#.to_owned()]
    {
        let found = found(&retained(&said));
        assert_eq!(found, [(RetentionApplied, Some(15)), (SequenceGap, Some(10))], "{said}");
    }
}

#[test]
fn what_the_writer_says_of_itself_is_a_notice() {
    let types = ["recovered", "events_dropped", "clock_stepped", "opened"];
    let bodies = types.map(|kind| body(&format!("audit.{kind}"), r#"{"n":1}"#));
    let summary = verify(&lines(Head::EMPTY, &bodies));
    let kinds: Vec<_> = of_chain(&summary).iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [Recovered, EventsDropped, ClockStepped]);
}

#[test]
fn findings_are_bounded_and_no_kind_is_lost() {
    let mut lines = vec![b"x".to_vec(); 5_000];
    let mut good = trail(5);
    good.remove(2);
    lines.extend(good);
    let summary = verify(&lines);
    assert!(summary.findings.kept().len() <= 1_000 + FindingKind::ALL.len());
    assert_eq!(summary.findings.counts()[&MalformedEntry], 5_000);
    assert!(summary.findings.kept().iter().any(|f| f.kind == SequenceGap));
}

#[test]
fn names_are_stable_and_severities_follow_the_format_page() {
    for kind in FindingKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        assert_eq!(kind.severity() == Severity::Notice, *kind >= UnsignedTail, "{kind}");
    }
    assert_eq!(FindingKind::ALL.len(), 18 + 12);
}

#[test]
fn every_bit_of_a_trail_counts() {
    let bytes = trail(20).join(&b'\n');
    for bit in 0..bytes.len() * 8 {
        let mut broken = bytes.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        let lines: Vec<_> = broken.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let summary = verify(&lines);
        let violation = of_chain(&summary).iter().any(|f| f.severity == Severity::Violation);
        assert!(violation, "bit {bit}");
    }
}

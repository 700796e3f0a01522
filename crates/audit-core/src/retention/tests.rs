//! What is archived, deleted and held, day by day.
//!
//! What must stay true here: each rule is tried from both sides of its edge.

use super::*;
use crate::chain::Head;
use crate::encode::{EncodePolicy, Encoder, Stamp};
use crate::entry::Entry;
use crate::event::{ActorInfo, Event};

const RULES: Rules =
    Rules { min_retention_days: 30, archive_after_days: 10, delete_after_days: 60 };

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// Closed segments of ten entries each, begun on these dates, and the one that is being written.
fn segments(dates: &[&str]) -> Vec<Stored> {
    let mut all: Vec<Stored> = dates
        .iter()
        .zip((0..).step_by(10))
        .map(|(on, first)| Stored {
            name: SegmentName::first_of(date(on)),
            first_seq: Some(first),
            bytes: 1_000,
            closed: true,
            archived: false,
        })
        .collect();
    all.last_mut().unwrap().closed = false;
    all
}

fn fates(segments: &[Stored], holds: &Holds, today: &str) -> Vec<Fate> {
    plan(segments, RULES, holds, &[], date(today))
        .into_iter()
        .map(|decision| decision.fate)
        .collect()
}

fn keep(why: Why) -> Fate {
    Fate::Keep { why }
}

fn held(id: &str) -> Fate {
    keep(Why::Held { holds: vec![id.to_owned()] })
}

/// The line of an event at `seq`.
fn line(seq: u64, event: &dyn Event) -> Vec<u8> {
    let stamp = Stamp {
        audit_id: uuid::Uuid::from_u128(0x0193_2c05_aa00_7000_8000_0000_0000_0000),
        now: "2026-03-01T12:00:00Z".parse().unwrap(),
        service_id: "billing-api",
    };
    let mut head = Head { next_seq: seq, ..Head::EMPTY };
    let mut out = Vec::new();
    let mut encoder = Encoder::default();
    let body = encoder.encode(&EncodePolicy::default(), &stamp, &event);
    crate::plan::append_line(&mut out, &mut head, body);
    out.pop();
    Entry::parse(&out).unwrap();
    out
}

fn see(holds: &mut Holds, line: &[u8]) {
    holds.see(&Entry::parse(line).unwrap());
}

fn hold(seq: u64, id: &str, scope: HoldScope) -> Holds {
    let by = ActorInfo::internal("counsel");
    let mut holds = Holds::default();
    see(&mut holds, &line(seq, &HoldAdded { by: &by, hold: id, scope, reason: Some("case 7") }));
    holds
}

#[test]
fn a_segment_is_as_old_as_the_date_the_next_one_was_begun_on() {
    let all = segments(&["2026-01-01", "2026-01-05", "2026-01-06"]);
    let none = Holds::default();
    let young = keep(Why::Young);
    assert_eq!(fates(&all, &none, "2026-01-14"), [young.clone(), young.clone(), keep(Why::Open)]);
    assert_eq!(fates(&all, &none, "2026-01-15"), [Fate::Archive, young, keep(Why::Open)]);
    // Sixty days after the fifth of January is the sixth of March, and that day is kept too.
    assert_eq!(fates(&all, &none, "2026-03-06")[0], Fate::Archive);
    assert_eq!(fates(&all, &none, "2026-03-07")[..2], [Fate::Delete, Fate::Archive]);
    assert_eq!(fates(&all, &none, "2026-03-08")[..2], [Fate::Delete, Fate::Delete]);
}

#[test]
fn the_newest_segment_and_one_without_checksum_stay_for_ever() {
    let mut all = segments(&["2026-01-01", "2026-01-02", "2026-01-03"]);
    all[0].closed = false;
    let stay = keep(Why::Open);
    let behind = Fate::Archive;
    assert_eq!(fates(&all, &Holds::default(), "2036-01-01"), [stay.clone(), behind, stay]);
    all[1].archived = true;
    assert_eq!(fates(&all, &Holds::default(), "2036-01-01")[1], keep(Why::Behind));
}

#[test]
fn a_clock_that_was_set_back_deletes_nothing() {
    let all = segments(&["2026-01-01", "2026-01-02"]);
    assert_eq!(fates(&all, &Holds::default(), "1999-01-01")[0], keep(Why::Young));
}

#[test]
fn nothing_is_deleted_before_the_minimum_even_if_the_rules_are_wrong() {
    let all = segments(&["2026-01-01", "2026-01-02"]);
    let wrong = Rules { min_retention_days: 2_555, delete_after_days: 1, ..RULES };
    let decided = plan(&all, wrong, &Holds::default(), &[], date("2027-01-01"));
    assert_eq!((&decided[0].fate, decided[0].age_days), (&Fate::Archive, Some(364)));
}

#[test]
fn a_hold_keeps_what_it_covers_and_everything_behind_it() {
    let mut all = segments(&["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]);
    all.iter_mut().for_each(|segment| segment.archived = true);
    let today = "2026-06-01";
    let fates = |holds: &Holds| fates(&all, holds, today)[..3].to_vec();
    let (delete, behind) = (Fate::Delete, keep(Why::Behind));
    let everything = hold(35, "c7", HoldScope::default());
    assert_eq!(fates(&everything), [held("c7"), held("c7"), held("c7")]);
    let seq = |first, last| HoldScope { first_seq: first, last_seq: last, ..HoldScope::default() };
    assert_eq!(
        fates(&hold(35, "c7", seq(Some(10), Some(19)))),
        [delete.clone(), held("c7"), behind.clone()]
    );
    assert_eq!(fates(&hold(35, "c7", seq(None, Some(9)))), [held("c7"), behind.clone(), behind]);
    assert_eq!(
        fates(&hold(35, "c7", seq(Some(20), None))),
        [delete.clone(), delete.clone(), held("c7")]
    );
    // A segment may hold entries of the date the next one was begun on.
    let on = |since, until| HoldScope {
        since: Some(date(since)),
        until: Some(date(until)),
        ..HoldScope::default()
    };
    assert_eq!(
        fates(&hold(35, "c7", on("2026-01-03", "2026-01-03")))[..2],
        [delete.clone(), held("c7")]
    );
    // The entry that adds a hold outlives what would otherwise release it by deletion.
    let later = HoldScope { since: Some(date("2027-01-01")), ..HoldScope::default() };
    assert_eq!(fates(&hold(12, "c7", later))[..2], [delete.clone(), held("c7")]);
    let mut released = everything;
    let by = ActorInfo::internal("counsel");
    let release = |id| line(36, &HoldReleased { by: &by, hold: id, reason: None });
    see(&mut released, &release("other"));
    assert_eq!(released.in_force().len(), 1);
    see(&mut released, &release("c7"));
    assert_eq!(fates(&released), [delete.clone(), delete.clone(), delete]);
}

#[test]
fn a_hold_that_cannot_be_read_holds_everything() {
    let mut holds = Holds::default();
    let good = line(
        3,
        &HoldAdded {
            by: &ActorInfo::internal("counsel"),
            hold: "c7",
            scope: HoldScope { first_seq: Some(4), ..HoldScope::default() },
            reason: Some("case 7"),
        },
    );
    let text = String::from_utf8(good).unwrap();
    see(&mut holds, text.replace("first_seq", "fjrst_seq").as_bytes());
    assert_eq!(holds.in_force()[0].id, "unreadable:3");
    assert!(holds.in_force()[0].scope.is_everything());
    let mut holds = Holds::default();
    see(&mut holds, text.as_bytes());
    let hold = holds.get("c7").unwrap();
    assert_eq!((hold.by.as_str(), hold.reason.as_deref()), ("counsel", Some("case 7")));
    assert_eq!((hold.seq, hold.at.as_str()), (3, "2026-03-01T12:00:00.000000000Z"));
}

#[test]
fn the_longest_list_of_deleted_segments_fits_into_an_entry() {
    let deleted = Deleted {
        filename: "2026-01-01-4294967295.audit".into(),
        first_seq: u64::MAX,
        last_seq: u64::MAX,
        sha256: "f".repeat(64),
        bytes: u64::MAX,
    };
    let tree = [crate::chain::Hash::ZERO; 64];
    let segments = vec![deleted; Applied::MOST];
    let key = Some("k".repeat(400));
    let front = Front { seq: u64::MAX, key: key.as_deref(), tree: &tree };
    let line = line(9, &Applied { segments: &segments, rules: RULES, front });
    let entry = Entry::parse(&line).unwrap();
    assert!(!entry.details().unwrap().contains("oversize"));
    assert!(line.len() < 50_000, "{}", line.len());
}

#[test]
fn ids_and_scopes_are_checked() {
    for id in ["c7", "SEC-2026/118:a_b.c"] {
        assert!(is_hold_id(id));
    }
    for id in ["", "a b", "a\"b", "größe", &"x".repeat(129)] {
        assert!(!is_hold_id(id));
    }
    let seq = |first, last| HoldScope {
        first_seq: Some(first),
        last_seq: Some(last),
        ..HoldScope::default()
    };
    assert!(seq(5, 4).is_empty() && !seq(5, 5).is_empty() && !HoldScope::default().is_empty());
}

#[test]
fn time_that_a_clock_was_set_forward_by_makes_nothing_older() {
    let all = segments(&["2016-01-01", "2016-01-03", "2026-11-01", "2026-11-05"]);
    let second = all[1].first_seq.unwrap();
    let step = Step { seq: second + 1, from: date("2016-01-04"), to: date("2026-11-01") };
    let ages = |steps: &[Step]| {
        let decided = plan(&all, RULES, &Holds::default(), steps, date("2026-11-11"));
        decided.into_iter().map(|decision| decision.age_days).collect::<Vec<_>>()
    };
    // The first ended a day before the clock was set; the others have the right dates around them.
    assert_eq!(ages(&[step]), [Some(11), Some(10), Some(6), None]);
    // A machine that sleeps for two days each week grows older all the same.
    let sleeps = [("2016-02-01", "2016-02-03"), ("2016-02-08", "2016-02-10")];
    let sleeps = sleeps.map(|(from, to)| Step { from: date(from), to: date(to), ..step });
    assert_eq!(ages(&sleeps)[0], ages(&[])[0].map(|age| age - 4));
}

#[test]
fn a_claim_that_was_not_signed_at_the_next_opening_is_void() {
    /// `c` claims, a number recovers when so many were signed, in entries 10, 11, …
    fn counting(said: &[&str]) -> Vec<u64> {
        let mut claims = Claims::default();
        for (seq, said) in (10..).zip(said) {
            match said.parse::<u64>() {
                Ok(signed) => claims.recovered(seq, &format!(r#"{{"signed":{signed}}}"#)),
                Err(_) => claims.claim(seq, ()),
            }
        }
        claims.in_force().map(|(seq, ())| seq).collect()
    }
    assert_eq!(counting(&["c", "c"]), [10, 11]);
    assert_eq!(counting(&["c", "c", "11"]), [10]);
    assert_eq!(counting(&["c", "c", "10"]), [0; 0]);
    assert_eq!(counting(&["c", "12", "c"]), [10, 12]);
    // A recovery that is void itself makes nothing void, however many of them there are.
    assert_eq!(counting(&["c", "0", "11"]), [10]);
    assert_eq!(counting(&["c", "0", "0", "0", "11"]), [10]);
    assert_eq!(counting(&["c", "0", "12"]), [0; 0]);
    assert_eq!(counting(&["c", "0", "11", "12"]), [0; 0]);
    // One that names what is still to come, or nothing, makes nothing void.
    assert_eq!(counting(&["c", "99"]), [10]);
    let mut claims = Claims::default();
    claims.claim(3, ());
    claims.recovered(4, r#"{"entries_kept":3}"#);
    claims.recovered(5, "no details");
    assert_eq!(claims.in_force().count(), 1);
}

#[test]
fn a_release_that_was_not_signed_at_the_next_opening_is_void() {
    let by = ActorInfo::internal("counsel");
    let recovered = |seq, signed| {
        let body = format!(
            r#""audit_id":"01932c05-aa01-7000-8000-000000000001","timestamp":"2026-11-23T06:54:00.000000000Z","service_id":"s","event_type":"audit.recovered","result":"success","details":{{"signed":{signed}}}"#
        );
        let mut line = Vec::new();
        crate::plan::append_line(
            &mut line,
            &mut Head { next_seq: seq, ..Head::EMPTY },
            body.as_bytes(),
        );
        line.pop();
        line
    };
    let release = |seq| line(seq, &HoldReleased { by: &by, hold: "case-7", reason: None });
    for (signed, in_force) in [(6, 0), (5, 1), (0, 1)] {
        let mut holds = hold(2, "case-7", HoldScope::default());
        see(&mut holds, &release(5));
        assert!(holds.in_force().is_empty());
        see(&mut holds, &recovered(6, signed));
        assert_eq!(holds.in_force().len(), in_force, "{signed} signed");
        // Released again, by the trail's own writer.
        see(&mut holds, &release(7));
        assert!(holds.in_force().is_empty());
    }
    // A recovery that is void itself brings no hold back.
    let mut holds = hold(2, "case-7", HoldScope::default());
    see(&mut holds, &release(5));
    see(&mut holds, &recovered(6, 0));
    assert_eq!(holds.in_force().len(), 1);
    see(&mut holds, &recovered(7, 6));
    assert!(holds.in_force().is_empty());
    // Added again under the same id, it is in force whatever was said of the one before.
    see(
        &mut holds,
        &line(8, &HoldAdded { by: &by, hold: "case-7", scope: HoldScope::default(), reason: None }),
    );
    assert_eq!(holds.in_force().len(), 1);
}

#[test]
fn recoveries_that_change_nothing_are_not_kept_in_mind() {
    let recovered = |signed: u64| format!(r#"{{"signed":{signed}}}"#);
    // A claim, and a service that crashes again and again: with everything signed, and with nothing.
    for (signed, count) in [(Some(5), 0), (None, 1)] {
        let mut claims = Claims::default();
        claims.claim(5, ());
        for seq in 6..300_000 {
            claims.recovered(seq, &recovered(signed.unwrap_or(seq)));
        }
        assert!(claims.is_known());
        assert_eq!(claims.in_force().count(), count);
    }
    // Too many that may each matter: what excuses is void then, and that this is not known is told.
    let mut claims = Claims::default();
    claims.claim(5, ());
    (6..300_000).for_each(|seq| claims.recovered(seq, &recovered(5 + seq % 2)));
    assert!(!claims.is_known());
    assert_eq!(claims.in_force().count(), 0);
}

#[test]
fn what_is_not_kept_in_mind_would_have_changed_nothing() {
    /// The rule, word for word.
    fn counting(said: &[Option<u64>]) -> Vec<u64> {
        let (mut void_from, mut counts) = (u64::MAX, Vec::new());
        let numbered: Vec<(u64, &Option<u64>)> = (0..).zip(said).collect();
        for (seq, said) in numbered.into_iter().rev() {
            match said {
                _ if seq >= void_from => {}
                Some(signed) => void_from = *signed,
                None => counts.insert(0, seq),
            }
        }
        counts
    }
    // Every trail of six entries, each of which claims something or recovers.
    for mut number in 0..2_u64 * 3 * 4 * 5 * 6 * 7 {
        let (mut claims, mut firsts) = (Claims::default(), Claims::default());
        let mut said = Vec::new();
        for seq in 0..6 {
            let choice: u64 = number % (seq + 2);
            number /= seq + 2;
            said.push(choice.checked_sub(1));
            match choice.checked_sub(1) {
                Some(signed) => {
                    let details = format!(r#"{{"signed":{signed}}}"#);
                    claims.recovered(seq, &details);
                    firsts.recovered(seq, &details);
                }
                None => {
                    claims.claim(seq, ());
                    firsts.claim_first(seq, (), 0);
                }
            }
        }
        let found: Vec<u64> = claims.in_force().map(|(seq, ())| seq).collect();
        assert_eq!(found, counting(&said), "{said:?}");
        let first = firsts.in_force().next().map(|(seq, ())| seq);
        assert_eq!(first, found.first().copied(), "{said:?}");
    }
}

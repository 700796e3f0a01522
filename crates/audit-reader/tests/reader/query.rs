//! Queries against a slow oracle that shares nothing with them, on trails that make it hard: every
//! way to write a text, times out of order, other conditions in the same line.

use std::fmt::Write;
use std::ops::ControlFlow;

use audit_core::event::Outcome;
use audit_reader::{DirSource, Order, Query, QueryError, QueryOptions, Searched};
use serde_json::Value;

use crate::common::{Random, Trail};

/// Texts that are parts of each other, need escapes, or look like structure.
const TEXTS: [&str; 14] = [
    "mallory",
    "mallory2",
    "mal",
    "a/b",
    "a\\b",
    "say \"hi\"",
    "größe",
    "漢字",
    "CORP\\al",
    "u0041",
    "\",\"",
    "{}",
    "12345",
    "x",
];
/// Trace ids, which have one form.
const TRACES: [&str; 3] = [
    "0af7651916cd43dd8448eb211c80319c",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "0af7651916cd43dd8448eb211c80319d",
];
const TYPES: [&str; 6] =
    ["auth.failure", "auth.success", "authz.denied", "data.read", "a.b.c", "pool.deleted"];
const GLOBS: [&str; 8] =
    ["auth.*", "auth*", "*.denied", "*", "a.b.c", "?ool.deleted", "*a*", "auth.failure"];

/// A JSON string of a text in one of the ways to write it.
fn json(text: &str, random: &mut Random) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match (random.below(12), c) {
            (0, _) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap();
                }
            }
            (1, '/') => out.push_str("\\/"),
            (_, '"' | '\\') => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out + "\""
}

fn members(random: &mut Random) -> String {
    let day = 1 + random.below(28);
    let mut out = format!(
        r#""timestamp":"2026-11-{day:02}T06:54:00.{:09}Z","service_id":"svc","event_type":"{}""#,
        random.below(1_000_000_000),
        random.one_of(&TYPES)
    );
    if random.below(4) == 0 {
        out += ",\"critical\":true";
    }
    let mut text = || {
        let text = TEXTS[random.below(TEXTS.len())];
        json(text, random)
    };
    let (user, kind, id, why, name, value) = (text(), text(), text(), text(), text(), text());
    if random.below(5) > 0 {
        write!(out, ",\"actor\":{{\"user_id\":{user}}}").unwrap();
    }
    if random.below(2) == 0 {
        write!(out, ",\"resource\":{{\"resource_type\":{kind},\"resource_id\":{id}}}").unwrap();
    }
    write!(out, ",\"result\":\"{}\"", random.one_of(&["success", "failure", "partial"])).unwrap();
    if random.below(3) == 0 {
        write!(out, ",\"reason\":{why}").unwrap();
    }
    if random.below(3) == 0 {
        let trace = random.one_of(&TRACES);
        write!(out, ",\"context\":{{\"trace_id\":\"{trace}\",\"request_id\":{id}}}").unwrap();
    }
    if random.below(3) == 0 {
        write!(out, ",\"details\":{{{name}:[{value},{{\"n\":{}}}]}}", random.below(99)).unwrap();
    }
    out
}

/// A trail of some segments of a few lines each.
pub(crate) fn trail(random: &mut Random) -> Trail {
    let mut trail = Trail::new();
    trail.write("2026-11-20.audit", 1);
    for segment in ["2026-11-20.audit", "2026-11-20-1.audit", "2026-11-23.audit"] {
        let mut lines = Vec::new();
        for _ in 0..1 + random.below(30) {
            trail.members(&mut lines, &members(random));
        }
        trail.append(segment, &lines);
    }
    trail
}

/// What a value says, anywhere in it.
fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(says) => says.contains(text),
        Value::Array(all) => all.iter().any(|value| says(value, text)),
        Value::Object(all) => {
            all.iter().any(|(name, value)| name.contains(text) || says(value, text))
        }
        other => other.to_string().contains(text),
    }
}

pub(crate) type Condition = Box<dyn Fn(&Value) -> bool>;

/// A condition of a kind for the query, and for the oracle.
pub(crate) fn condition(kind: usize, query: Query, random: &mut Random) -> (Query, Condition) {
    let text = *random.one_of(&TEXTS);
    let is = move |path: &'static str| -> Condition {
        Box::new(move |entry| entry.pointer(path).is_some_and(|value| value == text))
    };
    match kind {
        0 => (query.actor(text), is("/actor/user_id")),
        1 => (query.resource(text), is("/resource/resource_id")),
        2 => (query.resource_type(text), is("/resource/resource_type")),
        3 => (query.reason(text), is("/reason")),
        4 => {
            let trace = *random.one_of(&TRACES);
            (query.trace_id(trace), Box::new(move |entry| entry["context"]["trace_id"] == trace))
        }
        5 => (query.request_id(text), is("/context/request_id")),
        6 => {
            let glob = *random.one_of(&GLOBS);
            let pattern = glob.replace('.', "\\.").replace('*', ".*").replace('?', ".");
            (
                query.event_type(glob),
                Box::new(move |entry| matches(&pattern, entry["event_type"].as_str().unwrap())),
            )
        }
        7 => {
            let result = *random.one_of(&[Outcome::Success, Outcome::Failure, Outcome::Partial]);
            (query.result(result), Box::new(move |entry| entry["result"] == result.as_str()))
        }
        8 => {
            let critical = random.below(2) == 0;
            (
                query.critical(critical),
                Box::new(move |entry| entry.get("critical").is_some() == critical),
            )
        }
        9 => {
            let (from, days) = (1 + random.below(27), 1 + random.below(10));
            let time = |day: usize| format!("2026-11-{day:02}T06:54:00.5Z");
            let (since, until) = (time(from), time((from + days).min(28)));
            let bounds = (since.replace(".5Z", ".500000000Z"), until.replace(".5Z", ".500000000Z"));
            (
                query.since(since.parse().unwrap()).until(until.parse().unwrap()),
                Box::new(move |entry| {
                    let time = entry["timestamp"].as_str().unwrap();
                    bounds.0.as_str() <= time && time < bounds.1.as_str()
                }),
            )
        }
        _ => (
            query.containing(text),
            Box::new(move |entry| {
                let mut entry = entry.as_object().unwrap().clone();
                for added in ["seq", "audit_id", "timestamp", "prev_hash", "hash", "critical"] {
                    entry.remove(added);
                }
                let details = entry.remove("details").unwrap_or_default();
                // Of the members themselves the names are no text; in details they are.
                let values = entry.values().flat_map(|value| match value {
                    Value::Object(members) => members.values().cloned().collect(),
                    other => vec![other.clone()],
                });
                values.into_iter().any(|value| says(&value, text))
                    || (details.is_object() && says(&details, text))
            }),
        ),
    }
}

/// Whether a pattern of literals, `.` and `.*` matches, by trying everything.
fn matches(pattern: &str, text: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix(".*") {
        return (0..=text.len()).any(|skip| matches(rest, &text[skip..]));
    }
    let (wanted, rest) = match pattern.strip_prefix('\\') {
        Some(escaped) => (escaped.chars().next(), &escaped[1..]),
        None if pattern.is_empty() => return text.is_empty(),
        None => (pattern.chars().next().filter(|c| *c != '.'), &pattern[1..]),
    };
    let mut chars = text.chars();
    chars.next().is_some_and(|c| wanted.is_none_or(|wanted| wanted == c))
        && matches(rest, chars.as_str())
}

/// What a query finds.
pub(crate) fn found(trail: &Trail, query: &Query, jobs: usize) -> (Vec<String>, Searched) {
    let source = DirSource::open(trail.path()).unwrap();
    let mut lines = Vec::new();
    let searched = query.run(&source, QueryOptions::default().with_jobs(jobs), |hit| {
        lines.push(String::from_utf8(hit.bytes.to_vec()).unwrap());
        ControlFlow::Continue(())
    });
    (lines, searched.unwrap())
}

pub(crate) fn all_lines(trail: &Trail) -> Vec<String> {
    let source = DirSource::open(trail.path()).unwrap();
    let read = |name: &audit_core::segment::SegmentName| {
        std::fs::read_to_string(trail.file(&name.to_string())).unwrap()
    };
    let text: String = source.segments().unwrap().iter().map(read).collect();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_answer_is_that_of_a_slow_look_at_everything() {
    for seed in 0..150 {
        let random = &mut Random(seed);
        let trail = trail(random);
        let lines = all_lines(&trail);
        for _ in 0..12 {
            let mut query = Query::new();
            let mut conditions = Vec::new();
            // Of different kinds: several of one kind are alternatives.
            let first = random.below(11);
            for n in 0..random.below(3) + 1 {
                let (next, condition) = condition((first + 4 * n) % 11, query, random);
                conditions.push(condition);
                query = next;
            }
            let conditions = &conditions[..];
            let expected: Vec<String> = lines
                .iter()
                .filter(|line| {
                    let entry = serde_json::from_str(line).unwrap();
                    conditions.iter().all(|holds| holds(&entry))
                })
                .cloned()
                .collect();
            for jobs in 1..=3 {
                let (answer, searched) = found(&trail, &query, jobs);
                assert!(answer == expected, "seed {seed}: {query:?}");
                assert_eq!(searched.matched, expected.len() as u64);
                assert_eq!(searched.entries, lines.len() as u64);
                assert!(searched.complete && searched.malformed == 0);
            }
            let (mut answer, _) = found(&trail, &query.order(Order::NewestFirst), 2);
            answer.reverse();
            assert!(answer == expected, "seed {seed}: backwards");
        }
    }
}

#[test]
fn several_of_one_kind_are_alternatives_and_several_texts_all_must_be_there() {
    let mut trail = Trail::of(3);
    let mut lines = Vec::new();
    for (user, reason) in [("a", "r one"), ("b", "r two"), ("c", "r one two")] {
        let members = format!(
            r#""timestamp":"2026-11-23T06:54:00.000000000Z","service_id":"svc","event_type":"x.y","actor":{{"user_id":"{user}"}},"result":"failure","reason":"{reason}""#
        );
        trail.members(&mut lines, &members);
    }
    trail.append("2026-11-23.audit", &lines);
    let count = |query: &Query| found(&trail, query, 1).1.matched;
    assert_eq!(count(&Query::new().actor("a").actor("c")), 2);
    assert_eq!(count(&Query::new().event_type("x.*").event_type("task.*")), 5);
    assert_eq!(count(&Query::new().containing("one").containing("two")), 1);
    assert_eq!(count(&Query::new().containing("one").actor("b")), 0);
    let many = (0..40).fold(Query::new().actor("b"), |query, n| query.actor(format!("no-{n}")));
    assert_eq!(count(&many), 1);
}

#[test]
fn a_line_that_might_match_and_is_no_entry_is_counted() {
    let mut trail = Trail::of(20);
    let lines = all_lines(&trail);
    let broken = [
        lines[..5].join("\n"),
        lines[5].replace("task.submitted", "task.sub mitted"),
        lines[6].replace("\"n\":6", "\"n\":6,\"n\":6"),
        format!("{}{}", lines[7], "x".repeat(600_000)),
        String::new(),
        lines[8..].join("\n"),
    ];
    std::fs::write(trail.file("2026-11-23.audit"), broken.join("\n") + "\n").unwrap();
    let (answer, searched) = found(&trail, &Query::new().event_type("task.*"), 2);
    assert_eq!((answer.len(), searched.malformed), (16, 3));
    let (answer, searched) = found(&trail, &Query::new(), 2);
    assert_eq!((answer.len(), searched.malformed), (17, 4));
    // What ends in the middle is being written, in the newest segment, and damage in any other.
    trail.append("2026-11-23.audit", b"{\"seq\":20,");
    let (_, searched) = found(&trail, &Query::new(), 2);
    assert_eq!((searched.malformed, searched.unfinished), (4, true));
    let more = trail.lines(1);
    trail.append("2026-11-24.audit", &more);
    let (answer, searched) = found(&trail, &Query::new(), 2);
    assert_eq!((answer.len(), searched.malformed, searched.unfinished), (18, 5, false));
}

#[test]
fn a_query_that_means_nothing_is_refused() {
    let trail = Trail::of(3);
    let source = DirSource::open(trail.path()).unwrap();
    let refused = |query: Query| {
        let error = query
            .run(&source, QueryOptions::default(), |_| ControlFlow::Continue(()))
            .expect_err("a query without a meaning");
        assert!(!matches!(error, QueryError::Read(_)));
        error.to_string()
    };
    let time = |text: &str| text.parse().unwrap();
    let reversed =
        Query::new().since(time("2026-11-23T00:00:00Z")).until(time("2026-11-23T00:00:00+01:00"));
    assert!(refused(reversed).contains("begins at 2026-11-23T00:00:00Z and ends at 2026-11-22T23"));
    assert!(refused(Query::new().seq(5, Some(4))).contains("begins at 5 and ends at 4"));
    assert!(refused(Query::new().containing("")).contains("empty"));
}

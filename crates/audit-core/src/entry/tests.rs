//! The grammar rule by rule: what breaks one is refused, at the right place and for that reason.

use proptest::prelude::*;

use super::EntryErrorKind as Kind;
use super::{Entry, EntryError, Parser, RawStr};
use crate::chain::{HASH_SUFFIX, Hash, MAX_LEAF, leaf_hash};
use crate::text::is_forbidden;

const UUID: &str = "01932c05-aa01-7000-8000-000000000001";
const TIME: &str = "2026-11-23T06:54:00.037000000Z";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A line with everything in it, its hash computed.
fn full() -> String {
    seal(&format!(
        r#"{{"seq":7,"audit_id":"{UUID}","timestamp":"{TIME}","service_id":"billing","event_type":"auth.failure","critical":true,"actor":{{"user_id":"größe \"q\" \\u{{1b}} 🔒","ip":"203.0.113.9","auth_method":"mtls","session_id":"s"}},"resource":{{"resource_type":"pool","resource_id":"p-1","parent_id":"n-1"}},"result":"partial","reason":"why","context":{{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","request_id":"r"}},"details":{{"n":-1.5e+9,"a":[1,[],{{}},{{"a":null}}],"b":true,"\ud83d\udd12":false}},"prev_hash":"{ZEROS}""#
    ))
}

fn with_details(details: &str) -> String {
    seal(&format!(
        r#"{{"seq":0,"audit_id":"{UUID}","timestamp":"{TIME}","service_id":"s","event_type":"a.b","result":"success","details":{details},"prev_hash":"{ZEROS}""#
    ))
}

fn seal(body: &str) -> String {
    format!(r#"{body},"hash":"{}"}}"#, leaf_hash(body.as_bytes()))
}

fn refused(line: &[u8]) -> EntryError {
    match Entry::parse(line) {
        Ok(_) => panic!("accepted: {}", line.escape_ascii()),
        Err(error) => error,
    }
}

#[test]
fn every_member_is_read() {
    let line = full();
    let entry = Entry::parse(line.as_bytes()).unwrap();
    assert_eq!(entry.seq(), 7);
    assert_eq!(entry.audit_id().to_string(), UUID);
    assert_eq!(entry.timestamp(), TIME);
    assert_eq!(entry.service_id().decode(), "billing");
    assert!(entry.is_critical());
    let actor = entry.actor().unwrap();
    assert_eq!(actor.user_id.decode(), "größe \"q\" \\u{1b} 🔒");
    assert_eq!(actor.session_id.map(RawStr::raw), Some("s"));
    assert_eq!(entry.resource().unwrap().parent_id.map(RawStr::raw), Some("n-1"));
    assert_eq!(entry.context().unwrap().span_id.map(RawStr::raw), Some("00f067aa0ba902b7"));
    assert_eq!(entry.reason().map(RawStr::raw), Some("why"));
    let details: serde_json::Value = serde_json::from_str(entry.details().unwrap()).unwrap();
    assert_eq!(details["\u{1f512}"], false);
    assert_eq!(entry.prev_hash(), Hash::ZERO);
    assert_eq!(entry.body().len(), line.len() - HASH_SUFFIX);
    assert!(entry.hash_matches());
}

#[test]
fn every_entry_of_the_healthy_vectors_is_accepted() {
    let mut parser = Parser::default();
    for segment in [
        &include_bytes!("../../../../fixtures/vectors/healthy/2026-11-23.audit")[..],
        include_bytes!("../../../../fixtures/vectors/healthy/2026-11-24.audit"),
    ] {
        for line in segment.trim_ascii_end().split(|byte| *byte == b'\n') {
            let entry = parser.parse(line).unwrap();
            assert!(entry.hash_matches(), "seq {}", entry.seq());
        }
    }
}

/// What to replace in [`full`], by what, the rule that breaks, and where in the replacement.
const VIOLATIONS: &[(&str, &str, Kind, usize)] = &[
    ("{\"seq\"", " {\"seq\"", Kind::Structure, 0),
    ("{\"seq\":7", "{\"seq\": 7", Kind::Value, 7),
    ("\"seq\":7", "\"seq\":07", Kind::Value, 6),
    ("\"seq\":7", "\"seq\":-7", Kind::Value, 6),
    ("\"seq\":7", "\"seq\":18446744073709551616", Kind::Value, 6),
    ("\"seq\":7", "\"seq\":7.0", Kind::Structure, 7),
    ("\"seq\":7", "\"seq\":\"7\"", Kind::Value, 6),
    (",\"audit_id\"", ",\"AUDIT_ID\"", Kind::Structure, 0),
    ("01932c05-", "01932C05-", Kind::Value, 5),
    ("-7000-", "-4000-", Kind::Value, 1),
    ("-8000-", "-c000-", Kind::Value, 1),
    ("2c05-aa01", "2c050aa01", Kind::Value, 4),
    ("000000000001\"", "00000000000\"", Kind::Value, 11),
    ("06:54:00.0", "06:54:00,0", Kind::Value, 8),
    ("037000000Z", "037000000+00:00", Kind::Value, 9),
    ("037000000Z", "037Z", Kind::Value, 3),
    ("T06:", "t06:", Kind::Value, 0),
    ("T06:", "T24:", Kind::Value, 1),
    (":54:", ":60:", Kind::Value, 1),
    (":00.", ":60.", Kind::Value, 1),
    ("2026-11-23", "2026-13-23", Kind::Value, 5),
    ("2026-11-23", "2026-00-23", Kind::Value, 5),
    ("2026-11-23", "2026-11-31", Kind::Value, 8),
    ("2026-11-23", "2026-11-00", Kind::Value, 8),
    ("2026-11-23", "2026-02-29", Kind::Value, 8),
    ("2026-11-23", "2100-02-29", Kind::Value, 8),
    ("\",\"service_id\":\"billing\",", "\",", Kind::Structure, 0),
    ("\"billing\"", "null", Kind::Structure, 0),
    ("auth.failure", "auth", Kind::Value, 4),
    ("auth.failure", "auth.", Kind::Value, 5),
    ("auth.failure", ".failure", Kind::Value, 0),
    ("auth.failure", "auth..failure", Kind::Value, 5),
    ("auth.failure", "Auth.failure", Kind::Value, 0),
    ("auth.failure", "auth.fail-ure", Kind::Value, 9),
    (":true,\"actor\"", ":false,\"actor\"", Kind::Value, 1),
    ("\"critical\":true,", "\"critical\":true,\"critical\":true,", Kind::Structure, 15),
    ("{\"user_id\"", "{\"user\"", Kind::Structure, 0),
    (
        "\"ip\":\"203.0.113.9\",\"auth_method\":\"mtls\"",
        "\"auth_method\":\"mtls\",\"ip\":\"203.0.113.9\"",
        Kind::Structure,
        20,
    ),
    ("\"session_id\":\"s\"", "\"session_id\":\"s\",\"x\":1", Kind::Structure, 16),
    ("\"session_id\":\"s\"", "\"session_id\":\"s\",\"session_id\":\"s\"", Kind::Structure, 16),
    ("\"result\":\"partial\"", "\"result\":\"partly\"", Kind::Value, 9),
    (",\"result\":\"partial\",", ",", Kind::Structure, 0),
    ("\"why\"", "\"why\",\"reason\":\"why\"", Kind::Structure, 5),
    ("why", "w\u{1b}hy", Kind::ForbiddenCharacter, 1),
    ("why", "w\u{202e}hy", Kind::ForbiddenCharacter, 1),
    ("why", "w\u{7f}hy", Kind::ForbiddenCharacter, 1),
    ("why", "w\u{e0041}hy", Kind::ForbiddenCharacter, 1),
    ("why", "w\\u001bhy", Kind::ForbiddenCharacter, 1),
    ("why", "w\\nhy", Kind::ForbiddenCharacter, 1),
    ("why", "w\\uD83F\\uDFFFhy", Kind::ForbiddenCharacter, 1),
    ("why", "w\\ud800hy", Kind::Structure, 1),
    ("why", "w\\ud800\\u0041hy", Kind::Structure, 1),
    ("why", "w\\udc00hy", Kind::Structure, 1),
    ("why", "w\\x41hy", Kind::Structure, 1),
    ("why", "w\\u00g1hy", Kind::Structure, 1),
    (",\"resource_id\":\"p-1\"", "", Kind::Structure, 0),
    ("\"resource_id\":\"p-1\"", "\"resource_id\":null", Kind::Structure, 14),
    ("{\"trace_id\"", "{,\"trace_id\"", Kind::Value, 1),
    ("\"4bf92f3577b34da6", "\"4BF92f3577b34da6", Kind::Value, 0),
    ("\"4bf92f3577b34da6", "\"bf92f3577b34da6", Kind::Value, 0),
    ("\"4bf92f3577b34da6", "\"\\u0034bf92f3577b34da6", Kind::Value, 0),
    ("\"00f067aa0ba902b7", "\"00f067aa0ba902b70", Kind::Value, 0),
    ("\"00f067aa0ba902b7", "\"00f067aa0ba902g7", Kind::Value, 0),
    ("\"00f067aa0ba902b7", "\"", Kind::Value, 0),
    (
        "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\",\"request_id\":\"r\"}",
        "{}",
        Kind::Value,
        1,
    ),
    ("-1.5e+9", "-1.5e+", Kind::Structure, 6),
    ("-1.5e+9", "01", Kind::Structure, 1),
    ("-1.5e+9", "+1", Kind::Structure, 0),
    ("-1.5e+9", "1.", Kind::Structure, 2),
    ("-1.5e+9", "NaN", Kind::Structure, 0),
    ("[1,[]", "[1 ,[]", Kind::Structure, 2),
    ("[1,[]", "[1,[],", Kind::Structure, 6),
    ("[1,[]", "[1,,[]", Kind::Structure, 3),
    ("[],{}", "[},{}", Kind::Structure, 1),
    ("\"b\":true", "\"a\":true", Kind::RepeatedMember, 1),
    ("\"b\":true", "\"\\u0061\":true", Kind::RepeatedMember, 1),
    ("\"b\":true", "\"🔒\":true", Kind::RepeatedMember, 9 + 4),
    ("\"b\":true", "\"b\":tru", Kind::Structure, 4),
    ("\"b\":true", "\"b\\u0000\":true", Kind::ForbiddenCharacter, 2),
    ("\"b\":true", "b:true", Kind::Structure, 0),
    ("\"b\":true", "\"b\":true,", Kind::Structure, 9),
    (",\"prev_hash\":\"0", ",\"prev_hash\":\"A", Kind::Value, 14),
    (",\"prev_hash\":\"0", ",\"prev_hash\":\"", Kind::Value, 14 + 63),
    (",\"prev_hash\":", ",\"zzz\":1,\"prev_hash\":", Kind::Structure, 0),
];

#[test]
fn every_violation_is_refused_where_it_stands() {
    let mut wrong = Vec::new();
    for (from, to, kind, offset) in VIOLATIONS {
        let line = full();
        let at = line.find(from).unwrap_or_else(|| panic!("{from} is not in the line"));
        let broken = line.replacen(from, to, 1);
        let error = refused(broken.as_bytes());
        // The second name of a pair is reported, which may be the one after the replacement.
        let expected =
            if to.starts_with("\"🔒\"") { broken.find("\\ud83d").unwrap() } else { at + offset };
        if (error.kind, error.offset) != (*kind, expected) {
            wrong.push(format!(
                "{to}: {error} ({:?}), {}",
                error.kind,
                error.offset as i64 - at as i64
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_end_of_the_line_is_the_end() {
    let line = full();
    for extra in ["\n", " ", "\r", "}", ",\"x\":1}", "\0"] {
        let error = refused(format!("{line}{extra}").as_bytes());
        assert_eq!((error.kind, error.offset), (Kind::Structure, line.len()), "{extra:?}");
    }
    for len in 0..line.len() {
        assert!(refused(&line.as_bytes()[..len]).offset <= len);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_and_quoted_harmlessly() {
    let mut line = full().into_bytes();
    let at = line.windows(3).position(|w| w == b"why").unwrap();
    line[at] = 0xff;
    let error = refused(&line);
    assert_eq!((error.kind, error.offset), (Kind::NotUtf8, at));
    assert!(error.to_string().is_ascii() && error.found.len() < 200, "{error}");
}

#[test]
fn details_nest_32_deep_and_no_deeper() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(Entry::parse(with_details(&nested(32)).as_bytes()).is_ok());
    assert_eq!(refused(with_details(&nested(33)).as_bytes()).kind, Kind::TooDeep);
    let arrays = format!("{{\"a\":{}", "[".repeat(60_000));
    assert_eq!(refused(with_details(&arrays).as_bytes()).kind, Kind::TooDeep);
    assert_eq!(refused(with_details("{}").as_bytes()).kind, Kind::Value);
}

#[test]
fn a_leaf_may_be_65535_bytes_and_no_more() {
    let overhead = with_details(r#"{"a":""}"#).len() - HASH_SUFFIX + 1;
    let longest = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_LEAF - overhead));
    assert!(Entry::parse(with_details(&longest).as_bytes()).is_ok());
    let longer = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_LEAF - overhead + 1));
    assert_eq!(refused(with_details(&longer).as_bytes()).kind, Kind::TooLong);
}

#[test]
fn a_repetition_among_many_members_is_found() {
    let mut members: Vec<String> = (0..5_000).map(|i| format!("\"m{i}\":1")).collect();
    let all = |members: &[String]| with_details(&format!("{{{}}}", members.join(",")));
    assert!(Entry::parse(all(&members).as_bytes()).is_ok());
    members.push(r#""\u006d2500":1"#.to_owned());
    let line = all(&members);
    let error = refused(line.as_bytes());
    assert_eq!(error.kind, Kind::RepeatedMember);
    assert_eq!(error.offset, line.find("\\u006d").unwrap());
}

#[test]
fn the_same_name_in_two_objects_is_no_repetition() {
    let line = with_details(r#"{"a":{"a":{"a":1},"b":[{"a":1},{"a":2}]},"b":1}"#);
    assert!(Entry::parse(line.as_bytes()).is_ok());
    let line = with_details(r#"{"a":{"b":1,"c":{"d":1},"b":2}}"#);
    assert_eq!(refused(line.as_bytes()).kind, Kind::RepeatedMember);
}

#[test]
fn a_warm_parser_allocates_nothing() {
    let line = full();
    let mut parser = Parser::default();
    parser.parse(line.as_bytes()).unwrap();
    let counted = allocation_counter::measure(|| {
        assert!(parser.parse(line.as_bytes()).unwrap().hash_matches());
    });
    assert_eq!(counted.count_total, 0);
}

fn undetected(line: &[u8]) -> bool {
    Entry::parse(line).is_ok_and(|entry| entry.hash_matches())
}

#[test]
fn every_flipped_bit_is_detected() {
    let line = full().into_bytes();
    for bit in 0..line.len() * 8 {
        let mut broken = line.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        assert!(!undetected(&broken), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn every_mutation_is_detected(at in 0..2_000_usize, cut in 0..4_usize, put in proptest::collection::vec(any::<u8>(), 0..4)) {
        let line = full().into_bytes();
        let at = at % line.len();
        let end = (at + cut).min(line.len());
        let mut broken = line.clone();
        broken.splice(at..end, put);
        prop_assume!(broken != line);
        prop_assert!(!undetected(&broken));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..1_000_usize) {
        prop_assert!(!undetected(&bytes));
        let mut line = full().into_bytes();
        let at = at % line.len();
        line.splice(at..at, bytes.iter().copied());
        prop_assert_eq!(undetected(&line), bytes.is_empty());
    }

    #[test]
    fn what_serde_writes_without_forbidden_characters_is_read_back(text in "\\PC*") {
        prop_assume!(!text.chars().any(is_forbidden));
        let line = with_details(&serde_json::json!({ "a": text, &text: {} }).to_string());
        prop_assume!(text != "a");
        prop_assert!(Entry::parse(line.as_bytes()).is_ok());
        let reason = line.replacen("\"details\"", &format!("\"reason\":{},\"details\"", serde_json::json!(text)), 1);
        let entry = Entry::parse(reason.as_bytes()).unwrap();
        prop_assert_eq!(entry.reason().unwrap().decode(), text);
    }
}

#[test]
fn the_set_is_the_one_of_the_format_page() {
    let count = (0..=0x10_ffff).filter_map(char::from_u32).filter(|&c| is_forbidden(c)).count();
    let controls = 32 + 33;
    let (separators, bidi, invisible) = (2, 3 + 5 + 4, 1 + 5 + 1 + 3 + 128);
    let non_characters = 32 + 17 * 2;
    assert_eq!(count, controls + separators + bidi + invisible + non_characters);
    for c in "\u{1b}\u{85}\u{7f}\u{202e}\u{200b}\u{feff}\u{ffff}\u{10fffe}\u{fdd0}".chars() {
        assert!(is_forbidden(c), "{c:?}");
    }
    for c in " ~\u{a0}é漢🔒\u{200c}\u{200d}\u{fffd}".chars() {
        assert!(!is_forbidden(c), "{c:?}");
    }
}

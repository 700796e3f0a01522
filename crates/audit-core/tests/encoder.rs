//! The encoder against values that mean harm or break the rules.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use audit_core::encode::{Details, EncodePolicy, Encoder};
use audit_core::event::{AuditEvent, ContextInfo, Event, InContext};
use audit_core::plan::MAX_BODY;
use audit_core::text::{is_forbidden, sanitize};
use common::{Unrepeated, With, body, body_with, detail, entry, one_of_each, parse, stamp};
use proptest::prelude::*;
use serde::ser::{Error, SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_forbidden_character_becomes_visible() {
    let forbidden: Vec<char> = ('\0'..=char::MAX).filter(|c| is_forbidden(*c)).collect();
    // 32 C0, DEL, 32 C1, 2 separators, 12 bidirectional, 12 + 128 invisible, 66 non-characters.
    assert_eq!(forbidden.len(), 32 + 1 + 32 + 2 + 12 + 10 + 128 + 66);
    for c in forbidden {
        let visible = format!("a\\u{{{:x}}}b", u32::from(c));
        assert_eq!(sanitize(&format!("a{c}b")), visible);
        assert_eq!(detail(&format!("a{c}b")), visible);
        let name = format!("a{c}b");
        let event = With(|details: &mut Details<'_>| details.field(&name, &1));
        assert_eq!(entry(&event)["details"], json!({ visible: 1 }));
    }
}

#[test]
fn harmless_text_is_borrowed_and_kept() {
    let text = "Ärger \u{200c}\u{200d} 日本語 🎉 \"quoted\" \\ back \u{a0}";
    assert!(matches!(sanitize(text), std::borrow::Cow::Borrowed(_)));
    assert_eq!(detail(&text), text);
}

#[test]
fn a_long_string_keeps_its_head_and_says_what_is_missing() {
    let limit = "ü".repeat(1024);
    assert_eq!(detail(&limit), limit);
    let long = format!("{limit}xy");
    let mark = format!("{limit}…[+2 bytes sha256:{}]", &sha256(&long)[..16]);
    assert_eq!(detail(&long), mark);
    let policy = EncodePolicy::default().with_string_limit(16);
    let event = With(|details: &mut Details<'_>| details.field("v", "0123456789abcdefGHI"));
    let mark =
        format!("0123456789abcdef…[+3 bytes sha256:{}]", &sha256("0123456789abcdefGHI")[..16]);
    assert_eq!(parse(&body_with(&policy, &event))["details"]["v"], mark);
}

#[test]
fn the_mark_of_a_cut_string_is_of_the_redacted_text() {
    let secret = format!("AKIAIOSFODNN7EXAMPLE {}", "x".repeat(2000));
    let redacted = secret.replace("AKIAIOSFODNN7EXAMPLE", "[redacted:aws_key]");
    let written = detail(&secret);
    assert!(written.as_str().unwrap().ends_with(&format!("sha256:{}]", &sha256(redacted)[..16])));
}

#[test]
fn coinciding_names_are_told_apart() {
    let event = With(|details: &mut Details<'_>| {
        for (i, name) in ["a", "a#2", "a", "a", "\u{1b}", "\\u{1b}"].iter().enumerate() {
            details.field(name, &i);
        }
    });
    let details = body(&event).split_once("\"details\":").unwrap().1.to_owned();
    assert_eq!(details, r#"{"a":0,"a#2":1,"a#3":2,"a#4":3,"\\u{1b}":4,"\\u{1b}#2":5}"#);
}

#[test]
fn coinciding_names_are_told_apart_among_many() {
    let event = With(|details: &mut Details<'_>| {
        for i in 0..100 {
            details.field(&format!("n{i}"), &i);
        }
        for name in ["a", "a#2", "a", "n5", "a"] {
            details.field(name, &0);
        }
    });
    assert!(body(&event).ends_with(r#""a":0,"a#2":0,"a#3":0,"n5#2":0,"a#4":0}"#));
}

#[test]
fn a_million_members_take_no_longer_than_they_should() {
    for name in [|_| "same".to_owned(), |i: u32| format!("name-{i}"), |i| format!("same#{i}")] {
        let event = With(|details: &mut Details<'_>| {
            for i in 0..1_000_000 {
                details.field(&name(i), &());
            }
        });
        let entry = entry(&event);
        assert_eq!(entry["details"]["oversize"], true);
    }
}

#[test]
fn details_that_do_not_fit_are_named_by_their_hash() {
    let big = vec!["x".repeat(1000); 100];
    let event = With(|details: &mut Details<'_>| details.field("v", &big));
    let object = json!({ "v": big }).to_string();
    let expected = json!({"oversize": true, "bytes": object.len(), "sha256": sha256(&object)});
    assert_eq!(entry(&event)["details"], expected);
}

#[test]
fn names_beyond_the_size_of_an_entry_are_written_and_not_remembered() {
    let object = |name: fn(u32) -> String| {
        let event = With(|details: &mut Details<'_>| {
            for i in 0..20_000 {
                details.field(&name(i), &());
            }
        });
        entry(&event)["details"].clone()
    };
    let whole = |name: &dyn Fn(u32) -> String| {
        let members: Vec<String> = (0..20_000).map(|i| format!("\"{}\":null", name(i))).collect();
        let whole = format!("{{{}}}", members.join(","));
        json!({"oversize": true, "bytes": whole.len(), "sha256": sha256(&whole)})
    };
    let distinct = |i| format!("name-{i}");
    assert_eq!(object(distinct), whole(&distinct));
    // The names that are told apart are those that begin within the body's limit.
    let head = body(&With(|_: &mut Details<'_>| {})).len() + r#","details":{"#.len();
    let mut end = head;
    let mut told_apart = 0;
    while end + r#",""#.len() <= MAX_BODY + usize::from(told_apart == 0) {
        told_apart += 1;
        let suffix = if told_apart == 1 { 0 } else { format!("#{told_apart}").len() };
        end += usize::from(told_apart > 1) + r#""same":null"#.len() + suffix;
    }
    let same = |i: u32| match i + 1 {
        1 => "same".to_owned(),
        n if n <= told_apart => format!("same#{n}"),
        _ => "same".to_owned(),
    };
    assert_eq!(object(|_| "same".to_owned()), whole(&same));
}

/// Every string of the entry as long and as expensive as it can be.
#[test]
fn an_entry_always_fits() {
    for limit in [16, 1024, 65_535] {
        let policy = EncodePolicy::default().with_string_limit(limit);
        for text in ["\u{10ffff}".repeat(40_000), "\\".repeat(70_000), "é".repeat(70_000)] {
            let line = json!({
                "event_type": "test.event",
                "actor": {"user_id": text, "ip": text, "auth_method": text, "session_id": text},
                "resource": {"resource_type": text, "resource_id": text, "parent_id": text},
                "reason": text,
                "context": {"request_id": text, "trace_id": text, "span_id": text},
                "details": {"a": text, "b": [text]},
            });
            let event =
                audit_core::event::GenericEvent::from_json_line(line.to_string().as_bytes());
            let body = body_with(&policy, &event.unwrap());
            assert!(parse(&body)["actor"]["user_id"].as_str().unwrap().contains("sha256:"));
        }
    }
}

#[test]
fn the_largest_body_that_fits_is_kept() {
    let policy = EncodePolicy::default().with_string_limit(65_535);
    let of = |length: usize| {
        let text = "x".repeat(length);
        body_with(&policy, &With(|details: &mut Details<'_>| details.field("v", &text)))
    };
    let overhead = of(10).len() - 10;
    assert_eq!(of(MAX_BODY - overhead).len(), MAX_BODY);
    assert!(of(MAX_BODY - overhead + 1).contains("\"oversize\":true"));
}

#[derive(Serialize)]
struct Nest(Vec<Nest>);

#[test]
fn deep_values_end_in_a_mark() {
    let mut nest = Nest(vec![]);
    for _ in 0..1000 {
        nest = Nest(vec![nest]);
    }
    let event = With(|details: &mut Details<'_>| details.field("v", &nest));
    let body = body(&event);
    assert!(body.contains(&format!("{}\"…[depth]\"{}", "[".repeat(31), "]".repeat(31))), "{body}");
    let details = body.split_once("\"details\":").unwrap().1;
    assert_eq!(serde_json::from_str::<Unrepeated>(details).unwrap().depth, 32);
}

#[test]
fn wrappers_without_end_do_not_exhaust_the_stack() {
    struct Wrapper;
    impl Serialize for Wrapper {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_some(&Wrapper)
        }
    }
    assert_eq!(detail(&Wrapper), "…[depth]");
}

/// A value that fails after it has written something.
struct Fails;

impl Serialize for Fails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("half", &[1, 2])?;
        Err(S::Error::custom("no \u{1b} luck"))
    }
}

#[test]
fn a_value_that_fails_is_replaced_and_harms_nothing_else() {
    let event = With(|details: &mut Details<'_>| {
        details.field("before", &1);
        details.field("list", &(Some(Fails), 2));
        details.field("half", &3);
    });
    let failed = r"…[unserializable: no \u{1b} luck]";
    let expected = json!({"before": 1, "list": [failed, 2], "half": 3});
    assert_eq!(entry(&event)["details"], expected);
}

#[test]
fn a_value_that_breaks_the_protocol_is_still_json() {
    struct Lies;
    impl Serialize for Lies {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(7))?;
            map.serialize_value(&1)?;
            map.serialize_key("a")?;
            map.serialize_key("b")?;
            map.serialize_value(&2)?;
            map.serialize_key(&[1])?;
            map.serialize_value(&3)?;
            map.serialize_key("last")?;
            map.end()
        }
    }
    let expected = json!({
        "": 1, "a": null, "b": 2,
        "…[unserializable: a map key must be a string or another scalar]": 3,
        "last": null,
    });
    assert_eq!(detail(&Lies), expected);
}

#[test]
fn a_panic_passes_through_and_leaves_the_encoder_usable() {
    let mut encoder = Encoder::default();
    let panics = With(|details: &mut Details<'_>| {
        details.field("a", &1);
        panic!("user code");
    });
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        encoder.encode(&EncodePolicy::default(), &stamp(), &panics).len()
    }));
    assert!(outcome.is_err());
    let fine = With(|details: &mut Details<'_>| details.field("a", &1));
    assert_eq!(encoder.encode(&EncodePolicy::default(), &stamp(), &fine), body(&fine).as_bytes());
}

#[test]
fn all_of_serde_s_kinds_are_written_as_serde_json_does() {
    #[derive(Serialize)]
    enum Kind {
        Unit,
        Newtype(u8),
        Tuple(u8, i8),
        Struct { a: char },
    }
    #[derive(Serialize)]
    struct Unit;
    let map = BTreeMap::from([(-1, Some(1.5)), (2, None)]);
    let keys = BTreeMap::from([(true, 'x')]);
    let all = (
        (Kind::Unit, Kind::Newtype(1), Kind::Tuple(1, -1), Kind::Struct { a: 'é' }),
        (Unit, (), map, keys, f32::MIN_POSITIVE, 0.1_f32, 0.1_f64, 1e300),
        (i64::MIN, u64::MAX, false, "ip".parse::<u8>().ok(), [0_u8; 0]),
    );
    let expected: Value = serde_json::from_str(&serde_json::to_string(&all).unwrap()).unwrap();
    assert_eq!(detail(&all), expected);
    assert_eq!(detail(&i128::MIN).as_f64(), Some(i128::MIN as f64));
}

#[test]
fn numbers_json_does_not_have_become_words() {
    assert_eq!(
        detail(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        json!(["NaN", "Infinity", "-Infinity"])
    );
    assert_eq!(detail(&f32::NAN), "NaN");
}

#[test]
fn bytes_are_written_as_hex() {
    struct Bytes(Vec<u8>);
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }
    assert_eq!(detail(&Bytes(vec![0, 0xab])), "00ab");
    let long = detail(&Bytes(vec![7; 600]));
    assert!(long.as_str().unwrap().contains("…[+88 bytes sha256:"), "{long}");
}

#[test]
fn timestamps_have_nine_digits_from_the_year_zero_on() {
    let of = |text: &str| {
        let mut event = one_of_each().swap_remove(0);
        if let AuditEvent::AuthSuccess { timestamp, .. } = &mut event {
            *timestamp = Some(text.parse().unwrap());
        }
        entry(&event)["timestamp"].as_str().unwrap().to_owned()
    };
    assert_eq!(of("2024-02-29T23:59:59.999999999Z"), "2024-02-29T23:59:59.999999999Z");
    assert_eq!(of("1969-12-31T23:59:59.000000001Z"), "1969-12-31T23:59:59.000000001Z");
    assert_eq!(of("1970-01-01T00:00:00+02:00"), "1969-12-31T22:00:00.000000000Z");
    assert_eq!(of("-000001-12-31T23:59:59Z"), "0000-01-01T00:00:00.000000000Z");
    assert_eq!(of("9999-12-30T22:00:00Z"), "9999-12-30T22:00:00.000000000Z");
    assert_eq!(entry(&one_of_each()[0])["timestamp"], "2026-11-23T06:54:00.001000000Z");
}

#[test]
fn ids_that_are_not_w3c_go_to_the_details() {
    let mut context = ContextInfo {
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        span_id: Some("00f067aa0ba902b7".into()),
        request_id: Some("r-1".into()),
    };
    let event = || one_of_each().swap_remove(16);
    let good = entry(&InContext { event: event(), context: context.clone() });
    assert_eq!(
        good["context"],
        json!({
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "span_id": "00f067aa0ba902b7",
            "request_id": "r-1",
        })
    );
    context.trace_id = Some("'; DROP".into());
    context.span_id = Some("00F067AA0BA902B7".into());
    context.request_id = None;
    let odd = entry(&InContext { event: event(), context });
    assert_eq!(odd.get("context"), None);
    assert_eq!(odd["details"], json!({"trace_id": "'; DROP", "span_id": "00F067AA0BA902B7"}));
}

#[test]
fn an_event_type_outside_the_grammar_is_bent_into_it() {
    struct Typed(&'static str);
    impl Event for Typed {
        fn event_type(&self) -> &str {
            self.0
        }
    }
    for (given, written) in [
        ("Invoice Approved\n", "malformed.invoice_approved_"),
        ("", "malformed._"),
        ("a..b", "malformed.a__b"),
        ("ok.fine", "ok.fine"),
    ] {
        assert_eq!(entry(&Typed(given))["event_type"], written);
    }
}

#[test]
fn steady_state_allocates_nothing() {
    let policy = EncodePolicy::default();
    let mut encoder = Encoder::default();
    let mut events = one_of_each();
    events.push(AuditEvent::auth_failure(
        Some("mallory\u{1b}[2J Bearer abc123def456 \"".repeat(100)),
        [1, 2, 3, 4].into(),
        "r",
        "/p",
    ));
    let stamp = stamp();
    for event in &events {
        encoder.encode(&policy, &stamp, event);
    }
    for event in &events {
        let measured = allocation_counter::measure(|| {
            encoder.encode(&policy, &stamp, event);
        });
        assert_eq!(measured.count_total, 0, "{}", event.event_type());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[\u{0}-\u{9f}\u{200b}-\u{206f}\u{feff}\u{fdd0}\"\\\\{}]{0,12}",
        "(a|b|token|#2|\u{1b}){0,3}",
        "[0-9 -]{10,24}",
        "[eyJAKI_x. -]{10,40}",
    ];
    let leaf = prop_oneof![
        text.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(40, 200, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..8).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_yields_a_strict_entry(value in any_json(), name in any::<String>()) {
        let event = With(|details: &mut Details<'_>| {
            details.field(&name, &value);
            details.field(&sanitize(&name), &name);
        });
        let body = body(&event);
        let whole = format!("{{{body}}}");
        let checked: Unrepeated = serde_json::from_str(&whole).unwrap();
        prop_assert!(checked.depth <= 33);
        // As JSON text, the same value is written the same way.
        let text = serde_json::json!({ &name: &value }).to_string();
        let members = audit_core::json::JsonObject::parse(&text).unwrap();
        let from_text = With(|details: &mut Details<'_>| details.members(&members));
        let from_value = With(|details: &mut Details<'_>| details.field(&name, &value));
        prop_assert_eq!(common::body(&from_text), common::body(&from_value));
    }

    #[test]
    fn sanitized_text_is_clean_and_stays_the_same(text in any::<String>()) {
        let once = sanitize(&text).into_owned();
        prop_assert!(!once.chars().any(is_forbidden));
        prop_assert_eq!(sanitize(&once).into_owned(), once);
    }
}

/// Sequences and structures that announce another length than they have.
#[test]
fn announced_lengths_are_not_believed() {
    struct Lengths;
    impl Serialize for Lengths {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            struct Seq;
            impl Serialize for Seq {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let mut seq = serializer.serialize_seq(Some(usize::MAX))?;
                    seq.serialize_element(&1)?;
                    seq.end()
                }
            }
            let mut object = serializer.serialize_struct("x", usize::MAX)?;
            object.serialize_field("seq", &Seq)?;
            object.serialize_field("seq", &Seq)?;
            object.end()
        }
    }
    assert_eq!(detail(&Lengths), json!({"seq": [1], "seq#2": [1]}));
}

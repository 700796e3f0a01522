//! Events read from lines of JSON, and made by code without a type of their own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use audit_core::event::event_type::EventTypeError;
use audit_core::event::{
    ActorInfo, AuditResult, AuthMethod, ContextInfo, GenericEvent, InputError, Problem,
    ResourceInfo,
};
use serde_json::{Value, json};

fn read(line: &str) -> GenericEvent {
    GenericEvent::from_json_line(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn refused(line: &str) -> InputError {
    GenericEvent::from_json_line(line.as_bytes()).unwrap_err()
}

/// The entry without what the logger adds.
fn written(line: &str) -> Value {
    let mut entry = common::entry(&read(line));
    let object = entry.as_object_mut().unwrap();
    for stamp in ["audit_id", "service_id"] {
        object.remove(stamp);
    }
    entry
}

fn details(line: &str) -> String {
    let body = common::body(&read(line));
    body.split_once("\"details\":").unwrap().1.to_owned()
}

#[test]
fn a_full_line_becomes_a_full_entry() {
    let line = r#" { "timestamp" : "2026-01-02T03:04:05+01:00", "event_type":"invoice.approved",
        "critical":true, "actor":{"session_id":"s","user_id":"alice","auth_method":"fax","ip":"::1"},
        "resource":{"resource_type":"invoice","resource_id":118,"parent_id":"y"},
        "result":"partial", "reason":"half", "context":{"request_id":"r"},
        "details":{ "amount" : 1.50 , "list":[ ] } } "#;
    let expected = json!({
        "timestamp": "2026-01-02T02:04:05.000000000Z",
        "event_type": "invoice.approved",
        "critical": true,
        "actor": {"user_id": "alice", "ip": "::1", "auth_method": "fax", "session_id": "s"},
        "resource": {"resource_type": "invoice", "resource_id": "118", "parent_id": "y"},
        "result": "partial",
        "reason": "half",
        "context": {"request_id": "r"},
        "details": {"amount": 1.5, "list": []},
    });
    assert_eq!(written(line), expected);
    assert_eq!(details(line), r#"{"amount":1.50,"list":[]}"#);
}

#[test]
fn a_built_in_type_keeps_its_criticality_and_result() {
    let failure = written(r#"{"event_type":"auth.failure","critical":false}"#);
    assert_eq!(failure["critical"], true);
    assert_eq!(failure["result"], "failure");
    let given = written(r#"{"event_type":"auth.failure","result":"success"}"#);
    assert_eq!(given["result"], "success");
    let own = written(r#"{"event_type":"a.b","actor":null,"details":{}}"#);
    let expected = json!({"timestamp": "2026-11-23T06:54:00.001000000Z", "event_type": "a.b", "result": "success"});
    assert_eq!(own, expected);
}

#[test]
fn actors_known_in_part() {
    // How they proved it is not said, so it is not recorded: an entry invents no evidence.
    let id = written(r#"{"event_type":"a.b","actor":{"user_id":"worker-1"}}"#);
    assert_eq!(id["actor"], json!({"user_id": "worker-1"}));
    let known = written(r#"{"event_type":"task.completed","actor":{"user_id":"worker-1"}}"#);
    assert_eq!(known["actor"], json!({"user_id": "worker-1"}));
    let ip = written(r#"{"event_type":"a.b","actor":{"ip":"not an address"}}"#);
    assert_eq!(ip["actor"], json!({"user_id": "unknown", "ip": "not an address"}));
    let session = written(r#"{"event_type":"a.b","actor":{"session_id":7}}"#);
    assert_eq!(session["actor"], json!({"user_id": "unknown", "session_id": "7"}));
    let built = GenericEvent::new("a.b").unwrap().actor(ActorInfo::internal("worker-1"));
    let expected = json!({"user_id": "worker-1", "auth_method": "internal"});
    assert_eq!(common::entry(&built)["actor"], expected);
}

#[test]
fn resources_known_in_part() {
    let resource = |members: &str| {
        written(&format!(r#"{{"event_type":"a.b","resource":{{{members}}}}}"#))["resource"].clone()
    };
    let kind = json!({"resource_type": "invoice", "resource_id": "unknown"});
    assert_eq!(resource(r#""resource_type":"invoice""#), kind);
    assert_eq!(resource(r#""resource_type":"invoice","resource_id":null"#), kind);
    let id = json!({"resource_type": "unknown", "resource_id": "118"});
    assert_eq!(resource(r#""resource_id":118"#), id);
    let parent = json!({"resource_type": "unknown", "resource_id": "unknown", "parent_id": "y"});
    assert_eq!(resource(r#""parent_id":"y""#), parent);
}

#[test]
fn objects_that_say_nothing_are_left_out() {
    for empty in ["{}", r#"{"ID":null}"#] {
        let member = |name: &str, id: &str| format!(r#""{name}":{}"#, empty.replace("ID", id));
        let line = format!(
            r#"{{"event_type":"a.b",{},{},{},"details":{{}}}}"#,
            member("actor", "user_id"),
            member("resource", "resource_id"),
            member("context", "request_id"),
        );
        let bare = json!({"timestamp": "2026-11-23T06:54:00.001000000Z", "event_type": "a.b", "result": "success"});
        assert_eq!(written(&line), bare);
    }
}

/// Whatever a line leaves out, the entry is one that the strict reader takes.
#[test]
fn what_is_written_is_read_back_strictly() {
    for members in [
        r#""actor":{"ip":"x"},"resource":{"parent_id":"p"},"context":{}"#,
        r#""actor":{},"resource":{},"context":{"trace_id":"not hex"}"#,
        r#""context":{"request_id":"r"},"details":{"a":{}}"#,
    ] {
        let body = common::body(&read(&format!(r#"{{"event_type":"a.b",{members}}}"#)));
        let (mut line, mut head) = (Vec::new(), audit_core::chain::Head::EMPTY);
        audit_core::plan::append_line(&mut line, &mut head, body.as_bytes());
        let line = line.strip_suffix(b"\n").unwrap();
        let entry = audit_core::entry::Entry::parse(line);
        assert!(entry.is_ok_and(|entry| entry.hash_matches()), "{members}");
    }
}

#[test]
fn times_beyond_the_clock_keep_no_event_out() {
    for (time, expected) in [
        ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.999999999Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000000Z"),
        ("0000-01-01T00:00:00+12:00", "0000-01-01T00:00:00.000000000Z"),
    ] {
        let line = format!(r#"{{"event_type":"a.b","timestamp":"{time}"}}"#);
        assert_eq!(written(&line)["timestamp"], expected);
    }
}

#[test]
fn what_strings_hold_never_refuses_an_event() {
    let line = r#"{"event_type":"a.b","actor":{"user_id":"\u001b[2J\ud800x\udc00\ud83d\ude00"},
        "reason":"\u202e\b\f\n\r\t\/","details":{"\ud800":"\ud800\u0041","\\u{d800}":1}}"#;
    let entry = written(line);
    assert_eq!(entry["actor"]["user_id"], "\\u{1b}[2J\\u{d800}x\\u{dc00}😀");
    assert_eq!(entry["reason"], r"\u{202e}\u{8}\u{c}\u{a}\u{d}\u{9}/");
    assert_eq!(entry["details"], json!({r"\u{d800}": r"\u{d800}A", r"\u{d800}#2": 1}));
}

#[test]
fn raw_control_characters_are_as_good_as_escaped_ones() {
    for c in '\0'..' ' {
        let line = |c: &str| {
            format!(
                r#"{{"event_type":"a.b","actor":{{"user_id":"x{c}"}},"reason":"{c}\u0041{c}","details":{{"n{c}":["{c}"]}}}}"#
            )
        };
        let visible = format!("\\u{{{:x}}}", u32::from(c));
        let entry = written(&line(&c.to_string()));
        assert_eq!(entry, written(&line(&format!("\\u{:04x}", u32::from(c)))));
        assert_eq!(entry["actor"]["user_id"], format!("x{visible}"));
        assert_eq!(entry["reason"], format!("{visible}A{visible}"));
        assert_eq!(entry["details"], json!({ format!("n{visible}"): [visible] }));
    }
}

#[test]
fn numbers_and_repetitions_are_kept_as_written() {
    let line = r#"{"event_type":"a.b","details":{"n":1.10,"n":-0,"big":123456789012345678901234567890,"e":1E+2,"o":{"x":1,"x":2}}}"#;
    let expected =
        r#"{"n":1.10,"n#2":-0,"big":123456789012345678901234567890,"e":1E+2,"o":{"x":1,"x#2":2}}"#;
    assert_eq!(details(line), expected);
}

#[test]
fn any_depth_is_fine() {
    for depth in [40, 1_000, 1_000_000] {
        let line = format!(
            r#"{{"event_type":"a.b","details":{{"v":{}{}}}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let expected = format!(r#"{{"v":{}"…[depth]"{}}}"#, "[".repeat(31), "]".repeat(31));
        assert_eq!(details(&line), expected);
        let line = format!(
            r#"{{"event_type":"a.b","details":{{"v":{}1{}}}}}"#,
            r#"{"a":"#.repeat(depth),
            "}".repeat(depth)
        );
        assert!(details(&line).contains(r#"{"a":"…[depth]"}"#));
    }
}

#[test]
fn thirty_two_levels_are_kept() {
    let line = format!(
        r#"{{"event_type":"a.b","details":{{"v":{}1{}}}}}"#,
        "[".repeat(31),
        "]".repeat(31)
    );
    assert!(details(&line).contains("[1]"));
}

#[test]
fn ten_megabytes_are_named_by_their_hash() {
    let mut line = r#"{"event_type":"a.b","details":{"v":["#.to_owned();
    line.push_str(&vec!["\"0123456789\\u001b\""; 600_000].join(", "));
    line.push_str("]}}");
    assert!(line.len() > 10_000_000);
    let details = &written(&line)["details"];
    assert_eq!(details["oversize"], true);
    assert_eq!(
        details["bytes"],
        600_000 * "\"0123456789\\\\u{1b}\",".len() - 1 + r#"{"v":[]}"#.len()
    );
}

#[test]
fn a_million_names_are_told_apart() {
    let members = vec![r#""k":1"#; 1_000_000].join(",");
    let line = format!(r#"{{"event_type":"a.b","details":{{{members}}}}}"#);
    assert_eq!(written(&line)["details"]["oversize"], true);
}

#[test]
fn errors_say_where_and_what() {
    let wrong = |name, expected| Problem::WrongType { name, expected };
    let not_json = |expected| Problem::NotJson { expected };
    let cases = [
        ("", 0, not_json("an object")),
        ("[]", 0, not_json("an object")),
        ("nonsense", 0, not_json("an object")),
        (r#"{"event_type":"a.b"} x"#, 21, not_json("the end of the line")),
        (r#"{"event_type":"a.b""#, 19, not_json("`,` or `}`")),
        (r#"{"event_type":"a.b",}"#, 20, not_json("a member's name")),
        (r#"{"event_type" "a.b"}"#, 14, not_json("`:`")),
        (r#"{"event_type":"a.b","details":{"x":[1,]}}"#, 38, not_json("a value")),
        (r#"{"event_type":"a.b","details":{"x":01}}"#, 36, not_json("`,` or `}`")),
        (r#"{"event_type":"a.b","details":{"x":1.}}"#, 37, not_json("a digit")),
        (r#"{"event_type":"a.b","details":{"x":tru}}"#, 35, not_json("a value")),
        (r#"{"event_type":"a.b","reason":"\x"}"#, 31, not_json("one of \"\\/bfnrtu")),
        (r#"{"event_type":"a.b","reason":"\u12"}"#, 31, not_json("`u` and four hex digits")),
        ("{\"event_type\":\"a.\tb\"}", 14, Problem::EventType(EventTypeError::Malformed)),
        ("{\"event_type\":\"a.b\",\u{1}}", 20, not_json("a member's name")),
        (r#"{"event_type":"a.b"#, 18, not_json("`\"` at the end of the string")),
        (r#"{"event_type":7}"#, 14, wrong("event_type", "a string")),
        (r#"{"event_type":"a.b","details":[]}"#, 30, wrong("details", "an object")),
        (r#"{"event_type":"a.b","actor":"bob"}"#, 28, wrong("actor", "an object")),
        (r#"{"event_type":"a.b","actor":{"ip":1}}"#, 34, wrong("ip", "a string")),
        (r#"{"event_type":"a.b","critical":1}"#, 31, wrong("critical", "true or false")),
        (
            r#"{"event_type":"a.b","result":"ok"}"#,
            29,
            wrong("result", "\"success\", \"failure\" or \"partial\""),
        ),
        (r#"{"event_type":"a.b","timestamp":"noon"}"#, 32, Problem::Timestamp),
        (r#"{}"#, 0, Problem::EventTypeMissing),
        (r#"{"event_type":"Login"}"#, 14, Problem::EventType(EventTypeError::Malformed)),
        (r#"{"event_type":"audit.closed"}"#, 14, Problem::EventType(EventTypeError::Reserved)),
        (
            r#"{"event_type":"a.b","event_type":"a.c"}"#,
            20,
            Problem::RepeatedMember { name: "event_type" },
        ),
        (
            r#"{"event_type":"a.b","actor":{"name":"x"}}"#,
            29,
            Problem::UnknownMember {
                name: "name".into(),
                expected: "user_id, ip, auth_method or session_id",
            },
        ),
    ];
    for (line, offset, problem) in cases {
        assert_eq!(refused(line), InputError { offset, problem }, "{line}");
    }
    let long = format!(r#"{{"event_type":"a.{}"}}"#, "b".repeat(127));
    assert_eq!(refused(&long).problem, Problem::EventType(EventTypeError::TooLong));
    assert!(matches!(
        refused(r#"{"event_type":"a.b","seq":1}"#),
        InputError { offset: 20, problem: Problem::UnknownMember { name, .. } } if name == "seq"
    ));
    let not_utf8 = GenericEvent::from_json_line(b"{\"event_type\":\"a.b\xff\"}").unwrap_err();
    assert_eq!(not_utf8, InputError { offset: 18, problem: Problem::NotUtf8 });
    assert_eq!(not_utf8.to_string(), "byte 18: not UTF-8");
}

#[test]
fn events_are_made_by_code() {
    let event = GenericEvent::new("invoice.approved")
        .unwrap()
        .actor(ActorInfo::new("alice", AuthMethod::Saml).with_ip([10, 0, 0, 1]))
        .resource(ResourceInfo::new("invoice", "118"))
        .result(AuditResult::partial("half"))
        .context(ContextInfo { request_id: Some("r".into()), ..ContextInfo::default() })
        .critical(true)
        .at("2026-01-02T03:04:05Z".parse().unwrap())
        .detail("amount", &12)
        .detail("amount", &[1.5]);
    let expected = concat!(
        r#""audit_id":"01932c05-aa01-7000-8000-000000000001","#,
        r#""timestamp":"2026-01-02T03:04:05.000000000Z","service_id":"billing-api","#,
        r#""event_type":"invoice.approved","critical":true,"#,
        r#""actor":{"user_id":"alice","ip":"10.0.0.1","auth_method":"saml"},"#,
        r#""resource":{"resource_type":"invoice","resource_id":"118"},"#,
        r#""result":"partial","reason":"half","context":{"request_id":"r"},"#,
        r#""details":{"amount":12,"amount#2":[1.5]}"#,
    );
    assert_eq!(common::body(&event), expected);
    assert_eq!(GenericEvent::new("audit.x"), Err(EventTypeError::Reserved));
}

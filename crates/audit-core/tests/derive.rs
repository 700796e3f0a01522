//! `#[derive(AuditEvent)]` on a user's own types: what it makes, and what it refuses.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::net::IpAddr;

use audit_core::event::schema::json_schema;
use audit_core::event::{
    ActorInfo, AuditEvent, AuditResult, AuthMethod, Describe, JsonType, Outcome, Presence,
    ResourceInfo, catalogue,
};
use audit_core::text::fingerprint::{Fingerprint, KeyTooShort};
use serde::Serialize;
use serde_json::{Value, json};

/// Somebody approved an invoice.
///
/// More about it.
#[derive(AuditEvent)]
#[audit(crate = audit_core, type = "invoice.approved", critical, constructors)]
struct InvoiceApproved<T: Serialize> {
    #[audit(actor)]
    by: Option<ActorInfo>,
    #[audit(resource)]
    invoice: ResourceInfo,
    #[audit(result)]
    outcome: AuditResult,
    #[audit(reason)]
    why: Option<String>,
    #[audit(trace_id)]
    trace: Option<String>,
    #[audit(request_id)]
    request: u64,
    timestamp: Option<jiff::Timestamp>,
    #[audit(skip)]
    #[allow(dead_code, reason = "not recorded")]
    internal: u8,
    #[audit(rename = "amount", json = integer)]
    cents: T,
    tags: Vec<String>,
    r#type: Option<bool>,
}

/// Records of patients.
#[derive(AuditEvent)]
#[audit(crate = audit_core)]
enum Patient {
    /// Looked at.
    #[audit(type = "patient.viewed")]
    Viewed {
        #[audit(actor_id)]
        nurse: Option<String>,
        #[audit(actor_ip)]
        from: Option<IpAddr>,
        #[audit(resource_id("patient"))]
        id: u32,
        #[audit(parent_id)]
        ward: Option<&'static str>,
    },
    /// The archive is full.
    #[audit(type = "patient.archive_full", result = partial)]
    ArchiveFull,
}

fn approved() -> InvoiceApproved<u64> {
    InvoiceApproved {
        by: None,
        invoice: ResourceInfo::new("invoice", "118"),
        outcome: AuditResult::failure("limit"),
        why: None,
        trace: None,
        request: 7,
        timestamp: None,
        internal: 9,
        cents: 5,
        tags: vec!["a".into()],
        r#type: None,
    }
}

#[test]
fn fields_go_where_their_roles_say() {
    let entry = common::entry(&approved());
    let expected = json!({
        "audit_id": "01932c05-aa01-7000-8000-000000000001",
        "timestamp": "2026-11-23T06:54:00.001000000Z",
        "service_id": "billing-api",
        "event_type": "invoice.approved",
        "critical": true,
        "resource": {"resource_type": "invoice", "resource_id": "118"},
        "result": "failure",
        "reason": "limit",
        "context": {"request_id": "7"},
        "details": {"amount": 5, "tags": ["a"]},
    });
    assert_eq!(entry, expected);
}

#[test]
fn a_reason_of_its_own_wins_over_that_of_the_result() {
    let mut event = InvoiceApproved::new(
        Some(ActorInfo::new("alice", AuthMethod::Oidc)),
        ResourceInfo::new("invoice", "118"),
        AuditResult::failure("limit"),
        Some("over the limit".into()),
        Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        7,
        0,
        5_u8,
        vec![],
        Some(true),
    );
    event.timestamp = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let entry = common::entry(&event);
    assert_eq!(entry["reason"], "over the limit");
    assert_eq!(entry["actor"], json!({"user_id": "alice", "auth_method": "oidc"}));
    assert_eq!(entry["timestamp"], "2026-01-01T00:00:00.000000000Z");
    assert_eq!(entry["details"], json!({"amount": 5, "tags": [], "type": true}));
    assert_eq!(entry["context"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

/// The trail's own entries are declared like any other event.
#[test]
fn the_library_declares_control_entries() {
    #[derive(AuditEvent)]
    #[audit(crate = audit_core, type = "audit.heartbeat", control)]
    struct Heartbeat {
        entries: u64,
    }
    let entry = common::entry(&Heartbeat { entries: 3 });
    assert_eq!(entry["event_type"], "audit.heartbeat");
    assert_eq!(entry["details"], json!({"entries": 3}));
}

#[test]
fn variants_of_an_enum_are_events() {
    let viewed = |nurse: Option<&str>, from: Option<[u8; 4]>| Patient::Viewed {
        nurse: nurse.map(str::to_owned),
        from: from.map(IpAddr::from),
        id: 7,
        ward: Some("w"),
    };
    let actor = |event: &Patient| common::entry(event).get("actor").cloned();
    let internal = json!({"user_id": "n", "auth_method": "internal"});
    assert_eq!(actor(&viewed(Some("n"), None)), Some(internal));
    let unknown = json!({"user_id": "unknown", "ip": "10.0.0.1"});
    assert_eq!(actor(&viewed(None, Some([10, 0, 0, 1]))), Some(unknown));
    let claimed = json!({"user_id": "n", "ip": "10.0.0.1"});
    assert_eq!(actor(&viewed(Some("n"), Some([10, 0, 0, 1]))), Some(claimed));
    assert_eq!(actor(&viewed(None, None)), None);
    let patient = json!({"resource_type": "patient", "resource_id": "7", "parent_id": "w"});
    assert_eq!(common::entry(&viewed(None, None))["resource"], patient);
    assert_eq!(common::entry(&Patient::ArchiveFull)["result"], "partial");
}

#[test]
fn a_resource_known_in_part_loses_nothing() {
    #[derive(AuditEvent)]
    #[audit(crate = audit_core, type = "bed.moved")]
    struct Moved {
        #[audit(resource_id("bed"))]
        bed: Option<u32>,
        #[audit(parent_id)]
        ward: Option<&'static str>,
    }
    #[derive(AuditEvent)]
    #[audit(crate = audit_core, type = "thing.moved")]
    struct Thing {
        #[audit(resource_type)]
        kind: Option<&'static str>,
        #[audit(resource_id)]
        id: Option<u32>,
    }
    let resource = |event: &dyn audit_core::event::Event| {
        common::entry(&event).get("resource").map(|resource| {
            let text = |name: &str| resource[name].as_str().unwrap_or("-").to_owned();
            [text("resource_type"), text("resource_id"), text("parent_id")].join(" ")
        })
    };
    assert_eq!(resource(&Moved { bed: None, ward: None }), None);
    let in_ward = resource(&Moved { bed: None, ward: Some("w") });
    assert_eq!(in_ward.as_deref(), Some("bed unknown w"));
    assert_eq!(resource(&Thing { kind: None, id: None }), None);
    let of_kind = resource(&Thing { kind: Some("pump"), id: None });
    assert_eq!(of_kind.as_deref(), Some("pump unknown -"));
    let unknown = resource(&Thing { kind: None, id: Some(7) });
    assert_eq!(unknown.as_deref(), Some("unknown 7 -"));
}

#[test]
fn what_is_declared_is_described() {
    let [invoice] = InvoiceApproved::<u64>::EVENTS else { panic!("one event") };
    assert_eq!(invoice.event_type, "invoice.approved");
    assert_eq!(invoice.summary, "Somebody approved an invoice.");
    assert!(invoice.critical);
    assert_eq!(invoice.result, None);
    assert_eq!((invoice.actor, invoice.resource), (Presence::Optional, Presence::Always));
    let details: Vec<_> = invoice.details.iter().map(|d| (d.name, d.json, d.optional)).collect();
    assert_eq!(
        details,
        [
            ("amount", JsonType::Integer, false),
            ("tags", JsonType::Array(&JsonType::String), false),
            ("type", JsonType::Boolean, true),
        ]
    );
    let [viewed, full] = Patient::EVENTS else { panic!("two events") };
    assert_eq!((viewed.actor, viewed.resource_type), (Presence::Optional, Some("patient")));
    assert_eq!((full.result, full.resource), (Some(Outcome::Partial), Presence::Never));
}

/// As far as the schemas here go: `$ref`, `const`, `enum`, `anyOf`, types, properties.
fn validates(schema: &Value, value: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return schema == &json!(true) };
    schema.iter().all(|(keyword, rule)| match keyword.as_str() {
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "anyOf" => rule.as_array().unwrap().iter().any(|any| validates(any, value)),
        "type" => {
            let is = |name: &Value| match name.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "boolean" => value.is_boolean(),
                other => panic!("{other}"),
            };
            rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
        }
        "required" => {
            rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "items" => {
            value.as_array().is_none_or(|items| items.iter().all(|item| validates(rule, item)))
        }
        "properties" => rule
            .as_object()
            .unwrap()
            .iter()
            .all(|(name, rule)| value.get(name).is_none_or(|value| validates(rule, value))),
        "additionalProperties" => {
            value.as_object().unwrap().keys().all(|name| schema["properties"].get(name).is_some())
        }
        _ => true,
    })
}

#[test]
fn every_entry_validates_against_the_schema_of_its_type_only() {
    let events: Vec<_> = [catalogue(), InvoiceApproved::<u64>::EVENTS, Patient::EVENTS].concat();
    let schema = json_schema(&events);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let definitions = schema["$defs"].as_object().unwrap();
    assert_eq!(definitions.len(), 38);
    let mut bodies: Vec<_> = common::one_of_each().iter().map(common::body).collect();
    bodies.push(common::body(&approved()));
    bodies.push(common::body(&Patient::ArchiveFull));
    for body in bodies {
        let hash = "0".repeat(64);
        let line = format!(r#""seq":0,{body},"prev_hash":"{hash}","hash":"{hash}""#);
        let mut entry = common::parse(&line);
        let valid: Vec<_> =
            definitions.iter().filter(|(_, schema)| validates(schema, &entry)).collect();
        assert_eq!(valid.len(), 1, "{entry}");
        assert_eq!(entry["event_type"], *valid[0].0);
        entry["surprise"] = 1.into();
        assert!(!validates(valid[0].1, &entry));
    }
}

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/derive/*.rs");
}

#[test]
fn fingerprints_need_a_key_and_do_not_show_it() {
    assert_eq!(Fingerprint::new(&[7; 15]).unwrap_err(), KeyTooShort { length: 15 });
    let one = Fingerprint::new(&[7; 16]).unwrap();
    let other = Fingerprint::new(&[8; 16]).unwrap();
    let text = one.of("token");
    assert_eq!(text.len(), 3 + 32);
    assert_eq!(text, one.of(b"token"));
    assert_ne!(text, one.of("token2"));
    assert_ne!(text, other.of("token"));
    assert_eq!(format!("{one:?}"), "Fingerprint { .. }");
}

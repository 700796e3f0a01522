//! What the encoder's tests share: fixed stamps, one event of every kind, and a view of a body as
//! the JSON object it is part of.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::IpAddr;

use audit_core::encode::{EncodePolicy, Encoder, Stamp};
use audit_core::event::{
    ActorInfo, AuditEvent, AuditResult, AuthMethod, Event, ResourceInfo, Severity,
};
use audit_core::plan::MAX_BODY;
use audit_core::text::is_forbidden;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn stamp() -> Stamp<'static> {
    Stamp {
        audit_id: Uuid::from_u128(0x01932c05_aa01_7000_8000_000000000001),
        now: "2026-11-23T06:54:00.001Z".parse().unwrap(),
        service_id: "billing-api",
    }
}

/// The body as text, after checking what every body must be.
pub(crate) fn body_with<E: Event>(policy: &EncodePolicy, event: &E) -> String {
    let body = Encoder::default().encode(policy, &stamp(), event).to_vec();
    assert!(body.len() <= MAX_BODY, "{} bytes", body.len());
    let body = String::from_utf8(body).unwrap();
    assert_eq!(body.chars().find(|c| is_forbidden(*c)), None);
    body
}

pub(crate) fn body<E: Event>(event: &E) -> String {
    body_with(&EncodePolicy::default(), event)
}

pub(crate) fn parse(body: &str) -> Value {
    serde_json::from_str(&format!("{{{body}}}")).unwrap_or_else(|e| panic!("{e}: {body}"))
}

pub(crate) fn entry<E: Event>(event: &E) -> Value {
    parse(&body(event))
}

/// One of each built-in event, in the order of the catalogue.
pub(crate) fn one_of_each() -> Vec<AuditEvent> {
    let alice = || {
        ActorInfo::new("alice", AuthMethod::Oidc).with_ip([203, 0, 113, 7]).with_session("sess-1")
    };
    let ip = || IpAddr::from([203, 0, 113, 9]);
    let file = || ResourceInfo::new("file", "f-1").with_parent("folder-2");
    let s = |text: &str| text.to_owned();
    let list = |texts: &[&str]| texts.iter().map(|t| s(t)).collect::<Vec<_>>();
    use AuditEvent as E;
    vec![
        E::auth_success(alice(), AuthMethod::Oidc, "/login"),
        E::auth_failure(Some(s("mallory")), ip(), "invalid_token", "/v2/tasks"),
        E::token_created(
            alice(),
            "fp:00",
            list(&["read", "write"]),
            Some("2027-01-01T00:00:00Z".parse().unwrap()),
        ),
        E::token_revoked(alice(), "fp:00", "leaked"),
        E::authorization_granted(alice(), file(), "read"),
        E::authorization_denied(alice(), file(), "no_grant", "write"),
        E::permission_changed(alice(), "bob", list(&["read"]), list(&["read", "write"])),
        E::pool_created(alice(), "pool-1", "node-1", "llama", 2, vec![0, 1]),
        E::pool_deleted(alice(), "pool-1", "node-1", "unused", "llama", 2),
        E::pool_modified(alice(), "pool-1", json!({"replicas": [1, 2]})),
        E::node_registered(alice(), "node-1", 4, 96, list(&["cuda"])),
        E::node_deregistered(alice(), "node-1", "retired", list(&["pool-1"])),
        E::task_submitted(alice(), "task-1", "llama", 120, "ab12", 256),
        E::task_completed("worker-1", "task-1", AuditResult::partial("stopped early"), 99, 1200),
        E::task_canceled(alice(), "task-1", "by_user"),
        E::vram_sealed("worker-1", "shard-1", 0, 1 << 30, "ab12"),
        E::seal_verified("worker-1", "shard-1"),
        E::seal_verification_failed(
            "worker-1",
            "shard-1",
            "digest_differs",
            "ab12",
            "cd34",
            Severity::Critical,
        ),
        E::vram_allocated("worker-1", 3, 100, 128, 900, 1024),
        E::vram_allocation_failed("worker-1", 3, "out_of_memory", 100, 9),
        E::vram_deallocated("worker-1", "shard-1", 100, 28, 3),
        E::rate_limit_exceeded(ip(), "/v2/tasks", 100, 140, 60),
        E::path_traversal_attempt(alice(), "/files", "../../etc/passwd"),
        E::invalid_token_used(ip(), "/v2/tasks", "abcdefghijkl"),
        E::policy_violation(
            "worker-1",
            "egress",
            "connected outside",
            "203.0.113.5:443",
            Severity::High,
            "stopped",
        ),
        E::suspicious_activity(alice(), "impossible_travel", "two continents", 87),
        E::integrity_violation(
            None,
            "file",
            "f-1",
            "ab12",
            "cd34",
            Severity::Medium,
            "quarantined",
        ),
        E::malformed_model_rejected(
            Some(s("worker-1")),
            "llama",
            "bad header",
            Severity::Low,
            "refused",
        ),
        E::resource_limit_violation(None, "memory", "bytes", 10, 20, Severity::High, "killed"),
        E::inference_executed("c-1", "job-1", AuditResult::Success, "llama", 77, Some(s("p-1"))),
        E::model_accessed("c-1", "llama", "download", None),
        E::data_deleted("c-1", "requested", list(&["prompts"])),
        E::gdpr_data_access_request("c-1", "c-1", list(&["all"])),
        E::gdpr_data_export("c-1", list(&["prompts"]), "json", "ab12"),
        E::gdpr_right_to_erasure(
            "c-1",
            "2026-11-23T06:00:00Z".parse().unwrap(),
            list(&["prompts"]),
        ),
    ]
}

/// JSON of which every object, at any depth, was checked to name no member twice; the depth is
/// that of its deepest object or array.
pub(crate) struct Unrepeated {
    pub(crate) depth: usize,
}

impl<'de> serde::Deserialize<'de> for Unrepeated {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Unrepeated, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Unrepeated;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Unrepeated, E> {
                Ok(Unrepeated { depth: 0 })
            }
            fn visit_bool<E>(self, _: bool) -> Result<Unrepeated, E> {
                Ok(Unrepeated { depth: 0 })
            }
            fn visit_i64<E>(self, _: i64) -> Result<Unrepeated, E> {
                Ok(Unrepeated { depth: 0 })
            }
            fn visit_u64<E>(self, _: u64) -> Result<Unrepeated, E> {
                Ok(Unrepeated { depth: 0 })
            }
            fn visit_f64<E>(self, _: f64) -> Result<Unrepeated, E> {
                Ok(Unrepeated { depth: 0 })
            }
            fn visit_str<E>(self, _: &str) -> Result<Unrepeated, E> {
                Ok(Unrepeated { depth: 0 })
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Unrepeated, A::Error> {
                let mut depth = 0;
                while let Some(element) = seq.next_element::<Unrepeated>()? {
                    depth = depth.max(element.depth);
                }
                Ok(Unrepeated { depth: depth + 1 })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Unrepeated, A::Error> {
                let mut names = std::collections::BTreeSet::new();
                let mut depth = 0;
                while let Some((name, value)) = map.next_entry::<String, Unrepeated>()? {
                    depth = depth.max(value.depth);
                    assert!(names.insert(name.clone()), "{name:?} is repeated");
                }
                Ok(Unrepeated { depth: depth + 1 })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An event of which a test supplies the details.
pub(crate) struct With<F>(pub(crate) F);

impl<F: Fn(&mut audit_core::encode::Details<'_>)> Event for With<F> {
    fn event_type(&self) -> &str {
        "test.event"
    }
    fn details(&self, details: &mut audit_core::encode::Details<'_>) {
        (self.0)(details);
    }
}

/// The details object of an event whose only detail is `value`, under the name `v`.
pub(crate) fn detail<T: serde::Serialize>(value: &T) -> Value {
    entry(&With(|details: &mut audit_core::encode::Details<'_>| details.field("v", value)))["details"]
        ["v"]
        .clone()
}

//! OCSF 1.x: Authentication, Entity Management, Detection Finding and Base Event.
//!
//! What must stay true here: a record keeps the schema (a test holds it against the published one), and
//! carries the entry itself in `raw_data`, so that the attestation can be checked without the trail:
//! its fingerprint is the entry's `hash`, and that of `prev_event` is `prev_hash`.

use std::net::IpAddr;

use audit_core::entry::{Actor, Entry, RawStr};
use audit_core::event::Outcome;

use super::json::Object;
use super::time::millis;

/// The version of the schema that records keep: the first one with the profile `record_integrity`.
const VERSION: &str = "1.9.0-dev";
/// How the fingerprint was made.
const SERIALIZATION: &str = "audit-trail/1: SHA-256 of 0x00 and raw_data without its member hash";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Base,
    Authentication,
    EntityManagement,
    DetectionFinding,
}

impl Class {
    fn of(entry: &Entry<'_>) -> Class {
        match entry.event_type().split_once('.') {
            Some(("auth", _)) => Class::Authentication,
            Some(("security", _)) => Class::DetectionFinding,
            _ if entry.resource().is_some() => Class::EntityManagement,
            _ => Class::Base,
        }
    }

    /// Category, class, and the kind of activity.
    fn ids(self, event_type: &str) -> (u32, u32, u32) {
        match self {
            Class::Base => (0, 0, 99),
            Class::Authentication => (3, 3002, 1),
            Class::EntityManagement => (3, 3004, activity(event_type)),
            Class::DetectionFinding => (2, 2004, 1),
        }
    }
}

/// What was done to an entity, by the last word of the type.
fn activity(event_type: &str) -> u32 {
    let action = event_type.rsplit(['.', '_']).next().unwrap_or_default();
    match action {
        "created" | "registered" | "submitted" | "allocated" => 1,
        "accessed" | "read" | "viewed" | "exported" | "verified" => 2,
        "modified" | "changed" | "updated" | "completed" => 3,
        "deleted" | "deregistered" | "revoked" | "canceled" | "deallocated" => 4,
        _ => 99,
    }
}

/// Appends an entry. `origin` is the content of a JSON string.
pub(super) fn record(origin: &str, entry: &Entry<'_>, out: &mut Vec<u8>) {
    let class = Class::of(entry);
    let (category_uid, class_uid, activity_id) = class.ids(entry.event_type());
    let mut event = Object::new(out);
    event.number("activity_id", activity_id);
    if activity_id == 99 {
        event.plain("activity_name", entry.event_type());
    }
    event.number("category_uid", category_uid);
    event.number("class_uid", class_uid);
    event.number("type_uid", class_uid * 100 + activity_id);
    event.number("time", millis(entry));
    event.number("severity_id", if entry.is_critical() { 4 } else { 1 });
    if class != Class::DetectionFinding {
        // A finding's status is that of its handling, which nobody knows here.
        match entry.result() {
            Outcome::Success => event.number("status_id", 1),
            Outcome::Failure => event.number("status_id", 2),
            Outcome::Partial => {
                event.number("status_id", 99);
                event.plain("status", "partial");
            }
        }
    }
    event.maybe("status_detail", entry.reason());
    event.object("metadata", |metadata| {
        metadata.plain("version", VERSION);
        metadata.object("product", |product| {
            product.plain("name", "audit-logging");
            product.plain("vendor_name", "audit-logging");
        });
        metadata.json("profiles", "[\"record_integrity\"]");
        metadata.plain("uid", &uid(origin, entry.seq()));
        metadata.plain("original_event_uid", &entry.audit_id().to_string());
        metadata.plain("original_time", entry.timestamp());
        metadata.plain("event_code", entry.event_type());
        metadata.number("sequence", entry.seq());
        metadata.plain("log_name", origin);
        metadata.said("log_provider", entry.service_id());
        metadata.maybe("correlation_uid", entry.context().and_then(|context| context.trace_id));
    });
    let ip =
        entry.actor().and_then(|actor| actor.ip).filter(|ip| ip.raw().parse::<IpAddr>().is_ok());
    match class {
        Class::Base => {}
        Class::Authentication => {
            who(&mut event, entry.actor(), ip);
            event.object("user", |user| match entry.actor() {
                Some(actor) => user.said("uid", actor.user_id),
                None => user.plain("name", "unknown"),
            });
            event.object("service", |service| service.said("name", entry.service_id()));
        }
        Class::EntityManagement => {
            who(&mut event, entry.actor(), ip);
            if let Some(resource) = entry.resource() {
                event.object("entity", |entity| {
                    entity.said("uid", resource.resource_id);
                    entity.said("type", resource.resource_type);
                });
            }
        }
        Class::DetectionFinding => {
            event.object("finding_info", |finding| {
                finding.plain("uid", &uid(origin, entry.seq()));
                finding.plain("title", entry.event_type());
            });
            if entry.actor().is_some() {
                event.one("evidences", |evidence| who(evidence, entry.actor(), ip));
            }
            if let Some(resource) = entry.resource() {
                event.one("resources", |resources| {
                    resources.said("uid", resource.resource_id);
                    resources.said("type", resource.resource_type);
                });
            }
        }
    }
    integrity(&mut event, origin, entry);
    unmapped(&mut event, class, entry, ip);
    event.end();
}

/// What identifies a record, and the one before it.
fn uid(origin: &str, seq: u64) -> String {
    format!("{origin}#{seq}")
}

fn who(event: &mut Object<'_>, actor: Option<&Actor<'_>>, ip: Option<RawStr<'_>>) {
    if let Some(actor) = actor {
        event.object("actor", |object| {
            object.object("user", |user| user.said("uid", actor.user_id));
            if let Some(session) = actor.session_id {
                object.object("session", |object| object.said("uid", session));
            }
        });
    }
    if let Some(ip) = ip {
        event.object("src_endpoint", |endpoint| endpoint.said("ip", ip));
    }
}

/// The profile `record_integrity`.
fn integrity(event: &mut Object<'_>, origin: &str, entry: &Entry<'_>) {
    let fingerprint = |object: &mut Object<'_>, hash: &str| {
        object.number("algorithm_id", 3);
        object.plain("algorithm", "SHA-256");
        object.number("encoding_id", 1);
        object.number("serialization_id", 99);
        object.plain("serialization", SERIALIZATION);
        object.plain("value", hash);
    };
    event.text("raw_data", entry.line());
    event.one("attestation_list", |attestation| {
        attestation.plain("chain_uid", origin);
        attestation.plain("authority_uid", origin);
        attestation.object("fingerprint", |object| fingerprint(object, &entry.hash().to_string()));
        if let Some(before) = entry.seq().checked_sub(1) {
            attestation.object("prev_event", |previous| {
                previous.plain("uid", &uid(origin, before));
                let hash = entry.prev_hash().to_string();
                previous.object("fingerprint", |object| fingerprint(object, &hash));
            });
        }
    });
}

/// What has no attribute in its class.
fn unmapped(event: &mut Object<'_>, class: Class, entry: &Entry<'_>, ip: Option<RawStr<'_>>) {
    let actor = entry.actor();
    let odd_ip = actor.and_then(|actor| actor.ip).filter(|_| ip.is_none());
    let method = actor.and_then(|actor| actor.auth_method);
    let parent = entry.resource().and_then(|resource| resource.parent_id);
    event.object("unmapped", |object| {
        object.plain("result", entry.result().as_str());
        if let (Class::Base, Some(actor)) = (class, actor) {
            object.json("actor", actor.raw);
        } else {
            object.maybe("ip", odd_ip);
            object.maybe("auth_method", method);
        }
        if let (Class::Authentication, Some(resource)) = (class, entry.resource()) {
            object.json("resource", resource.raw);
        } else {
            object.maybe("parent_id", parent);
        }
        if let Some(context) = entry.context() {
            object.json("context", context.raw);
        }
        if let Some(details) = entry.details() {
            object.json("details", details);
        }
    });
}

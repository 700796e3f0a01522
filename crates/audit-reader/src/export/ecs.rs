//! Elastic Common Schema.
//!
//! What must stay true here: what ECS has no field for is under `audit`, which is no field set of
//! ECS and so never will be; the entry itself is `event.original`, and its hash `event.hash`.

use std::net::IpAddr;

use audit_core::entry::Entry;
use audit_core::event::Outcome;

use super::json::Object;

/// The version of the schema that records keep.
const VERSION: &str = "8.17.0";

/// Appends an entry. `origin` is the content of a JSON string.
pub(super) fn record(origin: &str, entry: &Entry<'_>, out: &mut Vec<u8>) {
    let (actor, resource) = (entry.actor(), entry.resource());
    let category = entry.event_type().split('.').next().unwrap_or_default();
    let mut record = Object::new(out);
    record.plain("@timestamp", entry.timestamp());
    record.object("ecs", |ecs| ecs.plain("version", VERSION));
    record.plain("message", entry.event_type());
    record.object("event", |event| {
        event.plain("kind", if category == "security" { "alert" } else { "event" });
        match category {
            "auth" => event.json("category", "[\"authentication\"]"),
            "authz" | "token" => event.json("category", "[\"iam\"]"),
            "security" => event.json("category", "[\"intrusion_detection\"]"),
            _ => {}
        }
        event.plain("action", entry.event_type());
        event.plain(
            "outcome",
            match entry.result() {
                Outcome::Success => "success",
                Outcome::Failure => "failure",
                // ECS knows no third way.
                Outcome::Partial => "unknown",
            },
        );
        event.maybe("reason", entry.reason());
        event.plain("id", &entry.audit_id().to_string());
        event.number("sequence", entry.seq());
        event.plain("dataset", "audit-logging.trail");
        event.plain("hash", &entry.hash().to_string());
        event.text("original", entry.line());
    });
    record.object("service", |service| service.said("name", entry.service_id()));
    if let Some(actor) = actor {
        record.object("user", |user| user.said("id", actor.user_id));
        if let Some(ip) = actor.ip {
            record.object("source", |source| {
                source.said("address", ip);
                if ip.raw().parse::<IpAddr>().is_ok() {
                    source.said("ip", ip);
                }
            });
        }
    }
    if let Some(context) = entry.context() {
        if let Some(trace) = context.trace_id {
            record.object("trace", |object| object.said("id", trace));
        }
        if let Some(span) = context.span_id {
            record.object("span", |object| object.said("id", span));
        }
        if let Some(request) = context.request_id {
            record
                .object("http", |http| http.object("request", |object| object.said("id", request)));
        }
    }
    record.object("audit", |audit| {
        audit.plain("origin", origin);
        audit.number("seq", entry.seq());
        audit.plain("hash", &entry.hash().to_string());
        audit.plain("prev_hash", &entry.prev_hash().to_string());
        audit.json("critical", if entry.is_critical() { "true" } else { "false" });
        audit.plain("result", entry.result().as_str());
        audit.maybe("auth_method", actor.and_then(|actor| actor.auth_method));
        audit.maybe("session_id", actor.and_then(|actor| actor.session_id));
        if let Some(resource) = resource {
            audit.json("resource", resource.raw);
        }
        if let Some(details) = entry.details() {
            audit.json("details", details);
        }
    });
    record.end();
}

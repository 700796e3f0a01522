//! Common Event Format, version 0 (ArcSight).
//!
//! What must stay true here: nothing that stands in an entry ends a field or a header early: `|`, `=` and
//! `\` are escaped, and line ends cannot stand in an entry.

use std::net::IpAddr;

use audit_core::entry::{Entry, RawStr};
use audit_core::event::Outcome;

use super::time::millis;

/// Appends an entry. `origin` is escaped already.
pub(super) fn record(origin: &str, entry: &Entry<'_>, out: &mut Vec<u8>) {
    let severity = match (entry.is_critical(), entry.result()) {
        (true, _) => 8,
        (false, Outcome::Failure | Outcome::Partial) => 5,
        (false, Outcome::Success) => 2,
    };
    let version = env!("CARGO_PKG_VERSION");
    let head = format!(
        "CEF:0|audit-logging|audit-logging|{version}|{0}|{0}|{severity}|rt={1}",
        entry.event_type(),
        millis(entry)
    );
    out.extend_from_slice(head.as_bytes());
    let mut fields = Fields(out);
    fields.field("deviceExternalId", origin);
    fields.labelled("cn1", "seq", &entry.seq().to_string());
    fields.field("externalId", &entry.audit_id().to_string());
    fields.field("outcome", entry.result().as_str());
    fields.said("sourceServiceName", Some(entry.service_id()));
    if let Some(actor) = entry.actor() {
        fields.said("suser", Some(actor.user_id));
        match actor.ip {
            Some(ip) if ip.raw().parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) => {
                fields.said("src", Some(ip));
            }
            // `src` takes IPv4 addresses only.
            ip => fields.said("sourceTranslatedAddress", ip),
        }
    }
    fields.said("reason", entry.reason());
    fields.labelled("cs1", "hash", &entry.hash().to_string());
    fields.labelled("cs2", "prev_hash", &entry.prev_hash().to_string());
    if let Some(resource) = entry.resource() {
        fields.labelled("cs3", "resource_type", &escaped(&resource.resource_type.decode()));
        fields.labelled("cs4", "resource_id", &escaped(&resource.resource_id.decode()));
    }
    if let Some(context) = entry.context() {
        fields.labelled("cs5", "context", &escaped(context.raw));
    }
    if let Some(details) = entry.details() {
        fields.labelled("cs6", "details", &escaped(details));
    }
}

struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    /// A field whose value is escaped already.
    fn field(&mut self, key: &str, value: &str) {
        self.0.push(b' ');
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b'=');
        self.0.extend_from_slice(value.as_bytes());
    }

    fn labelled(&mut self, key: &str, label: &str, value: &str) {
        self.field(&format!("{key}Label"), label);
        self.field(key, value);
    }

    fn said(&mut self, key: &str, text: Option<RawStr<'_>>) {
        if let Some(text) = text {
            self.field(key, &escaped(&text.decode()));
        }
    }
}

/// A text as the value of a field.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '=' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out
}

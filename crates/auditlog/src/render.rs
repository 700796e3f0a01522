//! Entries and findings for people.
//!
//! What must stay true here: one entry is one line, and everything that comes from a trail goes
//! through [`escape`]: a trail that was tampered with may hold anything.

use audit_core::entry::{Entry, RawStr};
use audit_core::event::Outcome;
use audit_reader::{Finding, Severity};

use crate::output::{Color, Output, escape};

/// An entry on one line: time, `seq`, mark, type, who, what, result, why.
pub(crate) fn entry(out: &Output, entry: &Entry<'_>) -> String {
    // Nine fraction digits are for machines; three tell people enough.
    let time = entry.timestamp().get(..23).unwrap_or_default().replacen('T', " ", 1);
    let mark = if entry.is_critical() { out.paint(Color::Bad, "!") } else { " ".to_owned() };
    let mut line = format!(
        "{} {:>8} {mark} {:<28} {}",
        out.paint(Color::Dim, &time),
        entry.seq(),
        entry.event_type(),
        result(out, entry.result()),
    );
    if let Some(actor) = entry.actor() {
        line += &format!(" by {}", text(actor.user_id));
        if let Some(ip) = actor.ip {
            line += &format!(" from {}", text(ip));
        }
    }
    if let Some(resource) = entry.resource() {
        line += &format!(" on {}", text(resource.resource_type));
        line += &format!(" {}", text(resource.resource_id));
    }
    if let Some(reason) = entry.reason() {
        line += &format!(" ({})", text(reason));
    }
    line
}

/// A line that is not an entry.
pub(crate) fn malformed(out: &Output, segment: &str, offset: u64, bytes: &[u8]) -> String {
    let what = out.paint(Color::Bad, "malformed entry");
    format!("{what} in {segment} at byte {offset}: {}", escape(bytes))
}

/// An entry in full, one member a line.
pub(crate) fn members(entry: &Entry<'_>) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("seq", entry.seq().to_string()),
        ("audit_id", entry.audit_id().to_string()),
        ("timestamp", entry.timestamp().to_owned()),
        ("service_id", text(entry.service_id())),
        ("event_type", entry.event_type().to_owned()),
    ];
    if entry.is_critical() {
        rows.push(("critical", "true".to_owned()));
    }
    let mut optional =
        |name, value: Option<RawStr<'_>>| rows.extend(value.map(|v| (name, text(v))));
    if let Some(actor) = entry.actor() {
        optional("actor.user_id", Some(actor.user_id));
        optional("actor.ip", actor.ip);
        optional("actor.auth_method", actor.auth_method);
        optional("actor.session_id", actor.session_id);
    }
    if let Some(resource) = entry.resource() {
        optional("resource.resource_type", Some(resource.resource_type));
        optional("resource.resource_id", Some(resource.resource_id));
        optional("resource.parent_id", resource.parent_id);
    }
    rows.push(("result", outcome(entry.result()).to_owned()));
    let mut optional =
        |name, value: Option<RawStr<'_>>| rows.extend(value.map(|v| (name, text(v))));
    optional("reason", entry.reason());
    if let Some(context) = entry.context() {
        optional("context.trace_id", context.trace_id);
        optional("context.span_id", context.span_id);
        optional("context.request_id", context.request_id);
    }
    rows.extend(entry.details().map(|details| ("details", escape(details.as_bytes()))));
    rows.push(("prev_hash", entry.prev_hash().to_string()));
    rows.push(("hash", entry.hash().to_string()));
    rows
}

/// A finding with its evidence.
pub(crate) fn finding(out: &Output, finding: &Finding) -> String {
    let color = match finding.severity {
        Severity::Violation => Color::Bad,
        Severity::Notice => Color::Warn,
    };
    let mut line = format!("  {}", out.paint(color, finding.kind.name()));
    if let Some(segment) = &finding.segment {
        line += &format!(" in {}", escape(segment.as_bytes()));
    }
    if let Some(offset) = finding.offset {
        line += &format!(" at byte {offset}");
    }
    if let Some(seq) = finding.seq {
        line += &format!(", seq {seq}");
    }
    for (what, evidence) in [("expected", &finding.expected), ("found", &finding.found)] {
        if let Some(evidence) = evidence {
            line += &format!("\n      {what:<8} {}", escape(evidence.as_bytes()));
        }
    }
    line
}

fn text(raw: RawStr<'_>) -> String {
    escape(raw.decode().as_bytes())
}

fn result(out: &Output, result: Outcome) -> String {
    let color = match result {
        Outcome::Success => Color::Good,
        Outcome::Failure => Color::Bad,
        Outcome::Partial => Color::Warn,
    };
    out.paint(color, outcome(result))
}

const fn outcome(result: Outcome) -> &'static str {
    match result {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Partial => "partial",
    }
}

//! Comma-separated values: RFC 4180 with a header, one column for each member.
//!
//! What must stay true here: no cell is a formula to a spreadsheet, for what stands in a trail may come
//! from an attacker; and the way back is exact: a cell that begins with `'` has one more than what it
//! says.

use audit_core::entry::{Entry, RawStr};

/// The first line.
pub(super) const HEADER: &str = "seq,audit_id,timestamp,service_id,event_type,critical,actor_user_id,\
    actor_ip,actor_auth_method,actor_session_id,resource_type,resource_id,resource_parent_id,result,\
    reason,trace_id,span_id,request_id,details,prev_hash,hash";

/// Appends an entry as a row, without the line's end.
pub(super) fn row(entry: &Entry<'_>, out: &mut Vec<u8>) {
    let (actor, resource, context) = (entry.actor(), entry.resource(), entry.context());
    out.extend_from_slice(entry.seq().to_string().as_bytes());
    let mut row = Row(out);
    row.text(&entry.audit_id().to_string());
    row.text(entry.timestamp());
    row.said(Some(entry.service_id()));
    row.text(entry.event_type());
    row.text(if entry.is_critical() { "true" } else { "false" });
    row.said(actor.map(|actor| actor.user_id));
    row.said(actor.and_then(|actor| actor.ip));
    row.said(actor.and_then(|actor| actor.auth_method));
    row.said(actor.and_then(|actor| actor.session_id));
    row.said(resource.map(|resource| resource.resource_type));
    row.said(resource.map(|resource| resource.resource_id));
    row.said(resource.and_then(|resource| resource.parent_id));
    row.text(entry.result().as_str());
    row.said(entry.reason());
    row.said(context.and_then(|context| context.trace_id));
    row.said(context.and_then(|context| context.span_id));
    row.said(context.and_then(|context| context.request_id));
    row.text(entry.details().unwrap_or(""));
    row.text(&entry.prev_hash().to_string());
    row.text(&entry.hash().to_string());
}

/// A text as a cell.
pub(super) fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    cell(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A row behind its first cell.
struct Row<'a>(&'a mut Vec<u8>);

impl Row<'_> {
    fn text(&mut self, text: &str) {
        self.0.push(b',');
        cell(text, self.0);
    }

    fn said(&mut self, text: Option<RawStr<'_>>) {
        self.text(text.map(RawStr::decode).as_deref().unwrap_or(""));
    }
}

/// Appends a cell.
pub(super) fn cell(text: &str, out: &mut Vec<u8>) {
    // What a spreadsheet takes for the beginning of a formula, and our own mark against it.
    let guarded = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']);
    let quoted =
        text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ');
    if quoted {
        out.push(b'"');
    }
    if guarded {
        out.push(b'\'');
    }
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part.as_bytes());
    }
    if quoted {
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_the_way_back_is_exact() {
        assert_eq!(escaped("plain"), "plain");
        assert_eq!(escaped("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(escaped(" x"), "\" x\"");
        assert_eq!(escaped("=HYPERLINK(\"http://x\",1)"), "\"'=HYPERLINK(\"\"http://x\"\",1)\"");
        for formula in ["=1", "+1", "-1", "@SUM(A1)", "'quoted"] {
            assert_eq!(escaped(formula), format!("'{formula}"));
        }
    }
}

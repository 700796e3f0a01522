//! Syslog messages of RFC 5424.
//!
//! What must stay true here: the message is the entry as it stands on disk, whatever a relay does to the
//! header; the structured data say which entry it is before anybody parses it.

use audit_core::entry::Entry;
use audit_core::event::Outcome;

/// The id of the structured data. The number is the one for examples (RFC 5612): there is no private
/// enterprise number for this project.
pub const SD_ID: &str = "audit@32473";
/// Facility "log audit".
const FACILITY: u32 = 13;

/// Appends an entry. `origin` is escaped already.
pub(super) fn record(origin: &str, entry: &Entry<'_>, out: &mut Vec<u8>) {
    let severity = match (entry.is_critical(), entry.result()) {
        (true, _) => 2,
        (false, Outcome::Failure | Outcome::Partial) => 4,
        (false, Outcome::Success) => 5,
    };
    // Six fraction digits are the most there may be.
    let time = entry.timestamp().get(..26).unwrap_or_default();
    let head = format!(
        "<{}>1 {time}Z - {} - {} [{SD_ID} origin=\"{origin}\" seq=\"{}\" type=\"{}\" hash=\"{}\"] ",
        FACILITY * 8 + severity,
        name(&entry.service_id().decode(), 48),
        name(entry.event_type(), 32),
        entry.seq(),
        entry.event_type(),
        entry.hash(),
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(entry.line().as_bytes());
}

/// A name of the header: printable ASCII without blanks, of a limited length.
fn name(text: &str, most: usize) -> String {
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    match text {
        "" => "-".to_owned(),
        text => text.chars().take(most).map(printable).collect(),
    }
}

/// A text as the value of a parameter.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

//! Stub of the encoder; being written.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::event::{Event, Text};

/// How strings are limited and redacted. Shared by `Arc`, made once.
#[derive(Debug, Default, Clone)]
pub struct EncodePolicy {}
impl EncodePolicy {
    /// stub
    #[must_use]
    pub fn with_string_limit(self, _c: usize) -> Self {
        self
    }
    /// stub
    #[must_use]
    pub fn with_redaction(self, _c: &RedactionConfig) -> Self {
        self
    }
}
/// stub
#[derive(Debug, Default, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct RedactionConfig {}

/// What the logger adds to an event.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// UUID version 7.
    pub audit_id: Uuid,
    /// Time of `emit`; the event's own timestamp wins.
    pub now: Timestamp,
    /// Who writes.
    pub service_id: &'a str,
}

/// Encodes events into bodies (see `plan::append_line`); reuses its buffers.
#[derive(Debug, Default)]
pub struct Encoder {
    buf: Vec<u8>,
}

/// Where an event writes its details.
#[derive(Debug)]
pub struct Details<'a> {
    buf: &'a mut Vec<u8>,
}

impl Details<'_> {
    /// Writes one member.
    pub fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        let sep = if self.buf.is_empty() { "" } else { "," };
        let value = serde_json::to_string(value).unwrap_or_default();
        self.buf.extend_from_slice(format!("{sep}\"{name}\":{value}").as_bytes());
    }
}

impl Encoder {
    /// The body of one entry: every member between `seq` and `prev_hash`; never more than
    /// `plan::MAX_BODY` bytes, whatever the event holds. Cannot fail.
    pub fn encode<E: Event + ?Sized>(
        &mut self,
        _policy: &EncodePolicy,
        stamp: &Stamp<'_>,
        event: &E,
    ) -> &[u8] {
        self.buf.clear();
        let ts = event.timestamp().unwrap_or(stamp.now);
        let critical = if event.is_critical() { ",\"critical\":true" } else { "" };
        let actor = match event.actor() {
            Some(a) => match a.user_id {
                Text::Str(s) => format!(",\"actor\":{{\"user_id\":\"{s}\"}}"),
                _ => String::new(),
            },
            None => String::new(),
        };
        let mut details = Vec::new();
        event.details(&mut Details { buf: &mut details });
        let details = if details.is_empty() {
            String::new()
        } else {
            format!(",\"details\":{{{}}}", String::from_utf8_lossy(&details))
        };
        self.buf.extend_from_slice(
            format!(
                "\"audit_id\":\"{}\",\"timestamp\":\"{ts:.9}\",\"service_id\":\"{}\",\"event_type\":\"{}\"{critical}{actor},\"result\":\"success\"{details}",
                stamp.audit_id, stamp.service_id, event.event_type()
            )
            .as_bytes(),
        );
        &self.buf
    }
}

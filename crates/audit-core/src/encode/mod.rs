//! Encoding an event into the bytes that will stand in the file (FORMAT section 3).
//!
//! What must stay true here: encoding cannot fail. Whatever an event holds, the body is valid
//! JSON in canonical order, every string has gone the way of `string.rs`, no object repeats a
//! member, `details` nests at most [`MAX_DEPTH`] deep, and the whole is at most [`MAX_BODY`]
//! bytes. In steady state nothing is allocated.

mod buffer;
mod compound;
mod details;
mod members;
mod name;
mod policy;
mod string;
mod time;
mod value;

pub use details::Details;
pub(crate) use members::Members;
pub use policy::EncodePolicy;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::event::{ActorRef, ContextRef, Event, ResourceRef, Text, event_type};
use crate::hex;
use crate::plan::MAX_BODY;
use crate::text::is_w3c_id;
use buffer::Buffer;
use time::SecondCache;

/// How deep `details` may nest, itself counted; a deeper object or array becomes `…[depth]`.
pub const MAX_DEPTH: u32 = 32;
/// Buffers that one giant event has blown up are given back.
const KEEP_CAPACITY: usize = 1 << 20;

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
///
/// If an event's own code panics, the panic passes through and the encoder stays usable.
#[derive(Debug, Default)]
pub struct Encoder {
    buf: Buffer,
    scratch: Scratch,
    second: SecondCache,
}

/// Memory that outlives one event so that the next needs none.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// A string after redaction.
    redacted: String,
    /// A string after its JSON escapes were resolved, or a value's `Display`.
    pub(crate) decoded: String,
    /// Where in the buffer the member names of the open objects stand.
    names: Vec<(usize, usize)>,
}

impl Scratch {
    fn reset(&mut self) {
        for text in [&mut self.redacted, &mut self.decoded] {
            text.clear();
            if text.capacity() > KEEP_CAPACITY {
                text.shrink_to(KEEP_CAPACITY);
            }
        }
        self.names.clear();
    }
}

/// Where values are written to, and by which rules.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    pub(crate) buf: &'a mut Buffer,
    pub(crate) scratch: &'a mut Scratch,
    policy: &'a EncodePolicy,
    /// Characters a string may have.
    limit: usize,
}

impl Encoder {
    /// The body of one entry: every member between `seq` and `prev_hash`; never more than
    /// `plan::MAX_BODY` bytes, whatever the event holds. Cannot fail.
    ///
    /// If the event is too large, its `details` become `{"oversize":true,"bytes":N,"sha256":…}`,
    /// length and SHA-256 of the details object as it was encoded; should the rest still be too
    /// large, its strings are cut shorter and shorter.
    ///
    /// An `event_type` that is not of the grammar is bent into it. Whether a caller may use the
    /// type at all ([`event_type::check`]) is for the caller of this function to decide.
    pub fn encode<E: Event + ?Sized>(
        &mut self,
        policy: &EncodePolicy,
        stamp: &Stamp<'_>,
        event: &E,
    ) -> &[u8] {
        self.buf.clear();
        self.buf.shrink_to(KEEP_CAPACITY);
        self.scratch.reset();
        let mut limit = policy.string_limit;
        let odd_ids = self.head(policy, limit, stamp, event);
        let head = self.buf.len();
        self.details(policy, limit, event, odd_ids);
        if self.buf.len() > MAX_BODY {
            const MEMBER: usize = r#","details":"#.len();
            let object = &self.buf[head + MEMBER..];
            let (bytes, sha256) = (object.len(), Sha256::digest(object));
            self.buf.truncate(head);
            self.oversize(bytes, &sha256.into());
            while self.buf.len() > MAX_BODY {
                limit /= 2;
                self.buf.clear();
                self.head(policy, limit, stamp, event);
                self.oversize(bytes, &sha256.into());
            }
        }
        &self.buf
    }

    /// Everything before `details`. True if the context holds ids that are not of W3C form.
    fn head<E: Event + ?Sized>(
        &mut self,
        policy: &EncodePolicy,
        limit: usize,
        stamp: &Stamp<'_>,
        event: &E,
    ) -> bool {
        let sink = &mut Sink { buf: &mut self.buf, scratch: &mut self.scratch, policy, limit };
        sink.buf.put_all([
            br#""audit_id":""#,
            &hex::uuid(stamp.audit_id),
            br#"","timestamp":""#,
            self.second.text(event.timestamp().unwrap_or(stamp.now)),
        ]);
        sink.string_between(br#"","service_id":""#, stamp.service_id, br#"","event_type":""#);
        let event_type = event_type::normal_form(event.event_type());
        let critical: &[u8] = if event.is_critical() { br#"","critical":true"# } else { b"\"" };
        sink.buf.put_all([event_type.as_bytes(), critical]);
        if let Some(actor) = event.actor() {
            sink.actor(&actor);
        }
        if let Some(resource) = event.resource() {
            sink.resource(&resource);
        }
        sink.buf.put_all([br#","result":""#, event.outcome().as_str().as_bytes(), b"\""]);
        if let Some(reason) = event.reason() {
            sink.member(br#","reason":""#, reason);
        }
        if let Some(context) = event.context() {
            return sink.context(&context);
        }
        false
    }

    fn details<E: Event + ?Sized>(
        &mut self,
        policy: &EncodePolicy,
        limit: usize,
        event: &E,
        odd_ids: bool,
    ) {
        let sink = Sink { buf: &mut self.buf, scratch: &mut self.scratch, policy, limit };
        let mut details = Details::begin(sink);
        if odd_ids && let Some(context) = event.context() {
            // Not W3C ids, so not for `context`; but nothing an event says is lost.
            if let Some(odd) = context.trace_id.filter(|id| !is_hex_id(*id, 32)) {
                details.text("trace_id", odd);
            }
            if let Some(odd) = context.span_id.filter(|id| !is_hex_id(*id, 16)) {
                details.text("span_id", odd);
            }
        }
        event.details(&mut details);
        details.end();
    }

    fn oversize(&mut self, bytes: usize, sha256: &[u8; 32]) {
        self.buf.put(br#","details":{"oversize":true,"bytes":"#);
        self.buf.put(itoa::Buffer::new().format(bytes).as_bytes());
        self.buf.put(br#","sha256":""#);
        self.buf.put(&hex::encode(sha256));
        self.buf.put(b"\"}");
    }
}

impl Sink<'_> {
    fn actor(&mut self, actor: &ActorRef<'_>) {
        self.member(br#","actor":{"user_id":""#, actor.user_id);
        if let Some(text) = actor.ip {
            self.member(br#","ip":""#, text);
        }
        if let Some(text) = actor.auth_method {
            self.member(br#","auth_method":""#, text);
        }
        if let Some(text) = actor.session_id {
            self.member(br#","session_id":""#, text);
        }
        self.buf.push(b'}');
    }

    fn resource(&mut self, resource: &ResourceRef<'_>) {
        self.member(br#","resource":{"resource_type":""#, resource.resource_type);
        self.member(br#","resource_id":""#, resource.resource_id);
        if let Some(text) = resource.parent_id {
            self.member(br#","parent_id":""#, text);
        }
        self.buf.push(b'}');
    }

    /// Writes `context`; true if an id was left out because it is not of W3C form.
    fn context(&mut self, context: &ContextRef<'_>) -> bool {
        let trace_id = context.trace_id.filter(|id| is_hex_id(*id, 32));
        let span_id = context.span_id.filter(|id| is_hex_id(*id, 16));
        let mut separator = &br#","context":{"#[..];
        for (name, id) in [(&br#""trace_id":"#[..], trace_id), (br#""span_id":"#, span_id)] {
            // All digits, an id may look like a card number; checked, it is no secret.
            if let Some(Text::Str(id)) = id {
                self.buf.put(separator);
                self.buf.put(name);
                self.verbatim(id);
                separator = b",";
            }
        }
        if let Some(request_id) = context.request_id {
            self.buf.put(separator);
            self.buf.put(br#""request_id":"#);
            self.text(request_id);
            separator = b",";
        }
        if separator == b"," {
            self.buf.push(b'}');
        }
        trace_id.is_some() != context.trace_id.is_some()
            || span_id.is_some() != context.span_id.is_some()
    }
}

/// An id for `context`.
fn is_hex_id(id: Text<'_>, length: usize) -> bool {
    matches!(id, Text::Str(id) if is_w3c_id(id, length))
}

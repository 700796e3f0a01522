//! Where an event writes what is specific to its type.
//!
//! What must stay true here: a field is never lost and never harms its neighbours. A value that
//! cannot be serialised is rolled back and replaced by a string that says so.

use serde::Serialize;

use super::members::Members;
use super::{MAX_DEPTH, Sink};
use crate::event::Text;
use crate::json::{Cursor, JsonObject};
use crate::text::redact::NameRule;

/// Where an event writes its details.
#[derive(Debug)]
pub struct Details<'a> {
    sink: Sink<'a>,
    members: Members,
    start: usize,
    inside: usize,
}

impl<'a> Details<'a> {
    pub(super) fn begin(mut sink: Sink<'a>) -> Details<'a> {
        let start = sink.buf.len();
        sink.buf.put(br#","details":"#);
        let members = Members::begin(&mut sink);
        let inside = sink.buf.len();
        Details { sink, members, start, inside }
    }

    /// Closes the object; an empty one leaves no trace.
    pub(super) fn end(mut self) {
        if self.sink.buf.len() == self.inside {
            self.sink.buf.truncate(self.start);
        } else {
            self.members.end(&mut self.sink);
        }
    }

    /// Writes one member: any name, any value. What `Serialize` makes of the value is sanitised,
    /// redacted and limited at every depth; if it fails, the member reads `…[unserializable: …]`.
    #[inline]
    pub fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        let rule = self.members.name(&mut self.sink, name);
        self.sink.value(value, 1, rule);
    }

    /// Writes one member that is a text of the event.
    pub fn text(&mut self, name: &str, value: Text<'_>) {
        match self.members.name(&mut self.sink, name) {
            NameRule::Redact(rule) => self.sink.verbatim(rule.mark()),
            NameRule::Keep | NameRule::Prefix => self.sink.text(value),
        }
    }

    /// Writes every member of a JSON object, as [`field`](Details::field) would: numbers exactly as
    /// they were written, repeated names told apart.
    pub fn members(&mut self, object: &JsonObject) {
        let mut cursor = Cursor::new(object.as_str());
        let written = self.sink.json_members(&mut cursor, &mut self.members, 1);
        debug_assert!(written.is_ok(), "a JsonObject is well formed: {written:?}");
    }
}

impl Sink<'_> {
    /// The string that stands for what is nested deeper than [`MAX_DEPTH`].
    pub(crate) fn too_deep(&mut self) {
        const { assert!(MAX_DEPTH == 32, "FORMAT section 3") }
        self.verbatim("…[depth]");
    }
}

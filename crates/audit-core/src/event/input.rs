//! One line of NDJSON as an event.
//!
//! What must stay true here: a line is refused for its shape only, never for what its strings
//! hold; nothing in it is dropped in silence, so a member that has no place is an error.

use jiff::Timestamp;
use thiserror::Error;

use super::event_type::EventTypeError;
use super::generic::{Actor, Resource};
use super::{ContextInfo, GenericEvent, Outcome, when};
use crate::json::{Cursor, JsonObject, SyntaxError};

/// Why a line is not an event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("byte {offset}: {problem}")]
pub struct InputError {
    /// Where in the line, in bytes from its start.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The line is not JSON.
    #[error("not JSON: expected {expected}")]
    NotJson {
        /// What would have been right.
        expected: &'static str,
    },
    /// The line is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A member an event does not have.
    #[error("unknown member `{name}`: expected {expected}")]
    UnknownMember {
        /// Its name.
        name: String,
        /// The members there are.
        expected: &'static str,
    },
    /// A member that stands there twice.
    #[error("member `{name}` is repeated")]
    RepeatedMember {
        /// Its name.
        name: &'static str,
    },
    /// A member of another type.
    #[error("`{name}` must be {expected}")]
    WrongType {
        /// Its name.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// There is no `event_type`.
    #[error("`event_type` is missing")]
    EventTypeMissing,
    /// The `event_type` cannot be used.
    #[error("`event_type`: {0}")]
    EventType(EventTypeError),
    /// The `timestamp` is not RFC 3339.
    #[error("`timestamp` must be a time with date and offset, such as 2026-11-23T06:54:00Z")]
    Timestamp,
}

impl From<SyntaxError> for InputError {
    fn from(error: SyntaxError) -> InputError {
        InputError { offset: error.offset, problem: Problem::NotJson { expected: error.expected } }
    }
}

/// The members of a line, in the order errors list them.
const MEMBERS: [&str; 9] = [
    "event_type",
    "actor",
    "resource",
    "result",
    "reason",
    "context",
    "details",
    "critical",
    "timestamp",
];

impl GenericEvent {
    /// Reads one line of NDJSON: an object with `event_type` and any of `actor`, `resource`,
    /// `result`, `reason`, `context`, `details`, `critical`, `timestamp`. Null is as if left out.
    pub fn from_json_line(line: &[u8]) -> Result<GenericEvent, InputError> {
        let text = std::str::from_utf8(line).map_err(|error| InputError {
            offset: error.valid_up_to(),
            problem: Problem::NotUtf8,
        })?;
        let mut cursor = Cursor::new(text);
        let mut fields = Fields::default();
        each_member(&mut cursor, &MEMBERS, MEMBERS_TEXT, "an object", |cursor, name| {
            fields.read(cursor, name)
        })?;
        cursor.end()?;
        fields.into_event()
    }
}

const MEMBERS_TEXT: &str = "event_type, actor, resource, result, reason, context, details, \
                            critical or timestamp";

#[derive(Default)]
struct Fields {
    event_type: Option<(usize, String)>,
    actor: Option<Actor>,
    resource: Option<Resource>,
    outcome: Option<Outcome>,
    reason: Option<String>,
    context: Option<ContextInfo>,
    details: Option<JsonObject>,
    critical: bool,
    timestamp: Option<Timestamp>,
}

impl Fields {
    fn read(&mut self, cursor: &mut Cursor<'_>, name: &'static str) -> Result<(), InputError> {
        let offset = cursor.pos();
        match name {
            "event_type" => self.event_type = Some((offset, string(cursor, name)?)),
            "actor" => self.actor = Some(actor(cursor)?),
            "resource" => self.resource = Some(resource(cursor)?),
            "result" => self.outcome = Some(outcome(cursor)?),
            "reason" => self.reason = Some(string(cursor, name)?),
            "context" => self.context = Some(context(cursor)?),
            "details" => match cursor.peek() {
                Some(b'{') => self.details = Some(JsonObject::read(cursor)?),
                _ => return wrong_type(cursor, name, "an object"),
            },
            "critical" => match cursor.value()? {
                "true" => self.critical = true,
                "false" => {}
                _ => return wrong(offset, name, "true or false"),
            },
            _ => {
                let problem = Problem::Timestamp;
                let text = string(cursor, "timestamp")?;
                self.timestamp = Some(when::read(&text).ok_or(InputError { offset, problem })?);
            }
        }
        Ok(())
    }

    fn into_event(self) -> Result<GenericEvent, InputError> {
        let missing = InputError { offset: 0, problem: Problem::EventTypeMissing };
        let (offset, event_type) = self.event_type.ok_or(missing)?;
        let event = GenericEvent::new(event_type)
            .map_err(|error| InputError { offset, problem: Problem::EventType(error) })?;
        let mut event = event.critical(self.critical);
        event.outcome = self.outcome.unwrap_or(event.outcome);
        event.timestamp = self.timestamp;
        event.actor = self.actor;
        event.resource = self.resource;
        event.reason = self.reason;
        event.context = self.context;
        event.details = self.details;
        Ok(event)
    }
}

/// Calls `read` with the cursor before the value of each member that is not null.
fn each_member(
    cursor: &mut Cursor<'_>,
    known: &[&'static str],
    expected: &'static str,
    what: &'static str,
    mut read: impl FnMut(&mut Cursor<'_>, &'static str) -> Result<(), InputError>,
) -> Result<(), InputError> {
    if !cursor.take(b'{') {
        return Ok(cursor.expected(what)?);
    }
    let mut seen = 0u32;
    let mut scratch = String::new();
    let mut more = cursor.first_member();
    while more {
        cursor.peek();
        let offset = cursor.pos();
        let raw = cursor.name()?;
        let name = raw.decode(&mut scratch);
        let Some(index) = known.iter().position(|known| *known == name) else {
            let problem = Problem::UnknownMember { name: name.to_owned(), expected };
            return Err(InputError { offset, problem });
        };
        if seen & 1 << index != 0 {
            let problem = Problem::RepeatedMember { name: known[index] };
            return Err(InputError { offset, problem });
        }
        seen |= 1 << index;
        match cursor.peek() {
            Some(b'n') => cursor.literal("null")?,
            _ => read(cursor, known[index])?,
        }
        more = cursor.next_member()?;
    }
    Ok(())
}

/// The value at the cursor is JSON, but of another type; or it is not JSON at all.
fn wrong_type<T>(
    cursor: &mut Cursor<'_>,
    name: &'static str,
    expected: &'static str,
) -> Result<T, InputError> {
    let offset = cursor.pos();
    cursor.value()?;
    wrong(offset, name, expected)
}

fn wrong<T>(offset: usize, name: &'static str, expected: &'static str) -> Result<T, InputError> {
    Err(InputError { offset, problem: Problem::WrongType { name, expected } })
}

fn string(cursor: &mut Cursor<'_>, name: &'static str) -> Result<String, InputError> {
    if cursor.peek() != Some(b'"') {
        return wrong_type(cursor, name, "a string");
    }
    let mut scratch = String::new();
    Ok(cursor.string()?.decode(&mut scratch).to_owned())
}

/// A string, or a number in its own words: ids are often numbers.
fn id(cursor: &mut Cursor<'_>, name: &'static str) -> Result<String, InputError> {
    match cursor.peek() {
        Some(b'"') => string(cursor, name),
        Some(b'-' | b'0'..=b'9') => Ok(cursor.number()?.to_owned()),
        _ => wrong_type(cursor, name, "a string or a number"),
    }
}

fn outcome(cursor: &mut Cursor<'_>) -> Result<Outcome, InputError> {
    let offset = cursor.pos();
    let expected = "\"success\", \"failure\" or \"partial\"";
    if cursor.peek() != Some(b'"') {
        return wrong_type(cursor, "result", expected);
    }
    let word = string(cursor, "result")?;
    [Outcome::Success, Outcome::Failure, Outcome::Partial]
        .into_iter()
        .find(|outcome| outcome.as_str() == word)
        .map_or_else(|| wrong(offset, "result", expected), Ok)
}

fn object(cursor: &mut Cursor<'_>, name: &'static str) -> Result<(), InputError> {
    match cursor.peek() {
        Some(b'{') => Ok(()),
        _ => wrong_type(cursor, name, "an object"),
    }
}

fn actor(cursor: &mut Cursor<'_>) -> Result<Actor, InputError> {
    object(cursor, "actor")?;
    let mut actor = Actor::default();
    let known = ["user_id", "ip", "auth_method", "session_id"];
    let expected = "user_id, ip, auth_method or session_id";
    each_member(cursor, &known, expected, "an object", |cursor, name| {
        match name {
            "user_id" => actor.user_id = Some(id(cursor, name)?),
            "ip" => actor.ip = Some(string(cursor, name)?),
            "auth_method" => actor.auth_method = Some(string(cursor, name)?),
            _ => actor.session_id = Some(id(cursor, name)?),
        }
        Ok(())
    })?;
    Ok(actor)
}

fn resource(cursor: &mut Cursor<'_>) -> Result<Resource, InputError> {
    object(cursor, "resource")?;
    let mut resource = Resource::default();
    let known = ["resource_type", "resource_id", "parent_id"];
    let expected = "resource_type, resource_id or parent_id";
    each_member(cursor, &known, expected, "an object", |cursor, name| {
        match name {
            "resource_type" => resource.resource_type = Some(string(cursor, name)?),
            "resource_id" => resource.resource_id = Some(id(cursor, name)?),
            _ => resource.parent_id = Some(id(cursor, name)?),
        }
        Ok(())
    })?;
    Ok(resource)
}

fn context(cursor: &mut Cursor<'_>) -> Result<ContextInfo, InputError> {
    object(cursor, "context")?;
    let mut context = ContextInfo::default();
    let known = ["trace_id", "span_id", "request_id"];
    each_member(cursor, &known, "trace_id, span_id or request_id", "an object", |cursor, name| {
        match name {
            "trace_id" => context.trace_id = Some(string(cursor, name)?),
            "span_id" => context.span_id = Some(string(cursor, name)?),
            _ => context.request_id = Some(id(cursor, name)?),
        }
        Ok(())
    })?;
    Ok(context)
}

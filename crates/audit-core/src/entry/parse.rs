//! The members of an entry, in their order.
//!
//! What must stay true here: this reads from left to right exactly as FORMAT section 3 lists the
//! members. A member is optional here only if the page says so.

use uuid::{Uuid, Variant};

use super::cursor::Cursor;
use super::details::{self, Scratch};
use super::error::{EntryError, EntryErrorKind as Kind};
use super::text::RawStr;
use super::{Actor, Context, Entry, Resource};
use crate::chain::{Hash, MAX_LINE};
use crate::event::Outcome;
use crate::hex;
use crate::text::is_w3c_id;

/// The longest `event_type`.
const MAX_EVENT_TYPE: usize = 128;

/// Reads lines and keeps the memory that takes: no allocation per entry once warm.
#[derive(Debug, Default, Clone)]
pub struct Parser {
    scratch: Scratch,
}

impl Parser {
    /// Reads one line, LF not included.
    ///
    /// # Errors
    /// When the line is not exactly what FORMAT section 3 allows.
    pub fn parse<'a>(&mut self, line: &'a [u8]) -> Result<Entry<'a>, EntryError> {
        if line.len() > MAX_LINE {
            let expected = "the end of the line: a leaf is at most 65,535 bytes";
            return Err(EntryError::at(Kind::TooLong, line, MAX_LINE, expected));
        }
        let text = std::str::from_utf8(line)
            .map_err(|e| EntryError::at(Kind::NotUtf8, line, e.valid_up_to(), "UTF-8"))?;
        let mut at = Cursor::new(text);

        at.literal("{\"seq\":")?;
        let seq = at.decimal()?;
        at.literal(",\"audit_id\":\"")?;
        let audit_id = uuid_v7(&mut at)?;
        at.literal("\",\"timestamp\":\"")?;
        let timestamp = timestamp(&mut at)?;
        at.literal("\",\"service_id\":")?;
        let service_id = at.string()?;
        at.literal(",\"event_type\":\"")?;
        let event_type = event_type(&mut at)?;
        let critical = at.eat(",\"critical\":");
        if critical && !at.eat("true") {
            return Err(at.error(Kind::Value, "true"));
        }
        let actor = at.eat(",\"actor\":").then(|| actor(&mut at)).transpose()?;
        let resource = at.eat(",\"resource\":").then(|| resource(&mut at)).transpose()?;
        at.literal(",\"result\":")?;
        let result = result(&mut at)?;
        let reason = at.eat(",\"reason\":").then(|| at.string()).transpose()?;
        let context = at.eat(",\"context\":").then(|| context(&mut at)).transpose()?;
        let details = if at.eat(",\"details\":") {
            Some(details::object(&mut at, text, &mut self.scratch)?)
        } else {
            None
        };
        at.literal(",\"prev_hash\":\"")?;
        let prev_hash = hash(&mut at)?;
        at.literal("\",\"hash\":\"")?;
        let hash = hash(&mut at)?;
        at.literal("\"}")?;
        if !at.rest().is_empty() {
            return Err(at.error(Kind::Structure, "the end of the line"));
        }

        Ok(Entry {
            line: text,
            seq,
            audit_id,
            timestamp,
            service_id,
            event_type,
            critical,
            actor,
            resource,
            result,
            reason,
            context,
            details,
            prev_hash,
            hash,
        })
    }
}

fn uuid_v7(at: &mut Cursor<'_>) -> Result<Uuid, EntryError> {
    let start = at.pos();
    let text = at.take_array::<36>();
    if let Some(id) = text.and_then(hex::decode_uuid)
        && id.get_version_num() == 7
        && id.get_variant() == Variant::RFC4122
    {
        return Ok(id);
    }
    let wrong = |(i, c): (usize, &u8)| match i {
        8 | 13 | 18 | 23 => *c != b'-',
        14 => *c != b'7',
        19 => !matches!(c, b'8' | b'9' | b'a' | b'b'),
        _ => !matches!(c, b'0'..=b'9' | b'a'..=b'f'),
    };
    let place = text.and_then(|text| text.iter().enumerate().position(wrong)).unwrap_or(0);
    Err(at.error_at(start + place, Kind::Value, "a lower-case UUID of version 7"))
}

fn timestamp<'a>(at: &mut Cursor<'a>) -> Result<&'a str, EntryError> {
    const FORM: &[u8; 30] = b"0000-00-00T00:00:00.000000000Z";
    // How far a byte may be above the form's.
    const SPAN: [u8; 30] = {
        let (mut span, mut i) = ([0; 30], 0);
        while i < span.len() {
            if FORM[i] == b'0' {
                span[i] = 9;
            }
            i += 1;
        }
        span
    };
    let expected = "a time such as 2026-11-23T06:54:00.000000000Z";
    let start = at.pos();
    let error = |at: &Cursor<'_>, i: usize| at.error_at(start + i, Kind::Value, expected);
    let bytes = at.take_array::<30>().ok_or_else(|| error(at, 0))?;
    let text = at.since(start);
    let wrong = |i: usize| bytes[i].wrapping_sub(FORM[i]) > SPAN[i];
    // All of them, without a branch, before the place is looked for.
    if (0..FORM.len()).fold(false, |any, i| any | wrong(i)) {
        return Err(error(at, (0..FORM.len()).position(wrong).unwrap_or(0)));
    }
    let two = |i: usize| (bytes[i] - b'0') * 10 + (bytes[i + 1] - b'0');
    let (century, year, month) = (two(0), two(2), two(5));
    // A year divisible by 100 is a leap year only if its century is divisible by four.
    let leap = if year == 0 { century % 4 == 0 } else { year % 4 == 0 };
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    for (i, allowed) in [(5, 1..=12), (8, 1..=days), (11, 0..=23), (14, 0..=59), (17, 0..=59)] {
        if !allowed.contains(&two(i)) {
            return Err(error(at, i));
        }
    }
    Ok(text)
}

/// `[a-z0-9_]+(\.[a-z0-9_]+)+`, and the quote after it.
fn event_type<'a>(at: &mut Cursor<'a>) -> Result<&'a str, EntryError> {
    let start = at.pos();
    let (mut dots, mut word) = (0, 0);
    loop {
        match at.peek() {
            Some(b'a'..=b'z' | b'0'..=b'9' | b'_') => word += 1,
            Some(b'.') if word > 0 => (dots, word) = (dots + 1, 0),
            Some(b'"') if word > 0 && dots > 0 => break,
            _ => return Err(at.error(Kind::Value, "an event type such as auth.failure")),
        }
        at.bump();
        if at.pos() - start > MAX_EVENT_TYPE {
            return Err(at.error_at(start, Kind::Value, "an event type of at most 128 bytes"));
        }
    }
    let text = at.since(start);
    at.bump();
    Ok(text)
}

fn result(at: &mut Cursor<'_>) -> Result<Outcome, EntryError> {
    if at.eat("\"success\"") {
        Ok(Outcome::Success)
    } else if at.eat("\"failure\"") {
        Ok(Outcome::Failure)
    } else if at.eat("\"partial\"") {
        Ok(Outcome::Partial)
    } else {
        Err(at.error(Kind::Value, "\"success\", \"failure\" or \"partial\""))
    }
}

fn hash(at: &mut Cursor<'_>) -> Result<Hash, EntryError> {
    let start = at.pos();
    let rest = at.rest();
    if let Some(hash) = at.take_array::<64>().and_then(|text| Hash::from_hex(text)) {
        return Ok(hash);
    }
    let text = &rest[..rest.len().min(64)];
    let bad = text.iter().position(|c| !matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let bad = start + bad.unwrap_or(text.len());
    Err(at.error_at(bad, Kind::Value, "64 lower-case hex digits"))
}

fn actor<'a>(at: &mut Cursor<'a>) -> Result<Actor<'a>, EntryError> {
    let start = at.pos();
    at.literal("{\"user_id\":")?;
    let user_id = at.string()?;
    let ip = optional(at, ",\"ip\":")?;
    let auth_method = optional(at, ",\"auth_method\":")?;
    let session_id = optional(at, ",\"session_id\":")?;
    at.literal("}")?;
    Ok(Actor { raw: at.since(start), user_id, ip, auth_method, session_id })
}

fn resource<'a>(at: &mut Cursor<'a>) -> Result<Resource<'a>, EntryError> {
    let start = at.pos();
    at.literal("{\"resource_type\":")?;
    let resource_type = at.string()?;
    at.literal(",\"resource_id\":")?;
    let resource_id = at.string()?;
    let parent_id = optional(at, ",\"parent_id\":")?;
    at.literal("}")?;
    Ok(Resource { raw: at.since(start), resource_type, resource_id, parent_id })
}

fn context<'a>(at: &mut Cursor<'a>) -> Result<Context<'a>, EntryError> {
    let start = at.pos();
    at.literal("{")?;
    let trace_id = w3c_id(at, "\"trace_id\":", 32, "32 lower-case hex digits")?;
    let member = if trace_id.is_some() { ",\"span_id\":" } else { "\"span_id\":" };
    let span_id = w3c_id(at, member, 16, "16 lower-case hex digits")?;
    let first = trace_id.is_none() && span_id.is_none();
    let request_id = optional(at, if first { "\"request_id\":" } else { ",\"request_id\":" })?;
    if first && request_id.is_none() {
        return Err(at.error(Kind::Value, "a context with members"));
    }
    at.literal("}")?;
    Ok(Context { raw: at.since(start), trace_id, span_id, request_id })
}

fn w3c_id<'a>(
    at: &mut Cursor<'a>,
    member: &str,
    length: usize,
    expected: &'static str,
) -> Result<Option<RawStr<'a>>, EntryError> {
    if !at.eat(member) {
        return Ok(None);
    }
    let start = at.pos();
    let id = at.string()?;
    if is_w3c_id(id.raw(), length) {
        Ok(Some(id))
    } else {
        Err(at.error_at(start, Kind::Value, expected))
    }
}

fn optional<'a>(at: &mut Cursor<'a>, member: &str) -> Result<Option<RawStr<'a>>, EntryError> {
    if at.eat(member) { at.string().map(Some) } else { Ok(None) }
}

//! JSON Schema (draft 2020-12) of events as they stand on disk.
//!
//! What must stay true here: made from descriptions only, so it says of a user's event exactly
//! what it says of a built-in one; every entry the encoder writes for a described event validates.

use serde_json::{Map, Value, json};

use super::{EventDescription, JsonType, Outcome, Presence, event_type};

/// One schema for a catalogue: each event type is a definition of its own, and an entry is one of
/// them.
#[must_use]
pub fn json_schema(events: &[EventDescription]) -> Value {
    let definitions: Map<String, Value> =
        events.iter().map(|event| (event.event_type.to_owned(), entry(event))).collect();
    let any_of: Vec<Value> = events
        .iter()
        .map(|event| json!({"$ref": format!("#/$defs/{}", event.event_type)}))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Entries of an audit trail (audit-trail/1)",
        "oneOf": any_of,
        "$defs": definitions,
    })
}

/// The schema of the entries of one type.
fn entry(event: &EventDescription) -> Value {
    let mut object = Object::default();
    let hash = json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    object.always("seq", json!({"type": "integer", "minimum": 0}));
    object.always("audit_id", json!({"type": "string", "format": "uuid"}));
    object.always("timestamp", json!({"type": "string", "format": "date-time"}));
    object.always("service_id", string());
    object
        .always("event_type", json!({"const": event.event_type, "maxLength": event_type::MAX_LEN}));
    // A caller may make any event critical, but no critical one less so.
    let critical = if event.critical { Presence::Always } else { Presence::Optional };
    object.member("critical", critical, json!({"const": true}));
    object.member("actor", event.actor, actor());
    object.member("resource", event.resource, resource(event));
    object.always("result", result(event));
    object.member("reason", event.reason, string());
    // Any event can be put into the context of a request.
    object.member("context", Presence::Optional, context());
    let (presence, details) = details(event);
    object.member("details", presence, details);
    object.always("prev_hash", hash.clone());
    object.always("hash", hash);
    let mut schema = object.closed();
    schema["title"] = event.event_type.into();
    if !event.summary.is_empty() {
        schema["description"] = event.summary.into();
    }
    schema
}

fn actor() -> Value {
    let mut object = Object::default();
    object.always("user_id", string());
    object.member("ip", Presence::Optional, string());
    object.member("auth_method", Presence::Optional, string());
    object.member("session_id", Presence::Optional, string());
    object.closed()
}

fn resource(event: &EventDescription) -> Value {
    let kind = event.resource_type.map_or_else(string, |kind| json!({"const": kind}));
    let mut object = Object::default();
    object.always("resource_type", kind);
    object.always("resource_id", string());
    object.member("parent_id", event.parent, string());
    object.closed()
}

fn result(event: &EventDescription) -> Value {
    match event.result {
        Some(outcome) => json!({"const": outcome.as_str()}),
        None => json!({"enum": [
            Outcome::Success.as_str(), Outcome::Failure.as_str(), Outcome::Partial.as_str(),
        ]}),
    }
}

fn context() -> Value {
    let mut object = Object::default();
    object.member(
        "trace_id",
        Presence::Optional,
        json!({"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    );
    object.member(
        "span_id",
        Presence::Optional,
        json!({"type": "string", "pattern": "^[0-9a-f]{16}$"}),
    );
    object.member("request_id", Presence::Optional, string());
    object.closed()
}

/// The declared details, or what stands for them when the entry would be too large.
fn details(event: &EventDescription) -> (Presence, Value) {
    let mut object = Object::default();
    for detail in event.details {
        let presence = if detail.optional { Presence::Optional } else { Presence::Always };
        object.member(detail.name, presence, json_type(detail.json));
    }
    // Ids of a context that are not W3C hex stand here, so further members are possible.
    let declared = object.open();
    let mut oversize = Object::default();
    oversize.always("oversize", json!({"const": true}));
    oversize.always("bytes", json!({"type": "integer", "minimum": 0}));
    oversize.always("sha256", json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}));
    let presence = if event.details.iter().any(|detail| !detail.optional) {
        Presence::Always
    } else {
        Presence::Optional
    };
    (presence, json!({"anyOf": [declared, oversize.closed()]}))
}

/// Redaction, depth and failed serialisation may put a string in the place of any value; a schema
/// that forbade it would reject honest entries.
fn json_type(ty: JsonType) -> Value {
    let name = match ty {
        JsonType::Any => return json!(true),
        JsonType::String => return string(),
        JsonType::Boolean => return json!({"type": "boolean"}),
        JsonType::Integer => "integer",
        JsonType::Number => "number",
        JsonType::Object => "object",
        JsonType::Array(of) => {
            return json!({"type": ["array", "string"], "items": json_type(*of)});
        }
    };
    json!({"type": [name, "string"]})
}

fn string() -> Value {
    json!({"type": "string"})
}

/// An object's schema in the making.
#[derive(Default)]
struct Object {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl Object {
    fn always(&mut self, name: &str, schema: Value) {
        self.member(name, Presence::Always, schema);
    }

    fn member(&mut self, name: &str, presence: Presence, schema: Value) {
        if presence != Presence::Never {
            self.properties.insert(name.to_owned(), schema);
        }
        if presence == Presence::Always {
            self.required.push(name.into());
        }
    }

    fn open(self) -> Value {
        json!({"type": "object", "properties": self.properties, "required": self.required})
    }

    fn closed(self) -> Value {
        let mut schema = self.open();
        schema["additionalProperties"] = false.into();
        schema
    }
}

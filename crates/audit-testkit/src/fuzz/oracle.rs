//! A second reading of the entry grammar (FORMAT section 3), on `serde_json`.
//!
//! What must stay true here: written from the format page, sharing no code with the parser it judges.
//! `serde_json` says what is JSON and what a string says; here stands what of it is an entry.

use std::collections::BTreeSet;

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// Members in their order, values as they stand.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

/// Whether a line, LF not included, keeps the grammar.
pub(super) fn is_entry(line: &[u8]) -> bool {
    // A leaf has at most 65,535 bytes: the line less its last 75, and a brace.
    line.len() <= 65_535 - 1 + 75 && read(line).is_some()
}

fn read(line: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(line).ok()?;
    let Members(members) = serde_json::from_str(text).ok()?;
    // Names stand literally, and nothing stands between the tokens.
    let rebuilt: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{}", value.get())).collect();
    (text == format!("{{{}}}", rebuilt.join(","))).then_some(())?;
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    in_order(
        &names,
        &[
            "seq",
            "audit_id",
            "timestamp",
            "service_id",
            "event_type",
            "result",
            "prev_hash",
            "hash",
        ],
        &[
            "seq",
            "audit_id",
            "timestamp",
            "service_id",
            "event_type",
            "critical",
            "actor",
            "resource",
            "result",
            "reason",
            "context",
            "details",
            "prev_hash",
            "hash",
        ],
    )?;
    members.iter().all(|(name, value)| member(name, value.get())).then_some(())
}

/// The names are some of `all`, in that order, and the needed ones are among them.
fn in_order(names: &[&str], needed: &[&str], all: &[&str]) -> Option<()> {
    let mut rest = all.iter();
    let ordered = names.iter().all(|name| rest.any(|known| known == name));
    (ordered && needed.iter().all(|name| names.contains(name))).then_some(())
}

fn member(name: &str, value: &str) -> bool {
    match name {
        "seq" => value.parse::<u64>().is_ok_and(|seq| seq.to_string() == value),
        "audit_id" => plain(value).is_some_and(|id| {
            uuid::Uuid::try_parse(id).is_ok_and(|uuid| {
                uuid.get_version_num() == 7
                    && uuid.get_variant() == uuid::Variant::RFC4122
                    && uuid.hyphenated().to_string() == id
            })
        }),
        "timestamp" => plain(value).is_some_and(|time| {
            let civil = time.strip_suffix('Z').map(str::parse::<jiff::civil::DateTime>);
            civil.is_some_and(|civil| civil.is_ok_and(|civil| writes_as(civil, time)))
        }),
        "event_type" => plain(value).is_some_and(|kind| {
            let word = |word: &str| {
                !word.is_empty()
                    && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
            };
            kind.len() <= 128 && kind.contains('.') && kind.split('.').all(word)
        }),
        "critical" => value == "true",
        "result" => matches!(value, "\"success\"" | "\"failure\"" | "\"partial\""),
        "prev_hash" | "hash" => plain(value).is_some_and(|hash| {
            hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }),
        "actor" => {
            let all = ["user_id", "ip", "auth_method", "session_id"];
            strings(value, &all[..1], &all)
        }
        "resource" => {
            let all = ["resource_type", "resource_id", "parent_id"];
            strings(value, &all[..2], &all)
        }
        "context" => value != "{}" && strings(value, &[], &["trace_id", "span_id", "request_id"]),
        "details" => value != "{}" && value.starts_with('{') && free(value, 1),
        _ => is_clean(value),
    }
}

/// A date and time that writes itself as `text`; there are no leap seconds in a trail.
fn writes_as(civil: jiff::civil::DateTime, text: &str) -> bool {
    let (date, time) = (civil.date(), civil.time());
    let written = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.subsec_nanosecond()
    );
    written == text
}

/// What stands between the quotes, if there is no escape.
fn plain(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains(['\\', '"']))
}

/// An object of strings, its names literal and in order.
fn strings(value: &str, needed: &[&str], all: &[&str]) -> bool {
    let Ok(Members(members)) = serde_json::from_str(value) else { return false };
    let rebuilt: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{}", value.get())).collect();
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    value == format!("{{{}}}", rebuilt.join(","))
        && in_order(&names, needed, all).is_some()
        && members.iter().all(|(_, value)| is_clean(value.get()))
}

/// A string without forbidden characters.
fn is_clean(value: &str) -> bool {
    serde_json::from_str::<String>(value).is_ok_and(|text| !text.chars().any(forbidden))
}

/// Any value: no white space between tokens, clean strings, no name twice, 32 levels.
fn free(value: &str, level: usize) -> bool {
    let nested = value.starts_with(['{', '[']);
    if nested && level > 32 {
        return false;
    }
    match value.as_bytes().first() {
        Some(b'{') => {
            let Ok(Members(members)) = serde_json::from_str(value) else { return false };
            let mut names = BTreeSet::new();
            tight(value)
                && members.iter().all(|(name, value)| {
                    names.insert(name.clone())
                        && !name.chars().any(forbidden)
                        && free(value.get(), level + 1)
                })
        }
        Some(b'[') => {
            let items = serde_json::from_str::<Vec<&RawValue>>(value);
            tight(value) && items.is_ok_and(|all| all.iter().all(|v| free(v.get(), level + 1)))
        }
        Some(b'"') => is_clean(value),
        _ => !value.ends_with([' ', '\t', '\n', '\r']),
    }
}

/// No white space outside strings.
fn tight(value: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    value.bytes().all(|byte| {
        let was = inside;
        match byte {
            b'"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = was && byte == b'\\' && !escaped;
        was || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    })
}

/// The table of the format page.
fn forbidden(c: char) -> bool {
    let c = u32::from(c);
    let ranges = [
        (0x00, 0x1f),
        (0x7f, 0x9f),
        (0x2028, 0x2029),
        (0x61c, 0x61c),
        (0x200e, 0x200f),
        (0x202a, 0x202e),
        (0x2066, 0x2069),
        (0x200b, 0x200b),
        (0x2060, 0x2064),
        (0xfeff, 0xfeff),
        (0xfff9, 0xfffb),
        (0xe0000, 0xe007f),
        (0xfdd0, 0xfdef),
    ];
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) || c % 0x1_0000 >= 0xfffe
}

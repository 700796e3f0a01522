//! Exported records: OCSF and ECS against the published schemas, and what the other forms must keep.

use std::fs;
use std::path::Path;

use audit_core::entry::Entry;
use audit_reader::export::{Exporter, Format};
use serde_json::{Map, Value};

use crate::common::{Random, Trail};
use crate::query::{all_lines, trail};

const ORIGIN: &str = "audit.example/\"quoted\"\\back/1";

fn record(format: Format, line: &str) -> String {
    let mut out = Vec::new();
    Exporter::new(format, ORIGIN).record(&Entry::parse(line.as_bytes()).unwrap(), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains('\n'));
    text
}

/// Lines of all kinds: the vectors, hostile ones, and one of each built-in type.
fn lines() -> Vec<String> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors/healthy");
    let mut lines: Vec<String> = Vec::new();
    for file in fs::read_dir(vectors).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "audit") {
            lines.extend(fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
    }
    for seed in 0..40 {
        lines.extend(all_lines(&trail(&mut Random(seed))));
    }
    let mut of_each = Trail::new();
    let mut bytes = Vec::new();
    for event in audit_core::event::catalogue() {
        for rest in [
            r#""result":"partial""#,
            r#""actor":{"user_id":"w","ip":"not an address","auth_method":"mtls","session_id":"s"},"resource":{"resource_type":"t","resource_id":"i","parent_id":"p"},"result":"failure""#,
            r#""critical":true,"actor":{"user_id":"w","ip":"2001:db8::1"},"result":"success","context":{"trace_id":"0af7651916cd43dd8448eb211c80319c"}"#,
        ] {
            let members = format!(
                r#""timestamp":"2026-11-23T06:54:00.123456789Z","service_id":"svc","event_type":"{}",{rest}"#,
                event.event_type
            );
            of_each.members(&mut bytes, &members);
        }
    }
    lines.extend(String::from_utf8(bytes).unwrap().lines().map(str::to_owned));
    lines
}

/// The published schema, as far as it concerns us (fixtures/ocsf/compile.py).
struct Schema(Value);

impl Schema {
    fn event(&self, event: &Value) -> Result<(), String> {
        let class = &self.0["classes"][event["class_uid"].to_string()];
        if !class.is_object() {
            return Err(format!("class {}", event["class_uid"]));
        }
        let number = |name: &str| event[name].as_u64().unwrap();
        let activity = number("activity_id");
        assert_eq!(number("type_uid"), number("class_uid") * 100 + activity);
        assert_eq!(event["category_uid"], class["category_uid"]);
        // The published attributes of a class state these two for the base class only.
        let mut rest = event.as_object().unwrap().clone();
        rest["class_uid"] = 0.into();
        rest["category_uid"] = 0.into();
        self.object(class, &rest)
    }

    fn object(&self, kind: &Value, object: &Map<String, Value>) -> Result<(), String> {
        let attributes = kind["attributes"].as_object().unwrap();
        for (name, attribute) in attributes {
            if attribute["requirement"] == "required" && !object.contains_key(name) {
                return Err(format!("{name} is required"));
            }
        }
        let constraint = kind["at_least_one"].as_array().unwrap();
        let holds = |name: &Value| object.contains_key(name.as_str().unwrap());
        if !constraint.is_empty() && !constraint.iter().any(holds) {
            return Err(format!("one of {constraint:?} is required"));
        }
        for (name, value) in object {
            let attribute = attributes.get(name).ok_or_else(|| format!("{name} is unknown"))?;
            let values = match (attribute.get("is_array"), value.as_array()) {
                (None, None) => std::slice::from_ref(value),
                (Some(_), Some(values)) => values,
                _ => return Err(format!("{name} is an array, or is none")),
            };
            for value in values {
                self.value(attribute, value).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(())
    }

    fn value(&self, attribute: &Value, value: &Value) -> Result<(), String> {
        let text = value.to_string();
        if let Some(known) = attribute.get("enum").and_then(Value::as_array)
            && !known.iter().any(|known| known.as_str() == Some(&text))
        {
            return Err(format!("{value} is not one of {known:?}"));
        }
        let is = match attribute["type"].as_str().unwrap() {
            "integer_t" | "long_t" => value.is_i64() || value.is_u64(),
            "timestamp_t" => value.as_i64().is_some_and(|time| time > 1_000_000_000_000),
            "boolean_t" => value.is_boolean(),
            "json_t" => true,
            "object" => value.is_object(),
            "ip_t" => value.as_str().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
            name if name.ends_with("_t") => value.is_string(),
            name => {
                let kind = &self.0["objects"][name];
                let object = value.as_object().filter(|_| kind.is_object());
                return self.object(kind, object.ok_or_else(|| format!("{value} is no {name}"))?);
            }
        };
        is.then_some(()).ok_or_else(|| format!("{value} is no {}", attribute["type"]))
    }
}

#[test]
fn ocsf_records_keep_the_published_schema() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ocsf/schema.json");
    let schema = Schema(serde_json::from_slice(&fs::read(file).unwrap()).unwrap());
    let mut classes = std::collections::BTreeSet::new();
    for line in lines() {
        let event: Value = serde_json::from_str(&record(Format::Ocsf, &line)).unwrap();
        schema.event(&event).unwrap_or_else(|error| panic!("{error}\n{line}\n{event:#}"));
        assert_eq!(event["metadata"]["version"], schema.0["version"]);
        assert_eq!(event["metadata"]["log_name"], ORIGIN);
        assert_eq!(event["raw_data"], line.as_str());
        let entry: Value = serde_json::from_str(&line).unwrap();
        let proof = &event["attestation_list"][0];
        assert_eq!(proof["chain_uid"], ORIGIN);
        assert_eq!(proof["fingerprint"]["value"], entry["hash"]);
        match entry["seq"].as_u64().unwrap() {
            0 => assert!(proof.get("prev_event").is_none()),
            _ => assert_eq!(proof["prev_event"]["fingerprint"]["value"], entry["prev_hash"]),
        }
        // Nothing of the event is lost in the mapping itself.
        for (member, place) in [
            ("details", "/unmapped/details"),
            ("context", "/unmapped/context"),
            ("reason", "/status_detail"),
        ] {
            assert_eq!(event.pointer(place), entry.get(member), "{member} of {line}");
        }
        classes.insert(event["class_uid"].as_u64().unwrap());
    }
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), [0, 2004, 3002, 3004]);
    // The check itself can fail.
    let mut event: Value = serde_json::from_str(&record(Format::Ocsf, &lines()[1])).unwrap();
    event["severity_id"] = 77.into();
    assert!(schema.event(&event).unwrap_err().starts_with("severity_id: 77 is not one of"));
    event["severity_id"] = 1.into();
    event["surprise"] = 1.into();
    assert_eq!(schema.event(&event).unwrap_err(), "surprise is unknown");
}

#[test]
fn ecs_records_are_json_with_the_entry_in_them() {
    for line in lines() {
        let event: Value = serde_json::from_str(&record(Format::Ecs, &line)).unwrap();
        let entry: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["event"]["original"], line.as_str());
        assert_eq!(
            (&event["audit"]["origin"], &event["audit"]["seq"]),
            (&ORIGIN.into(), &entry["seq"])
        );
        assert_eq!(event["@timestamp"], entry["timestamp"]);
        assert_eq!(event["event"]["action"], entry["event_type"]);
        assert!(
            ["success", "failure", "unknown"]
                .contains(&event["event"]["outcome"].as_str().unwrap())
        );
        assert_eq!(event["user"].get("id"), entry["actor"].get("user_id"));
        // `source.ip` has a type; what is no address has no place in it.
        let ip = event.pointer("/source/ip").and_then(Value::as_str);
        assert!(ip.is_none_or(|ip| ip.parse::<std::net::IpAddr>().is_ok()));
        assert_eq!(event.pointer("/source/address"), entry["actor"].get("ip"));
    }
}

/// The fields of a record by their dotted names; ECS knows objects only as what stands before a dot.
fn flat(prefix: &str, value: &Value, out: &mut Vec<(String, Value)>) {
    match value.as_object() {
        Some(object) => object.iter().for_each(|(name, value)| {
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            flat(&name, value, out);
        }),
        None => out.push((prefix.to_owned(), value.clone())),
    }
}

/// What is wrong with a record, by the published fields (fixtures/ecs/compile.py).
fn ecs_fault(schema: &Value, record: &Value) -> Option<String> {
    let mut fields = Vec::new();
    flat("", record, &mut fields);
    // Ours, and no field set of ECS.
    fields.retain(|(name, _)| !name.starts_with("audit."));
    let published = schema["fields"].as_object().unwrap();
    let lacks = published.iter().find(|(name, field)| {
        field["required"] == true && !fields.iter().any(|(there, _)| there == *name)
    });
    if let Some((name, _)) = lacks {
        return Some(format!("{name} is required"));
    }
    fields.iter().find_map(|(name, value)| {
        let Some(field) = published.get(name) else { return Some(format!("{name} is unknown")) };
        let values = match (field["array"] == true, value.as_array()) {
            (true, Some(values)) => values.as_slice(),
            (false, None) => std::slice::from_ref(value),
            _ => return Some(format!("{name} is an array, or is none")),
        };
        values.iter().find_map(|value| {
            let text = value.as_str();
            let fits = match field["type"].as_str().unwrap() {
                "long" => value.is_u64(),
                "date" => text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
                "ip" => text.is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
                "keyword" | "match_only_text" | "wildcard" => text.is_some(),
                _ => false,
            };
            let allowed = field["allowed"].as_array();
            let known = allowed.is_none_or(|allowed| allowed.contains(value));
            (!fits || !known).then(|| format!("{value} is no {name}"))
        })
    })
}

#[test]
fn ecs_records_keep_the_published_schema() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ecs/fields.json");
    let schema: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for line in lines() {
        let event: Value = serde_json::from_str(&record(Format::Ecs, &line)).unwrap();
        assert_eq!(ecs_fault(&schema, &event), None, "{line}\n{event:#}");
        assert_eq!(event["ecs"]["version"], schema["version"]);
    }
    // The check itself can fail.
    let event: Value = serde_json::from_str(&record(Format::Ecs, &lines()[1])).unwrap();
    for (place, value, fault) in [
        ("outcome", "partial".into(), "\"partial\" is no event.outcome"),
        ("surprise", 1.into(), "event.surprise is unknown"),
        ("category", "iam".into(), "event.category is an array, or is none"),
    ] {
        let mut event = event.clone();
        event["event"][place] = value;
        assert_eq!(ecs_fault(&schema, &event).as_deref(), Some(fault));
    }
}

#[test]
fn syslog_headers_keep_rfc_5424_whatever_the_names_are() {
    for line in lines() {
        let text = record(Format::Syslog, &line);
        let entry: Value = serde_json::from_str(&line).unwrap();
        let mut parts = text.splitn(7, ' ');
        let mut next = || parts.next().unwrap();
        let priority = next().strip_prefix('<').unwrap().strip_suffix(">1").unwrap();
        assert!((13 * 8..13 * 8 + 8).contains(&priority.parse::<u32>().unwrap()));
        let time = next();
        assert!(
            time.len() == 27
                && time.ends_with('Z')
                && entry["timestamp"].as_str().unwrap().starts_with(&time[..26])
        );
        for (most, header) in [(255, next()), (48, next()), (128, next()), (32, next())] {
            assert!(
                (1..=most).contains(&header.len()) && header.chars().all(|c| c.is_ascii_graphic())
            );
        }
        let rest = next();
        let seq = &entry["seq"];
        let data =
            format!(r#"[audit@32473 origin="audit.example/\"quoted\"\\back/1" seq="{seq}" "#);
        assert!(rest.starts_with(&data), "{rest}");
        assert!(rest.ends_with(&format!("] {line}")));
    }
}

#[test]
fn cef_fields_end_where_they_should() {
    for line in lines() {
        let text = record(Format::Cef, &line);
        assert_eq!(text.split('|').take(7).count(), 7);
        let extension = text.splitn(8, '|').nth(7).unwrap();
        // Every `=` that is not escaped ends a key.
        let mut escaped = false;
        let mut keys = Vec::new();
        for (at, c) in extension.char_indices() {
            if c == '=' && !escaped {
                keys.push(extension[..at].rsplit(' ').next().unwrap());
            }
            escaped = c == '\\' && !escaped;
        }
        assert!(keys.iter().all(|key| key.chars().all(char::is_alphanumeric)), "{keys:?}");
        assert!(
            ["rt", "deviceExternalId", "cn1", "externalId", "outcome", "cs1", "cs2"]
                .iter()
                .all(|key| keys.iter().filter(|there| there == &key).count() == 1)
        );
    }
}

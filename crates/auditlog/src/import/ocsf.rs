//! OCSF 1.x: events of any class, and our own export back again.
//!
//! What must stay true here: an event of our own export becomes the entry it was made of, which its
//! fingerprint must confirm; where it came from stands in `details.imported_from`.

use audit_core::control::CONTROL_PREFIX;
use audit_core::entry::Entry;
use jiff::Timestamp;

use super::draft::{Draft, event_type};
use super::object::Members;

/// Classes whose events come without a `class_name`.
const CLASSES: [(&str, &str); 18] = [
    ("1001", "file_activity"),
    ("1005", "module_activity"),
    ("1006", "scheduled_job_activity"),
    ("1007", "process_activity"),
    ("2001", "security_finding"),
    ("2002", "vulnerability_finding"),
    ("2003", "compliance_finding"),
    ("2004", "detection_finding"),
    ("3001", "account_change"),
    ("3002", "authentication"),
    ("3003", "authorize_session"),
    ("3004", "entity_management"),
    ("3005", "user_access_management"),
    ("3006", "group_management"),
    ("4001", "network_activity"),
    ("4002", "http_activity"),
    ("6003", "api_activity"),
    ("6005", "datastore_activity"),
];

pub(super) fn draft(mut record: Members) -> Result<Draft, String> {
    let class = record.text("class_uid").ok_or("no class_uid: not an event of OCSF")?;
    if let Some(ours) = ours(&mut record)? {
        return Ok(ours);
    }
    let mut draft = Draft { timestamp: Some(time(&mut record)?), ..Draft::default() };
    let known = CLASSES.iter().find(|(uid, _)| *uid == class).map(|(_, name)| (*name).to_owned());
    let class_name =
        record.text("class_name").or(known).unwrap_or_else(|| format!("class_{class}"));
    let activity = record.text("activity_name");
    let activity_id = record.text("activity_id").unwrap_or_default();
    let activity = activity.unwrap_or_else(|| match activity_id.as_str() {
        "" | "0" => "unknown".to_owned(),
        id => format!("activity_{id}"),
    });
    draft.result = Some(match record.text("status_id").as_deref() {
        Some("1") => "success",
        Some("2") => "failure",
        _ => match record.text("status").as_deref() {
            Some("Success" | "success") => "success",
            Some("Failure" | "failure") => "failure",
            // A finding says that something happened, and not how an action ended.
            _ if class.starts_with('2') => "success",
            _ => "partial",
        },
    });
    draft.reason = record.take_first(&["status_detail", "status_code"]);
    who(&mut record, &mut draft);
    what(&mut record, &mut draft);
    record.inside("metadata", |metadata| match metadata.text("correlation_uid") {
        Some(id) if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            draft.trace_id = metadata.take_text("correlation_uid");
        }
        Some(_) => draft.request_id = metadata.take_text("correlation_uid"),
        None => {}
    });
    draft.event_type = match (class.as_str(), activity_id.as_str(), draft.result) {
        ("3002", "1", Some("success")) => "auth.success".to_owned(),
        ("3002", "1", Some("failure")) => "auth.failure".to_owned(),
        _ => event_type(&["ocsf", &class_name, &activity]),
    };
    draft.details = record;
    Ok(draft)
}

/// When it happened: milliseconds since 1970.
fn time(record: &mut Members) -> Result<String, String> {
    let text = record.text("time").ok_or("no time")?;
    let ms = text.parse::<i64>().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    if let Some(time) = ms {
        record.take_text("time");
        return Ok(time.to_string());
    }
    // Some programs write the time as text, or in other units and the text beside it. What `time` says
    // then stays in the details.
    let spelled = [Some(text), record.text("time_dt")].into_iter().flatten();
    let time = spelled.filter_map(|text| text.parse::<Timestamp>().ok()).next();
    Ok(time.ok_or("`time` is no number of milliseconds since 1970")?.to_string())
}

fn who(record: &mut Members, draft: &mut Draft) {
    let names = ["uid", "name", "email_addr"];
    // Of a login, `user` is who logs in; who acted for them stays in the details.
    let login = record.text("class_uid").as_deref() == Some("3002");
    if login {
        record.inside("user", |user| draft.user_id = user.take_first(&names));
    }
    record.inside("actor", |actor| {
        if draft.user_id.is_none() {
            actor.inside("user", |user| draft.user_id = user.take_first(&names));
        }
        actor.inside("session", |session| draft.session_id = session.take_first(&["uid"]));
        if draft.user_id.is_none() {
            draft.user_id = actor.take_first(&["app_name", "invoked_by"]);
        }
    });
    if draft.user_id.is_none() && !login {
        record.inside("user", |user| draft.user_id = user.take_first(&names));
    }
    record.inside("src_endpoint", |from| draft.ip = from.take_first(&["ip", "hostname"]));
    draft.auth_method = record.take_text("auth_protocol");
}

fn what(record: &mut Members, draft: &mut Draft) {
    let named = |object: &mut Members, kind: &str| {
        let id = object.take_first(&["uid", "name", "path", "hostname", "ip"])?;
        let kind = object.take_text("type").unwrap_or_else(|| kind.to_owned());
        Some((kind, id))
    };
    let login = record.text("class_uid").as_deref() == Some("3002");
    let mut found = record.first_inside("resources", |object| named(object, "resource")).flatten();
    for kind in
        ["entity", "file", "user", "group", "process", "database", "service", "dst_endpoint"]
    {
        if found.is_none() && !(login && kind == "user") {
            found = record.inside(kind, |object| named(object, kind)).flatten();
        }
    }
    (draft.resource_type, draft.resource_id) = found.unzip();
}

/// The entry that a record of our own export was made of.
fn ours(record: &mut Members) -> Result<Option<Draft>, String> {
    let product = record.inside("metadata", |metadata| {
        let product = metadata.inside("product", |product| product.text("name"));
        (product.flatten(), metadata.text("log_name"))
    });
    let Some((Some(product), Some(origin))) = product else { return Ok(None) };
    let Some(line) = record.text("raw_data").filter(|_| product == "audit-logging") else {
        return Ok(None);
    };
    let entry =
        Entry::parse(line.as_bytes()).map_err(|error| format!("raw_data is no entry: {error}"))?;
    if !entry.hash_matches() {
        return Err("raw_data does not have the hash it states: the record was altered".to_owned());
    }
    let mut from = Members::default();
    from.say("origin", &origin);
    from.put("seq", entry.seq().to_string());
    from.say("audit_id", &entry.audit_id().to_string());
    from.put("service_id", format!("\"{}\"", entry.service_id().raw()));
    from.say("hash", &entry.hash().to_string());
    let mut details = Members::parse(entry.details().unwrap_or("{}")).map_err(|e| e.to_string())?;
    details.put("imported_from", from.json());
    let mut event = Members::default();
    // What a trail says about itself only its own writer may say.
    let event_type = match entry.event_type().strip_prefix(CONTROL_PREFIX) {
        Some(rest) => format!("imported.{CONTROL_PREFIX}{rest}"),
        None => entry.event_type().to_owned(),
    };
    event.say("event_type", &event_type);
    event.put("critical", entry.is_critical().to_string());
    event.say("timestamp", entry.timestamp());
    event.say("result", entry.result().as_str());
    if let Some(actor) = entry.actor() {
        event.put("actor", actor.raw.to_owned());
    }
    if let Some(resource) = entry.resource() {
        event.put("resource", resource.raw.to_owned());
    }
    if let Some(reason) = entry.reason() {
        event.put("reason", format!("\"{}\"", reason.raw()));
    }
    if let Some(context) = entry.context() {
        event.put("context", context.raw.to_owned());
    }
    event.put("details", details.json());
    Ok(Some(Draft { line: Some(event.json()), ..Draft::default() }))
}

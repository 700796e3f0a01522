//! Kubernetes: `Event` of audit.k8s.io/v1.
//!
//! What must stay true here: a stage that has no response has no result to tell: it is `partial`, and
//! the reason says which stage it is.

use super::draft::{Draft, event_type};
use super::object::Members;

/// Characters of a reason that quotes the input.
const WHY: usize = 200;

pub(super) fn draft(mut record: Members) -> Result<Draft, String> {
    match record.text("kind").as_deref() {
        Some("Event") | None => {}
        Some(kind) => return Err(short(format!("kind {kind:?} is no audit Event"))),
    }
    match record.text("apiVersion").as_deref() {
        Some(version) if version.starts_with("audit.k8s.io/") => {}
        // In the lists that the API server sends to a webhook, the list says it for its items.
        None if record.has("auditID") && record.has("stage") => {}
        other => return Err(short(format!("apiVersion {other:?} is not audit.k8s.io/v1"))),
    }
    let verb = record.take_text("verb").ok_or("no verb: not an audit Event")?;
    let stage = record.text("stage").unwrap_or_default();
    let mut draft = Draft { request_id: record.take_text("auditID"), ..Draft::default() };
    draft.timestamp = record.take_first(&["stageTimestamp", "requestReceivedTimestamp"]);
    if draft.timestamp.is_none() {
        return Err("no stageTimestamp".to_owned());
    }
    record.inside("user", |user| draft.user_id = user.take_first(&["username", "uid"]));
    draft.ip = record.take_first_of_list("sourceIPs");
    let resource = what(&mut record, &mut draft);
    let code = record.inside("responseStatus", |status| {
        draft.reason = status.take_text("reason");
        status.text("code").and_then(|code| code.parse::<u16>().ok())
    });
    draft.result = Some(match code.flatten() {
        Some(400..) => "failure",
        Some(_) => "success",
        None if stage == "Panic" => "failure",
        None => "partial",
    });
    if draft.result != Some("success") && draft.reason.is_none() {
        draft.reason = Some(if stage.is_empty() { "no response".to_owned() } else { stage });
    }
    draft.event_type = match code.flatten() {
        Some(401) => {
            record.say("verb", &verb);
            "auth.failure".to_owned()
        }
        _ => event_type(&["k8s", &resource, &verb]),
    };
    draft.details = record;
    Ok(draft)
}

/// A reason that quotes the input goes into the trail: it may not be as long as that makes it.
fn short(why: String) -> String {
    match why.char_indices().nth(WHY) {
        Some((end, _)) => format!("{}…", &why[..end]),
        None => why,
    }
}

/// What it is about; gives the name for the type.
fn what(record: &mut Members, draft: &mut Draft) -> String {
    let found = record.inside("objectRef", |object| {
        let kind = object.take_text("resource").unwrap_or_else(|| "object".to_owned());
        let kind = match object.take_text("subresource") {
            Some(sub) => format!("{kind}/{sub}"),
            None => kind,
        };
        let (space, name) = (object.take_text("namespace"), object.take_text("name"));
        draft.resource_id = match (&space, name) {
            (Some(space), Some(name)) => Some(format!("{space}/{name}")),
            (None, Some(name)) => Some(name),
            (Some(space), None) => Some(format!("{space}/")),
            (None, None) => Some("*".to_owned()),
        };
        draft.parent_id = space;
        draft.resource_type = Some(kind.clone());
        kind
    });
    found.unwrap_or_else(|| {
        // Requests such as GET /healthz are about no object.
        if let Some(uri) = record.take_text("requestURI") {
            draft.resource_type = Some("uri".to_owned());
            draft.resource_id = Some(uri);
        }
        "nonresource".to_owned()
    })
}

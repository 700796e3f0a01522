//! The handlers: what each records, and when.
//!
//! What must stay true here: record, then act, then answer. What a client sent goes into events as
//! it was sent: making it harmless is the library's work, done once, for every event.

use std::sync::Arc;

// `AuditEvent` is two things under one name: the enum of the built-in events, and the derive that
// makes events of a service's own.
use audit_logging::{ActorInfo, AuditEvent, AuthMethod, ResourceInfo};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::refused::Refused;
use super::{MAX_FAILURES, Service, WINDOW_SECONDS, random_hex};

type Shared = State<Arc<Service>>;
type Body<T> = Result<Json<T>, JsonRejection>;
type Answer = Result<Json<Value>, Refused>;

/// An event of this service's own. Fields with a role go to their place in the entry, all others
/// to its `details`.
#[derive(Debug, AuditEvent)]
#[audit(type = "invoice.approved", critical)]
struct InvoiceApproved {
    #[audit(actor)]
    approver: ActorInfo,
    #[audit(resource_id("invoice"))]
    invoice: String,
    amount_cents: u64,
}

#[derive(Deserialize)]
pub(super) struct Login {
    user: String,
    password: String,
}

pub(super) async fn login(State(service): Shared, caller: Caller, body: Body<Login>) -> Answer {
    let (allowed, actual) = service.may_fail(caller.ip, false);
    if !allowed {
        let (ip, limit) = (caller.ip, MAX_FAILURES);
        let event =
            AuditEvent::rate_limit_exceeded(ip, "/login", limit, actual + 1, WINDOW_SECONDS);
        service.record(&caller, event)?;
        service.may_fail(ip, true);
        return Err(Refused::Request(StatusCode::TOO_MANY_REQUESTS, "too many failed logins"));
    }
    let (attempted, known) = match body {
        Ok(Json(login)) => {
            let known =
                service.tables().users.get_key_value(login.user.as_str()).map(|u| (*u.0, *u.1));
            (Some(login.user), known.filter(|(_, (password, _))| *password == login.password))
        }
        Err(_) => (None, None),
    };
    let Some((user, (_, role))) = known else {
        // The attempted name goes in exactly as it was sent. Escapes, line feeds, forged JSON:
        // the library makes them visible, and no login attempt is ever lost for its content.
        let reason = if attempted.is_some() { "wrong user or password" } else { "not a login" };
        let event = AuditEvent::auth_failure(attempted, caller.ip, reason, "/login");
        service.record(&caller, event)?;
        service.may_fail(caller.ip, true);
        return Err(Refused::Request(StatusCode::UNAUTHORIZED, "wrong user or password"));
    };
    let token = random_hex()
        .map_err(|_| Refused::Request(StatusCode::SERVICE_UNAVAILABLE, "no randomness"))?;
    let fingerprint = service.fingerprint.of(&token);
    let actor = caller.actor(user, AuthMethod::Password).with_session(fingerprint.clone());
    let method = AuthMethod::Password;
    service.record(&caller, AuditEvent::auth_success(actor, method, "/login"))?;
    service.tables().sessions.insert(fingerprint, (user, role));
    Ok(Json(json!({"token": token})))
}

pub(super) async fn file(
    State(service): Shared,
    caller: Caller,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Answer {
    // What does not even decode to text is recorded as it was sent.
    let (path, decodes) = match path {
        Ok(Path(path)) => (path, true),
        Err(_) => (uri.path().to_owned(), false),
    };
    // A `%` that is left after decoding was encoded twice.
    let leaves = path.split(['/', '\\']).any(|part| part == ".." || part.contains(['\0', '%']));
    if leaves || !decodes {
        // Whoever is logged in is named; anybody else is known by the address alone.
        let fingerprint = service.fingerprint.of(caller.token.as_deref().unwrap_or_default());
        let user = service.tables().sessions.get(&fingerprint).map(|(user, _)| *user);
        let actor = match user {
            Some(user) => caller.actor(user, AuthMethod::BearerToken).with_session(fingerprint),
            None => caller.actor("anonymous", AuthMethod::Internal),
        };
        let event = AuditEvent::path_traversal_attempt(actor, "/files", path);
        service.record(&caller, event)?;
        return Err(Refused::Request(StatusCode::BAD_REQUEST, "no such path"));
    }
    let (actor, _) = service.authenticate(&caller, &uri)?;
    let resource = ResourceInfo::new("file", path.as_str());
    let event = AuditEvent::authorization_granted(actor, resource, "read");
    service.record(&caller, event)?;
    Ok(Json(json!({"file": path, "content": "…"})))
}

pub(super) async fn tasks(State(service): Shared, caller: Caller, uri: Uri) -> Answer {
    let (actor, _) = service.authenticate(&caller, &uri)?;
    let resource = ResourceInfo::new("task_list", "all");
    let event = AuditEvent::authorization_granted(actor, resource, "list");
    service.record(&caller, event)?;
    Ok(Json(json!({"tasks": []})))
}

#[derive(Deserialize)]
pub(super) struct Approval {
    amount_cents: u64,
}

pub(super) async fn approve_invoice(
    State(service): Shared,
    caller: Caller,
    uri: Uri,
    Path(invoice): Path<String>,
    body: Body<Approval>,
) -> Answer {
    let (approver, _) = service.authenticate(&caller, &uri)?;
    let Json(Approval { amount_cents }) = body?;
    // A user's own event goes the same way as the built-in ones.
    let event = InvoiceApproved { approver, invoice: invoice.clone(), amount_cents };
    service.record(&caller, event)?;
    Ok(Json(json!({"approved": invoice})))
}

#[derive(Deserialize)]
pub(super) struct Permissions {
    subject: String,
    permissions: Vec<String>,
}

pub(super) async fn change_permissions(
    State(service): Shared,
    caller: Caller,
    uri: Uri,
    body: Body<Permissions>,
) -> Answer {
    // Looked at before the body: a stranger's nonsense is a stranger's attempt all the same.
    let _ = service.authenticate(&caller, &uri)?;
    let Json(Permissions { subject, permissions }) = body?;
    let resource = ResourceInfo::new("subject", subject.as_str());
    let actor = service.authorize(&caller, &uri, resource, "change permissions")?;
    // Recorded under the lock that guards the change: the trail has the changes in their order.
    let mut tables = service.tables();
    let old = tables.permissions.get(&subject).cloned().unwrap_or_default();
    let event = AuditEvent::permission_changed(actor, subject.as_str(), old, permissions.clone());
    let receipt = service.emit(&caller, event)?;
    tables.permissions.insert(subject, permissions);
    Ok(Json(json!({"audit_id": receipt.audit_id()})))
}

pub(super) async fn delete_customer(
    State(service): Shared,
    caller: Caller,
    uri: Uri,
    Path(customer): Path<String>,
) -> Answer {
    let resource = ResourceInfo::new("customer", customer.as_str());
    service.authorize(&caller, &uri, resource, "delete")?;
    let data = vec!["profile".to_owned(), "orders".to_owned()];
    let event = AuditEvent::data_deleted(customer.as_str(), "erasure request", data);
    let receipt = service.emit(&caller, event)?;
    // This cannot be undone, so it waits for the disk: record, sync, delete, answer. A crash in
    // between leaves a record of something not done, never something done without a record.
    receipt.durable().await?;
    service.tables().permissions.remove(&customer);
    Ok(Json(json!({"deleted": customer, "audit_id": receipt.audit_id()})))
}

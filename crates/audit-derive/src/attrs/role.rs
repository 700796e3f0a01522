//! What a field can be in the entry, and which of these go together.
//!
//! What must stay true here: a set of roles that passes gives one actor and one resource at most,
//! each with what the format requires of it.

use syn::spanned::Spanned;
use syn::{Error, Ident, Result};

use super::EventDecl;

/// What a field is in the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Actor,
    ActorId,
    ActorIp,
    Resource,
    ResourceType,
    ResourceId,
    ParentId,
    Result,
    Reason,
    TraceId,
    SpanId,
    RequestId,
    Timestamp,
}

pub(super) const ROLES: [(&str, Role); 13] = [
    ("actor", Role::Actor),
    ("actor_id", Role::ActorId),
    ("actor_ip", Role::ActorIp),
    ("resource", Role::Resource),
    ("resource_type", Role::ResourceType),
    ("resource_id", Role::ResourceId),
    ("parent_id", Role::ParentId),
    ("result", Role::Result),
    ("reason", Role::Reason),
    ("trace_id", Role::TraceId),
    ("span_id", Role::SpanId),
    ("request_id", Role::RequestId),
    ("timestamp", Role::Timestamp),
];

/// Refuses roles that contradict each other, or lack another.
pub(super) fn check(decl: &EventDecl<'_>) -> Result<()> {
    let has = |role| decl.roles.contains_key(&role);
    let complain = |role: Role, message: &str| match decl.roles.get(&role) {
        Some(field) => {
            let span = field.ident.as_ref().map_or_else(|| field.span(), Ident::span);
            Err(Error::new(span, message))
        }
        None => Ok(()),
    };
    if has(Role::Actor) {
        let message = "the event has an `actor`, which has an id and an address already";
        complain(Role::ActorId, message)?;
        complain(Role::ActorIp, message)?;
    }
    if has(Role::Resource) {
        let message = "the event has a `resource`, which has type, id and parent already";
        complain(Role::ResourceType, message)?;
        complain(Role::ResourceId, message)?;
        complain(Role::ParentId, message)?;
    }
    if decl.resource_kind.is_some() {
        complain(Role::ResourceType, "`resource_id(\"kind\")` says the type already")?;
    } else if !has(Role::ResourceType) {
        let message = "what kind of resource? `resource_id(\"kind\")`, or a field that is the \
                       `resource_type`";
        complain(Role::ResourceId, message)?;
    }
    if !has(Role::ResourceId) {
        complain(Role::ParentId, "a parent of which resource? `resource_id` is missing")?;
    }
    Ok(())
}

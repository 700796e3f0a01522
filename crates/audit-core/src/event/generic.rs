//! Events whose type is known only at run time.
//!
//! What must stay true here: a built-in type keeps what the catalogue says of it: it is never less
//! critical, and its fixed result holds unless another is given.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::event_type::{self, EventTypeError};
use super::{
    ActorInfo, ActorRef, AuditResult, ContextInfo, ContextRef, Event, Outcome, ResourceInfo,
    ResourceRef, Text, describe_built_in, roles,
};
use crate::encode::Details;
use crate::json::JsonObject;

/// An event of any type, made by code or read from a line of JSON.
///
/// ```
/// use audit_core::event::{ActorInfo, AuthMethod, GenericEvent, ResourceInfo};
/// let event = GenericEvent::new("invoice.approved")?
///     .actor(ActorInfo::new("alice", AuthMethod::Oidc))
///     .resource(ResourceInfo::new("invoice", "2026-118"))
///     .detail("amount_cents", &129_900);
/// # Ok::<_, audit_core::event::event_type::EventTypeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GenericEvent {
    pub(super) event_type: String,
    pub(super) critical: bool,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) actor: Option<Actor>,
    pub(super) resource: Option<Resource>,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) context: Option<ContextInfo>,
    pub(super) details: Option<JsonObject>,
    own: Vec<(String, serde_json::Value)>,
}

/// An actor in the caller's words: what an attacker put into an address or a method must not keep
/// the event out of the trail, so these are not parsed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Actor {
    pub(super) user_id: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) auth_method: Option<String>,
    pub(super) session_id: Option<String>,
}

/// A resource in the caller's words.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Resource {
    pub(super) resource_type: Option<String>,
    pub(super) resource_id: Option<String>,
    pub(super) parent_id: Option<String>,
}

impl GenericEvent {
    /// An event of a type, with what the catalogue says of it.
    pub fn new(event_type: impl Into<String>) -> Result<GenericEvent, EventTypeError> {
        let event_type = event_type.into();
        event_type::check(&event_type)?;
        let known = describe_built_in(&event_type);
        Ok(GenericEvent {
            critical: known.is_some_and(|known| known.critical),
            outcome: known.and_then(|known| known.result).unwrap_or(Outcome::Success),
            event_type,
            timestamp: None,
            actor: None,
            resource: None,
            reason: None,
            context: None,
            details: None,
            own: Vec::new(),
        })
    }

    /// Who acted.
    #[must_use]
    pub fn actor(mut self, actor: ActorInfo) -> GenericEvent {
        self.actor = Some(Actor {
            user_id: Some(actor.user_id),
            ip: actor.ip.map(|ip: IpAddr| ip.to_string()),
            auth_method: Some(actor.auth_method.as_str().to_owned()),
            session_id: actor.session_id,
        });
        self
    }

    /// What was acted upon.
    #[must_use]
    pub fn resource(mut self, resource: ResourceInfo) -> GenericEvent {
        self.resource = Some(Resource {
            resource_type: Some(resource.resource_type),
            resource_id: Some(resource.resource_id),
            parent_id: resource.parent_id,
        });
        self
    }

    /// How it ended, and why if the result says so.
    #[must_use]
    pub fn result(mut self, result: AuditResult) -> GenericEvent {
        self.outcome = roles::ResultField::outcome(&result);
        match result {
            AuditResult::Success => {}
            AuditResult::Failure { reason: why } | AuditResult::PartialSuccess { details: why } => {
                self.reason = Some(why);
            }
        }
        self
    }

    /// Why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> GenericEvent {
        self.reason = Some(reason.into());
        self
    }

    /// The request it belongs to.
    #[must_use]
    pub fn context(mut self, context: ContextInfo) -> GenericEvent {
        self.context = Some(context);
        self
    }

    /// Makes it critical, or not; a critical built-in type stays critical.
    #[must_use]
    pub fn critical(mut self, critical: bool) -> GenericEvent {
        let at_least = describe_built_in(&self.event_type).is_some_and(|known| known.critical);
        self.critical = critical || at_least;
        self
    }

    /// When it happened, if not at the time of `emit`.
    #[must_use]
    pub fn at(mut self, timestamp: Timestamp) -> GenericEvent {
        self.timestamp = Some(timestamp);
        self
    }

    /// Adds a member of `details`. A value that cannot be serialised becomes a string that says so.
    #[must_use]
    pub fn detail<T: Serialize + ?Sized>(mut self, name: impl Into<String>, value: &T) -> Self {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| format!("…[unserializable: {error}]").into());
        self.own.push((name.into(), value));
        self
    }

    /// Adds every member of a JSON object to `details`.
    #[must_use]
    pub fn json_details(mut self, object: JsonObject) -> GenericEvent {
        self.details = Some(object);
        self
    }
}

fn text(text: &Option<String>) -> Option<Text<'_>> {
    text.as_deref().map(Text::Str)
}

impl Event for GenericEvent {
    fn event_type(&self) -> &str {
        &self.event_type
    }

    fn is_critical(&self) -> bool {
        self.critical
    }

    fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// Nothing is added to what the caller said but the `user_id` that the format requires: how the
    /// actor proved who they are is evidence, and not ours to invent.
    fn actor(&self) -> Option<ActorRef<'_>> {
        let actor = self.actor.as_ref().filter(|actor| **actor != Actor::default())?;
        Some(ActorRef {
            user_id: text(&actor.user_id).unwrap_or(roles::UNKNOWN),
            ip: text(&actor.ip),
            auth_method: text(&actor.auth_method),
            session_id: text(&actor.session_id),
        })
    }

    fn resource(&self) -> Option<ResourceRef<'_>> {
        let resource = self.resource.as_ref()?;
        roles::partial_resource(
            text(&resource.resource_type),
            text(&resource.resource_id),
            text(&resource.parent_id),
        )
    }

    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn reason(&self) -> Option<Text<'_>> {
        text(&self.reason)
    }

    fn context(&self) -> Option<ContextRef<'_>> {
        self.context.as_ref().map(ContextInfo::as_ref)
    }

    fn details(&self, details: &mut Details<'_>) {
        if let Some(object) = &self.details {
            details.members(object);
        }
        for (name, value) in &self.own {
            details.field(name, value);
        }
    }
}

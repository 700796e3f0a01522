//! What an event is: a type, a criticality, and who did what to what with which result.
//!
//! What must stay true here: an [`Event`] only *describes* itself with borrowed values. Order,
//! sanitising, redaction and limits belong to the encoder alone, so no event can forget them.

mod built_in;
mod catalogue;
mod critical;
mod describe;
pub mod event_type;
mod generic;
mod input;
pub mod roles;
pub mod schema;
mod types;
mod when;

/// Makes an audit event of a struct, or of an enum whose variants are events.
///
/// ```
/// use audit_core::event::{ActorInfo, AuditEvent, Event};
///
/// /// Somebody with the right to do so approved an invoice.
/// #[derive(AuditEvent)]
/// # #[audit(crate = audit_core)]
/// #[audit(type = "invoice.approved", critical)]
/// struct InvoiceApproved {
///     #[audit(actor)]
///     by: ActorInfo,
///     #[audit(resource_id("invoice"))]
///     invoice: String,
///     amount_cents: u64,
///     comment: Option<String>,
/// }
///
/// let event = InvoiceApproved {
///     by: ActorInfo::internal("billing"),
///     invoice: "2026-118".into(),
///     amount_cents: 129_900,
///     comment: None,
/// };
/// assert!(event.is_critical());
/// ```
pub use audit_derive::AuditEvent;
pub use built_in::{catalogue, describe_built_in};
pub use catalogue::AuditEvent;
pub use critical::CRITICAL_EVENT_TYPES;
pub use describe::{Describe, DetailDescription, EventDescription, JsonType, Presence};
pub use generic::GenericEvent;
pub use input::{InputError, Problem};
pub use types::{
    ActorInfo, AuditResult, AuthMethod, ContextInfo, InContext, ResourceInfo, Severity,
};

use std::net::IpAddr;

use jiff::Timestamp;

/// A text an event hands to the encoder: borrowed where it exists, or a number or address that is
/// written out without allocating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text<'a> {
    /// Any string; sanitised and redacted by the encoder.
    Str(&'a str),
    /// An IP address in its canonical form.
    Ip(IpAddr),
    /// An unsigned number in decimal.
    Uint(u64),
}

/// Who acted (FORMAT section 3, `actor`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorRef<'a> {
    /// The acting user, or `"unknown"`.
    pub user_id: Text<'a>,
    /// Where from.
    pub ip: Option<Text<'a>>,
    /// How the actor proved who they are (`bearer_token`, `mtls`, …).
    pub auth_method: Option<Text<'a>>,
    /// The session it happened in.
    pub session_id: Option<Text<'a>>,
}

/// What was acted upon (FORMAT section 3, `resource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceRef<'a> {
    /// The kind of thing, such as `pool`, or `"unknown"`.
    pub resource_type: Text<'a>,
    /// Which one, or `"unknown"`.
    pub resource_id: Text<'a>,
    /// What it belongs to.
    pub parent_id: Option<Text<'a>>,
}

/// Correlation ids (FORMAT section 3, `context`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextRef<'a> {
    /// W3C trace id, 32 hex digits.
    pub trace_id: Option<Text<'a>>,
    /// W3C span id, 16 hex digits.
    pub span_id: Option<Text<'a>>,
    /// The request's own id.
    pub request_id: Option<Text<'a>>,
}

/// How it ended (FORMAT section 3, `result`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `success`
    Success,
    /// `failure`
    Failure,
    /// `partial`
    Partial,
}

impl Outcome {
    /// The word it is written as.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Partial => "partial",
        }
    }
}

/// Something that can be recorded: the built-in [`enum@AuditEvent`], or a user's own type through
/// `#[derive(AuditEvent)]`.
pub trait Event {
    /// `category.action`: `[a-z0-9_]+(\.[a-z0-9_]+)+`, at most 128 bytes, not in `audit.*`.
    fn event_type(&self) -> &str;
    /// True for events that `FlushMode::Hybrid` makes durable at once.
    fn is_critical(&self) -> bool {
        false
    }
    /// When it happened; `None` means the time of `emit`.
    fn timestamp(&self) -> Option<Timestamp> {
        None
    }
    /// Who acted, if known.
    fn actor(&self) -> Option<ActorRef<'_>> {
        None
    }
    /// What was acted upon, if anything.
    fn resource(&self) -> Option<ResourceRef<'_>> {
        None
    }
    /// How it ended.
    fn outcome(&self) -> Outcome {
        Outcome::Success
    }
    /// Why, if given.
    fn reason(&self) -> Option<Text<'_>> {
        None
    }
    /// Correlation ids, if any.
    fn context(&self) -> Option<ContextRef<'_>> {
        None
    }
    /// Writes everything specific to the event type, member by member.
    fn details(&self, _details: &mut crate::encode::Details<'_>) {}
}

impl<E: Event + ?Sized> Event for &E {
    fn event_type(&self) -> &str {
        E::event_type(self)
    }
    fn is_critical(&self) -> bool {
        E::is_critical(self)
    }
    fn timestamp(&self) -> Option<Timestamp> {
        E::timestamp(self)
    }
    fn actor(&self) -> Option<ActorRef<'_>> {
        E::actor(self)
    }
    fn resource(&self) -> Option<ResourceRef<'_>> {
        E::resource(self)
    }
    fn outcome(&self) -> Outcome {
        E::outcome(self)
    }
    fn reason(&self) -> Option<Text<'_>> {
        E::reason(self)
    }
    fn context(&self) -> Option<ContextRef<'_>> {
        E::context(self)
    }
    fn details(&self, details: &mut crate::encode::Details<'_>) {
        E::details(self, details);
    }
}

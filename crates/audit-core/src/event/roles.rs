//! What a field must be able to do to play a role in `#[derive(AuditEvent)]`.
//!
//! What must stay true here: everything is borrowed; taking a role never allocates.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;

use super::{
    ActorInfo, ActorRef, AuditResult, AuthMethod, Outcome, ResourceInfo, ResourceRef, Severity,
    Text,
};

/// What stands for a member that the format requires and nobody knows.
pub(super) const UNKNOWN: Text<'static> = Text::Str("unknown");

/// A field that is a text: `actor_id`, `resource_id`, `reason`, `trace_id` and the like.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as a text of an audit event",
    label = "a string, an unsigned number or an IP address is needed here, or an `Option` of one"
)]
pub trait TextField {
    /// The text, if there is one.
    fn text(&self) -> Option<Text<'_>>;
}

/// A field that is the actor.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the actor of an audit event",
    label = "an `ActorInfo` is needed here, or an `Option` of it"
)]
pub trait ActorField {
    /// The actor, if known.
    fn actor(&self) -> Option<ActorRef<'_>>;
}

/// A field that is the resource.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the resource of an audit event",
    label = "a `ResourceInfo` is needed here, or an `Option` of it"
)]
pub trait ResourceField {
    /// The resource, if known.
    fn resource(&self) -> Option<ResourceRef<'_>>;
}

/// A field that is the result.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of an audit event",
    label = "an `AuditResult` or an `Outcome` is needed here"
)]
pub trait ResultField {
    /// How it ended.
    fn outcome(&self) -> Outcome;
    /// Why, if the result says so.
    fn reason(&self) -> Option<Text<'_>>;
}

/// A field that is the time it happened.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the timestamp of an audit event",
    label = "a `jiff::Timestamp` is needed here, or an `Option` of it"
)]
pub trait TimestampField {
    /// The time, if not the time of `emit`.
    fn timestamp(&self) -> Option<Timestamp>;
}

macro_rules! texts {
    ($($type:ty: $self:ident => $text:expr),* $(,)?) => {$(
        impl TextField for $type {
            #[inline]
            fn text(&self) -> Option<Text<'_>> {
                let $self = self;
                Some($text)
            }
        }
    )*};
}

texts! {
    str: s => Text::Str(s),
    String: s => Text::Str(s),
    Cow<'_, str>: s => Text::Str(s),
    Box<str>: s => Text::Str(s),
    Arc<str>: s => Text::Str(s),
    u8: n => Text::Uint((*n).into()),
    u16: n => Text::Uint((*n).into()),
    u32: n => Text::Uint((*n).into()),
    u64: n => Text::Uint(*n),
    usize: n => Text::Uint(*n as u64),
    IpAddr: ip => Text::Ip(*ip),
    Ipv4Addr: ip => Text::Ip(IpAddr::V4(*ip)),
    Ipv6Addr: ip => Text::Ip(IpAddr::V6(*ip)),
    AuthMethod: method => Text::Str(method.as_str()),
    Severity: severity => Text::Str(severity.as_str()),
}

impl<T: TextField + ?Sized> TextField for &T {
    fn text(&self) -> Option<Text<'_>> {
        T::text(self)
    }
}

impl<T: TextField> TextField for Option<T> {
    #[inline]
    fn text(&self) -> Option<Text<'_>> {
        self.as_ref().and_then(T::text)
    }
}

impl ActorField for ActorInfo {
    fn actor(&self) -> Option<ActorRef<'_>> {
        Some(self.as_ref())
    }
}

impl<T: ActorField> ActorField for Option<T> {
    fn actor(&self) -> Option<ActorRef<'_>> {
        self.as_ref().and_then(T::actor)
    }
}

impl<T: ActorField + ?Sized> ActorField for &T {
    fn actor(&self) -> Option<ActorRef<'_>> {
        T::actor(self)
    }
}

impl ResourceField for ResourceInfo {
    fn resource(&self) -> Option<ResourceRef<'_>> {
        Some(self.as_ref())
    }
}

impl<T: ResourceField> ResourceField for Option<T> {
    fn resource(&self) -> Option<ResourceRef<'_>> {
        self.as_ref().and_then(T::resource)
    }
}

impl<T: ResourceField + ?Sized> ResourceField for &T {
    fn resource(&self) -> Option<ResourceRef<'_>> {
        T::resource(self)
    }
}

impl ResultField for AuditResult {
    fn outcome(&self) -> Outcome {
        match self {
            AuditResult::Success => Outcome::Success,
            AuditResult::Failure { .. } => Outcome::Failure,
            AuditResult::PartialSuccess { .. } => Outcome::Partial,
        }
    }

    fn reason(&self) -> Option<Text<'_>> {
        match self {
            AuditResult::Success => None,
            AuditResult::Failure { reason } => Some(Text::Str(reason)),
            AuditResult::PartialSuccess { details } => Some(Text::Str(details)),
        }
    }
}

impl ResultField for Outcome {
    fn outcome(&self) -> Outcome {
        *self
    }

    fn reason(&self) -> Option<Text<'_>> {
        None
    }
}

impl TimestampField for Timestamp {
    fn timestamp(&self) -> Option<Timestamp> {
        Some(*self)
    }
}

impl TimestampField for Option<Timestamp> {
    fn timestamp(&self) -> Option<Timestamp> {
        *self
    }
}

/// An actor of whom only an id, only an address, or both are known (EVENTS). An id alone is a part
/// of the system (`internal`); with an address it was only *claimed*, so no method is named.
#[must_use]
pub fn partial_actor<'a>(id: Option<Text<'a>>, ip: Option<Text<'a>>) -> Option<ActorRef<'a>> {
    if id.is_none() && ip.is_none() {
        return None;
    }
    let internal = ip.is_none().then_some(Text::Str(AuthMethod::Internal.as_str()));
    Some(ActorRef { user_id: id.unwrap_or(UNKNOWN), ip, auth_method: internal, session_id: None })
}

/// A resource of which perhaps not everything is known; `None` if nothing is. Type and id are
/// required by the format, so what is missing of them is `"unknown"`: no part is lost.
#[must_use]
pub fn partial_resource<'a>(
    resource_type: Option<Text<'a>>,
    resource_id: Option<Text<'a>>,
    parent_id: Option<Text<'a>>,
) -> Option<ResourceRef<'a>> {
    if resource_type.is_none() && resource_id.is_none() && parent_id.is_none() {
        return None;
    }
    Some(ResourceRef {
        resource_type: resource_type.unwrap_or(UNKNOWN),
        resource_id: resource_id.unwrap_or(UNKNOWN),
        parent_id,
    })
}

/// A resource whose kind is fixed. The kind alone, of no particular thing, is no resource.
#[must_use]
pub fn resource_of_kind<'a>(
    kind: &'a str,
    resource_id: Option<Text<'a>>,
    parent_id: Option<Text<'a>>,
) -> Option<ResourceRef<'a>> {
    let known = resource_id.is_some() || parent_id.is_some();
    partial_resource(known.then_some(Text::Str(kind)), resource_id, parent_id)
}

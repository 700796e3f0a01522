//! The owned values events are made of: who, what, how, with which result.
//!
//! What must stay true here: the words these types are written as are part of the format.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ActorRef, ContextRef, Event, Outcome, ResourceRef, Text};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word it is written as.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }
    };
}

words! {
    /// How an actor proved who they are.
    AuthMethod {
        /// An OAuth bearer token.
        BearerToken "bearer_token",
        /// An API key.
        ApiKey "api_key",
        /// A client certificate.
        Mtls "mtls",
        /// A part of the system itself.
        Internal "internal",
        /// A password.
        Password "password",
        /// OpenID Connect.
        Oidc "oidc",
        /// SAML.
        Saml "saml",
        /// WebAuthn, passkeys.
        Webauthn "webauthn",
        /// An SSH key.
        SshKey "ssh_key",
    }
}

words! {
    /// How bad it is.
    Severity {
        /// Worth knowing.
        Low "low",
        /// Worth looking at.
        Medium "medium",
        /// Act soon.
        High "high",
        /// Act now.
        Critical "critical",
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorInfo {
    /// The acting user.
    pub user_id: String,
    /// Where from.
    pub ip: Option<IpAddr>,
    /// How they proved who they are.
    pub auth_method: AuthMethod,
    /// The session it happened in.
    pub session_id: Option<String>,
}

impl ActorInfo {
    /// A user who authenticated in some way.
    #[must_use]
    pub fn new(user_id: impl Into<String>, auth_method: AuthMethod) -> ActorInfo {
        ActorInfo { user_id: user_id.into(), ip: None, auth_method, session_id: None }
    }

    /// A part of the system itself: a worker, a job.
    #[must_use]
    pub fn internal(user_id: impl Into<String>) -> ActorInfo {
        ActorInfo::new(user_id, AuthMethod::Internal)
    }

    /// Adds the address.
    #[must_use]
    pub fn with_ip(mut self, ip: impl Into<IpAddr>) -> ActorInfo {
        self.ip = Some(ip.into());
        self
    }

    /// Adds the session.
    #[must_use]
    pub fn with_session(mut self, session_id: impl Into<String>) -> ActorInfo {
        self.session_id = Some(session_id.into());
        self
    }

    /// As the encoder takes it.
    #[must_use]
    pub fn as_ref(&self) -> ActorRef<'_> {
        ActorRef {
            user_id: Text::Str(&self.user_id),
            ip: self.ip.map(Text::Ip),
            auth_method: Some(Text::Str(self.auth_method.as_str())),
            session_id: self.session_id.as_deref().map(Text::Str),
        }
    }
}

/// What was acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceInfo {
    /// The kind of thing, such as `pool`.
    pub resource_type: String,
    /// Which one.
    pub resource_id: String,
    /// What it belongs to.
    pub parent_id: Option<String>,
}

impl ResourceInfo {
    /// A thing of some kind.
    #[must_use]
    pub fn new(resource_type: impl Into<String>, resource_id: impl Into<String>) -> ResourceInfo {
        ResourceInfo {
            resource_type: resource_type.into(),
            resource_id: resource_id.into(),
            parent_id: None,
        }
    }

    /// Adds what it belongs to.
    #[must_use]
    pub fn with_parent(mut self, parent_id: impl Into<String>) -> ResourceInfo {
        self.parent_id = Some(parent_id.into());
        self
    }

    /// As the encoder takes it.
    #[must_use]
    pub fn as_ref(&self) -> ResourceRef<'_> {
        ResourceRef {
            resource_type: Text::Str(&self.resource_type),
            resource_id: Text::Str(&self.resource_id),
            parent_id: self.parent_id.as_deref().map(Text::Str),
        }
    }
}

/// How it ended. What the last two carry becomes the entry's `reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditResult {
    /// As wished.
    Success,
    /// Not at all.
    Failure {
        /// Why.
        reason: String,
    },
    /// In part.
    PartialSuccess {
        /// Which part, and why not the rest.
        details: String,
    },
}

impl AuditResult {
    /// A failure and why.
    #[must_use]
    pub fn failure(reason: impl Into<String>) -> AuditResult {
        AuditResult::Failure { reason: reason.into() }
    }

    /// A partial success and what is missing.
    #[must_use]
    pub fn partial(details: impl Into<String>) -> AuditResult {
        AuditResult::PartialSuccess { details: details.into() }
    }
}

/// Correlation ids. A trace or span id that is not lower-case W3C hex (32 and 16 digits) is kept,
/// but in `details`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextInfo {
    /// W3C trace id.
    pub trace_id: Option<String>,
    /// W3C span id.
    pub span_id: Option<String>,
    /// The request's own id.
    pub request_id: Option<String>,
}

impl ContextInfo {
    /// As the encoder takes it.
    #[must_use]
    pub fn as_ref(&self) -> ContextRef<'_> {
        ContextRef {
            trace_id: self.trace_id.as_deref().map(Text::Str),
            span_id: self.span_id.as_deref().map(Text::Str),
            request_id: self.request_id.as_deref().map(Text::Str),
        }
    }
}

/// An event together with the request it belongs to: `InContext { event, context }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InContext<E> {
    /// The event.
    pub event: E,
    /// Its correlation ids; they win over the event's own.
    pub context: ContextInfo,
}

impl<E: Event> Event for InContext<E> {
    fn event_type(&self) -> &str {
        self.event.event_type()
    }
    fn is_critical(&self) -> bool {
        self.event.is_critical()
    }
    fn timestamp(&self) -> Option<Timestamp> {
        self.event.timestamp()
    }
    fn actor(&self) -> Option<ActorRef<'_>> {
        self.event.actor()
    }
    fn resource(&self) -> Option<ResourceRef<'_>> {
        self.event.resource()
    }
    fn outcome(&self) -> Outcome {
        self.event.outcome()
    }
    fn reason(&self) -> Option<Text<'_>> {
        self.event.reason()
    }
    fn context(&self) -> Option<ContextRef<'_>> {
        Some(self.context.as_ref())
    }
    fn details(&self, details: &mut crate::encode::Details<'_>) {
        self.event.details(details);
    }
}

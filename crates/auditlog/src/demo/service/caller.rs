//! Who is asking, in which request, and whether they may.
//!
//! What must stay true here: every refusal is recorded before it is answered, and a token appears
//! in the trail as its keyed fingerprint only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use audit_logging::{ActorInfo, AuditEvent, AuthMethod, ContextInfo, ResourceInfo};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::{HeaderMap, StatusCode, Uri, request};

use super::refused::Refused;
use super::{Role, Service, random_hex};

/// Who is asking, from where, in which request. Taken from every request before its handler runs.
pub(super) struct Caller {
    pub(super) ip: IpAddr,
    pub(super) token: Option<String>,
    pub(super) context: ContextInfo,
}

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut request::Parts,
        service: &Arc<Service>,
    ) -> Result<Caller, Refused> {
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, service).await;
        let ConnectInfo(peer) = peer
            .map_err(|_| Refused::Request(StatusCode::INTERNAL_SERVER_ERROR, "no peer address"))?;
        let text = |name| text_of(&parts.headers, name);
        let token = text("authorization");
        let token = token.as_deref().and_then(|value| value.strip_prefix("Bearer "));
        // `traceparent: 00-<trace id>-<span id>-<flags>`. What a client sends is taken as it is:
        // the library moves ids that are none to `details` and makes hostile characters visible.
        let parent = text("traceparent").unwrap_or_default();
        let mut ids = parent.split('-').skip(1).map(str::to_owned);
        let (trace_id, span_id) = (ids.next(), ids.next());
        let request_id = match text("x-request-id") {
            Some(id) => id,
            None => random_hex()
                .map_err(|_| Refused::Request(StatusCode::SERVICE_UNAVAILABLE, "no randomness"))?,
        };
        let context = ContextInfo { trace_id, span_id, request_id: Some(request_id) };
        Ok(Caller { ip: peer.ip(), token: token.map(str::to_owned), context })
    }
}

impl Caller {
    pub(super) fn actor(&self, user: &str, method: AuthMethod) -> ActorInfo {
        ActorInfo::new(user, method).with_ip(self.ip)
    }
}

impl Service {
    /// The session of the caller's token. Without a valid one: recorded, and 401.
    pub(super) fn authenticate(
        &self,
        caller: &Caller,
        uri: &Uri,
    ) -> Result<(ActorInfo, Role), Refused> {
        let token = caller.token.as_deref().unwrap_or_default();
        let fingerprint = self.fingerprint.of(token);
        let session = self.tables().sessions.get(&fingerprint).copied();
        if let Some((user, role)) = session {
            let actor = caller.actor(user, AuthMethod::BearerToken).with_session(fingerprint);
            return Ok((actor, role));
        }
        // The beginning of a fingerprint tells whether two attempts used the same token. The
        // beginning of the token would give some of it away.
        let token_prefix: String = fingerprint.chars().take(8).collect();
        let event = AuditEvent::invalid_token_used(caller.ip, uri.path(), token_prefix);
        self.record(caller, event)?;
        Err(Refused::Request(StatusCode::UNAUTHORIZED, "no valid token"))
    }

    /// As `authenticate`, for administrators. Both answers are recorded: granted, or denied and 403.
    pub(super) fn authorize(
        &self,
        caller: &Caller,
        uri: &Uri,
        resource: ResourceInfo,
        action: &str,
    ) -> Result<ActorInfo, Refused> {
        let (actor, role) = self.authenticate(caller, uri)?;
        if role != Role::Admin {
            let reason = "needs the role admin";
            let denied = AuditEvent::authorization_denied(actor, resource, reason, action);
            self.record(caller, denied)?;
            return Err(Refused::Request(StatusCode::FORBIDDEN, "administrators only"));
        }
        let granted = AuditEvent::authorization_granted(actor.clone(), resource, action);
        self.record(caller, granted)?;
        Ok(actor)
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

//! The event that is measured: an authorised action, some 450 bytes as it stands in the trail.

use audit_core::event::{ActorInfo, AuditEvent, AuthMethod};

/// One in this many is critical, for `Hybrid`.
const CRITICAL_EVERY: u64 = 100;

/// The `n`-th event of one producer.
pub(super) fn routine() -> AuditEvent {
    AuditEvent::AuthSuccess {
        timestamp: None,
        actor: ActorInfo::new("user-4711", AuthMethod::ApiKey).with_ip([10, 0, 0, 7]),
        method: AuthMethod::ApiKey,
        path: "/tasks".to_owned(),
    }
}

/// A failed login: critical.
pub(super) fn critical() -> AuditEvent {
    AuditEvent::AuthFailure {
        timestamp: None,
        attempted_user: Some("user-4711".to_owned()),
        ip: [10, 0, 0, 7].into(),
        reason: "invalid_token".to_owned(),
        path: "/tasks".to_owned(),
    }
}

/// Both, so that producers build nothing while they are measured.
pub(super) struct Events {
    routine: AuditEvent,
    critical: AuditEvent,
}

impl Events {
    pub(super) fn new() -> Events {
        Events { routine: routine(), critical: critical() }
    }

    /// The `n`-th: 1 % are critical.
    pub(super) fn nth(&self, n: u64) -> &AuditEvent {
        if n.is_multiple_of(CRITICAL_EVERY) { &self.critical } else { &self.routine }
    }
}

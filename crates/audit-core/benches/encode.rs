//! How long encoding one event takes. `cargo bench -p audit-core --bench encode`
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use audit_core::encode::{EncodePolicy, Encoder, Stamp};
use audit_core::event::{
    ActorInfo, AuditEvent, AuthMethod, ContextInfo, Event, GenericEvent, InContext,
};
use uuid::Uuid;

const LINE: &str = r#"{"event_type":"auth.success","actor":{"user_id":"user-48151623","ip":"203.0.113.77","auth_method":"bearer_token","session_id":"b1946ac9-2492-4d23-97a5-60f6b1a3c8e7"},"details":{"method":"bearer_token","path":"/v2/projects/billing/tasks"}}"#;

fn main() {
    let actor = ActorInfo::new("user-48151623", AuthMethod::BearerToken)
        .with_ip([203, 0, 113, 77])
        .with_session("b1946ac9-2492-4d23-97a5-60f6b1a3c8e7");
    let event =
        AuditEvent::auth_success(actor, AuthMethod::BearerToken, "/v2/projects/billing/tasks");
    measure("auth.success", &event);
    let context = ContextInfo {
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        span_id: Some("00f067aa0ba902b7".into()),
        request_id: None,
    };
    measure("auth.success in context", &InContext { event, context });
    let failure = AuditEvent::auth_failure(
        Some("mallory\u{1b}[2J \u{202e}\"x\"".into()),
        [203, 0, 113, 9].into(),
        "invalid_token",
        "/v2/tasks",
    );
    measure("auth.failure, hostile", &failure);
    let generic = GenericEvent::from_json_line(LINE.as_bytes()).unwrap();
    measure("generic", &generic);
    time("parse one line", LINE.len(), || {
        black_box(GenericEvent::from_json_line(black_box(LINE.as_bytes())).is_ok());
    });
}

fn measure(name: &str, event: &impl Event) {
    let policy = EncodePolicy::default();
    let mut encoder = Encoder::default();
    let mut stamp = Stamp {
        audit_id: Uuid::from_u128(0x01932c05_aa01_7000_8000_000000000001),
        now: "2026-11-23T06:54:00.001Z".parse().unwrap(),
        service_id: "billing-api",
    };
    let bytes = encoder.encode(&policy, &stamp, event).len();
    time(name, bytes, || {
        stamp.audit_id = Uuid::from_u128(stamp.audit_id.as_u128().wrapping_add(1));
        black_box(encoder.encode(&policy, black_box(&stamp), black_box(event)));
    });
}

/// The best of many short runs: what the code costs when nothing interferes.
fn time(name: &str, bytes: usize, mut run: impl FnMut()) {
    const RUNS: u32 = 2_000;
    let mut best = f64::INFINITY;
    for _ in 0..100 {
        let start = Instant::now();
        for _ in 0..RUNS {
            run();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(RUNS));
    }
    println!("{name:28} {bytes:5} bytes {best:8.1} ns");
}

//! What `emit` costs its caller, part by part, on one thread with nothing else going on:
//! `cargo bench -p audit-logging --bench emit`.
//!
//! The writer sleeps (a batch that never fills), so what is left is making the event, encoding it and
//! copying it into the ring. Medians of rounds; the clock is read once per round of 1,000.

#![allow(clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::time::Instant;

use audit_logging::core::encode::{EncodePolicy, Encoder, Stamp};
use audit_logging::{
    ActorInfo, AuditConfig, AuditEvent, AuditLogger, AuditMode, AuthMethod, FlushMode, Timestamp,
};

const ROUND: u32 = 1_000;
const ROUNDS: usize = 200;

fn event() -> AuditEvent {
    AuditEvent::AuthSuccess {
        timestamp: None,
        actor: ActorInfo::new("user-4711", AuthMethod::ApiKey).with_ip([10, 0, 0, 7]),
        method: AuthMethod::ApiKey,
        path: "/tasks".to_owned(),
    }
}

fn median(mut round: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..ROUND {
                round();
            }
            begun.elapsed().as_nanos() as f64 / f64::from(ROUND)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(AuditConfig {
        mode: AuditMode::Local { base_dir: dir.path().join("trail") },
        flush_mode: FlushMode::Batched { size: u32::MAX, interval_secs: 3_600 },
        queue_bytes: 128 << 20,
        ..AuditConfig::new("billing-api")
    })
    .unwrap();
    let (policy, mut encoder) = (EncodePolicy::default(), Encoder::default());
    let made = event();
    let stamp =
        Stamp { audit_id: uuid::Uuid::nil(), now: Timestamp::now(), service_id: "billing-api" };
    let body = encoder.encode(&policy, &stamp, &made).to_vec();
    println!("a body of {} bytes; ns per event, medians of {ROUNDS} rounds", body.len());
    let report = |what: &str, ns: f64| println!("{what:32}{ns:8.1}");
    report("clock (wall)", median(|| _ = black_box(Timestamp::now())));
    report("make the event", median(|| drop(black_box(event()))));
    report("encode", median(|| _ = black_box(encoder.encode(&policy, &stamp, &made).len())));
    report("CRC32C of the body", median(|| _ = black_box(crc32c::crc32c(black_box(&body)))));
    report("emit, drop the receipt", median(|| drop(logger.emit(&made).unwrap())));
}

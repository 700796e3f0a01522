//! `emit` allocates nothing once its buffers are warm: for each built-in event, on the caller's
//! thread, from the call to the receipt.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use audit_logging::{ActorInfo, AuditEvent, AuthMethod};
use audit_testkit::CountingStorage;
use common::{config, open_over, storage};

#[test]
fn emitting_a_built_in_event_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    let hostile = Some("mallory\u{1b}[2J".into());
    let actor = ActorInfo::new("alice", AuthMethod::Oidc).with_ip([192, 0, 2, 7]);
    let events = [
        AuditEvent::auth_failure(hostile, [203, 0, 113, 9].into(), "no", "/"),
        AuditEvent::auth_success(actor, AuthMethod::Oidc, "/v2/tasks"),
    ];
    let emit_all = || {
        for event in &events {
            drop(logger.emit(event).unwrap());
        }
    };
    // Warm: the thread's encoder, and the queue's buffers, each filled while a sync is held, so
    // that later none has to grow however slow the writer is.
    for _ in 0..6 {
        disk.hold_syncs();
        emit_all();
        disk.wait_held();
        (0..2_000).for_each(|_| emit_all());
        disk.release_syncs();
        logger.flush_blocking().unwrap();
    }
    let counted = allocation_counter::measure(|| (0..500).for_each(|_| emit_all()));
    assert_eq!(counted.count_total, 0, "{counted:?}");
    logger.shutdown_blocking().unwrap();
}

//! A forked child must not use its parent's logger, and cannot disturb it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::process::Command;

use audit_logging::{AuditConfig, AuditLogger, EmitError, Receipt, WaitError};
use audit_testkit::read::labels;
use audit_testkit::{TestEvent, block_on, read_dir};
use common::{PATIENCE, config, lazy, with_mode};
use fork::Fork;

const DIR: &str = "FORK_DIR";
const OUTLIVED: &str = "OUTLIVED_DIR";

/// What the forked child finds, step by step; none is a wait.
fn in_the_child(logger: AuditLogger, pending: &Receipt, own: AuditConfig) -> bool {
    let forked = |outcome| matches!(outcome, Err(WaitError::Forked));
    let refused = matches!(logger.emit(TestEvent::routine("child")), Err(EmitError::Forked));
    let waits = forked(pending.wait_durable())
        && forked(block_on(pending.durable()))
        && forked(logger.flush_blocking())
        && forked(block_on(logger.flush()))
        && forked(logger.shutdown_blocking())
        && forked(block_on(logger.shutdown()));
    logger.record_unreadable();
    // Showing things looks at no memory that is not here.
    let shown = format!("{logger:?} {pending:?} {:?}", logger.flush());
    drop(logger);
    // A trail of its own is what it may have.
    let opens = AuditLogger::new(own).is_ok_and(|own| own.shutdown_timeout(PATIENCE).is_ok());
    refused && waits && opens && !shown.is_empty()
}

/// Runs in a process of its own: the harness's threads must not be forked.
#[test]
fn forking_process() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = std::path::PathBuf::from(dir);
    let logger = AuditLogger::new(with_mode(&dir, lazy())).unwrap();
    let pending = logger.emit(TestEvent::routine("before")).unwrap();
    match fork::fork().unwrap() {
        Fork::Child => {
            let ok = in_the_child(logger, &pending, config(&dir.join("child")));
            std::process::exit(if ok { 0 } else { 9 });
        }
        Fork::Parent(child) => {
            let status = fork::waitpid(child).unwrap();
            drop(logger.emit(TestEvent::routine("after")).unwrap());
            logger.shutdown_timeout(PATIENCE).unwrap();
            assert_eq!(status, 0, "the child found something else");
        }
    }
}

/// Runs in a process of its own, too: the child lives on while the parent closes and opens again.
#[test]
fn outliving_process() {
    let Some(dir) = std::env::var_os(OUTLIVED) else { return };
    let dir = std::path::PathBuf::from(dir);
    let logger = AuditLogger::new(config(&dir)).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    match fork::fork().unwrap() {
        Fork::Child => {
            drop(writer);
            // Until the parent is done.
            let ended = std::io::Read::read(&mut &reader, &mut [0]);
            std::process::exit(i32::from(ended.is_err()));
        }
        Fork::Parent(child) => {
            drop(reader);
            logger.shutdown_timeout(PATIENCE).unwrap();
            let again = AuditLogger::new(config(&dir));
            drop(writer);
            fork::waitpid(child).unwrap();
            again.unwrap().shutdown_timeout(PATIENCE).unwrap();
        }
    }
}

#[test]
fn a_child_that_lives_on_does_not_keep_the_trail_locked() {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outliving_process"])
        .env(OUTLIVED, dir.path())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn a_forked_child_is_told_so_and_the_parent_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "forking_process"])
        .env(DIR, dir.path())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(labels(&read_dir(&dir.path().join("trail"))), ["before", "after"]);
    let own = read_dir(&dir.path().join("child/trail"));
    assert_eq!(own.last().unwrap().event_type, "audit.closed");
}

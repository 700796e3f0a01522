//! SIGTERM and SIGINT: what is buffered becomes durable, and the process ends by the signal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use audit_logging::{AuditLogger, FailurePolicy};
use audit_testkit::faulty::How;
use audit_testkit::read::labels;
use audit_testkit::{FaultyStorage, Op, TestEvent, read_dir};
use common::{PATIENCE, config, lazy, open_over, storage, with_mode};

const DIR: &str = "SIGNALS_DIR";

/// The child's side: buffers events under the guard and waits for its end.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let logger = AuditLogger::new(with_mode(dir.as_ref(), lazy())).unwrap();
    let _guard = logger.guard_signals(PATIENCE).unwrap();
    for n in 0..10 {
        drop(logger.emit(TestEvent::routine(n.to_string())).unwrap());
    }
    println!("\nready");
    loop {
        std::thread::park();
    }
}

/// The child's side: the guard is gone, the logger is not.
#[test]
fn unguarded_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let logger = AuditLogger::new(with_mode(dir.as_ref(), lazy())).unwrap();
    drop(logger.guard_signals(PATIENCE).unwrap());
    println!("\nready");
    loop {
        std::thread::park();
    }
}

/// The child's side: one guard is gone, another is there.
#[test]
fn guarded_again_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let logger = AuditLogger::new(with_mode(dir.as_ref(), lazy())).unwrap();
    drop(logger.guard_signals(PATIENCE).unwrap());
    let _guard = logger.guard_signals(Duration::MAX).unwrap();
    drop(logger.guard_signals(PATIENCE).unwrap());
    drop(logger.emit(TestEvent::routine("buffered")).unwrap());
    println!("\nready");
    loop {
        std::thread::park();
    }
}

/// The child's side: its disk fails for good, and its policy is to abort.
#[test]
fn aborting_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let disk = FaultyStorage::over(storage(dir.as_ref()));
    let aborting =
        audit_logging::AuditConfig { failure: FailurePolicy::Abort, ..config(dir.as_ref()) };
    let logger = open_over(aborting, disk.clone());
    println!("\nready");
    disk.fail_always(&[Op::Sync], How::Error(std::io::ErrorKind::Other));
    drop(logger.emit(TestEvent::routine("x")).unwrap());
    loop {
        std::thread::park();
    }
}

fn start(test: &str, dir: &std::path::Path) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")), "the child never got ready");
    child
}

/// Starts the child, and ends it by a signal.
fn end(test: &str, dir: &std::path::Path, signal: &str) -> std::process::ExitStatus {
    let mut child = start(test, dir);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{test} ignores SIG{signal}: {}", child.wait().unwrap());
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn sigterm_and_sigint_flush_what_is_buffered_and_then_end_the_process() {
    for (signal, number) in [("TERM", 15), ("INT", 2)] {
        let dir = tempfile::tempdir().unwrap();
        let status = end("child", dir.path(), signal);
        assert_eq!(status.signal(), Some(number), "{status}");
        let lines = read_dir(&dir.path().join("trail"));
        assert_eq!(labels(&lines), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert_eq!(lines.last().unwrap().event_type, "audit.closed");
    }
}

#[test]
fn a_dropped_guard_gives_the_signals_their_default_action_back() {
    for (signal, number) in [("TERM", 15), ("INT", 2)] {
        let dir = tempfile::tempdir().unwrap();
        let status = end("unguarded_child", dir.path(), signal);
        assert_eq!(status.signal(), Some(number), "{status}");
        let lines = read_dir(&dir.path().join("trail"));
        assert_ne!(lines.last().unwrap().event_type, "audit.closed", "nobody flushed");
    }
}

#[test]
fn a_guard_flushes_first_whatever_became_of_other_guards() {
    let dir = tempfile::tempdir().unwrap();
    let status = end("guarded_again_child", dir.path(), "TERM");
    assert_eq!(status.signal(), Some(15), "{status}");
    let lines = read_dir(&dir.path().join("trail"));
    assert_eq!(labels(&lines), ["buffered"]);
    assert_eq!(lines.last().unwrap().event_type, "audit.closed");
}

#[test]
fn a_living_guard_keeps_no_trail_open() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(with_mode(dir.path(), lazy())).unwrap();
    let guard = logger.guard_signals(PATIENCE).unwrap();
    drop(logger.emit(TestEvent::routine("last")).unwrap());
    drop(logger);
    let lines = read_dir(&dir.path().join("trail"));
    assert_eq!(labels(&lines), ["last"]);
    assert_eq!(lines.last().unwrap().event_type, "audit.closed");
    drop(guard);
}

#[test]
fn failure_policy_abort_ends_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let status = start("aborting_child", dir.path()).wait().unwrap();
    assert_eq!(status.signal(), Some(6), "{status}");
}

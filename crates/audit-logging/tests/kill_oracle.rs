//! The kill oracle, short form: the test binary starts itself and is killed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::Command;

use audit_testkit::kill;

/// The child's side: does nothing in an ordinary run.
#[test]
fn child() {
    kill::child_if_asked();
}

#[test]
fn thirty_kills_lose_nothing_that_was_durable() {
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let command = || {
        let mut command = Command::new(&exe);
        command.args(["--exact", "child", "--nocapture"]);
        command
    };
    let found = kill::run(30, 4711, dir.path(), &command).unwrap_or_else(|error| panic!("{error}"));
    assert!(found > 100, "only {found} events were acknowledged");
}

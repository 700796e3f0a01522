//! The real binary: exit codes, the shape of what it prints, following, and the script that
//! verifies a trail without it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its trail must fail"
)]

mod attacks;
mod commands;
#[cfg(feature = "sql")]
mod duckdb;
mod export;
#[cfg(feature = "index")]
mod export_crash;
mod from_last;
mod import;
#[cfg(feature = "index")]
mod index;
mod keys;
#[cfg(feature = "index")]
mod month;
mod proofs;
mod query;
mod report;
mod retention;
mod script;
mod siem;
#[cfg(feature = "sql")]
mod sql;
mod writing;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors")
}

fn vector(name: &str) -> String {
    vectors().join(name).display().to_string()
}

fn auditlog(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditlog"));
    command.args(args).env_remove("NO_COLOR");
    command
}

fn run(args: &[&str]) -> Output {
    auditlog(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

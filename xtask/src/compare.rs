//! `cargo xtask compare`: the bench against other ways to keep events, `benches/compare`.
//!
//! What must stay true here: it is built only when it is asked for, with its own lock file, beside
//! everything else that is built.

use std::path::Path;

use crate::metadata;

/// Builds and runs it; its arguments are passed on.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), String> {
    let target = metadata::target_directory(root)?.join("compare");
    let mut cargo = metadata::cargo();
    cargo.args(["run", "--release", "--locked", "--quiet", "--manifest-path"]);
    cargo.arg(root.join("benches/compare/Cargo.toml"));
    cargo.arg("--target-dir").arg(target).arg("--").args(args);
    let status = cargo.status().map_err(|e| format!("cannot run cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("compare: {status}")) }
}

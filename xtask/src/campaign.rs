//! The long campaigns: `cargo xtask crash`, `power`, `sim`, `model`, `fuzz`, `tamper`.
//!
//! What must stay true here: the long form runs the same code as the short one; a failure says how to
//! see it again; what cannot run says so loudly and falls back to what can.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::metadata;

/// What a campaign was asked for.
struct Options<'a> {
    rounds: u64,
    seed: u64,
    target: Option<&'a str>,
    seeded: bool,
}

impl<'a> Options<'a> {
    fn parse(args: &[&'a str]) -> Result<Options<'a>, String> {
        let mut options = Options { rounds: 10_000, seed: 1, target: None, seeded: false };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            if *name == "--seeded" {
                options.seeded = true;
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{name} takes a value"))?;
            let number = || {
                let parsed = value.parse::<u64>();
                parsed.map_err(|_| format!("{name}: expected a number, found {value}"))
            };
            match *name {
                "--rounds" => options.rounds = number()?,
                "--seed" => options.seed = number()?,
                "--target" => options.target = Some(value),
                other => return Err(format!("unknown option {other}; see `cargo xtask help`")),
            }
        }
        Ok(options)
    }
}

/// The fuzz targets.
pub(crate) fn fuzz(root: &Path, args: &[&str]) -> Result<(), String> {
    let options = Options::parse(args)?;
    if options.seeded || !has_cargo_fuzz() {
        if !options.seeded {
            println!(
                "cargo-fuzz is not installed (cargo install cargo-fuzz): seeded generator instead"
            );
        }
        let (rounds, seed) = (options.rounds.to_string(), options.seed.to_string());
        let mut cargo = metadata::cargo();
        cargo.args([
            "run",
            "--release",
            "--locked",
            "-p",
            "audit-testkit",
            "--example",
            "fuzz",
            "--",
        ]);
        cargo.args([&rounds, &seed]).args(options.target);
        return run(root, &mut cargo);
    }
    for target in targets(root)?.iter().filter(|name| options.target.is_none_or(|t| t == *name)) {
        println!("=== {target}");
        let mut cargo = metadata::cargo();
        // libFuzzer's instrumentation is a flag that a stable compiler knows and hides. Without a
        // sanitizer: there is no unsafe code in what is fuzzed.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        cargo.args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", "fuzz", target, "--"]);
        cargo.arg(format!("-runs={}", options.rounds)).arg(format!("-seed={}", options.seed));
        run(root, &mut cargo).map_err(|error| {
            format!("{target}: {error}; the input is in fuzz/artifacts/{target}")
        })?;
    }
    Ok(())
}

fn has_cargo_fuzz() -> bool {
    let mut cargo = metadata::cargo();
    cargo.args(["fuzz", "--version"]).stdin(Stdio::null());
    cargo.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The names of the programs under `fuzz/`.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let dir = root.join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let stem =
        |file: std::fs::DirEntry| Some(file.path().file_stem()?.to_string_lossy().into_owned());
    let mut names: Vec<String> = files.filter_map(|file| stem(file.ok()?)).collect();
    names.sort();
    Ok(names)
}

/// Processes killed, file systems cut off, system calls that fail, simulated crashes; the options are the battery's own.
pub(crate) fn battery(root: &Path, campaign: &str, args: &[&str]) -> Result<(), String> {
    let mut cargo = metadata::cargo();
    cargo.args(["run", "--release", "--locked", "-p", "audit-testkit", "--bin", "battery", "--"]);
    cargo.arg(campaign).args(args);
    run(root, &mut cargo)
}

/// A program of the test kit: the simulated disk, a long trail.
pub(crate) fn example(root: &Path, name: &str, args: &[&str]) -> Result<(), String> {
    let mut cargo = metadata::cargo();
    cargo.args(["run", "--release", "--locked", "-p", "audit-testkit", "--example", name, "--"]);
    cargo.args(args);
    run(root, &mut cargo)
}

/// The program as it is released, asked about a large trail.
pub(crate) fn bench_query(root: &Path, args: &[&str]) -> Result<(), String> {
    let mut cargo = metadata::cargo();
    cargo.args(["build", "--release", "--locked", "-p", "auditlog", "--features", "sql"]);
    run(root, &mut cargo)?;
    let program = metadata::target_directory(root)?.join("release/auditlog");
    let program = program.to_str().ok_or("the target directory's name is not UTF-8")?.to_owned();
    example(root, "ask", &[&[program.as_str()], args].concat())
}

/// The models of the ring, with each checker in turn.
pub(crate) fn model(root: &Path) -> Result<(), String> {
    let target = metadata::target_directory(root)?.join("models");
    for checker in ["loom", "shuttle"] {
        println!("=== {checker}");
        let mut cargo = metadata::cargo();
        cargo.env("RUSTFLAGS", format!("--cfg {checker}")).env("CARGO_TARGET_DIR", &target);
        cargo.args(["test", "--release", "--locked", "--manifest-path", "models/Cargo.toml"]);
        run(root, &mut cargo)?;
    }
    Ok(())
}

/// The ring's tests under ThreadSanitizer. The standard library is built with it too: without, its
/// locks look like none, and every use of them like a race.
pub(crate) fn tsan(root: &Path) -> Result<(), String> {
    const NEEDS: &str = "rustup toolchain install nightly --component rust-src";
    let sysroot = Command::new("rustc").args(["+nightly", "--print", "sysroot"]).output();
    let source = sysroot.ok().filter(|output| output.status.success()).map(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock")
    });
    if !source.is_some_and(|source| source.is_file()) {
        println!("SKIPPED: there is no nightly compiler with the library's source ({NEEDS})");
        return Ok(());
    }
    let target = metadata::target_directory(root)?.join("tsan");
    let mut cargo = Command::new("cargo");
    cargo.env("RUSTUP_TOOLCHAIN", "nightly").env("RUSTFLAGS", "-Zsanitizer=thread");
    cargo.env("TSAN_OPTIONS", "halt_on_error=1").env("CARGO_TARGET_DIR", &target);
    cargo.args(["test", "-Zbuild-std", "--target", "x86_64-unknown-linux-gnu", "--locked"]);
    cargo.args(["-p", "audit-logging", "--lib", "ring"]);
    run(root, &mut cargo)
}

/// The tamper battery.
pub(crate) fn tamper(root: &Path, args: &[&str]) -> Result<(), String> {
    let options = Options::parse(args)?;
    if options.target.is_some() || options.seeded {
        return Err("tamper takes --rounds and --seed only".to_owned());
    }
    let mut cargo = metadata::cargo();
    cargo.env("AUDIT_TAMPER_ROUNDS", options.rounds.to_string());
    cargo.env("AUDIT_TAMPER_SEED", options.seed.to_string());
    cargo.args(["test", "--release", "--locked", "-p", "audit-reader", "--test", "tamper"]);
    cargo.args(["--", "--nocapture"]);
    run(root, &mut cargo)
}

fn run(root: &Path, command: &mut Command) -> Result<(), String> {
    let status = command.current_dir(root).stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_named() {
        let options = Options::parse(&["--rounds", "5", "--target", "note"]);
        let options = options.map(|o| (o.rounds, o.seed, o.target, o.seeded));
        assert_eq!(options, Ok((5, 1, Some("note"), false)));
        for wrong in [&["--rounds"][..], &["--rounds", "x"], &["--frob", "1"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}

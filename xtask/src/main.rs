//! Project chores: `cargo xtask test`, `tidy`, `compare`, and the long campaigns.
//!
//! What must stay true here: a newcomer needs only Rust. Nothing is installed, nothing is
//! downloaded beyond what `cargo` itself fetches, and what cannot run says so loudly.

mod campaign;
mod compare;
mod lexer;
mod metadata;
mod steps;
mod tidy;
mod tour;
mod turn;

use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Project chores. Usage: cargo xtask <command>

  test             everything the project checks about itself: format, clippy, tidy,
                   tests, documentation, the Python verifier; stops at the first failure;
                   a second run in the same target directory waits for the first
  tidy             the style rules only, with file:line messages
  tidy --ratchet   lowers the numbers in xtask/tidy-ratchet.txt to what the files have
                   now; never raises or adds one
  compare [ARGS]   the bench against tracing-appender and SQLite: speed, and what a kill
                   loses; builds SQLite once; `compare --help` for its arguments
  bench-query DIR [--runs N] [--only index|query|sql|export|beside] [--archive NEWDIR]
                   how fast the trail in DIR is indexed, searched, asked in SQL and exported,
                   beside the same disk's bytes and DuckDB (python3 with `duckdb`); rebuilds
                   DIR/index; with --archive compresses a copy of it
  crash --rounds N --seed S [--dir D] [--jobs J]
                   processes killed at any moment, while opening, emitting, rotating,
                   recovering and with a full ring; then looked for what they accepted
  power --rounds N --seed S [--only ext4|xfs]
                   real power cuts in a loop device; needs root
  sweep [--rounds N --seed S] [--only CALL]
                   every storage call the writer makes x EIO, ENOSPC, EINTR once and for
                   good, and a kill, under strace; N of them, or all
  sim --rounds N --seed S [--jobs J]
                   N crash images of random lives on the simulated disk, killed, cut
                   off, and crashed again in recovery
  trail ENTRIES SEED DIR
                   a month of a service's life, written into a new trail: what the figures
                   of large trails are taken on
  model             the ring under every schedule of small models (loom), and under many
                    random ones of a larger (shuttle)
  tsan              the ring's tests under ThreadSanitizer; needs a nightly compiler with
                    rust-src, and says so where there is none
  fuzz --rounds N --seed S [--target T]
                   the fuzz targets, N inputs each; with cargo-fuzz where it is installed,
                   else (or with --seeded) with the generator that the tests use
  tamper --rounds N --seed S
                   the tamper battery: every bit of a 64 KiB trail, N times each attack,
                   N trails of each honest kind, and the counts
  tour             runs the commands of docs/tour.md and writes down what they print;
                   `tour --check` compares
  help             this list
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    let outcome = match args.as_slice() {
        ["test"] => steps::test(&root),
        ["tidy"] => tidy::run(&root),
        ["tidy", "--ratchet"] => tidy::lower_ratchet(&root),
        ["compare", args @ ..] => compare::run(&root, args),
        ["bench-query", options @ ..] => campaign::bench_query(&root, options),
        [campaign @ ("crash" | "power" | "sim" | "sweep"), options @ ..] => {
            campaign::battery(&root, campaign, options)
        }
        ["trail", options @ ..] => campaign::example(&root, "trail", options),
        ["model"] => campaign::model(&root),
        ["tsan"] => campaign::tsan(&root),
        ["fuzz", options @ ..] => campaign::fuzz(&root, options),
        ["tamper", options @ ..] => campaign::tamper(&root, options),
        ["tour"] => tour::write(&root),
        ["tour", "--check"] => tour::check(&root).map(|_| ()),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        [] => Err(format!("no command given\n\n{HELP}")),
        other => Err(format!("unknown command `{}`\n\n{HELP}", other.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The top of the repository: one above this package. Cargo's run-time variable comes first, so
/// that a binary built in one clone does not look at another.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), PathBuf::from)
}

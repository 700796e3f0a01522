//! The command-line program of audit-logging: thin, everything it does is in the libraries.
//!
//! What must stay true here: exit codes are a contract (0 as asked, 1 violated, 2 could not, 3
//! unproven; with `--json`, 2 comes with an object that says why), what is printed for people cannot carry control characters of a hostile trail, and a
//! reader that goes away ends the program without a word.
#![forbid(unsafe_code)]

mod bench;
mod commands;
mod demo;
mod error;
mod import;
mod output;
mod progress;
mod render;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use error::CliError;
use output::escape;

/// Exit code of a command that could not do what it was asked.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    let json = cli.json;
    match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(CliError::ReaderGone) => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.to_string();
            eprintln!("auditlog: {text}");
            // Lines that were refused stand in the summary already.
            if json && !matches!(error, CliError::BadLines { summed_up: true, .. }) {
                tell_machines(&text);
            }
            ExitCode::from(FAILED)
        }
    }
}

/// Help and version are asked for, and no error.
fn misunderstood(error: &clap::Error) -> ExitCode {
    // Who closed the output does not want to know.
    drop(error.print());
    if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        tell_machines(error.to_string().trim_end());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILED))
}

/// One object on standard output; a reader that is gone is no further failure.
fn tell_machines(error: &str) {
    let object = serde_json::json!({"error": escape(error.as_bytes()), "exit": FAILED});
    drop(writeln!(std::io::stdout(), "{object}"));
}

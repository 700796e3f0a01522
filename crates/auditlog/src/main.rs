//! The command-line program of audit-logging: thin, everything it does is in the libraries.
//!
//! What must stay true here: exit codes are a contract (0 as asked, 1 violated, 2 could not, 3
//! unproven; with `--json`, 2 comes with an object that says why, also for arguments that were not
//! understood), what is printed for people cannot carry control characters of a hostile trail, and a
//! reader that goes away ends the program without a word.
#![forbid(unsafe_code)]

mod bench;
mod commands;
mod demo;
mod error;
mod import;
mod output;
mod priority;
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
        #[cfg(feature = "sql")]
        Err(CliError::EngineTold) => ExitCode::from(FAILED),
        Err(error) => {
            let text = error.to_string();
            // A trail, an argument or a file name may have put anything into it.
            eprintln!("auditlog: {}", escape(text.as_bytes()));
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
    let for_machines = error.use_stderr() && std::env::args_os().any(|arg| arg == "--json");
    if for_machines {
        let text = misunderstanding(error);
        // As everybody is told, and where people are: who reads one of the two finds it.
        eprintln!("{}", failure(&text));
        tell_machines(&text);
    } else {
        // Who closed the output does not want to know.
        drop(error.print());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILED))
}

/// What was wrong with the arguments, on one line and without clap's layout.
fn misunderstanding(error: &clap::Error) -> String {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command or an argument is missing; see --help".to_owned();
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = lines.take_while(|line| !line.starts_with("For more information"));
    let mut said = said.collect::<Vec<_>>().join("; ");
    if let Some(rest) = said.strip_prefix("error: ") {
        said = rest.replace(":;", ":");
    }
    said
}

/// One object on standard output; a reader that is gone is no further failure.
fn tell_machines(error: &str) {
    drop(writeln!(std::io::stdout(), "{}", failure(error)));
}

fn failure(error: &str) -> serde_json::Value {
    serde_json::json!({"error": escape(error.as_bytes()), "exit": FAILED})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(args: &[&str]) -> String {
        misunderstanding(&Cli::try_parse_from(args).unwrap_err())
    }

    #[test]
    fn what_was_wrong_stands_on_one_line() {
        let unknown = said(&["auditlog", "verify", "d", "--frob"]);
        assert!(unknown.starts_with("unexpected argument '--frob' found; "), "{unknown}");
        assert!(unknown.contains("Usage: auditlog verify"), "{unknown}");
        let missing = said(&["auditlog", "check", "p"]);
        assert!(missing.contains("not provided: --key <VKEY>; Usage:"), "{missing}");
        assert!(said(&["auditlog"]).starts_with("a command or an argument is missing"));
        for args in [&["auditlog", "frob"][..], &["auditlog", "bench", "--runs", "x"]] {
            let said = said(args);
            assert!(!said.contains('\n') && !said.contains("error:"), "{said}");
        }
    }
}

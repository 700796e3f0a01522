//! The command-line program of audit-logging: thin, everything it does is in the libraries.
//!
//! What must stay true here: exit codes are a contract (0 as asked, 1 violated, 2 could not, 3
//! unproven), what is printed for people cannot carry control characters of a hostile trail, and a
//! reader that goes away ends the program without a word.
#![forbid(unsafe_code)]

mod bench;
mod commands;
mod demo;
mod error;
mod output;
mod render;

use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use error::CliError;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(CliError::ReaderGone) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("auditlog: {error}");
            ExitCode::from(2)
        }
    }
}

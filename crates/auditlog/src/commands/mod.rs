//! The commands, one module each.
//!
//! What must stay true here: a command takes its arguments and an [`Output`], and gives an
//! [`Exit`] or an error. Nothing else decides exit codes.

mod emit;
mod init;
mod schema;
mod show;
mod tail;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::CliError;
use crate::output::{ColorChoice, Output};

/// Reads, verifies and keeps tamper-evident audit trails.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 as asked, 1 the trail is violated, 2 usage or I/O, 3 unproven.\n\n\
    Example:\n  auditlog verify /var/lib/billing/audit"
)]
pub(crate) struct Cli {
    /// Print for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Emit(emit::Args),
    Verify(verify::Args),
    Tail(tail::Args),
    Show(show::Args),
    Schema(schema::Args),
    Bench(crate::bench::Args),
    Demo(crate::demo::DemoArgs),
}

/// How a command ended that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// As asked.
    Done,
    /// The trail is violated.
    Violated,
    /// Nothing is wrong, and nothing proves it.
    Unproven,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Violated => 1,
            Exit::Unproven => 3,
        })
    }
}

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<Exit, CliError> {
    let mut out = Output::new(cli.color, cli.json);
    let exit = match cli.command {
        Command::Init(args) => init::run(&args, &mut out),
        Command::Emit(args) => emit::run(&args, &mut out),
        Command::Verify(args) => verify::run(&args, &mut out),
        Command::Tail(args) => tail::run(&args, &mut out),
        Command::Show(args) => show::run(&args, &mut out),
        Command::Schema(args) => schema::run(&args, &mut out),
        Command::Bench(args) => crate::bench::run(&args, &mut out),
        Command::Demo(args) => {
            crate::demo::run(&args, &mut out).map(|()| Exit::Done).map_err(CliError::from)
        }
    }?;
    match out.flush() {
        // The answer stands, whether or not somebody reads all of it.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(exit),
        flushed => Ok(flushed.map(|()| exit)?),
    }
}

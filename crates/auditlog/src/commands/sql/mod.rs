//! `auditlog sql`: a trail asked in SQL.
//!
//! What must stay true here: a program that was built without the engine says how to get one that has
//! it, and understands the same arguments.

#[cfg(feature = "sql")]
mod answer;
#[cfg(feature = "sql")]
mod limited;

use std::path::PathBuf;

use clap::ValueEnum;

use super::Exit;
use super::access::AccessArgs;
use crate::error::CliError;
use crate::output::Output;

/// Ask a trail in SQL
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The table is `events`, with one column for each member of an entry; `details` is JSON: \
    details->>'path', json_get_str(details, 'path'). The newest entries are in it. Only reading is possible. \
    What `auditlog index` has indexed is read from there.\n\n\
    Examples:\n  \
    auditlog sql ./audit \"select event_type, count(*) as n from events group by 1 order by n desc\"\n  \
    auditlog sql ./audit \"select date_trunc('day', timestamp) as day, count(*) from events \
    where result = 'failure' group by 1 order by 1\"\n  \
    auditlog sql ./audit --json \"select * from events where actor_user_id = 'mallory'\"\n  \
    auditlog sql ./audit \"describe events\""
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// The question
    #[arg(value_name = "SQL")]
    question: String,
    /// How rows are printed [default: table; with --json: json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// How much memory the question may use, in MiB; 512 more are for what is not counted, and a process
    /// that needs still more is ended
    #[arg(long, value_name = "MIB", default_value_t = 1_024)]
    memory: usize,
    /// How many seconds it may take [default: no limit]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Read the segments even where there is an index; the answer is the same
    #[arg(long)]
    no_index: bool,
    /// Answer in this process, which the process of this number started to be limited
    #[arg(long, hide = true, value_name = "PID")]
    engine: Option<i32>,
    #[command(flatten)]
    access: AccessArgs,
    /// Threads that work on it [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object a row, one row a line
    Json,
    /// With a header; a cell that a spreadsheet would take for a formula begins with '
    Csv,
}

#[cfg(feature = "sql")]
impl Args {
    fn format(&self, out: &Output) -> Format {
        self.format.unwrap_or(if out.json { Format::Json } else { Format::Table })
    }
}

/// Answers, in a process of its own.
#[cfg(feature = "sql")]
pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    match args.engine {
        Some(parent) => answer::run(args, parent, out),
        None => limited::run(args, out),
    }
}

/// Says how to get an answer.
#[cfg(not(feature = "sql"))]
pub(crate) fn run(args: &Args, _: &mut Output) -> Result<Exit, CliError> {
    // Understood, and of no use here.
    let Args {
        dir: _,
        question: _,
        format: _,
        memory: _,
        timeout: _,
        no_index: _,
        engine: _,
        access: _,
        jobs: _,
    } = args;
    Err(CliError::Usage {
        what: "this `auditlog` was built without SQL".to_owned(),
        next: "build it with `cargo build --release -p auditlog --features sql` (some minutes), use `auditlog query`, or ask the Parquet files of `auditlog index` with any engine",
    })
}

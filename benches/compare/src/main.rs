//! The same events through `audit-logging`, `tracing-appender` and SQLite: what a call costs, how
//! much goes through, and what a kill loses.
//!
//! What must stay true here: everybody gets the same events at the same times, in a process of its
//! own; acknowledged means that the call returned; everybody is set up as its documentation says
//! for not losing anything.

mod kill;
#[path = "../../../crates/auditlog/src/bench/pace.rs"]
mod pace;
mod sinks;
#[path = "../../../crates/auditlog/src/bench/stats.rs"]
mod stats;
mod table;
mod work;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, Subcommand};
use serde_json::Value;

use sinks::Kind;
use table::Row;
use work::Figures;

/// What went wrong, in words for whoever runs this.
type Error = Box<dyn std::error::Error>;

/// The same events through audit-logging, tracing-appender and SQLite
#[derive(Debug, Parser)]
#[command(
    after_help = "Everything is written into a temporary directory inside --dir and removed.\n\n\
    Example:\n  cargo xtask compare --dir /var/lib/billing --runs 5"
)]
struct Args {
    /// Where to measure
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Events per second of the paced load
    #[arg(long, default_value_t = 100_000)]
    rate: u32,
    /// Seconds of each load
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// How often to measure; the figures are medians
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// How often each is killed
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// Kill under producers that never wait, not at the rate
    #[arg(long)]
    flood: bool,
    /// Figures as JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    child: Option<Child>,
}

/// One load of one contestant, in a process of its own.
#[derive(Debug, Clone, Copy, Subcommand)]
enum Child {
    #[command(hide = true)]
    Measure { kind: Kind },
    #[command(hide = true)]
    Emit { kind: Kind },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.child {
        None => compare(&args),
        Some(Child::Measure { kind }) => measure(&args, kind),
        Some(Child::Emit { kind }) => {
            work::emit_until_killed(kind, &args.dir, (!args.flood).then_some(args.rate))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(args: &Args, kind: Kind) -> Result<(), Error> {
    let figures = work::measure(kind, &args.dir, args.rate, args.seconds)?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

fn compare(args: &Args) -> Result<(), Error> {
    let dir = tempfile::Builder::new().prefix("audit-compare-").tempdir_in(&args.dir)?;
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let mut runs = Vec::new();
        for run in 1..=args.runs {
            eprintln!("{}: run {run} of {}", kind.name(), args.runs);
            let place = dir.path().join(format!("{}-{run}", kind.name()));
            std::fs::create_dir(&place)?;
            let output = child(args, &place, "measure", kind)?.stderr(Stdio::inherit()).output()?;
            if !output.status.success() {
                return Err(format!("{}: {}", kind.name(), output.status).into());
            }
            runs.push(serde_json::from_slice::<Value>(&output.stdout)?);
            std::fs::remove_dir_all(&place)?;
        }
        let figures: Figures = serde_json::from_value(stats::median(&runs))?;
        eprintln!("{}: {} kills", kind.name(), args.kills);
        let killed = kill::rounds(kind, "kill", dir.path(), args.kills, |place| {
            child(args, place, "emit", kind)
        })?;
        rows.push(Row { kind, figures, killed });
    }
    dir.close()?;
    if args.json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        table::print(&rows, args.rate, args.runs)?;
    }
    Ok(())
}

/// This program again, as one contestant.
fn child(args: &Args, dir: &Path, what: &str, kind: Kind) -> Result<Command, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--dir").arg(dir);
    command.arg("--rate").arg(args.rate.to_string());
    command.arg("--seconds").arg(args.seconds.to_string());
    if args.flood {
        command.arg("--flood");
    }
    command.arg(what).arg(kind.name());
    Ok(command)
}

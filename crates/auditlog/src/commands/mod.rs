//! The commands, one module each.
//!
//! What must stay true here: a command takes its arguments and an [`Output`], and gives an
//! [`Exit`] or an error. Nothing else decides exit codes.

mod access;
mod check;
mod consistency;
mod emit;
mod export;
mod hold;
#[cfg(feature = "index")]
mod index;
mod init;
mod keys;
mod prove;
mod query;
mod reconcile;
mod report;
mod retention;
mod schema;
mod serve_tiles;
mod show;
mod sql;
mod tail;
mod timestamp;
mod verify;
mod witness;
mod witness_sync;

use std::fs::File;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::{MAX_NOTE, VerifierKey};
use audit_logging::retention::settings;
use audit_logging::{
    AuditConfig, AuditLogger, AuditMode, OpenError, RotationPolicy, WaitError, existing_trail,
};
use audit_reader::{Hit, Query, QueryOptions, Searched, Source};
use audit_shipper::HttpSource;
use clap::{Parser, Subcommand};

use crate::error::CliError;
use crate::output::{ColorChoice, Output};
use crate::priority;

/// How long a disk may take to close a trail.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

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
    Prove(prove::Args),
    Check(check::Args),
    Consistency(consistency::Args),
    Tail(tail::Args),
    Show(show::Args),
    Sql(sql::Args),
    Keys(keys::Args),
    Retention(retention::Args),
    Hold(hold::Args),
    Query(Box<query::Args>),
    #[cfg(feature = "index")]
    Index(index::Args),
    Export(export::Args),
    Reconcile(reconcile::Args),
    Report(Box<report::Args>),
    Schema(schema::Args),
    Witness(witness::Args),
    WitnessSync(witness_sync::Args),
    Timestamp(timestamp::Args),
    ServeTiles(serve_tiles::Args),
    Bench(crate::bench::Args),
    Demo(crate::demo::DemoArgs),
}

impl Command {
    /// Whether it reads a trail, and as much of it as there is.
    const fn reads_much(&self) -> bool {
        #[cfg(feature = "index")]
        if matches!(self, Command::Index(_)) {
            return true;
        }
        if let Command::Timestamp(args) = self {
            return args.check;
        }
        matches!(
            self,
            Command::Verify(_)
                | Command::Query(_)
                | Command::Sql(_)
                | Command::Export(_)
                | Command::Reconcile(_)
                | Command::Report(_)
        )
    }
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

impl Exit {
    /// What a search proved: nothing that was changed is an answer, and an answer that may lack something
    /// is not the whole one.
    pub(crate) const fn of(searched: &Searched) -> Exit {
        if searched.hash_mismatches > 0 {
            Exit::Violated
        } else if searched.lacks() {
            Exit::Unproven
        } else {
            Exit::Done
        }
    }
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
    if cli.command.reads_much() {
        priority::give_way();
    }
    let exit = match cli.command {
        Command::Init(args) => init::run(&args, &mut out),
        Command::Emit(args) => emit::run(&args, &mut out),
        Command::Verify(args) => verify::run(&args, &mut out),
        Command::Prove(args) => prove::run(&args, &mut out),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Consistency(args) => consistency::run(&args, &mut out),
        Command::Tail(args) => tail::run(&args, &mut out),
        Command::Sql(args) => sql::run(&args, &mut out),
        Command::Show(args) => show::run(&args, &mut out),
        Command::Keys(args) => keys::run(&args, &mut out),
        Command::Retention(args) => retention::run(&args, &mut out),
        Command::Hold(args) => hold::run(&args, &mut out),
        Command::Query(args) => query::run(&args, &mut out),
        #[cfg(feature = "index")]
        Command::Index(args) => index::run(&args, &mut out),
        Command::Export(args) => export::run(&args, &mut out),
        Command::Reconcile(args) => reconcile::run(&args, &mut out),
        Command::Report(args) => report::run(&args, &mut out),
        Command::Schema(args) => schema::run(&args, &mut out),
        Command::Witness(args) => witness::run(&args, &mut out),
        Command::WitnessSync(args) => witness_sync::run(&args, &mut out),
        Command::Timestamp(args) => timestamp::run(&args, &mut out),
        Command::ServeTiles(args) => serve_tiles::run(&args, &mut out),
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

/// How a trail that is there is opened by a command: as its writer was configured, as far as it said so,
/// and without retention by itself: a command does what it is asked.
pub(crate) fn config_of(dir: &Path) -> Result<AuditConfig, CliError> {
    let info = existing_trail(dir)?.ok_or_else(|| OpenError::NoTrail { path: dir.to_owned() })?;
    let mut config = AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        // When a segment ends is the service's choice, and not known here.
        rotation: RotationPolicy::SizeLimit { bytes: u64::MAX },
        retention_interval_hours: 0,
        ..AuditConfig::new(info.service_id)
    };
    let said = settings(dir).map_err(|error| unreadable_settings(dir, &error))?;
    if let Some(settings) = said {
        config.retention = settings.retention.unwrap_or_default();
        config.audit_access = settings.audit_access;
    }
    Ok(config)
}

/// Opens a trail for a command: what its own writer said of its configuration stays as it is.
pub(crate) fn open(config: AuditConfig) -> Result<AuditLogger, OpenError> {
    AuditLogger::builder(config).for_tool().open()
}

/// As [`open`], to record an entry and go: who opens the trail meanwhile waits a moment.
pub(crate) fn open_briefly(config: AuditConfig) -> Result<AuditLogger, OpenError> {
    AuditLogger::builder(config).for_tool().briefly().open()
}

/// Closes a trail that a command opened: whoever asks does not wait for ever for a disk that stands still.
pub(crate) fn close(logger: &AuditLogger) -> Result<(), WaitError> {
    logger.shutdown_timeout(CLOSED_WITHIN)
}

pub(crate) fn unreadable_settings(dir: &Path, error: &std::io::Error) -> CliError {
    CliError::Usage {
        what: format!("{}: cannot read: {error}", dir.join("settings.json").display()),
        next: "its writer makes it anew: remove it, or correct its permissions",
    }
}

/// How many threads read: as asked, or one for each core.
pub(crate) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// Runs a query until `take` fails, whose error is then the answer.
pub(crate) fn hits(
    query: &Query,
    source: &Source,
    options: QueryOptions<'_>,
    mut take: impl FnMut(Hit<'_>) -> Result<(), CliError>,
) -> Result<Searched, CliError> {
    let mut failed = None;
    let searched = query.run(source, options, |hit| match take(hit) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(searched),
    }
}

/// Says how many lines an answer lacks, if it lacks some.
pub(crate) fn tell_malformed(to: &mut impl Write, malformed: u64) -> std::io::Result<()> {
    if malformed > 0 {
        writeln!(
            to,
            "{malformed} lines are no entries and were left out: the trail is damaged; run `auditlog verify`"
        )?;
    }
    Ok(())
}

/// The trail that was given as an argument: a directory, an archive of one, or the address of one.
pub(crate) fn source(place: &Path) -> Result<Source, CliError> {
    match place.to_str().filter(|place| HttpSource::is_address(place)) {
        Some(address) => Ok(Source::new(HttpSource::new(address))?),
        None => Ok(Source::open(place)?),
    }
}

/// A public key that was given as an argument: a vkey, or a file that holds one (`@FILE`, or a path
/// that is there), as `auditlog keys DIR pin` writes it.
pub(crate) fn key(option: &str, given: &str) -> Result<VerifierKey, CliError> {
    let file = match (given.strip_prefix('@'), VerifierKey::parse(given.trim())) {
        (None, Ok(key)) => return Ok(key),
        (Some(file), _) => Some(Path::new(file)),
        (None, Err(_)) => Some(Path::new(given)).filter(|path| path.is_file()),
    };
    let text = match file {
        Some(file) => String::from_utf8_lossy(&input(file, MAX_NOTE as u64)?).into_owned(),
        None => given.to_owned(),
    };
    VerifierKey::parse(text.trim()).map_err(|error| CliError::Usage {
        what: format!("{option}: {error}"),
        next: "give the whole vkey, as `auditlog init` printed it, or a file that holds it",
    })
}

/// A service's configuration, from a file that was given as an argument, for the trail in `dir`.
pub(crate) fn config(file: &Path, dir: &Path) -> Result<AuditConfig, CliError> {
    let text = String::from_utf8_lossy(&input(file, MAX_NOTE as u64)?).into_owned();
    let config = AuditConfig::from_toml(&text).map_err(|error| CliError::Usage {
        what: format!("{}: {error}", file.display()),
        next: "give the file that the service itself is configured with",
    })?;
    let same = |base: &Path| match (base.canonicalize(), dir.canonicalize()) {
        (Ok(base), Ok(dir)) => base == dir,
        _ => base == dir,
    };
    match &config.mode {
        AuditMode::Local { base_dir } if same(base_dir) => Ok(config),
        _ => Err(CliError::Usage {
            what: format!("{} is not the configuration of {}", file.display(), dir.display()),
            next: "give the trail's directory as it stands in the file, or another file",
        }),
    }
}

/// A checkpoint in a file that was given as an argument.
pub(crate) fn checkpoint(file: &Path) -> Result<SignedCheckpoint, CliError> {
    let bytes = input(file, MAX_NOTE as u64)?;
    SignedCheckpoint::parse(&bytes).map_err(|error| CliError::Usage {
        what: format!("{}: {error}", file.display()),
        next: "give a copy of a trail's `checkpoint` file",
    })
}

/// A small file that was given as an argument; what is beyond `limit` bytes is left out.
pub(crate) fn input(file: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|error| CliError::Usage {
        what: format!("cannot read {}: {error}", file.display()),
        next: "check the path and that you may read it",
    })?;
    Ok(bytes)
}

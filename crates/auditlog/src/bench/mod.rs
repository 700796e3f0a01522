//! `auditlog bench`: measures this machine, against its own raw limits in the same run.
//!
//! What must stay true here: every figure comes from real files on the disk asked for; the emit
//! latency is that of the call, and beside it stands the time since the event was *due*, so a
//! stall is seen by all it delays; the raw limits are measured in the same directory and run, and
//! each ratio is taken within one run.

mod conditions;
mod event;
mod pace;
mod phases;
mod raw;
mod report;
mod stats;
mod table;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use audit_logging::FlushMode;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::Value;

use crate::commands::Exit;
use crate::error::CliError;
use crate::output::Output;
use conditions::Conditions;
use raw::Limits;
use report::{Paced, Ratios, Report, Saturation, Summary};

/// Measure this machine: emit latency, durable events per second, waiting times, raw limits
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Everything is written into a temporary directory inside --dir and removed. Other load on the\n\
    machine disturbs: the table says how much there was; --runs 5 gives medians.\n\n\
    Example:\n  auditlog bench --dir /var/lib/billing --mode immediate --producers 1,2,4\n  \
    auditlog bench --rate 1000,100000,300000 --runs 5\n  auditlog bench --json"
)]
pub(crate) struct Args {
    /// Where to measure: the file system the trail will be on
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The flush mode to measure
    #[arg(long, value_enum, default_value_t = Mode::Immediate)]
    mode: Mode,
    /// Threads that emit and never wait; several numbers are measured one after the other
    #[arg(long, default_value = "1,2", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=1024))]
    producers: Vec<u64>,
    /// Events for the throughput
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1024..))]
    events: u64,
    /// Events per second for the emit latency; several rates are measured one after the other
    #[arg(long, default_value = "100000", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Vec<u64>,
    /// How often to measure everything; the figures are medians
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Immediate,
    Batched,
    Hybrid,
}

impl Mode {
    const fn flush_mode(self) -> FlushMode {
        match self {
            Mode::Immediate => FlushMode::Immediate,
            Mode::Batched => FlushMode::batched(),
            Mode::Hybrid => FlushMode::hybrid(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Mode::Immediate => "immediate",
            Mode::Batched => "batched",
            Mode::Hybrid => "hybrid",
        }
    }
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let failed = |source| CliError::Bench { what: "make a temporary directory", source };
    let conditions = Conditions::of(&args.dir);
    let spinner = ProgressBar::hidden();
    if std::io::stderr().is_terminal() {
        // Drawn when a phase begins, never by a thread of its own: that would want a core.
        spinner.set_draw_target(ProgressDrawTarget::stderr());
    }
    let mut runs = Vec::new();
    for number in 1..=args.runs {
        let dir = tempfile::Builder::new()
            .prefix("auditlog-bench-")
            .tempdir_in(&args.dir)
            .map_err(failed)?;
        let begin = |phase: &str| {
            spinner.set_message(format!("run {number} of {}: {phase}", args.runs));
            spinner.tick();
        };
        runs.push(run_once(args, dir.path(), &begin)?);
        dir.close()
            .map_err(|source| CliError::Bench { what: "remove the temporary directory", source })?;
    }
    spinner.finish_and_clear();
    let summary = summarize(runs, conditions)?;
    if out.json {
        serde_json::to_writer(&mut *out, &summary).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        table::print(&summary, out)?;
    }
    Ok(Exit::Done)
}

fn run_once(args: &Args, dir: &Path, begin: &dyn Fn(&str)) -> Result<Report, CliError> {
    let place = phases::Place { dir, flush_mode: args.mode.flush_mode() };
    let mut limits = Limits::new(dir)?;
    begin("raw limits");
    limits.measure()?;

    let mut through = Vec::new();
    let mut verified = (0.0, 0.0);
    let mut counts = args.producers.clone();
    counts.sort_unstable();
    for producers in counts {
        begin(&format!("{producers} producers that never wait"));
        let (per_s, trail) = phases::saturate(&place, producers, args.events)?;
        begin("verify");
        verified = phases::verify(&trail)?;
        through.push((producers, per_s));
    }
    let (producers, durable_events_per_s) =
        *through.last().ok_or(CliError::Bug("no number of producers"))?;
    let (bytes_per_event, verify_events_per_s) = verified;

    let mut paced: Vec<Paced> = Vec::new();
    for rate in &args.rate {
        begin(&format!("emit, paced {rate}/s"));
        paced.push(phases::paced(&place, *rate)?);
    }
    let first = *paced.first().ok_or(CliError::Bug("no rate"))?;
    let waits = args.mode == Mode::Immediate;
    begin("acknowledgements");
    let ack_us = waits.then(|| phases::acknowledgement(&place)).transpose()?;
    let loaded = waits.then(|| phases::loaded(&place)).transpose()?;
    let awaiting = waits.then(|| phases::awaiting(&place, 64)).transpose()?;
    begin("raw limits again");
    limits.measure()?;

    let raw = limits.report();
    let single_syncs = 1e6 / raw.fdatasync_us_p50;
    let sha256 = raw.sha256_bytes_per_s / bytes_per_event;
    let saturation = through.into_iter().map(|(producers, per_s)| Saturation {
        producers,
        durable_events_per_s: per_s,
        to_single_syncs: per_s / single_syncs,
        to_sha256: per_s / sha256,
    });
    Ok(Report {
        mode: args.mode.name().to_owned(),
        producers,
        events: args.events,
        bytes_per_event,
        emit_ns: first.emit_ns,
        emit_due_ns: first.emit_due_ns,
        allocations_per_emit: first.allocations_per_emit,
        durable_events_per_s,
        ack_us,
        verify_events_per_s,
        awaiting_64_events_per_s: awaiting,
        loaded,
        disabled_emit_ns: phases::disabled()?,
        build_event_ns: phases::build_event(),
        saturation: saturation.collect(),
        ratios: Ratios {
            durable_to_single_syncs: durable_events_per_s / single_syncs,
            emit_p50_to_memcpy: first.emit_ns.p50 as f64
                / (bytes_per_event * 1e9 / raw.memcpy_bytes_per_s),
            ack_p50_to_fdatasync: ack_us.map(|ack| ack.p50 / raw.fdatasync_us_p50),
            awaiting_64_to_single_syncs: awaiting.map(|rate| rate / single_syncs),
            verify_to_sha256: verify_events_per_s / sha256,
        },
        paced,
        raw,
    })
}

/// The medians of all runs.
fn summarize(runs: Vec<Report>, conditions: Conditions) -> Result<Summary, CliError> {
    let values = runs.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>();
    let median = values.and_then(|values| serde_json::from_value(stats::median(&values)));
    let median = median.map_err(std::io::Error::from)?;
    let runs = if runs.len() > 1 { runs } else { Vec::new() };
    Ok(Summary { median, conditions, runs })
}

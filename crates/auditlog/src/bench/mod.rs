//! `auditlog bench`: measures this machine, against its own raw limits in the same run.
//!
//! What must stay true here: every figure comes from real files on the disk asked for; the emit
//! latency is that of the call, and beside it stands the time since the event was *due*, so a
//! stall is seen by all it delays; the raw limits are measured in the same directory and run.

mod event;
mod pace;
mod phases;
mod raw;

use std::io::Write;
use std::path::PathBuf;

use audit_logging::FlushMode;
use clap::ValueEnum;
use serde::Serialize;

use crate::commands::Exit;
use crate::error::CliError;
use crate::output::Output;

/// Measure this machine: emit latency, durable events per second, verify rate, raw limits
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Everything is written into a temporary directory inside --dir and removed.\n\n\
    Example:\n  auditlog bench --dir /var/lib/billing --mode immediate --producers 2\n  \
    auditlog bench --json"
)]
pub(crate) struct Args {
    /// Where to measure: the file system the trail will be on
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The flush mode to measure
    #[arg(long, value_enum, default_value_t = Mode::Immediate)]
    mode: Mode,
    /// Threads that emit
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1024))]
    producers: u64,
    /// Events for the throughput
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    events: u64,
    /// Events per second for the emit latency
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
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

/// Nanoseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct EmitLatency {
    p50: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct AckLatency {
    p50: f64,
    p99: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Raw {
    fdatasync_us_p50: f64,
    sha256_bytes_per_s: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    mode: &'static str,
    producers: u64,
    events: u64,
    bytes_per_event: f64,
    /// The call itself, under the paced load.
    emit_ns: EmitLatency,
    /// From the moment each event was due to the end of its call: what a stall costs all those
    /// that wait behind it, and how late this machine wakes a thread.
    emit_due_ns: EmitLatency,
    allocations_per_emit: f64,
    durable_events_per_s: f64,
    /// One producer that waits each time. Absent in the batched modes, where waiting means
    /// waiting for the batch.
    ack_us: Option<AckLatency>,
    /// 64 tasks that each wait for `durable`.
    awaiting_64_events_per_s: Option<f64>,
    verify_events_per_s: f64,
    disabled_emit_ns: f64,
    raw: Raw,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let failed = |source| CliError::Bench { what: "make a temporary directory", source };
    let dir =
        tempfile::Builder::new().prefix("auditlog-bench-").tempdir_in(&args.dir).map_err(failed)?;
    let place = phases::Place { dir: dir.path(), flush_mode: args.mode.flush_mode() };
    let raw = raw::measure(dir.path())?;
    let throughput = phases::throughput(&place, args.producers, args.events)?;
    let paced = phases::emit_latency(&place, args.rate)?;
    let waits = args.mode == Mode::Immediate;
    let report = Report {
        mode: args.mode.name(),
        producers: args.producers,
        events: args.events,
        bytes_per_event: throughput.bytes_per_event,
        emit_ns: paced.call,
        emit_due_ns: paced.since_due,
        allocations_per_emit: paced.allocations_per_emit,
        durable_events_per_s: throughput.events_per_s,
        ack_us: waits.then(|| phases::acknowledgement(&place)).transpose()?,
        awaiting_64_events_per_s: waits.then(|| phases::awaiting(&place, 64)).transpose()?,
        verify_events_per_s: throughput.verified_per_s,
        disabled_emit_ns: phases::disabled()?,
        raw,
    };
    if out.json {
        serde_json::to_writer(&mut *out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    dir.close()
        .map_err(|source| CliError::Bench { what: "remove the temporary directory", source })?;
    Ok(Exit::Done)
}

fn print(r: &Report, out: &mut Output) -> std::io::Result<()> {
    let syncs = 1e6 / r.raw.fdatasync_us_p50;
    writeln!(
        out,
        "mode {}, {} producers, {} events of {:.0} bytes\n",
        r.mode, r.producers, r.events, r.bytes_per_event
    )?;
    writeln!(
        out,
        "durable          {:>12.0} events/s   {:.0} x the disk's single syncs ({syncs:.0}/s)",
        r.durable_events_per_s,
        r.durable_events_per_s / syncs
    )?;
    if let Some(rate) = r.awaiting_64_events_per_s {
        writeln!(
            out,
            "64 tasks waiting {rate:>12.0} events/s   {:.0} x the disk's single syncs",
            rate / syncs
        )?;
    }
    if let Some(ack) = r.ack_us {
        writeln!(
            out,
            "acknowledgement  {:>12.0} µs p50     {:.2} x the disk's fdatasync; p99 {:.0} µs",
            ack.p50,
            ack.p50 / r.raw.fdatasync_us_p50,
            ack.p99
        )?;
    }
    for (name, e) in [("emit", r.emit_ns), ("emit, since due", r.emit_due_ns)] {
        writeln!(
            out,
            "{name:<16} {:>12} ns p50     p99 {} ns, p99.9 {} ns, max {} ns",
            e.p50, e.p99, e.p999, e.max
        )?;
    }
    writeln!(out, "                 {:>12.2} allocations per emit", r.allocations_per_emit)?;
    writeln!(out, "disabled         {:>12.2} ns on top of the event", r.disabled_emit_ns)?;
    let sha = r.raw.sha256_bytes_per_s / r.bytes_per_event;
    writeln!(
        out,
        "verify           {:>12.0} events/s   {:.2} x this core's SHA-256 of as many bytes",
        r.verify_events_per_s,
        r.verify_events_per_s / sha
    )?;
    writeln!(
        out,
        "raw              {:>12.0} µs fdatasync p50, SHA-256 {:.2} GB/s",
        r.raw.fdatasync_us_p50,
        r.raw.sha256_bytes_per_s / 1e9
    )
}

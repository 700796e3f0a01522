//! `auditlog emit`: records events from standard input.
//!
//! What must stay true here: a bad line costs that line alone, is reported with its number and
//! counted in the trail; a receipt is printed only for what it says; memory is bounded by the
//! longest line allowed.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use audit_core::event::GenericEvent;
use audit_logging::{
    AuditConfig, AuditLogger, AuditMode, EmitError, FlushMode, OverflowPolicy, Receipt,
    existing_trail,
};
use clap::ValueEnum;

use super::Exit;
use crate::error::CliError;
use crate::output::Output;

/// A longer line is refused without being read into memory.
const MAX_INPUT_LINE: u64 = 64 << 20;
/// Receipts that may wait for being printed.
const RECEIPTS_AHEAD: usize = 4_096;
/// How long a signal waits for the disk.
const SIGNAL_LIMIT: Duration = Duration::from_secs(10);
/// How long a line waits for room in the queue: a pipe can wait, an event cannot be asked again.
const PATIENCE_MS: u64 = 60_000;

/// Record events from standard input, one JSON object a line
#[derive(Debug, clap::Args)]
#[command(after_help = "Each line has `event_type` and any of `actor`, `resource`, `result`, \
    `reason`, `context`, `details`, `critical`, `timestamp`.\n\
    A bad line is reported with its number, the others are recorded; exit code 2 if any was bad.\n\n\
    Example:\n  \
    echo '{\"event_type\":\"door.opened\",\"actor\":{\"user_id\":\"alice\"}}' | auditlog emit ./audit\n  \
    auditlog emit ./audit --receipts durable < events.ndjson")]
pub(crate) struct Args {
    /// The trail, made with `auditlog init`
    dir: PathBuf,
    /// When to sync: at once, in batches, or critical events at once
    #[arg(long, value_enum, default_value_t = Mode::Immediate, value_name = "MODE")]
    flush_mode: Mode,
    /// Print a receipt for each event, when it is accepted or when it is durable
    #[arg(long, value_enum, value_name = "WHEN")]
    receipts: Option<ReceiptAt>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    Immediate,
    Batched,
    Hybrid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReceiptAt {
    Emitted,
    Durable,
}

/// How the lines fared.
#[derive(Debug, Default)]
struct Tally {
    recorded: u64,
    refused: u64,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let info = existing_trail(&args.dir)?
        .ok_or_else(|| audit_logging::OpenError::NoTrail { path: args.dir.clone() })?;
    let audit = AuditLogger::new(AuditConfig {
        mode: AuditMode::Local { base_dir: args.dir.clone() },
        flush_mode: match args.flush_mode {
            Mode::Immediate => FlushMode::Immediate,
            Mode::Batched => FlushMode::batched(),
            Mode::Hybrid => FlushMode::hybrid(),
        },
        overflow: OverflowPolicy::Wait { limit_ms: PATIENCE_MS },
        ..AuditConfig::new(info.service_id)
    })?;
    let _guard = audit.guard_signals(SIGNAL_LIMIT).map_err(CliError::Signals)?;
    let (send, receive) = sync_channel(RECEIPTS_AHEAD);
    let send = args.receipts.is_some().then_some(send);
    let (tally, printed) = std::thread::scope(|scope| {
        let audit = &audit;
        let lines = scope.spawn(move || record_lines(audit, &mut io::stdin().lock(), send));
        let printed = args.receipts.map_or(Ok(()), |at| print_receipts(&receive, at, out));
        // When nobody reads the receipts any more, the events are still recorded.
        drop(receive);
        (lines.join(), printed)
    });
    audit.shutdown_blocking()?;
    let tally = tally.map_err(|_| CliError::Bug("the thread that reads lines panicked"))??;
    match printed {
        Err(CliError::ReaderGone) | Ok(()) => {}
        Err(error) => return Err(error),
    }
    let Tally { recorded, refused } = tally;
    match (args.receipts, out.json) {
        (Some(_), _) => {}
        (None, true) => {
            writeln!(out, "{}", serde_json::json!({"recorded": recorded, "refused": refused}))?;
        }
        (None, false) => {
            writeln!(out, "{recorded} events recorded and durable, {refused} lines refused")?;
        }
    }
    out.flush()?;
    if refused > 0 { Err(CliError::BadLines(refused)) } else { Ok(Exit::Done) }
}

type Recorded = (u64, Receipt);

fn record_lines(
    audit: &AuditLogger,
    input: &mut dyn BufRead,
    mut receipts: Option<SyncSender<Recorded>>,
) -> Result<Tally, CliError> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = io::Read::take(&mut *input, MAX_INPUT_LINE + 1).read_until(b'\n', &mut line);
        if read.map_err(CliError::Input)? == 0 {
            break;
        }
        if line.len() as u64 > MAX_INPUT_LINE && !line.ends_with(b"\n") {
            input.skip_until(b'\n').map_err(CliError::Input)?;
            refuse(audit, &mut tally, number, &format!("longer than {MAX_INPUT_LINE} bytes"));
            continue;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let event = match GenericEvent::from_json_line(text) {
            Ok(event) => event,
            Err(error) => {
                refuse(audit, &mut tally, number, &error.to_string());
                continue;
            }
        };
        match audit.emit(&event) {
            Ok(receipt) => {
                tally.recorded += 1;
                if let Some(send) = &receipts
                    && send.send((number, receipt)).is_err()
                {
                    receipts = None;
                }
            }
            // What ends the logger ends the command; what concerns one event, one line.
            Err(error @ (EmitError::Poisoned(_) | EmitError::Closed)) => {
                return Err(CliError::Emit { line: number, error });
            }
            Err(error) => {
                eprintln!("auditlog: line {number}: {error}");
                tally.refused += 1;
            }
        }
    }
    Ok(tally)
}

fn refuse(audit: &AuditLogger, tally: &mut Tally, number: u64, why: &str) {
    eprintln!("auditlog: line {number}: {why}");
    audit.record_unreadable();
    tally.refused += 1;
}

fn print_receipts(
    receipts: &Receiver<Recorded>,
    at: ReceiptAt,
    out: &mut Output,
) -> Result<(), CliError> {
    for (line, receipt) in receipts {
        if at == ReceiptAt::Durable {
            receipt.wait_durable()?;
        }
        writeln!(out, r#"{{"line":{line},"audit_id":"{}"}}"#, receipt.audit_id())?;
        out.flush()?;
    }
    Ok(())
}

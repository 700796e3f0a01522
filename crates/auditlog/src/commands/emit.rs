//! `auditlog emit`: records events from standard input.
//!
//! What must stay true here: a receipt is printed only for what it says; when nobody reads the
//! receipts any more, the events are still recorded.

mod lines;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use audit_logging::retention::settings;
use audit_logging::{AuditConfig, FlushMode, OverflowPolicy, RotationPolicy};
use clap::ValueEnum;
use lines::{PATIENCE, Recorded, Recorder, Tally};

use super::{Exit, unreadable_settings};
use crate::error::CliError;
use crate::import::{From, Importer};
use crate::output::Output;

/// Receipts that may wait for being printed.
const RECEIPTS_AHEAD: usize = 4_096;
/// How long a signal waits for the disk.
const SIGNAL_LIMIT: Duration = Duration::from_secs(10);

/// Record events from standard input, one JSON object a line
#[derive(Debug, clap::Args)]
#[command(after_help = "Each line has `event_type` and any of `actor`, `resource`, `result`, \
    `reason`, `context`, `details`, `critical`, `timestamp`.\n\
    A bad line is reported with its number, the others are recorded; exit code 2 if any was bad.\n\
    A line may have 16 MiB. On a full disk, each line waits up to a minute for space.\n\n\
    Example:\n  \
    echo '{\"event_type\":\"door.opened\",\"actor\":{\"user_id\":\"alice\"}}' | auditlog emit ./audit\n  \
    auditlog emit ./audit --receipts durable < events.ndjson\n  \
    auditlog emit ./audit --from cloudtrail < 123456789012_CloudTrail_eu-central-1.json.gz\n  \
    auditlog emit ./audit --from auditd < /var/log/audit/audit.log")]
pub(crate) struct Args {
    /// The trail, made with `auditlog init`
    dir: PathBuf,
    /// When to sync: at once, in batches, or critical events at once
    #[arg(long, value_enum, default_value_t = Mode::Immediate, value_name = "MODE")]
    flush_mode: Mode,
    /// Print a receipt for each event, when it is accepted or when it is durable
    #[arg(long, value_enum, value_name = "WHEN")]
    receipts: Option<ReceiptAt>,
    /// Read the audit log of another program instead of events; gzip is taken, too
    #[arg(long, value_enum, value_name = "PROGRAM")]
    from: Option<From>,
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

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let said = settings(&args.dir).map_err(|error| unreadable_settings(&args.dir, &error))?;
    let audit = super::open(AuditConfig {
        // As long as events come this is the trail's writer: it keeps the trail as somebody chose, or not
        // at all.
        retention_interval_hours: said.map_or(0, |settings| settings.retention_interval_hours),
        flush_mode: match args.flush_mode {
            Mode::Immediate => FlushMode::Immediate,
            Mode::Batched => FlushMode::batched(),
            Mode::Hybrid => FlushMode::hybrid(),
        },
        rotation: RotationPolicy::default(),
        overflow: OverflowPolicy::Wait { limit_ms: PATIENCE.as_millis() as u64 },
        ..super::config_of(&args.dir)?
    })?;
    let _guard = audit.guard_signals(SIGNAL_LIMIT).map_err(CliError::Signals)?;
    let (send, receive) = sync_channel(RECEIPTS_AHEAD);
    let send = args.receipts.is_some().then_some(send);
    let (tally, printed) = std::thread::scope(|scope| {
        let audit = &audit;
        let lines = scope.spawn(move || {
            let recorder = Recorder::new(audit, send);
            let (mut input, mut told) = (io::stdin().lock(), io::stderr());
            match args.from {
                None => recorder.record(&mut input, &mut told),
                Some(from) => {
                    let importer = Importer::new(from, Box::new(input)).map_err(CliError::Input)?;
                    recorder.record_imported(importer, &mut told)
                }
            }
        });
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
    match refused {
        0 => Ok(Exit::Done),
        _ => Err(CliError::BadLines { refused, summed_up: args.receipts.is_none() }),
    }
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

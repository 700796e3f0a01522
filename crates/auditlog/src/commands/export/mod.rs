//! `auditlog export`: the entries of a trail in the forms of other programs, once or for ever.
//!
//! What must stay true here: the cursor never says more than what was written, and with `-o` synced:
//! after a crash records may come again, and none is missing.

mod output;
mod state;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use audit_core::entry::Entry;
use audit_reader::export::{Exporter, Format};
use audit_reader::{Cursor, Query, QueryOptions, Searched, Source, trail_info};
use clap::ValueEnum;

use self::output::Sink;
use self::state::CursorFile;
use super::Exit;
use crate::error::CliError;
use crate::output::Output;
use crate::progress::Bar;

/// How often `--follow` looks for new entries.
const INTERVAL: Duration = Duration::from_millis(200);
/// So many records at most come again after a crash.
const BATCH: u64 = 50_000;

/// Write entries for a SIEM or another program
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every record has the trail's origin and the entry's seq, and where the form has \
    room the entry itself: `auditlog reconcile` proves a set of records complete.\n\
    With --cursor, a next run goes on behind the last one. Records are delivered at least once: after a \
    crash up to 50,000 come again.\n\n\
    Examples:\n  \
    auditlog export ./audit --format ocsf > audit.ocsf.ndjson\n  \
    auditlog export ./audit --format ecs --follow --cursor /var/lib/siem/audit.cursor -o /var/spool/siem/audit.ndjson\n  \
    auditlog export ./audit --format cef --cursor audit.cursor | nc siem.example 514"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// The form of the records
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Form,
    /// Append to a file, which is synced, instead of writing to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where it is remembered how far the export is; made by the first run
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// Go on with entries as they are written
    #[arg(short, long)]
    follow: bool,
    /// Threads that read [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// The entry as on disk, with the origin beside it
    Json,
    /// With a header; a cell that a spreadsheet would take for a formula begins with '
    Csv,
    /// OCSF 1.x with its profile record_integrity
    Ocsf,
    /// ArcSight Common Event Format
    Cef,
    /// RFC 5424, one message a line
    Syslog,
    /// Elastic Common Schema
    Ecs,
}

impl From<Form> for Format {
    fn from(form: Form) -> Format {
        match form {
            Form::Json => Format::Json,
            Form::Csv => Format::Csv,
            Form::Ocsf => Format::Ocsf,
            Form::Cef => Format::Cef,
            Form::Syslog => Format::Syslog,
            Form::Ecs => Format::Ecs,
        }
    }
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let source = Source::open(&args.dir)?;
    let info = trail_info(&source)?.ok_or_else(|| CliError::Usage {
        what: format!("{} has no trail.json that can be read", args.dir.display()),
        next: "records carry the origin it states; run `auditlog verify`",
    })?;
    let state = args.cursor.as_deref().map(|file| CursorFile::open(file, &info.origin));
    let mut state = state.transpose()?;
    let mut after = state.as_ref().and_then(CursorFile::cursor);
    let mut sink = Sink::open(args.output.as_deref(), after.is_some(), out)?;
    let exporter = Exporter::new(args.format.into(), &info.origin);
    if let (true, Some(header)) = (after.is_none(), exporter.header()) {
        writeln!(sink, "{header}")?;
    }
    let bar = Bar::new("exporting");
    let mut total = Total::default();
    loop {
        // A batch is as much as comes again after a crash; without a cursor all comes again anyway.
        let limit = if state.is_some() || args.follow { BATCH } else { u64::MAX };
        let searched = batch(&source, &exporter, (after, limit), args.jobs, &bar, &mut sink)?;
        sink.make_safe()?;
        after = searched.next.or(after);
        if let (Some(state), Some(cursor)) = (&mut state, searched.next) {
            state.advance(cursor)?;
        }
        total.add(&searched);
        if !searched.complete {
            continue;
        }
        if !args.follow {
            break;
        }
        // Nothing tells of a new entry, so this waits for a clock.
        std::thread::park_timeout(INTERVAL);
    }
    bar.clear();
    drop(sink);
    total.tell(out)
}

/// Writes the next entries.
fn batch(
    source: &Source,
    exporter: &Exporter,
    (after, limit): (Option<Cursor>, u64),
    jobs: Option<usize>,
    bar: &Bar,
    sink: &mut Sink<'_>,
) -> Result<Searched, CliError> {
    let mut query = Query::new().limit(limit);
    if let Some(cursor) = after {
        query = query.after(cursor);
    }
    let mut tell = |progress| bar.show(progress);
    let render = |entry: &Entry<'_>, out: &mut Vec<u8>| {
        exporter.record(entry, out);
        out.push(b'\n');
    };
    let options = QueryOptions::default()
        .with_jobs(super::jobs(jobs))
        .with_progress(&mut tell)
        .with_render(&render);
    let mut failed = None;
    let searched = query.run(source, options, |hit| match sink.write_all(hit.bytes) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(searched),
    }
}

/// What was exported in all batches.
#[derive(Debug, Default)]
struct Total {
    records: u64,
    malformed: u64,
    next: Option<Cursor>,
    seconds: f64,
}

impl Total {
    fn add(&mut self, searched: &Searched) {
        self.records += searched.matched;
        self.malformed += searched.malformed;
        self.next = searched.next.or(self.next);
        self.seconds += searched.seconds;
    }

    /// Says on standard error what was exported: standard output is for records.
    fn tell(&self, out: &Output) -> Result<Exit, CliError> {
        let Total { records, malformed, next, seconds } = self;
        let next = next.map(|cursor| cursor.to_string());
        let mut to = std::io::stderr().lock();
        if out.json {
            let told = serde_json::json!({"records": records, "malformed": malformed, "next": next,
                "seconds": seconds});
            writeln!(to, "{told}")?;
        } else {
            writeln!(to, "{records} records in {seconds:.2} s")?;
            if *malformed > 0 {
                writeln!(
                    to,
                    "{malformed} lines are no entries and were left out: the trail is damaged; run `auditlog verify`"
                )?;
            }
        }
        Ok(Exit::Done)
    }
}

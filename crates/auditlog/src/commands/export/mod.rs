//! `auditlog export`: the entries of a trail in the forms of other programs, once or for ever.
//!
//! What must stay true here: the cursor never says more than what was written, and with `-o` synced, and
//! with `--to` confirmed: after a crash records may come again, and none is missing without being told:
//! what retention took before it was exported is named, and so is what was exported and is no longer in the
//! trail; the exit code says so.

mod gaps;
mod marks;
mod output;
#[cfg(feature = "index")]
mod parquet;
mod remote;
mod state;
mod total;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use audit_reader::export::{Exporter, Format};
use audit_reader::{Cursor, Query, QueryOptions, Searched, Source, trail_info};
use clap::ValueEnum;

use self::gaps::Gaps;
use self::marks::Mark;
use self::output::Sink;
use self::state::CursorFile;
use self::total::Total;
use super::access::{self, AccessArgs};
use super::{Exit, hits};
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
    crash up to 50,000 come again. If a crash took entries from the trail that were not durable when they \
    were exported, that is said, what took their place is exported, and the exit code is 3.\n\
    --to sends RFC 5424 messages in octet-counted frames, over TLS (RFC 5425) or TCP. Syslog has no\n\
    acknowledgement: the cursor moves when the receiver has closed a connection in order, after it has read\n\
    all of it; what it does then is its own affair, and `reconcile` on its files tells.\n\n\
    Examples:\n  \
    auditlog export ./audit --format ocsf > audit.ocsf.ndjson\n  \
    auditlog export ./audit --format ecs --follow --cursor /var/lib/siem/audit.cursor -o /var/spool/siem/audit.ndjson\n  \
    auditlog export ./audit --format cef --cursor audit.cursor | nc siem.example 514\n  \
    auditlog export ./audit --format parquet -o audit.parquet\n  \
    auditlog export ./audit --format syslog --follow --cursor audit.cursor --to tls://siem.example:6514 --ca siem-ca.pem"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// The form of the records
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Form,
    /// Append to a file, which is synced, instead of writing to standard output; with --format parquet
    /// the file must not be there yet
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: remote::Remote,
    /// Where it is remembered how far the export is; made by the first run
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// Go on with entries as they are written
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    access: AccessArgs,
    /// Threads that read [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
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
    /// One Parquet file: the table that the index is, the newest entries included
    Parquet,
}

impl Form {
    /// The form, if it is one of records that stand for themselves.
    const fn of_records(self) -> Option<Format> {
        Some(match self {
            Form::Json => Format::Json,
            Form::Csv => Format::Csv,
            Form::Ocsf => Format::Ocsf,
            Form::Cef => Format::Cef,
            Form::Syslog => Format::Syslog,
            Form::Ecs => Format::Ecs,
            Form::Parquet => return None,
        })
    }
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let source = super::source(&args.dir)?;
    let info = trail_info(&source)?.ok_or_else(|| CliError::Usage {
        what: format!("{} has no trail.json that can be read", args.dir.display()),
        next: "records carry the origin it states; run `auditlog verify`",
    })?;
    let form = args.format.of_records();
    if form.is_none() {
        table_refuses(args)?;
    }
    access::record(&args.access, &args.dir, "export")?;
    let state = args.cursor.as_deref().map(|file| CursorFile::open(file, &info.origin));
    let mut state = state.transpose()?;
    let Some(form) = form else { return table(args, &source, &info.origin, state, out) };
    let mut marks = state.as_ref().map(CursorFile::marks).unwrap_or_default();
    let mut after = marks.newest();
    let begun = state.as_ref().and_then(CursorFile::begun);
    let json = out.json;
    let mut sink = match args.remote.delivery(args.format, args.follow, state.is_some())? {
        Some(delivery) => Sink::stream(delivery),
        None => Sink::open(args.output.as_deref(), after.is_some() || begun.is_some(), out)?,
    };
    let exporter = Exporter::new(form, &info.origin);
    // A run before this one may have been killed in its first batch, with or without a whole line.
    let has_lines = begun.zip(sink.len()).is_some_and(|(begun, len)| len > begun);
    if after.is_none() && !has_lines {
        if let (Some(state), Some(len)) = (&mut state, sink.len()) {
            state.begin(len)?;
        }
        if let Some(header) = exporter.header() {
            writeln!(sink, "{header}")?;
        }
    }
    let bar = Bar::new("exporting");
    let mut total = Total::default();
    let mut retry = remote::Retry::new(args.follow);
    loop {
        // A batch is as much as comes again after a crash; without a cursor all comes again anyway.
        let limit = if state.is_some() || args.follow { BATCH } else { u64::MAX };
        if let Some(back) = marks.instead_of(after, &source)? {
            bar.aside(|| back.tell(json));
            after = back.to;
            total.replaced += 1;
        }
        let searched = batch(&source, &exporter, (after, limit), args.jobs, &bar, &mut sink);
        let is_end = searched.as_ref().is_ok_and(|done| done.searched.complete && !args.follow);
        let step = || {
            let Batch { searched, gaps, last } = searched?;
            after = last.or(after);
            total.add(&searched, gaps);
            if sink.is_due() || is_end {
                sink.make_safe()?;
                if let Some(mark) = after {
                    marks.add(mark);
                }
                state.as_mut().map_or(Ok(()), |state| state.advance(&marks))?;
                bar.aside(|| total.settle(json))?;
                retry.works();
            }
            Ok(searched.complete)
        };
        match step() {
            Ok(complete) => {
                if is_end {
                    break;
                }
                if complete {
                    // Nothing tells of a new entry, so this waits for a clock.
                    std::thread::park_timeout(INTERVAL);
                }
            }
            Err(error) => {
                let error = sink.start_again().map_or(error, CliError::from);
                std::thread::park_timeout(retry.after(error)?);
                // From the last record that is known to be there.
                after = marks.newest();
                total.forget();
            }
        }
    }
    bar.clear();
    drop(sink);
    total.tell(out)
}

/// What cannot be with a form that is one file and no row of records.
fn table_refuses(args: &Args) -> Result<(), CliError> {
    let refuse = |what: &str, next| Err(CliError::Usage { what: what.to_owned(), next });
    if args.follow {
        let next =
            "run the export again with the same --cursor and another -o: each file has what is new";
        return refuse("a Parquet file has an end, so --follow cannot write one", next);
    }
    if args.remote.is_given() {
        return refuse("--to sends syslog messages", "give --format syslog, or write with -o");
    }
    if args.output.is_none() && std::io::stdout().is_terminal() {
        return refuse("a Parquet file is nothing for a terminal", "give -o FILE");
    }
    Ok(())
}

#[cfg(feature = "index")]
use self::parquet::run as table;

/// Says how to get it.
#[cfg(not(feature = "index"))]
fn table(
    _: &Args,
    _: &Source,
    _: &str,
    _: Option<CursorFile>,
    _: &mut Output,
) -> Result<Exit, CliError> {
    Err(CliError::Usage {
        what: "this `auditlog` was built without Parquet".to_owned(),
        next: "build it with the feature `index`, which is on by default",
    })
}

/// Entries that were written together.
struct Batch {
    searched: Searched,
    gaps: Gaps,
    /// The last of them.
    last: Option<Mark>,
}

/// Writes the next entries.
fn batch(
    source: &Source,
    exporter: &Exporter,
    (after, limit): (Option<Mark>, u64),
    jobs: Option<usize>,
    bar: &Bar,
    sink: &mut Sink<'_>,
) -> Result<Batch, CliError> {
    let mut query = Query::new().limit(limit);
    if let Some(mark) = after {
        query = query.after(mark.cursor);
    }
    let mut tell = |progress| bar.show(progress);
    let framed = sink.is_stream();
    let render = |entry: &Entry<'_>, out: &mut Vec<u8>| {
        let start = out.len();
        exporter.record(entry, out);
        if framed {
            audit_shipper::siem::frame(out, start);
        } else {
            out.push(b'\n');
        }
        // Which entry it was, for the one that is the last.
        out.extend_from_slice(&entry.hash().0);
    };
    let options = QueryOptions::default()
        .with_jobs(super::jobs(jobs))
        .with_progress(&mut tell)
        .with_render(&render);
    let (mut gaps, mut last) = (Gaps::behind(after), None);
    let searched = hits(&query, source, options, |hit| {
        let Some((record, hash)) = hit.bytes.split_last_chunk() else {
            return Err(CliError::Bug("a record without its hash"));
        };
        sink.write_all(record)?;
        gaps.see(hit.seq);
        let cursor = Cursor::new(hit.seq, hit.segment, hit.offset);
        last = Some(Mark { cursor, hash: Some(Hash(*hash)) });
        Ok(())
    })?;
    Ok(Batch { searched, gaps, last })
}

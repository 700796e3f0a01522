//! `auditlog reconcile`: proves exported records complete, or names what is missing.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use audit_reader::{QueryOptions, Reconciled, Reconciler, RecordReader};

use super::Exit;
use super::query::seq_range;
use crate::error::CliError;
use crate::output::{Color, Output};
use crate::progress::Bar;

/// How many ranges people are shown.
const SHOWN: usize = 20;

/// Hold exported records against the trail they came from
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The records may be in any of the forms of `auditlog export`, in any order, several \
    times, in several files; - is standard input. Parquet files of the index, and what other engines made \
    of such files, are taken too: their columns `seq` and `hash` are looked at.\n\
    Complete means: every entry of the range is there, with the hash it has in the trail. Whether the trail \
    is intact is for `auditlog verify`.\n\n\
    Exit codes: 0 complete, 1 a record is not what the trail has, 2 could not look, 3 entries are missing.\n\n\
    Example:\n  auditlog reconcile ./audit siem-dump.ndjson\n  \
    auditlog reconcile ./audit --seq 0-999999 a.csv b.csv"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// Files of exported records
    #[arg(required = true, value_name = "EXPORTED")]
    exported: Vec<PathBuf>,
    /// The entries that should be there [default: all]
    #[arg(long, value_name = "FIRST-LAST")]
    seq: Option<String>,
    /// Threads that read the trail [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let source = super::source(&args.dir)?;
    let range = args.seq.as_deref().map_or(Ok((0, None)), seq_range)?;
    let bar = Bar::new("reading the trail");
    let mut tell = |progress| bar.show(progress);
    let options =
        QueryOptions::default().with_jobs(super::jobs(args.jobs)).with_progress(&mut tell);
    let reconciler = Reconciler::new(&source, range, options);
    bar.clear();
    let mut reconciler = reconciler?;
    for file in &args.exported {
        read(file, &mut reconciler)?;
    }
    let result = reconciler.finish();
    if out.json {
        serde_json::to_writer(&mut *out, &result).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    } else {
        human(&result, out)?;
    }
    Ok(if result.is_contradicted() {
        Exit::Violated
    } else if result.is_complete() {
        Exit::Done
    } else {
        Exit::Unproven
    })
}

fn read(file: &Path, reconciler: &mut Reconciler) -> Result<(), CliError> {
    let cannot = |error: std::io::Error| CliError::Usage {
        what: format!("cannot read {}: {error}", file.display()),
        next: "check the path and that you may read it",
    };
    let mut input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(1 << 20, File::open(file).map_err(cannot)?))
    };
    #[cfg(feature = "index")]
    if Reconciler::is_table(input.fill_buf().map_err(cannot)?) {
        return reconciler.table(at_hand(file, input).map_err(cannot)?).map_err(cannot);
    }
    let mut reader = RecordReader::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            return Ok(());
        }
        reconciler.record(&mut reader, &line);
    }
}

/// A file of which each place can be reached: what comes from standard input or a pipe is put into one that
/// has no name.
#[cfg(feature = "index")]
fn at_hand(file: &Path, mut input: Box<dyn BufRead>) -> std::io::Result<File> {
    if file != Path::new("-") && file.metadata()?.is_file() {
        return File::open(file);
    }
    let mut kept = tempfile::tempfile()?;
    std::io::copy(&mut input, &mut kept)?;
    Ok(kept)
}

fn human(result: &Reconciled, out: &mut Output) -> Result<(), CliError> {
    let Reconciled { first_seq, last_seq, records, carried, .. } = result;
    let verdict = if result.is_contradicted() {
        out.paint(Color::Bad, "contradicted: records are not what the trail has")
    } else if result.is_complete() {
        // Of what only states a hash, nothing else was compared.
        let how = match carried < records {
            true => "complete: every entry is there, with the hash it has in the trail",
            false => "complete: every entry is there, as the trail has it",
        };
        out.paint(Color::Good, how)
    } else {
        out.paint(Color::Warn, "incomplete: entries are missing")
    };
    writeln!(out, "{verdict}")?;
    writeln!(
        out,
        "  entries   seq {first_seq} to {last_seq}, {} of them",
        last_seq - first_seq + 1
    )?;
    writeln!(out, "  records   {records}, {carried} of them checked byte for byte")?;
    if result.missing > 0 {
        let range = |&(first, last): &(u64, u64)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        let shown: Vec<_> = result.missing_ranges.iter().take(SHOWN).map(range).collect();
        let more = if result.missing_ranges.len() > SHOWN { ", …" } else { "" };
        writeln!(out, "  missing   {}: seq {}{more}", result.missing, shown.join(", "))?;
    }
    let numbers = |seqs: &[u64]| {
        let shown: Vec<_> = seqs.iter().take(SHOWN).map(u64::to_string).collect();
        format!("{}{}", shown.join(", "), if seqs.len() > SHOWN { ", …" } else { "" })
    };
    if result.altered > 0 {
        let seqs = numbers(&result.altered_seqs);
        writeln!(out, "  altered   {}: seq {seqs}", result.altered)?;
    }
    if result.beyond > 0 {
        let seqs = numbers(&result.beyond_seqs);
        writeln!(out, "  beyond    {}: seq {seqs}; the trail ends before them", result.beyond)?;
    }
    for (count, what) in [
        (result.repeated, "came again, which does no harm"),
        (result.before, "are of entries before the range, or that retention removed"),
        (result.after, "are of entries after the range"),
        (result.foreign, "are of other trails"),
        (result.unreadable, "lines are no records"),
    ] {
        if count > 0 {
            writeln!(out, "  {count} {what}")?;
        }
    }
    Ok(())
}

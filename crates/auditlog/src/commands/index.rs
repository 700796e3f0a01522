//! `auditlog index`: closed segments as Parquet beside the trail.
//!
//! What must stay true here: it is a follower: it may be ended at any time, and a query never
//! waits for it.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use audit_reader::DirSource;
use audit_reader::index::{IndexOptions, Indexed, index};

use super::Exit;
use crate::error::CliError;
use crate::output::{Output, bytes, escape};
use crate::progress::Bar;

/// How often `--follow` looks for closed segments.
const INTERVAL: Duration = Duration::from_secs(2);

/// Make the index that fast queries, SQL and other engines use
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each closed segment becomes a Parquet file in DIR/index, which any engine reads. The \
    index is derived: it is bound to the segment's SHA-256, checked before it is used, and may be deleted. \
    Running this again indexes what is new, mends what is damaged, and removes what is of no segment \
    any more.\n\n\
    Examples:\n  \
    auditlog index ./audit\n  \
    auditlog index ./audit --follow\n  \
    duckdb -c \"select event_type, count(*) from './audit/index/*.parquet' group by 1\""
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// Go on with segments as they are closed
    #[arg(short, long)]
    follow: bool,
    /// Make every index anew
    #[arg(long)]
    rebuild: bool,
    /// Segments that are indexed side by side [default: one for each core; 1 with --follow]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let source = DirSource::open(&args.dir)?;
    if !args.follow {
        let made = once(&source, super::jobs(args.jobs), (args.rebuild, false))?;
        tell(&made, out)?;
        return Ok(Exit::Done);
    }
    let mut first = true;
    loop {
        // Tables that are there are read once; from then on only new ones are looked at.
        let made = once(&source, args.jobs.unwrap_or(1), (args.rebuild && first, !first))?;
        if first || made.built + made.refreshed + made.removed > 0 {
            tell(&made, out)?;
            out.flush()?;
        }
        first = false;
        // Nothing tells of a closed segment, so this waits for a clock.
        std::thread::park_timeout(INTERVAL);
    }
}

fn once(
    source: &DirSource,
    jobs: usize,
    (rebuild, quick): (bool, bool),
) -> Result<Indexed, CliError> {
    let bar = Bar::new("indexing");
    let mut tell = |progress| bar.show(progress);
    let options = IndexOptions::default()
        .with_jobs(jobs)
        .rebuild(rebuild)
        .quick(quick)
        .with_progress(&mut tell);
    let made = index(source, options);
    bar.clear();
    Ok(made?)
}

fn tell(made: &Indexed, out: &mut Output) -> Result<(), CliError> {
    if out.json {
        let line = serde_json::to_string(made).map_err(std::io::Error::from)?;
        return Ok(writeln!(out, "{line}")?);
    }
    let Indexed { built, entries, kept, open, table_bytes, seconds, .. } = made;
    let size = bytes(*table_bytes);
    writeln!(
        out,
        "{built} segments indexed, {entries} entries, in {seconds:.2} s; {kept} were already; {open} not closed; {size} in all"
    )?;
    for refused in &made.refused {
        let at = refused.offset.map(|at| format!(" at byte {at}")).unwrap_or_default();
        let (segment, why) = (escape(refused.segment.as_bytes()), refused.why);
        writeln!(out, "{segment} has no index{at}: {why}; run `auditlog verify`")?;
    }
    Ok(())
}

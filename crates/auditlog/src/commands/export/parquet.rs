//! `auditlog export --format parquet`: one file, written whole.
//!
//! What must stay true here: under the name that was asked for there is a whole and durable file or
//! none, and never one that was there before. The cursor moves after that.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use audit_core::entry::Parser;
use audit_reader::export::ParquetExporter;
use audit_reader::{Cursor, Query, QueryOptions, Source};
use tempfile::NamedTempFile;

use super::marks::Mark;
use super::state::CursorFile;
use super::{Args, Batch, Gaps, Total};
use crate::commands::{Exit, hits, jobs};
use crate::error::CliError;
use crate::output::Output;
use crate::progress::Bar;

/// Exports everything behind the cursor.
pub(super) fn run(
    args: &Args,
    source: &Source,
    origin: &str,
    mut state: Option<CursorFile>,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let mut marks = state.as_ref().map(CursorFile::marks).unwrap_or_default();
    let mut after = marks.newest();
    let mut total = Total::default();
    if let Some(back) = marks.instead_of(after, source)? {
        back.tell(out.json);
        after = back.to;
        total.replaced += 1;
    }
    let Batch { searched, gaps, last } = match &args.output {
        None => {
            // The writer wants to be handed from thread to thread; the lock that `out` has cannot be.
            let (done, _) = write(args, source, origin, after, BufWriter::new(io::stdout()))?;
            done
        }
        Some(path) => to_file(path, |file| write(args, source, origin, after, file))?,
    };
    if let Some(mark) = last.or(after) {
        marks.add(mark);
    }
    state.as_mut().map_or(Ok(()), |state| state.advance(&marks))?;
    total.add(&searched, gaps);
    total.settle(out.json)?;
    total.tell(out)
}

/// Writes the file beside its place and then gives it its name.
fn to_file(
    path: &Path,
    write: impl FnOnce(BufWriter<File>) -> Result<(Batch, BufWriter<File>), CliError>,
) -> Result<Batch, CliError> {
    let cannot = |error: io::Error| CliError::Usage {
        what: format!("cannot write {}: {error}", path.display()),
        next: "give a file that is not there yet, in a directory that you may write",
    };
    if path.symlink_metadata().is_ok() {
        return Err(cannot(io::ErrorKind::AlreadyExists.into()));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let unfinished = NamedTempFile::new_in(parent).map_err(cannot)?;
    let file = unfinished.as_file().try_clone().map_err(cannot)?;
    let (done, file) = write(BufWriter::with_capacity(1 << 20, file))?;
    file.get_ref().sync_all().map_err(cannot)?;
    unfinished.persist_noclobber(path).map_err(|error| cannot(error.error))?;
    // The name is durable when the directory is.
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(cannot)?;
    Ok(done)
}

/// Writes all entries behind the cursor; gives back what they were written to, flushed.
fn write<W: Write + Send>(
    args: &Args,
    source: &Source,
    origin: &str,
    after: Option<Mark>,
    to: W,
) -> Result<(Batch, W), CliError> {
    let mut exporter = ParquetExporter::new(to, origin)?;
    let query = after.map_or_else(Query::new, |mark| Query::new().after(mark.cursor));
    let bar = Bar::new("exporting");
    let mut tell = |progress| bar.show(progress);
    let options = QueryOptions::default().with_jobs(jobs(args.jobs)).with_progress(&mut tell);
    let (mut parser, mut gaps, mut last) = (Parser::default(), Gaps::behind(after), None);
    let searched = hits(&query, source, options, |hit| {
        let entry = parser.parse(hit.bytes);
        let entry = entry.map_err(|_| CliError::Bug("a line that matched is no entry"))?;
        exporter.entry(&entry, hit.offset)?;
        gaps.see(hit.seq);
        let cursor = Cursor::new(hit.seq, hit.segment, hit.offset);
        last = Some(Mark { cursor, hash: Some(entry.hash()) });
        Ok(())
    });
    bar.clear();
    let searched = searched?;
    let mut to = exporter.finish()?;
    to.flush()?;
    Ok((Batch { searched, gaps, last }, to))
}

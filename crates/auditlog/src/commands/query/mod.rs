//! `auditlog query`: the entries that are asked for.
//!
//! What must stay true here: standard output holds nothing but entries; what was searched is always
//! said, on standard error, so that "nothing found" is never a half-truth.

mod args;
mod summary;

use std::io::Write;

use audit_core::entry::{Entry, Parser};
use audit_reader::export::{csv_header, csv_row};
use audit_reader::{Hit, QueryOptions};

use args::Format;
pub(crate) use args::{Args, now_in, seq_range, time};
pub(crate) use summary::print as print_searched;

use super::{Exit, hits};
use crate::error::CliError;
use crate::output::Output;
use crate::progress::Bar;
use crate::render;

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let query = args.query()?;
    let source = super::source(args.dir())?;
    let format = args.format(out.json);
    super::access::record(&args.access, args.dir(), "query")?;
    let bar = Bar::new("searching");
    let mut tell = |progress| bar.show(progress);
    let as_csv = |entry: &Entry<'_>, row: &mut Vec<u8>| csv_row(entry, row);
    let mut options = QueryOptions::default()
        .with_jobs(super::jobs(args.jobs()))
        .verified(args.verified())
        .with_progress(&mut tell);
    if format == Format::Csv {
        options = options.with_render(&as_csv);
        writeln!(out, "{}", csv_header())?;
    }
    let mut parser = Parser::default();
    let searched = hits(&query, &source, options, |hit| {
        if bar.is_shown() {
            bar.aside(|| print(out, &mut parser, format, hit).and_then(|()| Ok(out.flush()?)))
        } else {
            print(out, &mut parser, format, hit)
        }
    });
    bar.clear();
    let searched = searched?;
    out.flush()?;
    summary::print(&searched, out)?;
    Ok(Exit::of(&searched))
}

fn print(
    out: &mut Output,
    parser: &mut Parser,
    format: Format,
    hit: Hit<'_>,
) -> Result<(), CliError> {
    match format {
        Format::Json | Format::Csv => {
            out.write_all(hit.bytes)?;
            out.write_all(b"\n")?;
        }
        Format::Table => {
            let entry = parser.parse(hit.bytes);
            let entry = entry.map_err(|_| CliError::Bug("a line that matched is no entry"))?;
            let text = render::entry(out, &entry);
            writeln!(out, "{text}")?;
        }
    }
    Ok(())
}

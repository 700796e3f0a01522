//! `auditlog tail`: the last entries, and those to come.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use audit_core::entry::Parser;
use audit_core::segment::SegmentName;
use audit_reader::{Line, Step, follow, tail};

use super::Exit;
use crate::error::CliError;
use crate::output::Output;
use crate::render;

/// How often `-f` looks for new entries.
const INTERVAL: Duration = Duration::from_millis(100);

/// Print the last entries of a trail
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With --json, entries are printed exactly as they stand on disk, one a line.\n\n\
    Example:\n  auditlog tail /var/lib/billing/audit -n 20 -f"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// How many entries
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    lines: u64,
    /// Go on printing entries as they are written, across rotations
    #[arg(short = 'f', long)]
    follow: bool,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let mut reader = tail(&super::source(&args.dir)?, args.lines)?;
    let mut parser = Parser::default();
    if !args.follow {
        loop {
            match reader.step()? {
                Step::Line(segment, line) => print(out, &mut parser, segment, &line)?,
                Step::Unfinished(..) | Step::CaughtUp => return Ok(Exit::Done),
                _ => {}
            }
        }
    }
    let mut failed = None;
    follow(&mut reader, INTERVAL, |line| {
        let printed = match line {
            Some((segment, line)) => print(out, &mut parser, segment, line),
            None => out.flush().map_err(CliError::from),
        };
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed.map_or(Ok(Exit::Done), Err)
}

fn print(
    out: &mut Output,
    parser: &mut Parser,
    segment: SegmentName,
    line: &Line<'_>,
) -> Result<(), CliError> {
    match parser.parse(line.bytes) {
        Ok(_) if out.json => {
            out.write_all(line.bytes)?;
            out.write_all(b"\n")?;
        }
        Ok(entry) => {
            let text = render::entry(out, &entry);
            writeln!(out, "{text}")?;
        }
        Err(_) => {
            let text = render::malformed(out, &segment.to_string(), line.offset, line.bytes);
            // Standard output is for entries alone when machines read it.
            if out.json { eprintln!("auditlog: {text}") } else { writeln!(out, "{text}")? }
        }
    }
    Ok(())
}

//! The answer to a question in SQL, printed.
//!
//! What must stay true here: nothing that a row says reaches a terminal as anything but text. This runs
//! in a process that has a limit of address space from its first step on.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use audit_reader::Source;
use audit_reader::export::csv_cell;
use audit_reader::sql::{Answered, Rows, SqlOptions, sql};

use super::{Args, Format};
use crate::commands::{Exit, tell_malformed};
use crate::error::CliError;
use crate::output::{Color, Output, escape};

/// No column of a table is wider because of one cell.
const WIDEST: usize = 48;

/// Answers, and ends with an error if nobody takes the answer: that is none.
pub(super) fn run(args: &Args, parent: i32, out: &mut Output) -> Result<Exit, CliError> {
    answer(args, parent, out).map_err(|error| match error {
        CliError::ReaderGone => CliError::Engine(super::limited::GONE.to_owned()),
        error => error,
    })
}

fn answer(args: &Args, parent: i32, out: &mut Output) -> Result<Exit, CliError> {
    let options = options(args);
    super::limited::limit(options.address_space(), parent)?;
    options.time.map_or(Ok(()), super::limited::end_after)?;
    let source = Source::open(&args.dir)?;
    let format = args.format(out);
    let mut printer = Printer { out, format, widths: None };
    let mut failed = None;
    let answered = sql(&source, &args.question, &options, |rows| match printer.print(rows) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    let answered = answered?;
    if let Some(error) = failed {
        return Err(error);
    }
    if format == Format::Csv && answered.rows == 0 {
        printer.csv_header(&answered.columns)?;
    }
    out.flush()?;
    tell(&answered, out)?;
    let lacks = answered.segments_gone + answered.malformed > 0;
    Ok(if lacks { Exit::Unproven } else { Exit::Done })
}

pub(super) fn options(args: &Args) -> SqlOptions {
    let mut options = SqlOptions::default();
    options.memory = args.memory.saturating_mul(1 << 20);
    options.time = args.timeout.map(Duration::from_secs);
    options.index = !args.no_index;
    options.jobs = crate::commands::jobs(args.jobs);
    options
}

/// Says on standard error what was answered: standard output is for rows.
fn tell(answered: &Answered, out: &Output) -> Result<(), CliError> {
    let mut to = std::io::stderr().lock();
    if out.json {
        serde_json::to_writer(&mut to, answered).map_err(std::io::Error::from)?;
        return Ok(writeln!(to)?);
    }
    let Answered { rows, segments, segments_by_index, segments_gone, malformed, seconds, .. } =
        answered;
    writeln!(
        to,
        "{rows} rows; {segments} segments ({segments_by_index} by index) in {seconds:.2} s"
    )?;
    if *segments_gone > 0 {
        writeln!(
            to,
            "{segments_gone} segments were removed by retention meanwhile: the answer may lack what they said; ask again"
        )?;
    }
    tell_malformed(&mut to, *malformed)?;
    Ok(())
}

struct Printer<'o> {
    out: &'o mut Output,
    format: Format,
    /// Of the columns of a table, once the first rows are known.
    widths: Option<Vec<usize>>,
}

impl Printer<'_> {
    fn print(&mut self, rows: &Rows<'_>) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.json(rows),
            Format::Csv => self.csv(rows),
            Format::Table => self.table(rows),
        }
    }

    fn json(&mut self, rows: &Rows<'_>) -> Result<(), CliError> {
        let mut line = Vec::new();
        for row in 0..rows.len() {
            line.clear();
            rows.json(row, &mut line)?;
            line.push(b'\n');
            self.out.write_all(&line)?;
        }
        Ok(())
    }

    fn csv(&mut self, rows: &Rows<'_>) -> Result<(), CliError> {
        let columns = rows.columns();
        if self.widths.replace(Vec::new()).is_none() {
            self.csv_header(&columns)?;
        }
        for row in 0..rows.len() {
            self.csv_line((0..columns.len()).map(|column| rows.text(row, column)))?;
        }
        Ok(())
    }

    fn csv_header(&mut self, columns: &[String]) -> Result<(), CliError> {
        self.csv_line(columns.iter().cloned())
    }

    fn csv_line(&mut self, cells: impl Iterator<Item = String>) -> Result<(), CliError> {
        let mut line = Vec::new();
        for (place, cell) in cells.enumerate() {
            if place > 0 {
                line.push(b',');
            }
            csv_cell(&cell, &mut line);
        }
        line.push(b'\n');
        Ok(self.out.write_all(&line)?)
    }

    fn table(&mut self, rows: &Rows<'_>) -> Result<(), CliError> {
        let columns: Vec<String> =
            rows.columns().iter().map(|name| escape(name.as_bytes())).collect();
        let cells: Vec<Vec<String>> = (0..rows.len())
            .map(|row| {
                let cell = |column| escape(rows.text(row, column).as_bytes());
                (0..columns.len()).map(cell).collect()
            })
            .collect();
        let widths = match self.widths.take() {
            Some(widths) => widths,
            None => {
                let width = |column: usize| {
                    let cells = cells.iter().map(|row| row[column].chars().count());
                    cells.chain([columns[column].chars().count()]).max().unwrap_or(0).min(WIDEST)
                };
                let widths: Vec<usize> = (0..columns.len()).map(width).collect();
                let header = self.out.paint(Color::Dim, &line(&columns, &widths));
                writeln!(self.out, "{header}")?;
                widths
            }
        };
        for row in &cells {
            writeln!(self.out, "{}", line(row, &widths))?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

/// Cells side by side; the last one ends where it ends.
fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if place > 0 {
            line += "  ";
        }
        line += cell;
        let missing = width.saturating_sub(cell.chars().count());
        if place + 1 < cells.len() {
            line.extend(std::iter::repeat_n(' ', missing));
        }
    }
    line
}

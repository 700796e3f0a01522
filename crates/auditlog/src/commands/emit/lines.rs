//! The lines of standard input, one event each.
//!
//! What must stay true here: a bad line costs that line alone and is counted in the trail; the
//! first bad lines are named, all are counted, and nobody's terminal is flooded or obeyed; a full
//! disk makes the input wait before it costs a line; memory is bounded by the longest line allowed.

use std::fmt::{self, Display};
use std::io::{self, BufRead, Write};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use audit_core::event::{Event, GenericEvent};
use audit_logging::{AuditLogger, EmitError, Receipt, SpaceLevel};

use crate::error::CliError;
use crate::import::Importer;
use crate::output::escape;

/// How long a line waits for room, in the queue or on the disk: a pipe can wait, an event cannot
/// be asked for again.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// A longer line is refused, and not kept in memory.
const MAX_LINE: u64 = 16 << 20;
/// What one long line has taken is given back.
const KEEP_CAPACITY: usize = 1 << 20;
/// Refused lines that are named one by one.
const NAMED: u64 = 20;
/// How often a full disk is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How the lines fared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) recorded: u64,
    pub(super) refused: u64,
}

/// The number of a line, and its receipt.
pub(super) type Recorded = (u64, Receipt);

/// Records lines.
pub(super) struct Recorder<'a> {
    audit: &'a AuditLogger,
    receipts: Option<SyncSender<Recorded>>,
    patience: Duration,
    tally: Tally,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        audit: &'a AuditLogger,
        receipts: Option<SyncSender<Recorded>>,
    ) -> Recorder<'a> {
        Recorder { audit, receipts, patience: PATIENCE, tally: Tally::default() }
    }

    /// Records every line to the end of the input; `told` is where refused lines are named.
    pub(super) fn record(
        self,
        input: &mut dyn BufRead,
        told: &mut dyn Write,
    ) -> Result<Tally, CliError> {
        self.until_the_end(told, |recorder, told| recorder.each_line(input, told))
    }

    /// Records every record of another program's log.
    pub(super) fn record_imported(
        self,
        mut importer: Importer<'_>,
        told: &mut dyn Write,
    ) -> Result<Tally, CliError> {
        self.until_the_end(told, |recorder, told| {
            while let Some(found) = importer.next().map_err(CliError::Input)? {
                let what = format_args!("record {}, {}", found.number, found.place);
                match found.event {
                    Ok(event) => recorder.emit(told, found.number, &what, &event)?,
                    Err(why) => recorder.bad(told, &what, &why),
                }
            }
            Ok(())
        })
    }

    fn until_the_end(
        mut self,
        told: &mut dyn Write,
        each: impl FnOnce(&mut Recorder<'a>, &mut dyn Write) -> Result<(), CliError>,
    ) -> Result<Tally, CliError> {
        let outcome = each(&mut self, told);
        let unnamed = self.tally.refused.saturating_sub(NAMED);
        if unnamed > 0 {
            say(told, &format!("{unnamed} more lines were refused"));
        }
        outcome.map(|()| self.tally)
    }

    fn each_line(&mut self, input: &mut dyn BufRead, told: &mut dyn Write) -> Result<(), CliError> {
        let mut line = Vec::new();
        for number in 1u64.. {
            line.clear();
            line.shrink_to(KEEP_CAPACITY);
            let read = io::Read::take(&mut *input, MAX_LINE + 1).read_until(b'\n', &mut line);
            if read.map_err(CliError::Input)? == 0 {
                break;
            }
            if line.len() as u64 > MAX_LINE && !line.ends_with(b"\n") {
                line = Vec::new();
                input.skip_until(b'\n').map_err(CliError::Input)?;
                self.bad(told, &Line(number), &format!("longer than {MAX_LINE} bytes"));
                continue;
            }
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            match GenericEvent::from_json_line(text) {
                Ok(event) => self.emit(told, number, &Line(number), &event)?,
                Err(error) => self.bad(told, &Line(number), &error.to_string()),
            }
        }
        Ok(())
    }

    fn emit(
        &mut self,
        told: &mut dyn Write,
        number: u64,
        what: &dyn Display,
        event: &GenericEvent,
    ) -> Result<(), CliError> {
        let end = Instant::now() + self.patience;
        let outcome = loop {
            // Looked at before asking: each refusal by the logger is counted in the trail.
            self.wait_for_space(event.is_critical(), end);
            match self.audit.emit(event) {
                Err(EmitError::DiskFull) if Instant::now() < end => {}
                outcome => break outcome,
            }
        };
        match outcome {
            Ok(receipt) => {
                self.tally.recorded += 1;
                if let Some(send) = &self.receipts
                    && send.send((number, receipt)).is_err()
                {
                    self.receipts = None;
                }
            }
            // What ends the logger ends the command; what concerns one event, one line.
            Err(error @ (EmitError::Poisoned(_) | EmitError::Closed)) => {
                return Err(CliError::Emit { line: number, error });
            }
            Err(error) => self.refused(told, what, &error.to_string()),
        }
        Ok(())
    }

    /// Waits until the disk has room for such an event, or until `end`.
    fn wait_for_space(&self, critical: bool, end: Instant) {
        let refused_from = if critical { SpaceLevel::Full } else { SpaceLevel::CriticalOnly };
        while self.audit.space_level() >= refused_from && Instant::now() < end {
            std::thread::park_timeout(LOOK);
        }
    }

    /// A line that is no event.
    fn bad(&mut self, told: &mut dyn Write, what: &dyn Display, why: &str) {
        self.audit.record_unreadable();
        self.refused(told, what, why);
    }

    fn refused(&mut self, told: &mut dyn Write, what: &dyn Display, why: &str) {
        self.tally.refused += 1;
        if self.tally.refused <= NAMED {
            say(told, &format!("{what}: {why}"));
        }
    }
}

/// The place of a line, written down only if it must be told.
struct Line(u64);

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.0)
    }
}

/// Whoever does not listen any more still has the exit code.
fn say(told: &mut dyn Write, text: &str) {
    drop(writeln!(told, "auditlog: {}", escape(text.as_bytes())));
}

#[cfg(test)]
mod tests;

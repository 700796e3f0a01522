//! What an export wrote, and what of the trail is not in it.
//!
//! What must stay true here: a record counts when it is safe. Whatever makes the exit code 3 is said, to
//! people and to programs.

use std::io::Write;

use audit_reader::{Cursor, Searched};

use super::gaps::Gaps;
use crate::commands::{Exit, tell_malformed};
use crate::error::CliError;
use crate::output::Output;

/// What was exported in all batches.
#[derive(Debug, Default)]
pub(super) struct Total {
    records: u64,
    malformed: u64,
    /// Entries that were in the trail and are not among the records.
    missing: u64,
    /// Segments that retention took away while they were read.
    gone: u64,
    /// How often the trail no longer had the last entry that was exported.
    pub(super) replaced: u64,
    next: Option<Cursor>,
    seconds: f64,
    unsettled: Unsettled,
}

/// What was exported in the batches that are not made safe yet.
#[derive(Debug, Default)]
struct Unsettled {
    records: u64,
    malformed: u64,
    gone: u64,
    next: Option<Cursor>,
    gaps: Vec<Gaps>,
}

impl Total {
    pub(super) fn add(&mut self, searched: &Searched, gaps: Gaps) {
        self.seconds += searched.seconds;
        let unsettled = &mut self.unsettled;
        unsettled.records += searched.matched;
        unsettled.malformed += searched.malformed;
        unsettled.gone += searched.segments_gone;
        unsettled.next = searched.next.or(unsettled.next);
        if gaps.missing() > 0 {
            unsettled.gaps.push(gaps);
        }
    }

    /// Counts what was made safe, and says what of the trail is not in it.
    pub(super) fn settle(&mut self, json: bool) -> std::io::Result<()> {
        let Unsettled { records, malformed, gone, next, gaps } =
            std::mem::take(&mut self.unsettled);
        self.records += records;
        self.malformed += malformed;
        self.gone += gone;
        self.next = next.or(self.next);
        for gaps in gaps {
            self.missing += gaps.missing();
            gaps.tell(json)?;
        }
        Ok(())
    }

    /// What was not made safe comes again.
    pub(super) fn forget(&mut self) {
        self.unsettled = Unsettled::default();
    }

    /// Says on standard error what was exported: standard output is for records.
    pub(super) fn tell(&self, out: &Output) -> Result<Exit, CliError> {
        let Total { records, malformed, missing, gone, replaced, next, seconds, .. } = self;
        let next = next.map(|cursor| cursor.to_string());
        let mut to = std::io::stderr().lock();
        if out.json {
            let told = serde_json::json!({"records": records, "malformed": malformed, "missing": missing,
                "segments_gone": gone, "replaced": replaced, "next": next, "seconds": seconds});
            writeln!(to, "{told}")?;
        } else {
            writeln!(to, "{records} records in {seconds:.2} s")?;
            if *gone > 0 {
                writeln!(
                    to,
                    "{gone} segments were removed by retention while they were read: their entries may be missing"
                )?;
            }
            tell_malformed(&mut to, *malformed)?;
        }
        let lacks = *malformed + *missing + *gone + *replaced > 0;
        Ok(if lacks { Exit::Unproven } else { Exit::Done })
    }
}

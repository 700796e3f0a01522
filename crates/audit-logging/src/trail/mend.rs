//! Putting in order what a crash or a failed disk left of a segment.
//!
//! What must stay true here: bytes are in the quarantine, durably, before they leave the segment;
//! what is kept is written to the disk anew before anything is built upon it.

use audit_core::chain::Head;
use audit_core::meta::ManifestFile;

use super::finish::{finish_segment, quarantine};
use super::open::OpenContext;
use super::scan::Scan;
use super::{Active, Recovered, SegmentState};
use crate::error::OpenError;
use crate::storage::SegmentFile;

impl OpenContext<'_> {
    /// Puts the newest segment in order and opens it for appending.
    pub(super) fn reopen(
        &self,
        last: &Scan,
        head: Head,
        recovered: &mut Recovered,
    ) -> Result<Active, OpenError> {
        let name = last.kept.name.to_string();
        let keep = last.kept.bytes;
        if last.torn > 0 {
            let moved = quarantine(self.storage, &name, keep, self.now, recovered);
            self.io(&name, "quarantine the torn tail of", moved)?;
        }
        // The process that made it may have died, or been refused, before its name was durable, and
        // what is acknowledged must not stand under a name that a power cut takes. Removing the archive,
        // which is unfinished if it is there beside its segment, syncs the directory. One that is there
        // alone is closed, and never comes here.
        let archive = last.kept.name.archived();
        self.io(&name, "keep the name of", self.storage.remove(&archive))?;
        let mut file = self.io(&name, "open", self.storage.open_segment(&name))?;
        self.make_durable(last, &mut *file)?;
        let mut state = last.kept.clone();
        if state.bytes == 0 {
            state = SegmentState::new(state.name, head, self.now);
        }
        Ok(Active { file, state })
    }

    /// Cuts a segment behind what is kept, and writes what is not signed yet again: the process
    /// before may have left after a failed sync, and then the kernel shows lines that are not on
    /// disk and calls their pages clean. What is signed was durable. Needs no room on the
    /// disk, which may be full.
    fn make_durable(&self, scan: &Scan, file: &mut dyn SegmentFile) -> Result<(), OpenError> {
        let name = scan.kept.name.to_string();
        if scan.torn > 0 {
            self.io(&name, "cut the tail of", file.truncate(scan.kept.bytes))?;
        }
        let Some(from) = scan.unsigned_at else { return Ok(()) };
        self.io(&name, "write again what was not signed of", file.write_again(from))
    }

    /// Closes a segment that was given up after a storage failure, when the process died before
    /// it could. Its pages cannot be trusted to be on disk, so the kept part is written anew.
    pub(super) fn finish_abandoned(
        &self,
        scan: &Scan,
        recovered: &mut Recovered,
    ) -> Result<ManifestFile, OpenError> {
        let name = scan.kept.name.to_string();
        if scan.torn > 0 {
            let moved = quarantine(self.storage, &name, scan.kept.bytes, self.now, recovered);
            self.io(&name, "quarantine the abandoned tail of", moved)?;
        }
        // One whose checksum alone is missing is read-only, and stays as it is.
        if scan.torn > 0 || scan.unsigned_at.is_some() {
            let mut file = self.io(&name, "open", self.storage.open_segment(&name))?;
            self.make_durable(scan, &mut *file)?;
        }
        self.io(&name, "close", finish_segment(self.storage, &scan.kept, self.now))
    }
}

//! Putting in order what a crash or a failed disk left of a segment.
//!
//! What must stay true here: bytes are in the quarantine, durably, before they leave the segment;
//! what is kept is written to the disk anew before anything is built upon it.

use std::io;

use audit_core::chain::Head;
use audit_core::meta::ManifestFile;

use super::finish::{finish_segment, quarantine};
use super::open::OpenContext;
use super::scan::Scan;
use super::{Active, Recovered, SegmentState};
use crate::error::OpenError;

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
        if last.torn > 0 || !last.closed_in_order {
            // The process before may have left after a failed sync: the kernel then shows lines
            // that are not on disk and calls their pages clean, so a sync would not write them.
            self.rewrite(&name, keep)?;
        }
        let file = self.io(&name, "open", self.storage.open_segment(&name))?;
        let mut state = last.kept.clone();
        if state.bytes == 0 {
            state = SegmentState::new(state.name, head, self.now);
        }
        Ok(Active { file, state })
    }

    /// Puts the first `keep` bytes of a segment into a new file of the same name, durably.
    fn rewrite(&self, name: &str, keep: u64) -> Result<(), OpenError> {
        let content = self.io(name, "read", self.storage.read(name))?;
        let mut kept = io::Read::take(content, keep);
        self.io(name, "rewrite", self.storage.replace(name, &mut kept))
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
        self.rewrite(&name, scan.kept.bytes)?;
        self.io(&name, "close", finish_segment(self.storage, &scan.kept, self.now))
    }
}

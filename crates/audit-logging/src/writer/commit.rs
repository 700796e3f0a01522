//! Making what was written durable, and saying so.
//!
//! What must stay true here: one `fdatasync` per batch; a failed one is final for its file; nothing
//! is acknowledged that is not durable in a file that is still in its place.

use super::{Unsynced, Writer};
use crate::error::Fault;
use crate::storage::Identity;

impl Writer {
    /// Syncs the active segment and acknowledges everything in it.
    pub(super) fn sync(&mut self) -> Result<(), Fault> {
        if self.unsynced.entries == 0 {
            return Ok(());
        }
        if let Err(error) = self.active.file.sync() {
            return self.abandon("sync", &error);
        }
        self.confirm()
    }

    /// As [`Writer::sync`], and looks at the segment also when there is nothing to sync.
    pub(super) fn settle(&mut self) -> Result<(), Fault> {
        if self.unsynced.entries == 0 { self.confirm() } else { self.sync() }
    }

    /// Acknowledges what was synced, if the segment is still in its place and as long as it was.
    fn confirm(&mut self) -> Result<(), Fault> {
        match self.active.file.identity() {
            Ok(Identity::Intact) => {
                self.acknowledge();
                Ok(())
            }
            Ok(Identity::Unlinked) => self.restore_unlinked(),
            Ok(Identity::Resized) => self.abandon_resized(),
            Err(error) => self.abandon("look at", &error),
        }
    }

    /// Everything planned is durable where it stands.
    pub(super) fn acknowledge(&mut self) {
        self.durable_head = self.head;
        self.durable_state.clone_from(&self.active.state);
        let mut lines = std::mem::take(&mut self.unsynced.lines);
        let mut hashes = std::mem::take(&mut self.unsynced.hashes);
        self.sealer.extend(&hashes, self.position);
        lines.clear();
        hashes.clear();
        let fresh = Unsynced { lines, hashes, ..Unsynced::default() };
        let done = std::mem::replace(&mut self.unsynced, fresh);
        self.shared.recorded.fetch_add(done.events, std::sync::atomic::Ordering::Relaxed);
        self.shared.ring.release(self.position, self.head.next_seq);
        self.woken = self.shared.progress.advance(self.position);
        let wanted = self.shared.seal_to.load(std::sync::atomic::Ordering::Acquire);
        if wanted > self.shared.progress.sealed() && wanted <= self.position {
            self.sealer.hurry();
        }
    }
}

//! Making what was written durable, and saying so.
//!
//! What must stay true here: one `fdatasync` per batch; a failed one is final for its file; nothing
//! is acknowledged that is not durable in a file that is still in its place.

use std::time::Duration;

use super::{Unsynced, Writer};
use crate::clock::nanos;
use crate::error::Fault;
use crate::storage::Identity;

impl Writer {
    /// Syncs the active segment and acknowledges everything in it.
    pub(super) fn sync(&mut self) -> Result<(), Fault> {
        if self.unsynced.entries == 0 {
            return Ok(());
        }
        if let Err(error) = self.sync_file() {
            return self.abandon("sync", &error);
        }
        self.confirm()
    }

    /// `fdatasync` of the active segment, timed.
    pub(super) fn sync_file(&mut self) -> std::io::Result<()> {
        let begun = self.clock.monotonic();
        let outcome = self.active.file.sync();
        self.shared.meters.synced(self.clock.monotonic().saturating_sub(begun));
        outcome
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

    /// How long events were in the ring, and what one sync covered.
    fn measure(&self, times: &[u64], bytes: usize) {
        if times.is_empty() {
            return;
        }
        let now = nanos(self.clock.now());
        let meters = &self.shared.meters;
        for &time in times {
            meters.residency(Duration::from_nanos(now.saturating_sub(time)));
        }
        meters.batch(times.len() as u64, bytes as u64);
    }

    /// Everything planned is durable where it stands.
    pub(super) fn acknowledge(&mut self) {
        self.durable_head = self.head;
        self.durable_state.clone_from(&self.active.state);
        let mut lines = std::mem::take(&mut self.unsynced.lines);
        let mut hashes = std::mem::take(&mut self.unsynced.hashes);
        let mut times = std::mem::take(&mut self.unsynced.times);
        self.measure(&times, lines.len());
        self.sealer.extend(&hashes, self.position);
        lines.clear();
        hashes.clear();
        times.clear();
        let fresh = Unsynced { lines, hashes, times, ..Unsynced::default() };
        let done = std::mem::replace(&mut self.unsynced, fresh);
        self.shared.recorded.fetch_add(done.events, std::sync::atomic::Ordering::Relaxed);
        self.shared.ring.refusals_told(done.refusals);
        self.shared.ring.release(self.position, self.head.next_seq);
        self.woken = self.shared.progress.advance(self.position);
        let wanted = self.shared.seal_to.load(std::sync::atomic::Ordering::Acquire);
        if wanted > self.shared.progress.sealed() && wanted <= self.position {
            self.sealer.hurry();
        }
    }
}

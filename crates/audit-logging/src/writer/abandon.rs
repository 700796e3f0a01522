//! When a segment fails: go on in a new one, or say that nothing goes on.
//!
//! What must stay true here: the failed segment is never synced again as if nothing had happened
//! (fsyncgate); the unsynced lines are written again byte for byte, so a reader that saw them in
//! the old segment sees no second history; nothing is acknowledged before the new segment is
//! synced; a second failure poisons.

use std::io;

use audit_core::control::ControlEvent;
use audit_core::entry::Entry;

use super::{Writer, rotate};
use crate::error::Fault;
use crate::storage::is_no_space;
use crate::trail::{SegmentState, finish_segment, set_tail_aside};

/// A failure that was survived and is not in the trail yet.
pub(super) struct StorageFailure {
    operation: &'static str,
    error: String,
    segment: String,
    durable_bytes: u64,
    entries_rewritten: u64,
}

impl StorageFailure {
    /// Something befell the ring's file, not a segment.
    pub(super) fn of_ring(problem: &str) -> StorageFailure {
        StorageFailure {
            operation: "keep",
            error: problem.to_owned(),
            segment: "the emit ring".to_owned(),
            durable_bytes: 0,
            entries_rewritten: 0,
        }
    }
}

impl Writer {
    /// Gives the active segment up after `operation` failed and continues in a new one.
    pub(super) fn abandon(
        &mut self,
        operation: &'static str,
        error: &io::Error,
    ) -> Result<(), Fault> {
        let failed = self.segment_name();
        self.shared.meters.storage_failed();
        tracing::error!(segment = %failed, operation, %error, "segment abandoned");
        self.begin_next(self.durable_head)?;
        let durable = std::mem::replace(&mut self.durable_state, self.active.state.clone());
        if let Err(fault) = self.write_unsynced_again() {
            // They still stand in the failed segment, as they were: twice would look like tampering.
            if let Err(error) = self.active.file.truncate(0) {
                tracing::warn!(%error, "lines stand in two segments until the next opening");
            }
            return Err(fault);
        }
        let entries_rewritten = self.unsynced.entries;
        self.acknowledge();
        self.finish_failed(&durable);
        self.failures.push(StorageFailure {
            operation,
            error: error.to_string(),
            segment: failed,
            durable_bytes: durable.bytes,
            entries_rewritten,
        });
        self.report_failures()?;
        self.write_manifest()
    }

    /// Makes the new segment begin with the unsynced lines, durably.
    fn write_unsynced_again(&mut self) -> Result<(), Fault> {
        self.readopt_unsynced()?;
        self.unsynced.written = 0;
        while self.unsynced.written < self.unsynced.lines.len() {
            match self.active.file.append(&self.unsynced.lines[self.unsynced.written..]) {
                Ok(taken) => self.unsynced.written += taken,
                Err(error) if is_no_space(&error) => self.wait_for_space("append to", &error)?,
                Err(error) => return Err(self.fault("append to", &error)),
            }
        }
        self.sync_file().map_err(|error| self.fault("sync", &error))
    }

    /// Says in the trail what failed. Not between the two entries of a key rotation, which stand
    /// side by side: its end comes back here.
    pub(super) fn report_failures(&mut self) -> Result<(), Fault> {
        if self.is_rotating_key || self.failures.is_empty() {
            return Ok(());
        }
        self.write_failures()?;
        self.sync_file().map_err(|error| self.fault("sync", &error))?;
        self.acknowledge();
        Ok(())
    }

    /// Says what failed, not durably yet.
    pub(super) fn write_failures(&mut self) -> Result<(), Fault> {
        for failure in std::mem::take(&mut self.failures) {
            self.append_control(&ControlEvent::StorageFailed {
                operation: failure.operation,
                error: &failure.error,
                segment: &failure.segment,
                durable_bytes: failure.durable_bytes,
                entries_rewritten: failure.entries_rewritten,
            })?;
        }
        Ok(())
    }

    /// A stranger made the segment longer or shorter.
    pub(super) fn abandon_resized(&mut self) -> Result<(), Fault> {
        let error = io::Error::other("another process changed the segment's length");
        self.abandon("keep", &error)
    }

    /// The segment's name was taken away while it was written: its content, which we still hold,
    /// goes back under its name, and writing goes on in a new segment.
    pub(super) fn restore_unlinked(&mut self) -> Result<(), Fault> {
        let name = self.segment_name();
        let error = io::Error::other("the segment was deleted or replaced by another process");
        tracing::error!(segment = %name, "segment was deleted or replaced; restoring it");
        loop {
            match self.active.file.relink() {
                Ok(()) => break,
                // What was deleted exists in our descriptor only: letting go would lose it.
                Err(error) if is_no_space(&error) => self.wait_for_space("restore", &error)?,
                Err(error) => return self.abandon("restore", &error),
            }
        }
        let durable_bytes = self.active.state.bytes;
        self.acknowledge();
        self.rotate()?;
        self.failures.push(StorageFailure {
            operation: "keep",
            error: error.to_string(),
            segment: name,
            durable_bytes,
            entries_rewritten: 0,
        });
        self.report_failures()
    }

    /// Makes the new segment's state describe the unsynced lines, which begin it.
    fn readopt_unsynced(&mut self) -> Result<(), Fault> {
        let mut state =
            SegmentState::new(self.active.state.name, self.durable_head, self.clock.now());
        for line in self.unsynced.lines.split_inclusive(|byte| *byte == b'\n') {
            let entry = line.strip_suffix(b"\n").and_then(|line| Entry::parse(line).ok());
            let Some(entry) = entry else {
                let error = io::Error::other("a planned line is no entry (a bug: report it)");
                return Err(self.fault("rewrite", &error));
            };
            state.add_entry(&entry);
        }
        self.active.state = state;
        Ok(())
    }

    /// Closes the failed segment behind its durable part. What stands after it is in the new
    /// segment and goes to the quarantine. A failed disk may refuse all this: then the next
    /// opening of the trail does it.
    fn finish_failed(&mut self, durable: &SegmentState) {
        let storage = &*self.storage;
        let now = self.clock.now();
        let finished = set_tail_aside(storage, durable, now)
            .and_then(|()| finish_segment(storage, durable, now));
        match finished {
            Ok(row) => self.closed.push(row),
            Err(error) => {
                tracing::warn!(segment = %durable.name, %error, "failed segment left as it stands");
                self.closed.push(durable.row(None));
            }
        }
    }

    /// Begins a new segment after the active one, waiting for space if there is none.
    pub(super) fn begin_next(&mut self, start: audit_core::chain::Head) -> Result<(), Fault> {
        let mut newest = self.active.state.name;
        loop {
            let now = self.clock.now();
            match rotate::create_after(&*self.storage, newest, start, now) {
                Ok(active) => {
                    self.active = active;
                    return Ok(());
                }
                Err((name, error)) if is_no_space(&error) => {
                    self.wait_for_space("create", &error)?;
                    // Half a creation may have left the name taken.
                    newest = if self.is_taken(&name.to_string()) { name } else { newest };
                }
                Err((name, error)) => return Err(Fault::new("create", &name.to_string(), &error)),
            }
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.storage.read(name).is_ok()
    }

    pub(super) fn fault(&self, operation: &'static str, error: &io::Error) -> Fault {
        Fault::new(operation, &self.segment_name(), error)
    }
}

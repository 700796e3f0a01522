//! Closing a segment and beginning the next.
//!
//! What must stay true here: a segment is closed only when everything in it is durable; its
//! checksum stands before the next segment exists; dates never go back.

use std::io;

use audit_core::chain::Head;
use audit_core::segment::SegmentName;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::Writer;
use crate::error::Fault;
use crate::storage::{Storage, is_no_space};
use crate::trail::{Active, SegmentState, finish_segment, write_manifest};

impl Writer {
    /// Rotates before a line of `line_len` bytes if the policy says so.
    pub(super) fn rotate_if_due(&mut self, line_len: usize) -> Result<(), Fault> {
        let state = &self.active.state;
        if state.bytes == 0 || self.is_rotating_key {
            return Ok(());
        }
        let policy = self.config.rotation;
        let full = policy.size_limit().is_some_and(|limit| state.bytes + line_len as u64 > limit);
        // The date is looked at once per batch at most: a clock read per entry would be felt.
        let new_date = policy.is_daily()
            && self.unsynced.entries == 0
            && date_of(self.clock.now()) > state.name.date();
        if full || new_date {
            let name = self.active.state.name;
            self.write_out()?;
            self.settle()?;
            // A failure has begun a new segment already; what was written again may fill it.
            let limit = policy.size_limit().unwrap_or(u64::MAX);
            let is_full = self.active.state.bytes + line_len as u64 > limit;
            if self.active.state.name == name || is_full {
                self.rotate()?;
            }
        }
        Ok(())
    }

    /// Closes the active segment, whose content is durable, and begins the next.
    pub(super) fn rotate(&mut self) -> Result<(), Fault> {
        let now = self.clock.now();
        let row = loop {
            match finish_segment(&*self.storage, &self.active.state, now) {
                Ok(row) => break row,
                Err(error) if is_no_space(&error) => self.wait_for_space("close", &error)?,
                Err(error) => return Err(self.fault("close", &error)),
            }
        };
        self.closed.push(row);
        self.begin_next(self.head)?;
        self.durable_state.clone_from(&self.active.state);
        self.write_manifest()?;
        self.rotate_key()
    }

    /// Replaces the manifest. It is derived: a failure is reported, not fatal.
    pub(super) fn write_manifest(&mut self) -> Result<(), Fault> {
        if let Some(front) = self.shared.front() {
            self.closed.retain(|row| {
                SegmentName::parse(&row.filename).is_none_or(|segment| segment >= front)
            });
        }
        let active = Some(&self.durable_state).filter(|state| state.bytes > 0);
        if let Err(error) = write_manifest(&*self.storage, &self.info, &self.closed, active) {
            tracing::warn!(%error, "manifest.json could not be replaced; it will be rebuilt");
        }
        Ok(())
    }
}

/// Begins the first segment of an open trail.
pub(super) fn begin_segment(
    storage: &dyn Storage,
    newest: Option<SegmentName>,
    start: Head,
    now: Timestamp,
) -> Result<Active, Fault> {
    let created = match newest {
        Some(newest) => create_after(storage, newest, start, now),
        None => create(storage, SegmentName::first_of(date_of(now)), start, now),
    };
    created.map_err(|(name, error)| Fault::new("create", &name.to_string(), &error))
}

/// Creates the segment that follows `newest`.
pub(super) fn create_after(
    storage: &dyn Storage,
    newest: SegmentName,
    start: Head,
    now: Timestamp,
) -> Result<Active, (SegmentName, io::Error)> {
    create(storage, newest.next(date_of(now)), start, now)
}

fn create(
    storage: &dyn Storage,
    name: SegmentName,
    start: Head,
    now: Timestamp,
) -> Result<Active, (SegmentName, io::Error)> {
    match storage.create_segment(&name.to_string()) {
        Ok(file) => Ok(Active { file, state: SegmentState::new(name, start, now) }),
        Err(error) => Err((name, error)),
    }
}

fn date_of(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

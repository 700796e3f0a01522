//! What the writer says about itself.
//!
//! What must stay true here: every refusal reaches the trail; every opening and closing leaves its
//! entry; a clock that jumps is named, not believed.

use std::time::Duration;

use audit_core::chain::Head;
use audit_core::control::ControlEvent;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{POLL, Writer};
use crate::clock::rfc3339;
use crate::error::Fault;
use crate::trail::Recovered;

/// A wall clock that disagrees with the monotonic one by more than this has been stepped.
const STEP: SignedDuration = SignedDuration::from_secs(2);

impl Writer {
    /// The entries a writer begins with.
    pub(super) fn write_opening(
        &mut self,
        recovered: Option<&Recovered>,
        salvaged: &[Vec<u8>],
        last_control: Option<Timestamp>,
    ) -> Result<(), Fault> {
        if self.head == Head::EMPTY {
            let info = self.info.clone();
            self.append_control(&ControlEvent::TrailCreated {
                trail_id: &info.trail_id.to_string(),
                origin: &info.origin,
                initial_key: &info.initial_key,
            })?;
        }
        if let Some(recovered) = recovered {
            self.append_control(&ControlEvent::Recovered {
                signed: recovered.signed,
                entries_kept: recovered.entries_kept,
                quarantined_bytes: recovered.quarantined_bytes,
                quarantined_sha256: recovered.quarantined_sha256.as_deref(),
                quarantine_file: recovered.quarantine_file.as_deref(),
                same_boot: recovered.same_boot,
                damaged_at: recovered.damaged_at.as_deref(),
                checkpoint_missing: recovered.checkpoint_missing,
                entries_salvaged: salvaged.len() as u64,
                refused: recovered.refused,
                ring_unfinished_bytes: recovered.ring_unfinished_bytes,
                ring_problem: recovered.ring_problem.as_deref(),
            })?;
            self.is_recovering = false;
        }
        self.append_salvaged(salvaged)?;
        if let Some(last) = last_control
            && last.duration_since(self.clocks.0) > STEP
        {
            self.write_step(last, self.clocks.0)?;
        }
        let flush_mode = self.config.flush_mode.to_string();
        let config = serde_json::to_vec(&*self.config).map_err(|error| {
            Fault::new("describe the configuration in", &self.segment_name(), &error.into())
        })?;
        let digest = audit_core::chain::Hash(Sha256::digest(config).into()).to_string();
        self.append_control(&ControlEvent::Opened {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            boot_id: &crate::trail::boot_id(),
            flush_mode: &flush_mode,
            config_sha256: &digest,
        })
    }

    /// The entry a writer ends with.
    pub(super) fn write_closing(&mut self) -> Result<(), Fault> {
        let synced = self.shared.recorded.load(std::sync::atomic::Ordering::Relaxed);
        let control = self.shared.control.load(std::sync::atomic::Ordering::Relaxed);
        self.append_control(&ControlEvent::Closed {
            entries: (synced + self.unsynced.events).saturating_sub(control),
            drops: self.shared.ledger.total(),
        })
    }

    /// Names the events that were refused since the last report, several at once under load.
    pub(super) fn report_drops(&mut self, now_or_never: bool) -> Result<(), Fault> {
        let now = self.clock.monotonic();
        let recently = self.last_drop_report.is_some_and(|at| now.saturating_sub(at) < POLL);
        if recently && !now_or_never {
            return Ok(());
        }
        let Some(dropped) = self.shared.ledger.take() else { return Ok(()) };
        self.last_drop_report = Some(now);
        tracing::warn!(count = dropped.count, "audit events were refused");
        self.append_control(&ControlEvent::EventsDropped {
            count: dropped.count,
            dropped: &dropped.rows,
            first: &rfc3339(dropped.first),
            last: &rfc3339(dropped.last),
        })?;
        self.unsynced.refusals[0] += dropped.count - dropped.critical;
        self.unsynced.refusals[1] += dropped.critical;
        Ok(())
    }

    pub(super) fn heartbeat(&self) -> Option<Duration> {
        match self.config.heartbeat_secs {
            0 => None,
            secs => Some(Duration::from_secs(secs)),
        }
    }

    /// Writes a heartbeat when nothing else was written for long.
    pub(super) fn beat_if_idle(&mut self) -> Result<(), Fault> {
        let idle = self.clock.monotonic().saturating_sub(self.last_entry);
        match self.heartbeat() {
            Some(span) if idle >= span => self.append_control(&ControlEvent::Heartbeat),
            _ => Ok(()),
        }
    }

    /// Compares the two clocks and names a step.
    pub(super) fn watch_clock(&mut self) -> Result<(), Fault> {
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let passed = monotonic.saturating_sub(self.clocks.1);
        let expected = self.clocks.0.saturating_add(passed).unwrap_or(wall);
        self.clocks = (wall, monotonic);
        if wall.duration_since(expected).abs() > STEP {
            self.write_step(expected, wall)?;
        }
        Ok(())
    }

    fn write_step(&mut self, from: Timestamp, to: Timestamp) -> Result<(), Fault> {
        self.append_control(&ControlEvent::ClockStepped { from: &rfc3339(from), to: &rfc3339(to) })
    }
}

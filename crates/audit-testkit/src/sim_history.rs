//! A trail's life over several processes on the simulated disk, and what it owes.
//!
//! What must stay true here: what was acknowledged is remembered here and nowhere else; a check asks
//! the recovered trail for all of it, in order, chained and sealed; no two events have one label, also
//! when one was refused: it may be in the trail after all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_logging::{AuditConfig, AuditLogger, FlushMode, Receipt, RotationPolicy, WaitError};

use crate::read::{labels, of_type, read_trail};
use crate::{Rng, SimDisk, TestClock, TestEvent};

/// Longer than any healthy wait on a disk in memory.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);

/// What a check found.
pub(crate) struct Checked {
    /// Events that were promised, all of them there.
    pub(crate) promised: u64,
    /// Events that recovery took out of rings.
    pub(crate) salvaged: u64,
}

/// A trail's life over several processes, and what it owes.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) disk: SimDisk,
    pub(crate) clock: TestClock,
    pub(crate) emitted: Vec<String>,
    pub(crate) acknowledged: BTreeSet<String>,
    /// Those of the emitted ones that `emit` refused: nothing is owed, and they may be there, once.
    refused: BTreeSet<String>,
    /// How many of the emitted ones a kill cannot take any more: those since then are in a ring,
    /// which a power cut may take.
    settled: usize,
}

impl History {
    pub(crate) fn new(disk: SimDisk) -> History {
        let clock = TestClock::at("2026-11-23T23:00:00Z");
        History {
            disk,
            clock,
            emitted: Vec::new(),
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            settled: 0,
        }
    }

    pub(crate) fn fork(&self, kill: bool, seed: u64) -> History {
        let mut fork = History {
            disk: self.disk.clone(),
            clock: TestClock::at("2026-11-25T00:30:00Z"),
            emitted: self.emitted.clone(),
            acknowledged: self.acknowledged.clone(),
            refused: self.refused.clone(),
            settled: self.settled,
        };
        fork.lose(kill, seed);
        fork
    }

    pub(crate) fn crash(&mut self, kill: bool, seed: u64) {
        self.lose(kill, seed);
        self.clock.advance(Duration::from_secs(7));
    }

    fn lose(&mut self, kill: bool, seed: u64) {
        self.disk = if kill { self.disk.after_kill() } else { self.disk.crash_image(seed) };
        if !kill {
            self.settled = self.emitted.len();
        }
    }

    /// An opening that succeeds has made durable what a killed process had accepted.
    pub(crate) fn open(
        &mut self,
        flush_mode: FlushMode,
    ) -> Result<AuditLogger, audit_logging::OpenError> {
        let logger = self.builder(flush_mode).open()?;
        let accepted =
            self.emitted[self.settled..].iter().filter(|label| !self.refused.contains(*label));
        self.acknowledged.extend(accepted.cloned());
        self.settled = self.emitted.len();
        Ok(logger)
    }

    pub(crate) fn builder(&self, flush_mode: FlushMode) -> audit_logging::Builder {
        let config = AuditConfig {
            flush_mode,
            rotation: RotationPolicy::Both { bytes: 64 << 10 },
            queue_bytes: 1 << 20,
            drop_limit_ms: PATIENCE.as_secs() * 1_000,
            // Steps of the disk are counted: nothing but the writer and the sealer makes any.
            retention_interval_hours: 0,
            ..AuditConfig::new("sim")
        };
        AuditLogger::builder(config).clock(self.clock.shared()).storage(Arc::new(self.disk.clone()))
    }

    /// Opening may fail only for a reason.
    pub(crate) fn open_if_possible(
        &mut self,
        flush_mode: FlushMode,
    ) -> Result<Option<AuditLogger>, String> {
        match self.open(flush_mode) {
            Ok(logger) => Ok(Some(logger)),
            Err(_) if self.disk.is_dead() || self.disk.failed() > 0 => Ok(None),
            Err(error) => Err(format!("does not open: {error}")),
        }
    }

    pub(crate) fn open_and_leave(&mut self) -> Result<(), String> {
        self.open_if_possible(FlushMode::Immediate)?.map_or(Ok(()), leave)
    }

    pub(crate) fn emit(
        &mut self,
        logger: &AuditLogger,
        padding: usize,
        critical: bool,
    ) -> Option<(String, Receipt)> {
        let label = format!("e{}", self.emitted.len());
        let event = if critical { TestEvent::critical(&label) } else { TestEvent::routine(&label) };
        self.emitted.push(label.clone());
        match logger.emit(event.padded(padding)) {
            Ok(receipt) => Some((label, receipt)),
            Err(_) => {
                self.refused.insert(label);
                None
            }
        }
    }

    /// One random life.
    pub(crate) fn live(&mut self, rng: &mut Rng) -> Result<(), String> {
        let mode = match rng.below(3) {
            0 => FlushMode::Batched { size: 4, interval_secs: 3600 },
            1 => FlushMode::hybrid(),
            _ => FlushMode::Immediate,
        };
        let Some(logger) = self.open_if_possible(mode)? else { return Ok(()) };
        let mut receipts = Vec::new();
        for _ in 0..rng.between(0, 12) {
            match rng.below(8) {
                0 => self.clock.advance(DAY),
                1 => wait(logger.flush_blocking_within(PATIENCE))?,
                2 => {
                    for _ in 0..rng.between(2, 6) {
                        let padding = if rng.one_in(4) { 20_000 } else { 0 };
                        let critical = rng.one_in(4);
                        receipts.extend(self.emit(&logger, padding, critical));
                    }
                }
                _ => {
                    receipts.extend(self.emit(&logger, rng.between(0, 900), true));
                    if let Some((_, receipt)) = receipts.last()
                        && mode == FlushMode::Immediate
                    {
                        wait(receipt.wait_durable_timeout(PATIENCE))?;
                    }
                }
            }
        }
        if rng.one_in(2) {
            wait(logger.shutdown_timeout(PATIENCE))?;
        }
        leave(logger)?;
        self.take_receipts(receipts);
        Ok(())
    }

    /// One fixed life with both kinds of rotation, a restart and a full batch.
    pub(crate) fn scripted(&mut self) -> Result<(), String> {
        for life in 0..2 {
            let Some(logger) = self.open_if_possible(FlushMode::Immediate)? else { return Ok(()) };
            let mut receipts = Vec::new();
            for padding in [0, 700, 40_000, 40_000, 0] {
                receipts.extend(self.emit(&logger, padding, false));
                if let Some((_, receipt)) = receipts.last() {
                    wait(receipt.wait_durable_timeout(PATIENCE))?;
                }
            }
            self.clock.advance(DAY);
            for _ in 0..3 {
                receipts.extend(self.emit(&logger, 100, true));
            }
            wait(logger.flush_blocking_within(PATIENCE))?;
            if life == 0 {
                wait(logger.shutdown_timeout(PATIENCE))?;
            }
            leave(logger)?;
            self.take_receipts(receipts);
        }
        Ok(())
    }

    pub(crate) fn take_receipts(&mut self, receipts: Vec<(String, Receipt)>) {
        let durable = receipts.into_iter().filter(|(_, receipt)| receipt.is_durable());
        self.acknowledged.extend(durable.map(|(label, _)| label));
    }

    /// Opens the trail a last time, adds to it, closes it, and holds it against what is owed.
    pub(crate) fn check(&mut self) -> Result<Checked, String> {
        let logger = self.open(FlushMode::Immediate).map_err(|e| format!("does not open: {e}"))?;
        for _ in 0..2 {
            let (label, receipt) = self.emit(&logger, 0, false).ok_or("accepts no more")?;
            receipt.wait_durable_timeout(PATIENCE).map_err(|e| e.to_string())?;
            self.acknowledged.insert(label);
        }
        logger.shutdown_timeout(PATIENCE).map_err(|e| e.to_string())?;
        let lines = read_trail(&self.disk)?;
        let found = labels(&lines);
        let set: BTreeSet<&str> = found.iter().copied().collect();
        if set.len() != found.len() {
            return Err(format!("an event stands twice: {found:?}"));
        }
        if let Some(lost) = self.acknowledged.iter().find(|label| !set.contains(label.as_str())) {
            return Err(format!("{lost} was promised and is gone; there are {found:?}"));
        }
        let order: Vec<&str> =
            self.emitted.iter().map(String::as_str).filter(|label| set.contains(label)).collect();
        if order != found {
            return Err(format!("out of order: {found:?}"));
        }
        let ids: BTreeSet<_> = lines.iter().map(|line| line.audit_id).collect();
        if ids.len() != lines.len() {
            return Err("an audit_id stands twice".to_owned());
        }
        let sealed = crate::seals::check(&self.disk, &lines)?;
        if sealed.size != lines.len() as u64 {
            return Err(format!("closed, and only {} of {} sealed", sealed.size, lines.len()));
        }
        let recovered = of_type(&lines, "audit.recovered").into_iter();
        let salvaged = recovered.filter_map(|line| line.details["entries_salvaged"].as_u64()).sum();
        Ok(Checked { promised: self.acknowledged.len() as u64, salvaged })
    }
}

/// A poisoned trail is an answer; no answer is a failure.
pub(crate) fn wait(outcome: Result<(), WaitError>) -> Result<(), String> {
    match outcome {
        Err(WaitError::TimedOut) => Err("hangs".to_owned()),
        _ => Ok(()),
    }
}

/// Drops a logger. A writer that goes on after that would write into what is copied next.
pub(crate) fn leave(logger: AuditLogger) -> Result<(), String> {
    let begun = Instant::now();
    drop(logger);
    if begun.elapsed() < PATIENCE { Ok(()) } else { Err("hangs".to_owned()) }
}

/// `flush` with a limit, as a test needs it.
trait FlushWithin {
    fn flush_blocking_within(&self, limit: Duration) -> Result<(), WaitError>;
}

impl FlushWithin for AuditLogger {
    fn flush_blocking_within(&self, limit: Duration) -> Result<(), WaitError> {
        let (send, receive) = std::sync::mpsc::channel();
        let flush = self.flush();
        std::thread::spawn(move || send.send(crate::block_on(flush)));
        receive.recv_timeout(limit).unwrap_or(Err(WaitError::TimedOut))
    }
}

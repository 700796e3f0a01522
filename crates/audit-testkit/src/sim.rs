//! Crashes by the thousand on the simulated disk.
//!
//! What must stay true here: after any crash, in writing or in recovery, nothing that was
//! acknowledged as durable is missing, nothing stands twice, the order is the order of emission,
//! the chain is whole, and the trail accepts more. A failure names the seed of its round; threads
//! decide how events are batched, so a seed may need several runs.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, FlushMode, Receipt, RotationPolicy, WaitError};

use crate::read::{labels, read_trail};
use crate::{Rng, SimDisk, TestClock, TestEvent};

/// Longer than any healthy wait on a disk in memory.
const PATIENCE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);

/// What a run did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Summary {
    /// Rounds, each with one to four crashes.
    pub rounds: u64,
    /// Crashes.
    pub crashes: u64,
    /// Events acknowledged as durable, and found again.
    pub acknowledged: u64,
}

/// `rounds` random histories.
///
/// # Errors
/// The first thing that was wrong, with the seed of its round.
pub fn run(rounds: u64, seed: u64) -> Result<Summary, String> {
    let mut summary = Summary { rounds, ..Summary::default() };
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        random_round(seed, &mut summary)
            .map_err(|error| format!("sim::run(1, {seed}), round {round}: {error}"))?;
    }
    Ok(summary)
}

fn random_round(seed: u64, summary: &mut Summary) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let mut history = History::new(SimDisk::new(rng.next_u64()));
    for _ in 0..rng.between(1, 4) {
        if !rng.one_in(4) {
            history.disk.die_after(1 + rng.below(90));
        }
        for _ in 0..rng.between(0, 2) {
            let kind = if rng.one_in(3) { ErrorKind::StorageFull } else { ErrorKind::Other };
            history.disk.fail_after(1 + rng.below(60), kind);
        }
        history.live(&mut rng)?;
        let kill = rng.one_in(3);
        history.crash(kill, rng.next_u64());
        summary.crashes += 1;
    }
    summary.acknowledged += history.check()?;
    Ok(())
}

/// The disk fails and poisons the writer, the service restarts on the same boot, goes on, and then
/// the power goes.
///
/// # Errors
/// The first thing that was wrong, with the seed.
pub fn poisoned_then_restarted(images: u64, seed: u64) -> Result<Summary, String> {
    let mut history = History::new(SimDisk::new(seed));
    let mut lives = |broken: bool, crash: bool| -> Result<(), String> {
        let logger = history.open(FlushMode::Immediate).map_err(|e| e.to_string())?;
        let mut receipts = Vec::new();
        for n in 0..8 {
            if broken && n == 4 {
                history.disk.break_down();
            }
            receipts.extend(history.emit(&logger, 900, false));
            if let Some((_, receipt)) = receipts.last() {
                wait(receipt.wait_durable_timeout(PATIENCE))?;
            }
        }
        if crash {
            history.disk.die_after(1);
        }
        drop(logger);
        history.take_receipts(receipts);
        if broken {
            history.crash(true, seed);
        }
        Ok(())
    };
    lives(true, false)?;
    lives(false, true)?;
    let mut summary = Summary { rounds: 1, ..Summary::default() };
    for image in 0..images {
        let mut after = history.fork(false, seed ^ (image << 32));
        summary.crashes += 1;
        let context = |e| format!("sim::poisoned_then_restarted, seed {seed}, image {image}: {e}");
        summary.acknowledged += after.check().map_err(context)?;
    }
    Ok(summary)
}

/// A fixed history in which the power goes at the `n`-th step, for every `n` until the history ends
/// before; every time `images` crash images are opened, with a second crash at each step of the
/// first recovery for one of them.
///
/// # Errors
/// The first thing that was wrong, with `n` and the seed.
pub fn sweep(images: u64, seed: u64, stride: u64) -> Result<Summary, String> {
    let mut summary = Summary::default();
    for fault in [None, Some(ErrorKind::Other)] {
        let mut n = 1;
        loop {
            let context = |image: u64, error: String| {
                format!(
                    "sim::sweep, seed {seed}, fault {fault:?}, step {n}, image {image}: {error}"
                )
            };
            let mut history = History::new(SimDisk::new(seed ^ n));
            history.disk.die_after(n);
            if let Some(kind) = fault {
                history.disk.fail_after(n.saturating_sub(1 + seed % 12).max(1), kind);
            }
            history.scripted().map_err(|e| context(0, e))?;
            let died = history.disk.is_dead();
            for image in 0..images {
                let mut after = history.fork(image == 0, seed.wrapping_mul(31) ^ image);
                summary.crashes += 1;
                if image == 1 {
                    // And again while recovering.
                    after.disk.die_after(1 + (n + seed) % 40);
                    after.open_and_leave()?;
                    after.crash(false, seed ^ n);
                    summary.crashes += 1;
                }
                summary.acknowledged += after.check().map_err(|e| context(image, e))?;
            }
            summary.rounds += 1;
            if !died {
                break;
            }
            n += stride;
        }
    }
    Ok(summary)
}

/// A trail's first start fails at each step, the second one loses the power at each step: what is
/// left must open.
///
/// # Errors
/// The first thing that was wrong, with both steps and the seed.
pub fn first_starts(images: u64, seed: u64) -> Result<Summary, String> {
    let mut summary = Summary::default();
    for first in 1.. {
        let mut history = History::new(SimDisk::new(seed));
        history.disk.fail_after(first, ErrorKind::Other);
        history.open_and_leave()?;
        if history.disk.failed() == 0 {
            break;
        }
        history.crash(true, seed);
        for second in 1.. {
            let mut again = history.fork(true, seed);
            again.disk.die_after(second);
            again.open_and_leave()?;
            for image in 0..images {
                let mut after = again.fork(false, seed ^ second ^ (image << 32));
                summary.crashes += 1;
                summary.acknowledged += after.check().map_err(|error| {
                    format!("sim::first_starts, seed {seed}, steps {first} and {second}, image {image}: {error}")
                })?;
            }
            if !again.disk.is_dead() {
                break;
            }
        }
        summary.rounds += 1;
    }
    Ok(summary)
}

/// A trail's life over several processes, and what it owes.
#[derive(Debug)]
struct History {
    disk: SimDisk,
    clock: TestClock,
    emitted: Vec<String>,
    acknowledged: BTreeSet<String>,
}

impl History {
    fn new(disk: SimDisk) -> History {
        let clock = TestClock::at("2026-11-23T23:00:00Z");
        History { disk, clock, emitted: Vec::new(), acknowledged: BTreeSet::new() }
    }

    fn fork(&self, kill: bool, seed: u64) -> History {
        let disk = if kill { self.disk.after_kill() } else { self.disk.crash_image(seed) };
        History {
            disk,
            clock: TestClock::at("2026-11-25T00:30:00Z"),
            emitted: self.emitted.clone(),
            acknowledged: self.acknowledged.clone(),
        }
    }

    fn crash(&mut self, kill: bool, seed: u64) {
        self.disk = if kill { self.disk.after_kill() } else { self.disk.crash_image(seed) };
        self.clock.advance(Duration::from_secs(7));
    }

    fn open(&self, flush_mode: FlushMode) -> Result<AuditLogger, audit_logging::OpenError> {
        let config = AuditConfig {
            flush_mode,
            rotation: RotationPolicy::Both { bytes: 64 << 10 },
            ..AuditConfig::new("sim")
        };
        AuditLogger::builder(config)
            .clock(self.clock.shared())
            .storage(Arc::new(self.disk.clone()))
            .open()
    }

    /// Opening may fail only for a reason.
    fn open_if_possible(&self, flush_mode: FlushMode) -> Result<Option<AuditLogger>, String> {
        match self.open(flush_mode) {
            Ok(logger) => Ok(Some(logger)),
            Err(_) if self.disk.is_dead() || self.disk.failed() > 0 => Ok(None),
            Err(error) => Err(format!("does not open: {error}")),
        }
    }

    fn open_and_leave(&mut self) -> Result<(), String> {
        drop(self.open_if_possible(FlushMode::Immediate)?);
        Ok(())
    }

    fn emit(
        &mut self,
        logger: &AuditLogger,
        padding: usize,
        critical: bool,
    ) -> Option<(String, Receipt)> {
        let label = format!("e{}", self.emitted.len());
        let event = if critical { TestEvent::critical(&label) } else { TestEvent::routine(&label) };
        let receipt = logger.emit(event.padded(padding)).ok()?;
        self.emitted.push(label.clone());
        Some((label, receipt))
    }

    /// One random life.
    fn live(&mut self, rng: &mut Rng) -> Result<(), String> {
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
        drop(logger);
        self.take_receipts(receipts);
        Ok(())
    }

    /// One fixed life with both kinds of rotation, a restart and a full batch.
    fn scripted(&mut self) -> Result<(), String> {
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
            drop(logger);
            self.take_receipts(receipts);
        }
        Ok(())
    }

    fn take_receipts(&mut self, receipts: Vec<(String, Receipt)>) {
        let durable = receipts.into_iter().filter(|(_, receipt)| receipt.is_durable());
        self.acknowledged.extend(durable.map(|(label, _)| label));
    }

    /// Opens the trail a last time, adds to it, closes it, and holds it against what is owed.
    fn check(&mut self) -> Result<u64, String> {
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
            return Err(format!("{lost} was durable and is gone; there are {found:?}"));
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
        Ok(self.acknowledged.len() as u64)
    }
}

/// A poisoned trail is an answer; no answer is a failure.
fn wait(outcome: Result<(), WaitError>) -> Result<(), String> {
    match outcome {
        Err(WaitError::TimedOut) => Err("hangs".to_owned()),
        _ => Ok(()),
    }
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

//! Crashes by the thousand on the simulated disk.
//!
//! What must stay true here: after any crash, in writing or in recovery, nothing that was
//! acknowledged as durable is missing, and after a kill nothing that was accepted; nothing stands twice, the order is the order of emission,
//! the chain is whole, and the trail accepts more. A failure names the seed of its round; threads
//! decide how events are batched, so a seed may need several runs.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use audit_logging::FlushMode;

use crate::options::Options;
use crate::sim_history::{Checked, History, PATIENCE, leave, wait};
use crate::{Rng, SimDisk};

/// Crash images of the long form.
pub const IMAGES: u64 = 1_000_000;
/// Images that one random history ends in.
const FORKS: u64 = 8;

/// What a run did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Summary {
    /// Histories.
    pub rounds: u64,
    /// Crashes: images that were opened again, also those left by a crash in recovery.
    pub crashes: u64,
    /// Events promised, and found again.
    pub acknowledged: u64,
    /// Of them, those that came back from a dead process's ring.
    pub salvaged: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, other: Summary) {
        self.rounds += other.rounds;
        self.crashes += other.crashes;
        self.acknowledged += other.acknowledged;
        self.salvaged += other.salvaged;
    }

    pub(crate) fn checked(&mut self, checked: Checked) {
        self.acknowledged += checked.promised;
        self.salvaged += checked.salvaged;
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary { rounds, crashes, acknowledged, salvaged } = self;
        write!(f, "{crashes} crash images of {rounds} histories, {acknowledged} promised events ")?;
        write!(f, "found again, {salvaged} of them by way of a ring")
    }
}

/// `rounds` random histories.
///
/// # Errors
/// The first thing that was wrong, with the seed of its round.
pub fn run(rounds: u64, seed: u64) -> Result<Summary, String> {
    let mut summary = Summary::default();
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        random_round(seed, &mut summary)
            .map_err(|error| format!("sim::run(1, {seed}), round {round}: {error}"))?;
    }
    Ok(summary)
}

/// Random histories, side by side, until `options.rounds` images were opened.
///
/// # Errors
/// The first thing that was wrong, with the seed of its round.
pub fn campaign(options: &Options) -> Result<Summary, String> {
    let (begun, sum) = (Instant::now(), Mutex::new(Summary::default()));
    let next = AtomicU64::new(0);
    let wanted = options.rounds_or(IMAGES);
    let job = || {
        loop {
            let seed = options.seed.wrapping_add(next.fetch_add(1, Ordering::Relaxed));
            let done = run(1, seed).inspect_err(|_| {
                sum.lock().unwrap_or_else(PoisonError::into_inner).crashes += wanted;
            })?;
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            if sum.crashes >= wanted {
                return Ok::<_, String>(());
            }
            sum.add(done);
            if sum.rounds.is_multiple_of(2_000) {
                eprintln!("{:.0} s: {sum}", begun.elapsed().as_secs_f64());
            }
        }
    };
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..options.jobs).map(|_| scope.spawn(job)).collect();
        jobs.into_iter().try_for_each(|job| job.join().map_err(|_| "a job panicked")?)
    })?;
    Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
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
    history.live(&mut rng)?;
    for image in 0..FORKS {
        let kill = image == 0 || rng.one_in(4);
        let mut after = history.fork(kill, rng.next_u64());
        summary.crashes += 1;
        if image < FORKS / 2 {
            // And again while recovering.
            after.disk.die_after(1 + rng.below(70));
            after.open_and_leave()?;
            after.crash(rng.one_in(2), rng.next_u64());
            summary.crashes += 1;
        }
        let checked = after.check().map_err(|error| format!("image {image}: {error}"))?;
        summary.checked(checked);
    }
    summary.rounds += 1;
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
        leave(logger)?;
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
        summary.checked(after.check().map_err(context)?);
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
                summary.checked(after.check().map_err(|e| context(image, e))?);
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

/// A trail's first start fails at each step, the second one loses the power at every `stride`-th
/// step: what is left must open.
///
/// # Errors
/// The first thing that was wrong, with both steps and the seed.
pub fn first_starts(images: u64, seed: u64, stride: usize) -> Result<Summary, String> {
    let mut summary = Summary::default();
    for first in 1.. {
        let mut history = History::new(SimDisk::new(seed));
        history.disk.fail_after(first, ErrorKind::Other);
        history.open_and_leave()?;
        if history.disk.failed() == 0 {
            break;
        }
        history.crash(true, seed);
        // Beginning elsewhere each time, so that all of them are met.
        for second in (1 + first % stride as u64..).step_by(stride) {
            let mut again = history.fork(true, seed);
            again.disk.die_after(second);
            again.open_and_leave()?;
            for image in 0..images {
                let mut after = again.fork(false, seed ^ second ^ (image << 32));
                summary.crashes += 1;
                summary.checked(after.check().map_err(|error| {
                    format!("sim::first_starts, seed {seed}, steps {first} and {second}, image {image}: {error}")
                })?);
            }
            if !again.disk.is_dead() {
                break;
            }
        }
        summary.rounds += 1;
    }
    Ok(summary)
}

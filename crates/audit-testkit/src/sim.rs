//! Crashes by the thousand on the simulated disk.
//!
//! What must stay true here: after any crash, in writing or in recovery, nothing that was
//! acknowledged as durable is missing, nothing stands twice, the order is the order of emission,
//! the chain is whole, and the trail accepts more. A failure names the seed of its round; threads
//! decide how events are batched, so a seed may need several runs.

use std::io::ErrorKind;

use audit_logging::FlushMode;

use crate::sim_history::{History, PATIENCE, wait};
use crate::{Rng, SimDisk};

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

//! A key rotation that is cut short at each of its steps.
//!
//! What must stay true here: whatever a crash leaves, killed process or power cut, also a second one
//! in recovery, the trail can be verified as it lies there, and continued; then there is one key, the
//! one in force, and none of an epoch that has ended. Nothing here depends on threads: a rotation
//! that is asked for at opening runs on the thread that opens, so a step is a step.

use std::ops::RangeInclusive;

use audit_logging::FlushMode;
use audit_logging::storage::Storage;

use crate::read::read_torn;
use crate::sim::Summary;
use crate::sim_history::{History, PATIENCE, wait};
use crate::{SimDisk, TestClock, seals};

/// What a rotation on the simulated disk left, over all crashes.
#[derive(Debug, Default, Clone, Copy)]
pub struct Rotations {
    /// Rounds, crashes, and events found again.
    pub sum: Summary,
    /// Crashes after which two key files were on disk.
    pub two_keys: u64,
    /// Crashes that the next opening answered with the old key in force: nothing had happened yet.
    pub undone: u64,
    /// Crashes that it answered with the new one.
    pub done: u64,
}

/// Lets the power go, or the process be killed, at every step of a key rotation; for each, `images`
/// power cuts, and a second crash at every `stride`-th step of the recovery.
///
/// # Errors
/// The first thing that was wrong, with the steps and the seed.
pub fn sweep(images: u64, stride: u64, seed: u64) -> Result<Rotations, String> {
    let mut result = Rotations::default();
    // On another day a new segment brings a rotation of its own, before the one asked for.
    for (epochs, next_day) in [(0, false), (1, false), (1, true)] {
        let before = begin(epochs, seed)?;
        let most = epochs + 1 + u64::from(next_day);
        for step in 1.. {
            let context = |image: u64, e: String| {
                format!(
                    "rotation::sweep, seed {seed}, epoch {epochs}, next day {next_day}, \
                     step {step}, image {image}: {e}"
                )
            };
            let cut = if next_day { before.fork(true, seed) } else { before.now(true, seed) };
            cut.disk.die_after(step);
            let opened = cut.builder(FlushMode::Immediate).rotate_key().open();
            if opened.is_ok() {
                break;
            }
            result.sum.rounds += 1;
            for image in 0..=images {
                let left = cut.now(image == 0, seed.wrapping_mul(31) ^ image);
                one(&left, epochs..=most, &mut result).map_err(|e| context(image, e))?;
                if image < 2 {
                    twice(&left, image == 0, stride, seed, &mut result)
                        .map_err(|e| context(image, e))?;
                }
            }
        }
    }
    Ok(result)
}

/// A trail with entries, in this epoch, closed.
fn begin(epochs: u64, seed: u64) -> Result<History, String> {
    let mut history = History::new(SimDisk::new(seed));
    for epoch in 0..=epochs {
        let builder = history.builder(FlushMode::Immediate);
        let builder = if epoch == 0 { builder } else { builder.rotate_key() };
        let logger = builder.open().map_err(|e| e.to_string())?;
        let receipts = history.emit(&logger, 100, false).into_iter().collect();
        wait(logger.shutdown_timeout(PATIENCE))?;
        history.take_receipts(receipts);
    }
    Ok(history)
}

/// What one crash left.
fn one(left: &History, epochs: RangeInclusive<u64>, result: &mut Rotations) -> Result<(), String> {
    result.sum.crashes += 1;
    // As it lies there, before anybody opens it: no rotation without the old key's word.
    let lines = read_torn(&left.disk)?;
    seals::walk(&left.disk, &lines).map_err(|e| format!("as it was left: {e}"))?;
    let keys = left.disk.list("keys").map_err(|e| e.to_string())?;
    result.two_keys += u64::from(keys.iter().filter(|name| name.ends_with(".key")).count() > 1);
    let mut after = left.now(true, 0);
    result.sum.checked(after.check()?);
    let rotations = after.rotations()?;
    if !epochs.contains(&rotations) {
        return Err(format!("{rotations} rotations where {epochs:?} can be"));
    }
    let is_undone = rotations == *epochs.start();
    *(if is_undone { &mut result.undone } else { &mut result.done }) += 1;
    Ok(())
}

/// The recovery of what a crash left is cut short too, at every `stride`-th step.
fn twice(
    left: &History,
    kill: bool,
    stride: u64,
    seed: u64,
    result: &mut Rotations,
) -> Result<(), String> {
    for second in (1..).step_by(usize::try_from(stride).unwrap_or(usize::MAX)) {
        let mut again = left.now(true, 0);
        again.disk.die_after(second);
        let opened = again.open(FlushMode::Immediate);
        if opened.is_ok() {
            return Ok(());
        }
        again.crash(kill, seed ^ second);
        result.sum.crashes += 1;
        let context = |e| format!("and again at step {second} of the recovery: {e}");
        result.sum.checked(again.check().map_err(context)?);
    }
    Ok(())
}

impl History {
    /// As [`History::fork`], at the time of this one.
    fn now(&self, kill: bool, seed: u64) -> History {
        let time = self.clock.shared().now().to_string();
        let mut fork = self.fork(kill, seed);
        fork.clock = TestClock::at(&time);
        fork
    }

    fn rotations(&self) -> Result<u64, String> {
        let lines = crate::read_trail(&self.disk)?;
        Ok(seals::check(&self.disk, &lines)?.rotations)
    }
}

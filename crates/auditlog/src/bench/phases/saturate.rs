//! How much goes through when nobody waits, and how fast it is verified.
//!
//! What must stay true here: the clock stops when the last event is durable.

use std::path::{Path, PathBuf};
use std::time::Instant;

use audit_reader::{VerifyOptions, verify_dir};

use super::super::event::Events;
use super::{Place, refused, remove};
use crate::error::CliError;

/// Durable events a second of so many producers, and the trail they made.
pub(in super::super) fn saturate(
    place: &Place<'_>,
    producers: u64,
    events: u64,
) -> Result<(f64, PathBuf), CliError> {
    let (logger, dir) = place.open(&format!("saturation-{producers}"))?;
    let share = events / producers;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..producers)
            .map(|_| {
                let logger = &logger;
                scope.spawn(move || {
                    let events = Events::new();
                    (0..share).try_for_each(|n| logger.emit(events.nth(n)).map(drop))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| CliError::Bug("a producer panicked"))?.map_err(refused)
        })
    })?;
    logger.flush_blocking()?;
    let events_per_s = (share * producers) as f64 / start.elapsed().as_secs_f64();
    logger.shutdown_blocking()?;
    Ok((events_per_s, dir))
}

/// Bytes per entry and entries verified a second; removes the trail.
pub(in super::super) fn verify(dir: &Path) -> Result<(f64, f64), CliError> {
    let start = Instant::now();
    let report = verify_dir(dir, VerifyOptions::default())?;
    let per_s = report.entries as f64 / start.elapsed().as_secs_f64();
    remove(dir)?;
    Ok((report.bytes as f64 / report.entries as f64, per_s))
}

//! The machine's own limits, by the plainest code that reaches them.
//!
//! What must stay true here: measured in the same directory and run as everything else, half of it
//! before and half after, so that a disk that changes its mood is seen by both sides of a ratio.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::report::Raw;
use super::stats::quantile;
use crate::error::CliError;

/// Size of the event that is measured.
const EVENT: usize = 450;
/// Syncs each time.
const SYNCS: usize = 400;
const COMPUTING: Duration = Duration::from_millis(150);
/// What is copied into: larger than the caches next to a core, as a ring is.
const TARGET: usize = 16 << 20;
const CLOCK_LOOKS: usize = 100_000;

/// What was measured so far.
pub(super) struct Limits {
    file: File,
    syncs: Vec<u64>,
    sha256: Vec<f64>,
    memcpy: Vec<f64>,
    clock: Vec<u64>,
}

impl Limits {
    pub(super) fn new(dir: &Path) -> Result<Limits, CliError> {
        let file = OpenOptions::new().create_new(true).append(true).open(dir.join("raw"));
        let file = file.map_err(failed)?;
        Ok(Limits {
            file,
            syncs: Vec::new(),
            sha256: Vec::new(),
            memcpy: Vec::new(),
            clock: Vec::new(),
        })
    }

    /// Measures everything once more.
    pub(super) fn measure(&mut self) -> Result<(), CliError> {
        for _ in 0..SYNCS {
            let start = Instant::now();
            self.file.write_all(&[b'x'; EVENT]).map_err(failed)?;
            self.file.sync_data().map_err(failed)?;
            self.syncs.push(start.elapsed().as_nanos() as u64);
        }
        self.sha256.push(sha256());
        self.memcpy.push(memcpy());
        self.clock.extend((0..CLOCK_LOOKS).map(|_| {
            let start = Instant::now();
            (Instant::now() - start).as_nanos() as u64
        }));
        Ok(())
    }

    pub(super) fn report(mut self) -> Raw {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Raw {
            fdatasync_us_p50: quantile(&mut self.syncs, 0.5) as f64 / 1e3,
            fdatasync_us_p99: quantile(&mut self.syncs, 0.99) as f64 / 1e3,
            sha256_bytes_per_s: mean(&self.sha256),
            memcpy_bytes_per_s: mean(&self.memcpy),
            clock_ns_p50: quantile(&mut self.clock, 0.5),
        }
    }
}

fn failed(source: std::io::Error) -> CliError {
    CliError::Bench { what: "sync a file", source }
}

/// Event-sized messages a second, in bytes.
fn sha256() -> f64 {
    let message = [0x5a; EVENT];
    per_second(|| {
        std::hint::black_box(Sha256::digest(std::hint::black_box(message)));
    })
}

/// Event-sized copies a second, in bytes, each to the place after the last.
fn memcpy() -> f64 {
    let message = [0x5a; EVENT];
    let mut target = vec![1u8; TARGET];
    let mut at = 0;
    per_second(|| {
        if at + EVENT > TARGET {
            at = 0;
        }
        target[at..at + EVENT].copy_from_slice(std::hint::black_box(&message));
        std::hint::black_box(&mut target[at]);
        at += EVENT;
    })
}

fn per_second(mut one: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut bytes = 0usize;
    while start.elapsed() < COMPUTING {
        (0..1_000).for_each(|_| one());
        bytes += 1_000 * EVENT;
    }
    bytes as f64 / start.elapsed().as_secs_f64()
}

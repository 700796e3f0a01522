//! The machine's own limits: one append and sync at a time, and SHA-256 on one core.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Raw;
use super::phases::quantile;
use crate::error::CliError;

const SYNCS: usize = 500;
const HASHING: Duration = Duration::from_millis(300);

pub(super) fn measure(dir: &Path) -> Result<Raw, CliError> {
    Ok(Raw { fdatasync_us_p50: fdatasync(dir)?, sha256_bytes_per_s: sha256() })
}

/// Appending the 450 bytes of one event and syncing them, in microseconds.
fn fdatasync(dir: &Path) -> Result<f64, CliError> {
    let failed = |source| CliError::Bench { what: "sync a file", source };
    let mut file =
        OpenOptions::new().create_new(true).append(true).open(dir.join("raw")).map_err(failed)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[b'x'; 450]).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    Ok(quantile(&mut times, 0.5) as f64 / 1e3)
}

/// SHA-256 of event-sized messages.
fn sha256() -> f64 {
    let message = [0x5a; 450];
    let start = Instant::now();
    let mut bytes = 0usize;
    while start.elapsed() < HASHING {
        for _ in 0..1_000 {
            std::hint::black_box(Sha256::digest(std::hint::black_box(message)));
        }
        bytes += 1_000 * message.len();
    }
    bytes as f64 / start.elapsed().as_secs_f64()
}

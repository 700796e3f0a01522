//! How long those wait who wait for each event to be durable.
//!
//! What must stay true here: a waiting time goes from before `emit` to after the wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use audit_logging::{AuditEvent, AuditLogger};

use super::super::event;
use super::super::report::{AckLatency, Loaded};
use super::super::stats::quantile;
use super::{Place, WAITING, refused, remove};
use crate::error::CliError;

/// One producer that waits for each event, and nobody else.
pub(in super::super) fn acknowledgement(place: &Place<'_>) -> Result<AckLatency, CliError> {
    let (logger, dir) = place.open("acknowledgement")?;
    let latency = wait_for_each(&logger)?;
    logger.shutdown_blocking()?;
    remove(&dir)?;
    Ok(latency)
}

/// The same while another producer never waits.
pub(in super::super) fn loaded(place: &Place<'_>) -> Result<Loaded, CliError> {
    let (logger, dir) = place.open("loaded")?;
    let stop = AtomicBool::new(false);
    let (latency, flood) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let event = event::routine();
            let start = Instant::now();
            let mut count = 0u64;
            while !stop.load(Ordering::Relaxed) {
                drop(logger.emit(&event).map_err(refused)?);
                count += 1;
            }
            Ok::<f64, CliError>(count as f64 / start.elapsed().as_secs_f64())
        });
        let latency = wait_for_each(&logger);
        stop.store(true, Ordering::Relaxed);
        (latency, flood.join().map_err(|_| CliError::Bug("a producer panicked")))
    });
    let loaded = Loaded { ack_us: latency?, flood_events_per_s: flood?? };
    logger.shutdown_blocking()?;
    remove(&dir)?;
    Ok(loaded)
}

fn wait_for_each(logger: &AuditLogger) -> Result<AckLatency, CliError> {
    let event = event::routine();
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < WAITING {
        let start = Instant::now();
        logger.emit(&event).map_err(refused)?.wait_durable()?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    let mut at = |q| quantile(&mut times, q) as f64 / 1e3;
    Ok(AckLatency { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) })
}

/// Tasks that each wait for their event to be durable before they emit the next: events a second.
pub(in super::super) fn awaiting(place: &Place<'_>, tasks: usize) -> Result<f64, CliError> {
    let (logger, dir) = place.open("awaiting")?;
    let failed = |source| CliError::Bench { what: "start the runtime", source };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().map_err(failed)?;
    let event = Arc::new(event::routine());
    let begin = Instant::now();
    let done = runtime.block_on(async {
        let tasks: Vec<_> = (0..tasks)
            .map(|_| tokio::spawn(await_each(logger.clone(), Arc::clone(&event), begin)))
            .collect();
        let mut done = 0u64;
        for task in tasks {
            done += task.await.map_err(|_| CliError::Bug("a task panicked"))??;
        }
        Ok::<u64, CliError>(done)
    })?;
    let rate = done as f64 / begin.elapsed().as_secs_f64();
    logger.shutdown_blocking()?;
    remove(&dir)?;
    Ok(rate)
}

async fn await_each(
    logger: AuditLogger,
    event: Arc<AuditEvent>,
    begin: Instant,
) -> Result<u64, CliError> {
    let mut done = 0;
    while begin.elapsed() < WAITING {
        logger.emit(&*event).map_err(refused)?.durable().await?;
        done += 1;
    }
    Ok(done)
}

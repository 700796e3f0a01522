//! What is measured, one phase each, on a fresh trail each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_logging::{
    AuditConfig, AuditLogger, AuditMode, EmitError, FlushMode, OverflowPolicy, WaitError,
};
use audit_reader::{VerifyOptions, verify_dir};

use super::event::{self, Events};
use super::pace::Pace;
use super::{AckLatency, EmitLatency};
use crate::error::CliError;

/// How long the waiting phases go on.
const WAITING: Duration = Duration::from_secs(2);
/// How long the paced phase goes on.
const PACED_SECS: u64 = 2;

/// Where and how.
pub(super) struct Place<'a> {
    pub(super) dir: &'a Path,
    pub(super) flush_mode: FlushMode,
}

pub(super) struct Throughput {
    pub(super) events_per_s: f64,
    pub(super) bytes_per_event: f64,
    pub(super) verified_per_s: f64,
}

impl Place<'_> {
    fn open(&self, name: &str) -> Result<(AuditLogger, PathBuf), CliError> {
        let base_dir = self.dir.join(name);
        let logger = AuditLogger::new(AuditConfig {
            mode: AuditMode::Local { base_dir: base_dir.clone() },
            flush_mode: self.flush_mode,
            overflow: OverflowPolicy::Wait { limit_ms: 60_000 },
            ..AuditConfig::new("bench")
        })?;
        Ok((logger, base_dir))
    }
}

/// Producers that never wait; the clock stops when the last event is durable.
pub(super) fn throughput(
    place: &Place<'_>,
    producers: u64,
    events: u64,
) -> Result<Throughput, CliError> {
    let (logger, dir) = place.open("throughput")?;
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
    let start = Instant::now();
    let report = verify_dir(&dir, VerifyOptions::default())?;
    let verified_per_s = report.entries as f64 / start.elapsed().as_secs_f64();
    let bytes_per_event = report.bytes as f64 / report.entries as f64;
    Ok(Throughput { events_per_s, bytes_per_event, verified_per_s })
}

pub(super) struct Paced {
    pub(super) call: EmitLatency,
    pub(super) since_due: EmitLatency,
    pub(super) allocations_per_emit: f64,
}

/// One producer, paced: how long each call took, and how long after its event was due it ended.
pub(super) fn emit_latency(place: &Place<'_>, rate: u64) -> Result<Paced, CliError> {
    let (logger, _) = place.open("latency")?;
    let events = Events::new();
    for n in 0..1_000 {
        let _receipt = logger.emit(events.nth(n)).map_err(refused)?;
    }
    logger.flush_blocking()?;
    let count = rate * PACED_SECS;
    let gap = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX);
    let room = usize::try_from(count).unwrap_or(usize::MAX);
    let (mut calls, mut since_due) = (Vec::with_capacity(room), Vec::with_capacity(room));
    let mut outcome = Ok(());
    let mut pace = Pace::new(gap);
    let allocated = allocation_counter::measure(|| {
        for n in 0..count {
            let (due, start) = pace.wait();
            let emitted = logger.emit(events.nth(n));
            let end = Instant::now();
            match emitted {
                Ok(_receipt) => {
                    calls.push((end - start).as_nanos() as u64);
                    since_due.push((end - due).as_nanos() as u64);
                }
                Err(error) => {
                    outcome = Err(refused(error));
                    return;
                }
            }
        }
    });
    outcome?;
    logger.shutdown_blocking()?;
    Ok(Paced {
        call: summary(&mut calls),
        since_due: summary(&mut since_due),
        allocations_per_emit: allocated.count_total as f64 / count as f64,
    })
}

fn summary(times: &mut [u64]) -> EmitLatency {
    let max = times.iter().copied().max().unwrap_or(0);
    let mut at = |q| quantile(times, q);
    EmitLatency { p50: at(0.5), p99: at(0.99), p999: at(0.999), max }
}

/// One producer that waits for each event to be durable.
pub(super) fn acknowledgement(place: &Place<'_>) -> Result<AckLatency, CliError> {
    let (logger, _) = place.open("acknowledgement")?;
    let event = event::routine();
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < WAITING {
        let start = Instant::now();
        logger.emit(&event).map_err(refused)?.wait_durable()?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    logger.shutdown_blocking()?;
    let mut at = |q| quantile(&mut times, q) as f64 / 1e3;
    Ok(AckLatency { p50: at(0.5), p99: at(0.99) })
}

/// Tasks that each wait for their event to be durable before they emit the next.
pub(super) fn awaiting(place: &Place<'_>, tasks: usize) -> Result<f64, CliError> {
    let (logger, _) = place.open("awaiting")?;
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
    Ok(rate)
}

async fn await_each(
    logger: AuditLogger,
    event: Arc<audit_core::event::AuditEvent>,
    begin: Instant,
) -> Result<u64, CliError> {
    let mut done = 0;
    while begin.elapsed() < WAITING {
        let receipt = logger.emit(&*event).map_err(refused)?;
        let durable: Result<(), WaitError> = receipt.durable().await;
        durable?;
        done += 1;
    }
    Ok(done)
}

/// What `emit` costs when auditing is disabled, on top of having the event.
pub(super) fn disabled() -> Result<f64, CliError> {
    const TIMES: u32 = 20_000_000;
    let logger =
        AuditLogger::new(AuditConfig { mode: AuditMode::Disabled, ..AuditConfig::new("bench") })?;
    let event = event::routine();
    let time = |mut each: Box<dyn FnMut()>| {
        let start = Instant::now();
        each();
        start.elapsed().as_nanos() as f64 / f64::from(TIMES)
    };
    let shared = Arc::new(event);
    let event = Arc::clone(&shared);
    let idle = time(Box::new(move || {
        for _ in 0..TIMES {
            std::hint::black_box(&*event);
        }
    }));
    let with_emit = time(Box::new(move || {
        for _ in 0..TIMES {
            drop(std::hint::black_box(logger.emit(std::hint::black_box(&*shared))));
        }
    }));
    Ok((with_emit - idle).max(0.0))
}

/// The value below which the share `q` of the values lie.
pub(super) fn quantile(values: &mut [u64], q: f64) -> u64 {
    if values.is_empty() {
        return 0;
    }
    let index = ((values.len() - 1) as f64 * q).round() as usize;
    *values.select_nth_unstable(index).1
}

fn refused(error: EmitError) -> CliError {
    CliError::Emit { line: 0, error }
}

//! What a caller pays: `emit` under a paced load, `emit` when disabled, and making the event.
//!
//! What must stay true here: the load is that of a clock, not of the logger: a stall delays no
//! event's due time. Nothing is allocated or touched for the first time while it is measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_logging::{AuditConfig, AuditLogger, AuditMode, Distribution};

use super::super::event::{self, Events};
use super::super::pace::Pace;
use super::super::report::{AckLatency, EmitLatency, Paced};
use super::super::stats::quantile;
use super::{Place, refused, remove};
use crate::error::CliError;

/// How long the paced phase goes on.
const PACED_SECS: u64 = 2;
const WARM_UP: u64 = 5_000;
const TIMES: u32 = 5_000_000;

/// One producer, paced: how long each call took, and how long after its event was due it ended.
pub(in super::super) fn paced(place: &Place<'_>, rate: u64) -> Result<Paced, CliError> {
    let (logger, dir) = place.open(&format!("paced-{rate}"))?;
    let events = Events::new();
    let gap = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX);
    let mut pace = Pace::new(gap);
    for n in 0..WARM_UP.min(rate / 10) {
        pace.wait();
        let _receipt = logger.emit(events.nth(n)).map_err(refused)?;
    }
    logger.flush_blocking()?;
    let before = logger.metrics();
    let count = usize::try_from(rate * PACED_SECS).unwrap_or(usize::MAX);
    // Written to once already: a page that is touched first while measuring would be felt.
    let mut times = vec![(1u64, 1u64); count];
    let mut outcome = Ok(());
    let mut pace = Pace::new(gap);
    let begin = Instant::now();
    let allocated = allocation_counter::measure(|| {
        for (n, (call, since_due)) in times.iter_mut().enumerate() {
            let (due, start) = pace.wait();
            let emitted = logger.emit(events.nth(n as u64));
            let end = Instant::now();
            if let Err(error) = emitted {
                outcome = Err(refused(error));
                return;
            }
            *call = (end - start).as_nanos() as u64;
            *since_due = (end - due).as_nanos() as u64;
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    outcome?;
    logger.flush_blocking()?;
    let residency = logger.metrics().since(&before).ring.residency_ns;
    logger.shutdown_blocking()?;
    remove(&dir)?;
    let (mut calls, mut since_due): (Vec<u64>, Vec<u64>) = times.into_iter().unzip();
    Ok(Paced {
        rate,
        achieved_per_s: count as f64 / seconds,
        emit_ns: summary(&mut calls),
        emit_due_ns: summary(&mut since_due),
        allocations_per_emit: allocated.count_total as f64 / count as f64,
        residency_us: (residency.count() > 0).then(|| microseconds(&residency)),
    })
}

fn summary(times: &mut [u64]) -> EmitLatency {
    let mut at = |q| quantile(times, q);
    EmitLatency { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
}

fn microseconds(nanos: &Distribution) -> AckLatency {
    let at = |q| nanos.quantile(q) as f64 / 1e3;
    AckLatency { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
}

/// What `emit` costs when auditing is disabled, on top of having the event.
pub(in super::super) fn disabled() -> Result<f64, CliError> {
    let logger =
        AuditLogger::new(AuditConfig { mode: AuditMode::Disabled, ..AuditConfig::new("bench") })?;
    let shared = Arc::new(event::routine());
    let event = Arc::clone(&shared);
    let idle = each(Box::new(move || {
        std::hint::black_box(&*event);
    }));
    let with_emit = each(Box::new(move || {
        drop(std::hint::black_box(logger.emit(std::hint::black_box(&*shared))));
    }));
    Ok((with_emit - idle).max(0.0))
}

/// What making the event costs its caller: three allocations, and giving them back.
pub(in super::super) fn build_event() -> f64 {
    each(Box::new(|| drop(std::hint::black_box(event::routine()))))
}

/// Nanoseconds of one call, in a row of many.
fn each(mut call: Box<dyn FnMut()>) -> f64 {
    let start = Instant::now();
    for _ in 0..TIMES {
        call();
    }
    start.elapsed().as_nanos() as f64 / f64::from(TIMES)
}

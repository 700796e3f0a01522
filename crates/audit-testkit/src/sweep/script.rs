//! What the child does while its system calls fail: open, emit, rotate, seal, close.
//!
//! What must stay true here: what was promised is told by `sendto` on standard input, a socket, which
//! no storage call is, so an injected fault never hits it; it is told after it was given. No wait is
//! for ever.

use std::path::Path;
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, FlushMode, RotationPolicy};
use rustix::net::{SendFlags, send};

use crate::TestEvent;
use crate::plan::base_config;

/// Events of a life. The three in the middle are large, so that the segment and the key rotate.
pub(super) const EVENTS: u64 = 7;
/// Events that the life before left in its ring.
pub(super) const LEFT: u64 = 12;
/// A healthy disk answers sooner, a broken one is not waited for.
const PATIENCE: Duration = Duration::from_millis(400);

/// The configuration of every life.
pub(super) fn config(trail: &Path) -> AuditConfig {
    AuditConfig {
        rotation: RotationPolicy::Both { bytes: 64 << 10 },
        queue_bytes: 1 << 20,
        seal_interval_ms: 5,
        drop_limit_ms: 200,
        ..base_config(trail)
    }
}

fn say(text: &str) -> Result<(), String> {
    let line = format!("{text}\n");
    match send(rustix::stdio::stdin(), line.as_bytes(), SendFlags::NOSIGNAL) {
        Ok(sent) if sent == line.len() => Ok(()),
        Ok(sent) => Err(format!("{sent} bytes of {line:?} were taken")),
        Err(error) => Err(format!("send: {error}")),
    }
}

/// A life that leaves events in its ring, and is then no more.
///
/// # Errors
/// What should not happen to a process that nobody hinders.
pub fn leave(trail: &Path) -> Result<(), String> {
    let lazy = FlushMode::Batched { size: 1_000_000, interval_secs: 3_600 };
    let config = AuditConfig { flush_mode: lazy, ..config(trail) };
    let logger = AuditLogger::new(config).map_err(|e| format!("open: {e}"))?;
    for n in 0..LEFT {
        let event = TestEvent::routine(format!("0/0/{n}")).padded(if n == 5 { 20_000 } else { 40 });
        drop(logger.emit(event).map_err(|e| format!("emit: {e}"))?);
        if n == 2 {
            logger.flush_blocking().map_err(|e| format!("flush: {e}"))?;
        }
    }
    std::process::abort();
}

/// Life 1: opens, emits, seals, closes, and tells what it was promised.
///
/// # Errors
/// Only that it could not tell; what the trail says is told, and is no error.
pub fn act(trail: &Path) -> Result<(), String> {
    say(&format!("pid {}", std::process::id()))?;
    say("begin")?;
    match AuditLogger::new(config(trail)) {
        Err(error) => say(&format!("refused {}", error.to_string().escape_debug()))?,
        Ok(logger) => write(&logger)?,
    }
    say("end")
}

fn write(logger: &AuditLogger) -> Result<(), String> {
    say("opened")?;
    let mut patience = PATIENCE;
    let mut receipts = Vec::new();
    for n in 0..EVENTS {
        let label = format!("1/0/{n}");
        let event = if n == 5 { TestEvent::critical(&label) } else { TestEvent::routine(&label) };
        let padding = if (2..5).contains(&n) { 30_000 } else { 50 };
        let Ok(receipt) = logger.emit(event.padded(padding)) else { break };
        say(&format!("e {label}"))?;
        match receipt.wait_durable_timeout(patience) {
            Ok(()) => say(&format!("d {label}"))?,
            Err(_) => patience = Duration::ZERO,
        }
        receipts.push((label, receipt));
    }
    if logger.shutdown_timeout(4 * PATIENCE).is_ok() {
        say("closed")?;
    }
    for (label, receipt) in receipts {
        if receipt.is_durable() {
            say(&format!("d {label}"))?;
        }
        if receipt.is_sealed() {
            say(&format!("s {label}"))?;
        }
    }
    Ok(())
}

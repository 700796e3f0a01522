//! A trail held against a model: what it must contain, to the entry.
//!
//! **Model.** A list. `emit` appends to it; a flush, a seal, a new day, a restart and a kill do not
//! touch it. Kills keep the page cache, so nothing may be missing: the trail's events are the list,
//! not some of it. Beside it stand the counts of control entries that the operations must have made.
//!
//! What must stay true here: the model shares nothing with what it judges but the events' labels; the
//! operations come from the seed.

use std::sync::Arc;
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, FlushMode, RotationPolicy};

use crate::read::{labels, of_type, read_trail, segments};
use crate::sim_history::{PATIENCE, wait};
use crate::{Rng, SimDisk, TestClock, TestEvent, seals};

/// What the trail must be.
#[derive(Debug, Default)]
struct Model {
    events: Vec<String>,
    openings: usize,
    closings: usize,
    kills: usize,
}

/// Runs `rounds` random sequences of operations.
///
/// # Errors
/// Where trail and model differ, with the seed of the round.
pub fn run(rounds: u64, seed: u64) -> Result<u64, String> {
    let mut events = 0;
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        events += sequence(seed).map_err(|error| format!("model::run(1, {seed}): {error}"))?;
    }
    Ok(events)
}

fn sequence(seed: u64) -> Result<u64, String> {
    let mut rng = Rng::new(seed);
    let clock = TestClock::at("2026-11-23T23:00:00Z");
    let mut disk = SimDisk::new(rng.next_u64());
    let mut model = Model::default();
    let mut logger = open(&disk, &clock, &mut rng, &mut model)?;
    for _ in 0..rng.between(5, 40) {
        match rng.below(16) {
            0 => wait(flush(&logger, false))?,
            1 => wait(flush(&logger, true))?,
            2 => clock.advance(Duration::from_secs(86_400)),
            3 => clock.advance(Duration::from_secs(rng.below(7_200))),
            4 => {
                close(&logger, &mut model)?;
                drop(logger);
                logger = open(&disk, &clock, &mut rng, &mut model)?;
            }
            5 => {
                // From one moment to the next nothing reaches the disk; the ring stays.
                disk.die_after(1);
                drop(logger);
                disk = disk.after_kill();
                model.kills += 1;
                logger = open(&disk, &clock, &mut rng, &mut model)?;
            }
            _ => {
                let label = model.events.len().to_string();
                let padding = [0, 300, 9_000, 31_000][rng.between(0, 3)];
                let event = if rng.one_in(5) {
                    TestEvent::critical(&label)
                } else {
                    TestEvent::routine(&label)
                };
                match logger.emit(event.padded(padding)) {
                    Ok(_) => model.events.push(label),
                    Err(error) => return Err(format!("emit: {error}")),
                }
            }
        }
    }
    close(&logger, &mut model)?;
    drop(logger);
    model.check(&disk)
}

fn open(
    disk: &SimDisk,
    clock: &TestClock,
    rng: &mut Rng,
    model: &mut Model,
) -> Result<AuditLogger, String> {
    let flush_mode = match rng.below(4) {
        0 => FlushMode::Batched { size: 4, interval_secs: 3_600 },
        1 => FlushMode::Batched { size: 1_000_000, interval_secs: 3_600 },
        2 => FlushMode::hybrid(),
        _ => FlushMode::Immediate,
    };
    let config = AuditConfig {
        flush_mode,
        rotation: RotationPolicy::Both { bytes: 64 << 10 },
        // The largest sequence fits, so nothing may be refused.
        queue_bytes: 2 << 20,
        seal_interval_ms: 1 + rng.below(20),
        ..AuditConfig::new("model")
    };
    let builder = AuditLogger::builder(config).clock(clock.shared());
    let logger = builder.storage(Arc::new(disk.clone())).open();
    model.openings += 1;
    logger.map_err(|e| format!("does not open: {e}"))
}

fn flush(logger: &AuditLogger, seal: bool) -> Result<(), audit_logging::WaitError> {
    if seal { logger.seal_blocking() } else { logger.flush_blocking() }
}

fn close(logger: &AuditLogger, model: &mut Model) -> Result<(), String> {
    model.closings += 1;
    logger.shutdown_timeout(PATIENCE).map_err(|e| format!("does not close: {e}"))
}

impl Model {
    fn check(&self, disk: &SimDisk) -> Result<u64, String> {
        let lines = read_trail(disk)?;
        let found = labels(&lines);
        if found != self.events {
            return Err(format!("{:?} were emitted, {found:?} are there", self.events));
        }
        let count = |event_type| of_type(&lines, event_type).len();
        let (opened, closed) = (count("audit.opened"), count("audit.closed"));
        let recovered = count("audit.recovered");
        if (opened, closed, recovered) != (self.openings, self.closings, self.kills) {
            return Err(format!(
                "{self:?}, but opened {opened}, closed {closed}, recovered {recovered}"
            ));
        }
        let dates: Vec<String> = segments(disk)?.iter().map(|name| name[..10].to_owned()).collect();
        if !dates.is_sorted() {
            return Err(format!("dates go back: {dates:?}"));
        }
        let sealed = seals::check(disk, &lines)?;
        if sealed.size != lines.len() as u64 {
            return Err(format!("closed, and {} of {} sealed", sealed.size, lines.len()));
        }
        Ok(self.events.len() as u64)
    }
}

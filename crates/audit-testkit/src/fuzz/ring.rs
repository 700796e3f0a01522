//! Recovery of a ring whose file holds anything: the target `ring`.
//!
//! What must stay true here: through the public opening, over a simulated disk, so that salvage, the
//! comparison with the segments and the quarantine are all in it. Whatever the bytes, the trail opens or
//! is refused with the one error that says why; nothing is in it that was not accepted, nothing twice,
//! nothing out of order, and what is in the segments stays.

use std::sync::{Arc, OnceLock};

use audit_logging::storage::Storage;
use audit_logging::{AuditConfig, AuditLogger, FlushMode, OpenError};

use crate::read::{labels, read_trail};
use crate::{SimDisk, TestClock, TestEvent};

/// Events of the dead process, and how many of them it had made durable.
const EVENTS: usize = 14;
const DURABLE: usize = 3;
/// The header, and the cells that hold its events.
const EDITED: usize = 4096 + 64 * 200;

/// What a killed process left.
struct Left {
    disk: SimDisk,
    name: String,
    ring: Vec<u8>,
}

fn open(disk: &SimDisk) -> Result<AuditLogger, OpenError> {
    let config = AuditConfig {
        flush_mode: FlushMode::Batched { size: 1_000_000, interval_secs: 3_600 },
        queue_bytes: 1 << 20,
        ..AuditConfig::new("fuzz")
    };
    let clock = TestClock::at("2026-11-25T08:00:00Z");
    AuditLogger::builder(config).clock(clock.shared()).storage(Arc::new(disk.clone())).open()
}

fn left() -> &'static Left {
    static LEFT: OnceLock<Left> = OnceLock::new();
    LEFT.get_or_init(|| {
        let disk = SimDisk::new(1);
        let logger = open(&disk).expect("a new trail");
        for n in 0..EVENTS {
            let padding = if n == 9 { 2_000 } else { n * 20 };
            let receipt = logger.emit(TestEvent::routine(n.to_string()).padded(padding));
            drop(receipt.expect("room"));
            if n + 1 == DURABLE {
                logger.flush_blocking().expect("a healthy disk");
            }
        }
        // Nothing reaches the disk any more, and the ring stays.
        disk.die_after(1);
        drop(logger);
        let disk = disk.after_kill();
        let names = disk.list("").expect("a healthy disk");
        let name = names.into_iter().find(|name| name.ends_with(".ring")).expect("a ring");
        let ring = crate::read::bytes_of(&disk, &name).expect("a healthy disk");
        Left { disk, name, ring }
    })
}

/// The first byte says whether the rest is the file, or edits of a true one of five bytes each:
/// where, what is done, with what.
pub(super) fn ring(bytes: &[u8]) {
    let left = left();
    let (way, rest) = bytes.split_first().map_or((0, bytes), |(way, rest)| (*way, rest));
    let mut file = if way == 255 { rest.to_vec() } else { left.ring.clone() };
    if way != 255 {
        rest.as_chunks().0.iter().for_each(|edit| apply(&mut file, *edit));
    }
    let disk = left.disk.after_kill();
    disk.overwrite(&left.name, file);
    let logger = match open(&disk) {
        Ok(logger) => logger,
        // A ring of another version is not guessed at.
        Err(OpenError::Damaged { problem, .. }) if problem.contains("version") => return,
        Err(error) => panic!("does not open: {error}"),
    };
    logger.shutdown_blocking().expect("a healthy disk");
    let lines = read_trail(&disk).unwrap_or_else(|error| panic!("{error}"));
    let found: Vec<usize> =
        labels(&lines).iter().map(|label| label.parse().expect("one of ours")).collect();
    assert!(found.is_sorted_by(|a, b| a < b), "repeated or out of order: {found:?}");
    assert!(found.iter().all(|n| *n < EVENTS), "never accepted: {found:?}");
    assert!((0..DURABLE).all(|n| found.contains(&n)), "was durable: {found:?}");
    if way != 255 && rest.len() < 5 {
        assert_eq!(found.len(), EVENTS, "accepted, and the ring is as it was left: {found:?}");
    }
}

fn apply(file: &mut Vec<u8>, [low, high, what, value, more]: [u8; 5]) {
    let at = usize::from(u16::from_le_bytes([low, high])) % EDITED;
    match what % 8 {
        0 => file[at] ^= value,
        1 => file[at] = value,
        // A word of the header.
        2 => file[(at % 66) * 8] = value,
        3 => file[at..at + 8].fill(value),
        4 => {
            let from = 4096 + usize::from(value) * 64;
            file.copy_within(from..from + 64, 4096 + at % 12_000 / 64 * 64);
        }
        // The tail, anywhere.
        5 => file[32 * 8 + usize::from(low) % 8] = more,
        6 => file.truncate(file.len().saturating_sub(usize::from(value) << (more % 13))),
        // A header whose checksum is right, whatever it says.
        _ => {
            let sum = crc32c::crc32c(&file[..96]);
            file[96..104].copy_from_slice(&u64::from(sum).to_le_bytes());
        }
    }
    // Later edits need bytes to edit.
    file.resize(file.len().max(EDITED + 64), 0);
}

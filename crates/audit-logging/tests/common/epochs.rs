//! Lives of a service whose keys come and go.

use std::path::{Path, PathBuf};

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::VerifierKey;
use audit_logging::keys::key_files;
use audit_logging::{AuditConfig, AuditLogger, RotationPolicy};
use audit_testkit::TestEvent;
use audit_testkit::read::segments;

use super::{PATIENCE, config, durable, storage};

pub fn trail(dir: &Path) -> PathBuf {
    dir.join("trail")
}

/// A service that starts, with a new key if it is asked for, records something, and stops.
pub fn life(dir: &Path, rotate: bool, label: &str) {
    let builder = AuditLogger::builder(config(dir));
    let builder = if rotate { builder.rotate_key() } else { builder };
    let logger = builder.open().unwrap();
    durable(&logger, label);
    logger.shutdown_timeout(PATIENCE).unwrap();
}

/// The epochs of the key files there are.
pub fn epochs(dir: &Path) -> Vec<u64> {
    key_files(&trail(dir)).unwrap().iter().map(|file| file.epoch).collect()
}

/// The key of the newest file.
pub fn newest_key(dir: &Path) -> VerifierKey {
    VerifierKey::parse(&key_files(&trail(dir)).unwrap().pop().unwrap().vkey.unwrap()).unwrap()
}

pub fn checkpoint(dir: &Path) -> SignedCheckpoint {
    SignedCheckpoint::parse(&std::fs::read(trail(dir).join("checkpoint")).unwrap()).unwrap()
}

pub fn in_small_segments(dir: &Path) -> AuditConfig {
    AuditConfig { rotation: RotationPolicy::SizeLimit { bytes: 64 << 10 }, ..config(dir) }
}

/// The segments in the order of the trail.
pub fn segments_of(dir: &Path) -> Vec<PathBuf> {
    let names = segments(&storage(dir)).unwrap();
    names.iter().map(|name| trail(dir).join(name)).collect()
}

/// A service that records until there are so many segments, each with a key of its own, and stops.
pub fn life_of_segments(dir: &Path, count: usize) {
    let logger = AuditLogger::new(in_small_segments(dir)).unwrap();
    while segments_of(dir).len() < count {
        let receipt = logger.emit(TestEvent::routine("a").padded(20_000)).unwrap();
        receipt.wait_durable_timeout(PATIENCE).unwrap();
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
}

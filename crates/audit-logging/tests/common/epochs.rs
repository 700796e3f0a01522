//! Lives of a service whose keys come and go.

use std::path::{Path, PathBuf};

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::VerifierKey;
use audit_logging::AuditLogger;
use audit_logging::keys::key_files;

use super::{PATIENCE, config, durable};

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

//! What the tests of the logger share.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

pub mod epochs;
pub mod rings;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_logging::storage::{DirStorage, Storage};
use audit_logging::{AuditConfig, AuditLogger, AuditMode, FlushMode};

/// A wait longer than this is a failed test.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration for a trail in `dir`.
pub fn config(dir: &Path) -> AuditConfig {
    AuditConfig {
        mode: AuditMode::Local { base_dir: dir.join("trail") },
        ..AuditConfig::new("billing-api")
    }
}

pub fn with_mode(dir: &Path, flush_mode: FlushMode) -> AuditConfig {
    AuditConfig { flush_mode, ..config(dir) }
}

/// Batched so that nothing but a full batch or a flush syncs.
pub const fn lazy() -> FlushMode {
    FlushMode::Batched { size: 1_000_000, interval_secs: 3_600 }
}

/// The directory of the trail in `dir`, made if need be.
pub fn storage(dir: &Path) -> DirStorage {
    DirStorage::open(&dir.join("trail"), true).unwrap()
}

/// Emits an event and waits until it is durable.
pub fn durable(logger: &AuditLogger, label: &str) {
    let receipt = logger.emit(audit_testkit::TestEvent::routine(label)).unwrap();
    receipt.wait_durable_timeout(PATIENCE).unwrap();
}

/// The segments of the trail in `dir`, in the order of their names.
pub fn segment_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir.join("trail"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "audit"))
        .collect();
    found.sort();
    found
}

/// Opens `config` over a wrapped storage.
pub fn open_over(config: AuditConfig, storage: Arc<dyn Storage>) -> AuditLogger {
    AuditLogger::builder(config).storage(storage).open().unwrap()
}

/// Copies a trail as it stands: what a kill leaves.
pub fn copy_all(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            // What is being replaced may have lost its temporary name meanwhile.
            match std::fs::copy(entry.path(), target) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}

/// A file system in memory, unmounted at the end.
pub struct Mount(tempfile::TempDir);

impl Mount {
    /// `None` where it is not allowed.
    pub fn new(size: &str) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0755"), "tmpfs"])
            .arg(dir.path())
            .output();
        done.is_ok_and(|output| output.status.success()).then_some(Mount(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "still mounted");
    }
}

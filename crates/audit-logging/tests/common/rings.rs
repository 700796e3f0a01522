//! Rings left behind: by copying the directory of a living trail, and by killing a process.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use audit_logging::{AuditConfig, AuditLogger};
use audit_testkit::TestEvent;
use audit_testkit::read::Line;

use super::{PATIENCE, config, copy_all, lazy, with_mode};

const DIR: &str = "LIFE_DIR";
const RING_DIR: &str = "LIFE_RING_DIR";
const EVENTS: &str = "LIFE_EVENTS";

/// Copies the trail of `dir` as it stands into a new directory.
pub fn kill(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_all(&dir.join("trail"), &copy.path().join("trail"));
    copy
}

pub fn rings(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ring"))
        .collect();
    found.sort();
    found
}

pub fn only_ring(dir: &Path) -> PathBuf {
    let [ring] = <[PathBuf; 1]>::try_from(rings(&dir.join("trail"))).unwrap();
    ring
}

pub fn read(dir: &Path) -> Vec<Line> {
    audit_testkit::read::read_dir(&dir.join("trail"))
}

/// Opens the trail of `dir`, closes it, and returns its lines.
pub fn reopen(dir: &Path) -> Vec<Line> {
    AuditLogger::new(config(dir)).unwrap().shutdown_timeout(PATIENCE).unwrap();
    read(dir)
}

pub fn recovered(lines: &[Line]) -> Vec<&serde_json::Value> {
    lines.iter().filter(|l| l.event_type == "audit.recovered").map(|l| &l.details).collect()
}

/// The body of a test named `a_life`, which a test program that uses [`killed`] must have: in a
/// process made by it, emits one event that is written and others that stay in the ring, and waits
/// to be killed.
pub fn live() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let ring_dir = std::env::var_os(RING_DIR).map(PathBuf::from);
    let config = AuditConfig { ring_dir, ..with_mode(Path::new(&dir), lazy()) };
    let logger = AuditLogger::new(config).unwrap();
    // The first event of a batch wakes the writer; nothing does after it.
    drop(logger.emit(TestEvent::routine("written")).unwrap());
    let segment = super::segment_files(Path::new(&dir)).pop().unwrap();
    while !std::fs::read_to_string(&segment).unwrap().contains("\"written\"") {
        std::thread::yield_now();
    }
    let events = std::env::var(EVENTS).unwrap();
    for label in events.split_whitespace() {
        drop(logger.emit(TestEvent::routine(label)).unwrap());
    }
    println!("\nready");
    // Ends when the test does, if that does not kill this process.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// A process that emitted an event "written", which was written, and then these, which were not,
/// into a ring in `ring_dir`, and was killed.
pub fn killed(dir: &Path, ring_dir: Option<&Path>, events: &[&str]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_life", "--nocapture"]).env(DIR, dir);
    command.env(EVENTS, events.join(" ")).stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(ring_dir) = ring_dir {
        command.env(RING_DIR, ring_dir);
    }
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_ready = lines.any(|line| line.unwrap() == "ready");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_ready, "the process ended by itself");
}

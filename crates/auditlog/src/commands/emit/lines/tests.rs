//! Lines on a disk that is full.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use audit_logging::storage::DirStorage;
use audit_logging::{AuditConfig, AuditMode};
use audit_testkit::read::of_type;
use audit_testkit::{FaultyStorage, read_dir};

use super::*;

const LINE: &[u8] = b"{\"event_type\":\"door.opened\"}\n";

/// A trail on a disk without room.
fn full_disk(dir: &std::path::Path) -> (AuditLogger, Arc<FaultyStorage>) {
    let path = dir.join("trail");
    let disk = FaultyStorage::over(DirStorage::open(&path, true).unwrap());
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: path },
        ..AuditConfig::new("billing-api")
    };
    disk.set_space(0, 1 << 40);
    let audit = AuditLogger::builder(config).storage(disk.clone()).open().unwrap();
    while audit.space_level() < SpaceLevel::Full {
        std::thread::yield_now();
    }
    (audit, disk)
}

/// Has the first line when it is asked, and says so.
struct Told(std::sync::mpsc::Sender<()>, &'static [u8]);

impl io::Read for Told {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.1.read(buf)?;
        self.0.send(()).map_err(io::Error::other)?;
        Ok(read)
    }
}

#[test]
fn a_full_disk_makes_the_input_wait_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (audit, disk) = full_disk(dir.path());
    let (asked, was_asked) = std::sync::mpsc::channel();
    let mut told = Vec::new();
    let tally = std::thread::scope(|scope| {
        let told = &mut told;
        let audit = &audit;
        let lines = scope.spawn(move || {
            let mut input = io::BufReader::new(Told(asked, LINE));
            Recorder::new(audit, None).record(&mut input, told)
        });
        was_asked.recv().unwrap();
        assert!(!lines.is_finished());
        disk.set_space(1 << 40, 1 << 40);
        lines.join().unwrap().unwrap()
    });
    assert_eq!(tally, Tally { recorded: 1, refused: 0 });
    assert!(told.is_empty());
    audit.shutdown_blocking().unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    assert_eq!(of_type(&lines, "door.opened").len(), 1);
    assert!(of_type(&lines, "audit.events_dropped").is_empty(), "waiting is no refusal");
}

#[test]
fn a_disk_that_stays_full_costs_the_line_when_patience_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let (audit, disk) = full_disk(dir.path());
    let mut told = Vec::new();
    let hasty = Recorder { patience: Duration::from_millis(1), ..Recorder::new(&audit, None) };
    let tally = hasty.record(&mut LINE.repeat(25).as_slice(), &mut told).unwrap();
    assert_eq!(tally, Tally { recorded: 0, refused: 25 });
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told.lines().count(), 21, "{told}");
    assert!(told.starts_with("auditlog: line 1: ") && told.contains("line 20: "), "{told}");
    assert!(told.ends_with("auditlog: 5 more lines were refused\n"), "{told}");
    disk.set_space(1 << 40, 1 << 40);
    audit.shutdown_blocking().unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    let counts = of_type(&lines, "audit.events_dropped");
    let sum: u64 = counts.iter().map(|line| line.details["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, 25);
}

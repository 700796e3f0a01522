//! Trails of several days, and what the verifier says of them.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use audit_logging::core::chain::Hash;
use audit_logging::core::entry::Entry;
use audit_logging::core::note::VerifierKey;
use audit_logging::{
    AuditConfig, AuditLogger, AuditMode, RetentionPolicy, RotationPolicy, existing_trail,
};
use audit_reader::{
    DirSource, FindingKind, Order, Query, QueryOptions, Report, Verdict, VerifyOptions, verify_dir,
};
use audit_testkit::{TestClock, TestEvent};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub const DAY: Duration = Duration::from_secs(86_400);
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Archived after ten days, deleted after thirty.
pub const POLICY: RetentionPolicy =
    RetentionPolicy { min_retention_days: 30, archive_after_days: 10, delete_after_days: 30 };

pub fn config(dir: &Path) -> AuditConfig {
    AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        rotation: RotationPolicy::Daily,
        retention: POLICY,
        retention_interval_hours: 0,
        heartbeat_secs: 0,
        seal_interval_ms: 1,
        queue_bytes: 1 << 20,
        ..AuditConfig::new("billing-api")
    }
}

pub fn open(dir: &Path, clock: &TestClock) -> AuditLogger {
    AuditLogger::builder(config(dir)).clock(clock.shared()).open().unwrap()
}

/// Some days of some entries each.
pub fn live(logger: &AuditLogger, clock: &TestClock, days: u32) {
    for day in 0..days {
        for n in 0..12 {
            let label = format!("day {day} entry {n}");
            drop(logger.emit(TestEvent::routine(label).padded(n * 40)).unwrap());
        }
        logger.flush_blocking().unwrap();
        clock.advance(DAY);
    }
    // The last of these days is over when the next has begun.
    drop(logger.emit(TestEvent::routine("today")).unwrap());
    logger.seal_blocking().unwrap();
}

/// Names in the directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub fn ending(dir: &Path, suffix: &str) -> Vec<String> {
    names(dir).into_iter().filter(|name| name.ends_with(suffix)).collect()
}

/// Bytes of disk that a directory's files take.
pub fn blocks(dir: &Path) -> u64 {
    names(dir).iter().map(|name| dir.join(name).symlink_metadata().unwrap().blocks() * 512).sum()
}

pub fn verify(dir: &Path, key: Option<VerifierKey>) -> Report {
    let mut options = VerifyOptions::default();
    if let Some(key) = key {
        options = options.with_key(key);
    }
    verify_dir(dir, options).unwrap()
}

pub fn first_key(dir: &Path) -> VerifierKey {
    VerifierKey::parse(&existing_trail(dir).unwrap().unwrap().initial_key).unwrap()
}

/// No violation, and every entry there is under a signature that holds.
pub fn assert_proven(dir: &Path, key: VerifierKey, context: &str) -> Report {
    let report = verify(dir, Some(key));
    assert!(!report.findings.violated(), "{context}: {:?}", report.findings.kept());
    assert_eq!(report.verdict, Verdict::Proven, "{context}: {:?}", report.findings.kept());
    report
}

pub fn notices(report: &Report, kind: FindingKind) -> usize {
    report.findings.kept().iter().filter(|finding| finding.kind == kind).count()
}

/// `details` of the newest `audit.retention_applied`.
pub fn applied(dir: &Path) -> Value {
    let mut found = Value::Null;
    let query = Query::new().event_type("audit.retention_applied").order(Order::NewestFirst);
    query
        .run(DirSource::open(dir).unwrap(), QueryOptions::default(), |hit| {
            let entry: Value = serde_json::from_slice(hit.bytes).unwrap();
            found = entry["details"].clone();
            ControlFlow::Break(())
        })
        .unwrap();
    found
}

/// The key to pin for a trail that was shortened.
pub fn front_key(applied: &Value) -> VerifierKey {
    VerifierKey::parse(applied["front"]["key"].as_str().unwrap()).unwrap()
}

/// The trail's plain segments, in order, with their lines.
pub fn lines_of(dir: &Path) -> Vec<(String, Vec<String>)> {
    let read = |name: String| {
        let text = fs::read_to_string(dir.join(&name)).unwrap();
        (name, text.lines().map(str::to_owned).collect())
    };
    ending(dir, ".audit").into_iter().map(read).collect()
}

/// Changes lines as somebody does who can write every file and has no key: every hash from there on and
/// every checksum is made anew, in files that stay the same for who has them open.
pub fn forge(dir: &Path, change: impl Fn(&str) -> String) {
    let mut before: Option<Hash> = None;
    for (name, lines) in lines_of(dir) {
        let text: String =
            lines.iter().map(|line| chained(&change(line), &mut before) + "\n").collect();
        let path = dir.join(&name);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert_eq!(file.metadata().unwrap().len(), text.len() as u64, "{name} keeps its length");
        file.write_all_at(text.as_bytes(), 0).unwrap();
        let checksum = dir.join(format!("{name}.sha256"));
        if checksum.exists() {
            let digest = Hash(Sha256::digest(text.as_bytes()).into());
            fs::remove_file(&checksum).unwrap();
            fs::write(&checksum, format!("{digest}  {name}\n")).unwrap();
        }
    }
}

/// A line that continues the one before, with a hash of its own.
pub fn chained(line: &str, before: &mut Option<Hash>) -> String {
    const HASHES: usize = "\"prev_hash\":\"\",\"hash\":\"\"}".len() + 128;
    let (body, hashes) = line.split_at(line.len() - HASHES);
    let previous = before.map_or(hashes[13..77].to_owned(), |hash| hash.to_string());
    let with = |hash: &str| format!("{body}\"prev_hash\":\"{previous}\",\"hash\":\"{hash}\"}}");
    let hash = Entry::parse(with(&"0".repeat(64)).as_bytes()).unwrap().computed_hash();
    *before = Some(hash);
    with(&hash.to_string())
}

//! Entries that somebody without a key puts behind a closed or crashed trail, for the next writer to sign.
//!
//! What must stay true here: what is planted is well formed, well chained and whole. It takes protection
//! from nothing, and it takes nothing from what the trail itself says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use audit_core::checkpoint::Checkpoint;
use audit_core::entry::Entry;
use audit_core::note::{SignatureType, Signer, SigningKey, VerifierKey};
use audit_core::tree::Frontier;
use audit_logging::core::event::ActorInfo;
use audit_logging::core::retention::HoldScope;
use audit_logging::storage::{DirStorage, Storage};
use audit_logging::{AuditLogger, OpenError};
use audit_reader::{FindingKind, Verdict};
use audit_testkit::faulty::How;
use audit_testkit::stranger::plant;
use audit_testkit::{FaultyStorage, Op, TestClock, TestEvent};
use serde_json::{Value, json};

use crate::common::*;

/// Days before anything is planted; three segments are expired then.
const DAYS: u32 = 34;
const FIRST: &str = "2026-01-01.audit";

fn grown(dir: &Path) -> TestClock {
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(dir, &clock);
    live(&logger, &clock, DAYS);
    logger.shutdown_blocking().unwrap();
    clock
}

fn newest(dir: &Path) -> PathBuf {
    dir.join(ending(dir, ".audit").pop().unwrap())
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn entry(line: &str) -> Entry<'_> {
    Entry::parse(line.as_bytes()).unwrap()
}

/// What the trail's own retention would say of its first segment. The tree is of no use to a thief.
fn deletion_of_the_first(dir: &Path) -> (u64, Value) {
    let text = lines(&dir.join(FIRST));
    let (first, last) = (entry(&text[0]).seq(), entry(text.last().unwrap()).seq());
    let sum = fs::read_to_string(dir.join(format!("{FIRST}.sha256"))).unwrap();
    let row = json!({"filename": FIRST, "first_seq": first, "last_seq": last, "sha256": sum[..64]});
    let front = json!({"seq": last + 1, "key": first_key(dir).to_string(), "tree": []});
    (last, json!({"segments": [row], "front": front}))
}

/// What the thief was after.
fn remove_the_first(dir: &Path) {
    for file in [FIRST.to_owned(), format!("{FIRST}.sha256"), "manifest.json".to_owned()] {
        fs::remove_file(dir.join(file)).unwrap();
    }
}

/// A service that starts, records something, and stops.
fn one_life(dir: &Path, clock: &TestClock) {
    let logger = open(dir, clock);
    logger.emit(TestEvent::routine("later")).unwrap().wait_sealed_timeout(PATIENCE).unwrap();
    logger.shutdown_blocking().unwrap();
}

/// No key ever vouched for what was planted without the word that it is void: whoever cut the trail to where
/// one did would have a proof of it.
fn assert_told_before_signed(dir: &Path, planted: u64) {
    let all: Vec<String> =
        ending(dir, ".audit").iter().flat_map(|name| lines(&dir.join(name))).collect();
    let after = all.iter().map(|line| entry(line)).filter(|entry| entry.seq() > planted);
    let mut kinds = after.map(|entry| entry.event_type().to_owned());
    let first = kinds.find(|kind| kind == "audit.recovered" || kind == "audit.epoch_sealed");
    assert_eq!(first.as_deref(), Some("audit.recovered"));
}

/// What the independent verifier in `docs/` says, where it can be run.
fn script(dir: &Path, key: &VerifierKey) -> Option<i32> {
    let python = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: docs/verify_full.py needs python3 and its package `cryptography`");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verify_full.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(dir).args(["--key", &key.to_string()]);
    command.output().unwrap().status.code()
}

fn assert_found_out(dir: &Path, context: &str) {
    let key = first_key(dir);
    for pinned in [Some(key.clone()), None] {
        let report = verify(dir, pinned);
        assert_eq!(report.verdict, Verdict::Violated, "{context}: {:?}", report.findings.kept());
        assert!(notices(&report, FindingKind::SequenceGap) > 0, "{context}");
    }
    assert!(script(dir, &key).is_none_or(|code| code == 1), "{context}");
}

#[test]
fn a_deletion_that_a_stranger_announced_is_void_once_it_is_signed() {
    let temp = tempfile::tempdir().unwrap();
    type More = fn(&Path);
    let nothing: More = |_| {};
    // As if the trail had been closed after it; and a recovery that says all was signed.
    let closed: More = |dir| {
        plant(dir, "audit.closed", &json!({"entries": 0, "drops": 0}));
    };
    let recovered: More = |dir| {
        plant(dir, "audit.recovered", &json!({"signed": 1_000_000, "entries_kept": 1}));
    };
    // A rotation, for the old key to end: its word would cover what was planted.
    let rotated: More = |dir| {
        rotate_to_a_thief(dir);
    };
    let ways =
        [("alone", nothing), ("closed", closed), ("recovered", recovered), ("rotated", rotated)];
    for ((name, more), days) in ways.into_iter().flat_map(|way| [(way, 0), (way, 1)]) {
        let dir = temp.path().join(format!("{name}-{days}"));
        let clock = grown(&dir);
        let (last, details) = deletion_of_the_first(&dir);
        plant(&dir, "audit.retention_applied", &details);
        more(&dir);
        let planted = entry(lines(&newest(&dir)).last().unwrap()).seq();
        // On the next day a segment begins, and with it a key.
        clock.advance(DAY * days);
        one_life(&dir, &clock);
        let report = assert_proven(&dir, first_key(&dir), name);
        assert_eq!(notices(&report, FindingKind::RetentionApplied), 1);
        assert!(script(&dir, &first_key(&dir)).is_none_or(|code| code == 0), "{name}");
        assert_told_before_signed(&dir, planted);

        remove_the_first(&dir);
        assert_found_out(&dir, name);
        // Cut to any size that the log's keys ever signed: there is none at which it counts.
        let report = verify(&dir, Some(first_key(&dir)));
        assert_eq!(report.first_seq, Some(last + 1), "{name}");
        // The writer's own retention does not take it for its own either.
        let logger = open(&dir, &clock);
        let report = logger.apply_retention().unwrap();
        assert!(report.deleted.is_empty() && !report.problems.is_empty(), "{name}: {report:?}");
        logger.shutdown_blocking().unwrap();
        assert_found_out(&dir, name);
    }
}

/// Plants an `audit.key_rotated` that names a key of the thief's, and the key itself. Gives its epoch.
fn rotate_to_a_thief(dir: &Path) -> u64 {
    let keys = ending(&dir.join("keys"), ".key");
    let epoch = keys[0].strip_suffix(".key").unwrap().parse::<u64>().unwrap() + 1;
    let origin = first_key(dir).name().to_owned();
    let thief = SigningKey::from_seed(SignatureType::Ed25519, &origin, &[66; 32]).unwrap();
    let file = dir.join(format!("keys/{epoch}.key"));
    fs::write(&file, format!("{}\n", *thief.to_secret_line())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let details = json!({"epoch": epoch, "new_key": thief.verifier_key().to_string()});
    plant(dir, "audit.key_rotated", &details);
    epoch
}

#[test]
fn a_key_that_a_stranger_named_never_comes_into_force() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let epoch = rotate_to_a_thief(&dir);
    let planted = fs::read(dir.join(format!("keys/{epoch}.key"))).unwrap();
    one_life(&dir, &clock);
    // The rotation is made anew, with a key of the trail's own.
    let keys = ending(&dir.join("keys"), ".key");
    assert_eq!(keys, [format!("{epoch}.key")]);
    assert_ne!(fs::read(dir.join("keys").join(&keys[0])).unwrap(), planted);
    assert_proven(&dir, first_key(&dir), "after the planted key");
    assert!(script(&dir, &first_key(&dir)).is_none_or(|code| code == 0));
}

/// A checkpoint by a key of the thief's, over all that stands there.
fn sign_as_a_thief(dir: &Path) {
    let mut tree = Frontier::new();
    for name in ending(dir, ".audit") {
        lines(&dir.join(name)).iter().for_each(|line| tree.push(entry(line).hash()));
    }
    let origin = first_key(dir).name().to_owned();
    let thief = SigningKey::from_seed(SignatureType::Ed25519, &origin, &[66; 32]).unwrap();
    let signed = Checkpoint::new(&origin, tree.size(), tree.root()).sign(&thief).unwrap();
    fs::write(dir.join("checkpoint"), signed.to_string()).unwrap();
}

#[test]
fn a_checkpoint_of_a_key_that_a_stranger_named_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    for (name, sealed) in
        [("nothing", json!({"note": "none"})), ("words", json!({"epoch": "none"}))]
    {
        let dir = temp.path().join(name);
        let clock = grown(&dir);
        let (segment, before) = (newest(&dir), fs::read(newest(&dir)).unwrap());
        let checkpoint = fs::read(dir.join("checkpoint")).unwrap();
        let epoch = rotate_to_a_thief(&dir);
        fs::remove_file(dir.join(format!("keys/{epoch}.key"))).unwrap();
        plant(&dir, "audit.epoch_sealed", &sealed);
        let (_, details) = deletion_of_the_first(&dir);
        plant(&dir, "audit.retention_applied", &details);
        plant(&dir, "audit.closed", &json!({"entries": 0, "drops": 0}));
        sign_as_a_thief(&dir);
        let opened = AuditLogger::builder(config(&dir)).clock(clock.shared()).open();
        assert!(matches!(opened, Err(OpenError::NotAnExtension { .. })), "{name}: {opened:?}");
        // Without what was planted the trail goes on.
        fs::write(segment, before).unwrap();
        fs::write(dir.join("checkpoint"), checkpoint).unwrap();
        one_life(&dir, &clock);
        assert_proven(&dir, first_key(&dir), name);
    }
}

#[test]
fn a_change_of_keys_that_a_stranger_began_accuses_nobody_once_it_is_void() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let epoch = rotate_to_a_thief(&dir);
    fs::remove_file(dir.join(format!("keys/{epoch}.key"))).unwrap();
    plant(&dir, "audit.heartbeat", &json!({"entries": 1}));
    let report = verify(&dir, Some(first_key(&dir)));
    assert_eq!(notices(&report, FindingKind::KeyRotationInvalid), 1);
    assert!(script(&dir, &first_key(&dir)).is_none_or(|code| code == 1));
    // The next opening says that nobody had signed it.
    one_life(&dir, &clock);
    assert_proven(&dir, first_key(&dir), "void");
    assert!(script(&dir, &first_key(&dir)).is_none_or(|code| code == 0));
    // Who plants that word as well gains nothing: nobody signed it.
    rotate_to_a_thief(&dir);
    plant(&dir, "audit.heartbeat", &json!({"entries": 1}));
    plant(&dir, "audit.recovered", &json!({"signed": 0, "entries_kept": 1}));
    let report = verify(&dir, Some(first_key(&dir)));
    assert_eq!(notices(&report, FindingKind::KeyRotationInvalid), 1);
}

#[test]
fn an_epoch_that_a_stranger_ended_costs_no_key() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let epoch = rotate_to_a_thief(&dir);
    let checkpoint = fs::read_to_string(dir.join("checkpoint")).unwrap();
    let lines: Vec<&str> = checkpoint.lines().collect();
    plant(&dir, "audit.epoch_sealed", &json!({"epoch": epoch - 1, "checkpoint": lines}));
    let own = fs::read(dir.join(format!("keys/{}.key", epoch - 1))).unwrap();
    one_life(&dir, &clock);
    // No key before it said that another follows.
    assert_eq!(fs::read(dir.join(format!("keys/{}.key", epoch - 1))).unwrap(), own);
    assert!(!dir.join(format!("keys/{epoch}.key")).exists(), "the thief's key is there");
    assert_proven(&dir, first_key(&dir), "the key survived");
}

#[test]
fn a_planted_recovery_takes_nothing_from_an_honest_deletion() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let logger = open(&dir, &clock);
    assert_eq!(logger.apply_retention().unwrap().deleted.len(), 3);
    logger.shutdown_blocking().unwrap();
    let applied = applied(&dir);
    plant(&dir, "audit.recovered", &json!({"signed": 0, "entries_kept": 1}));
    // Another front key, for a verifier that has none.
    let mut other = applied.clone();
    let thief = SigningKey::from_seed(SignatureType::Ed25519, first_key(&dir).name(), &[66; 32]);
    other["front"]["key"] = thief.unwrap().verifier_key().to_string().into();
    plant(&dir, "audit.retention_applied", &other);
    let before = verify(&dir, Some(front_key(&applied)));
    assert_eq!(before.verdict, Verdict::Proven, "{:?}", before.findings.kept());
    // Nor does the second announcement of the same keep the writer from opening.
    one_life(&dir, &clock);
    for key in [Some(front_key(&applied)), None] {
        let report = verify(&dir, key);
        assert_eq!(report.verdict, Verdict::Proven, "{:?}", report.findings.kept());
    }
    assert!(script(&dir, &front_key(&applied)).is_none_or(|code| code == 0));
    // What stands in `tree.hashes` is made anew from the entry that counts.
    fs::remove_file(dir.join("tree.hashes")).unwrap();
    one_life(&dir, &clock);
    assert_proven(&dir, front_key(&applied), "tree.hashes made anew");
}

#[test]
fn a_release_that_a_stranger_wrote_releases_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let logger = open(&dir, &clock);
    live(&logger, &clock, 2);
    let counsel = ActorInfo::internal("counsel");
    logger.add_hold(&counsel, "case-7", HoldScope::default(), None).unwrap();
    live(&logger, &clock, DAYS);
    logger.shutdown_blocking().unwrap();
    plant(&dir, "audit.hold_released", &json!({"hold": "case-7"}));
    let logger = open(&dir, &clock);
    assert_eq!(logger.retention_plan().unwrap().holds.len(), 1);
    assert_eq!(holds_in_a_report(&dir), 1, "a report says what is in force");
    let report = logger.apply_retention().unwrap();
    assert!(report.deleted.is_empty(), "{report:?}");
    // One that the trail's own writer signed counts.
    logger.release_hold(&counsel, "case-7", None).unwrap();
    assert!(!logger.apply_retention().unwrap().deleted.is_empty());
    logger.shutdown_blocking().unwrap();
}

#[test]
fn an_opening_that_fails_signs_nothing_that_it_found() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let (_, details) = deletion_of_the_first(&dir);
    plant(&dir, "audit.retention_applied", &details);
    let before = fs::read(dir.join("checkpoint")).unwrap();
    for ops in [[Op::Append, Op::Create], [Op::Sync, Op::Create]] {
        let storage = FaultyStorage::over(DirStorage::open(&dir, false).unwrap());
        storage.rule(&ops, ".audit", 0, u64::MAX, How::Error(std::io::ErrorKind::Other));
        let over = Arc::clone(&storage) as Arc<dyn Storage>;
        let opened = AuditLogger::builder(config(&dir)).clock(clock.shared()).storage(over).open();
        assert!(matches!(opened, Err(OpenError::Storage(_) | OpenError::Io { .. })), "{opened:?}");
        assert!(storage.failed() > 0);
        assert_eq!(fs::read(dir.join("checkpoint")).unwrap(), before);
    }
    one_life(&dir, &clock);
    assert_proven(&dir, first_key(&dir), "opened in the end");
    remove_the_first(&dir);
    assert_found_out(&dir, "after openings that failed");
}

#[test]
fn a_release_that_a_dead_writer_had_not_written_does_not_come_out_of_its_ring() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    let clock = grown(&dir);
    let counsel = ActorInfo::internal("counsel");
    let logger = open(&dir, &clock);
    logger.add_hold(&counsel, "old", HoldScope::default(), None).unwrap();
    logger.shutdown_blocking().unwrap();
    {
        let storage = FaultyStorage::over(DirStorage::open(&dir, false).unwrap());
        let over = Arc::clone(&storage) as Arc<dyn Storage>;
        let opened = AuditLogger::builder(config(&dir)).clock(clock.shared()).storage(over).open();
        let logger = opened.unwrap();
        let ops = [Op::Append, Op::Create];
        storage.rule(&ops, ".audit", 0, u64::MAX, How::Error(std::io::ErrorKind::Other));
        assert!(logger.release_hold(&counsel, "old", None).is_err(), "the disk is gone");
        drop(logger);
    }
    let logger = open(&dir, &clock);
    let holds = logger.retention_plan().unwrap().holds;
    let ids: Vec<&str> = holds.iter().map(|hold| hold.id.as_str()).collect();
    assert_eq!(ids, ["old"]);
    let source = audit_reader::DirSource::open(&dir).unwrap();
    let (read, searched) = audit_reader::holds(source, 1).unwrap();
    assert!(!searched.lacks());
    assert_eq!(read.in_force(), holds, "who only reads it says the same");
    logger.shutdown_blocking().unwrap();
    let text = fs::read_to_string(newest(&dir)).unwrap();
    let told: Vec<&str> =
        text.lines().filter(|line| entry(line).event_type() == "audit.recovered").collect();
    // A storage that was handed in is announced in no lock file, which names the ring before: missing.
    assert!(!told[0].contains("no events"), "nothing strange was in it: {told:?}");
    assert_proven(&dir, first_key(&dir), "after a dead writer");
}

/// How many holds are in force, as a report says.
fn holds_in_a_report(dir: &Path) -> u64 {
    use audit_reader::report::{Kind, Options, Request, report};
    let source = audit_reader::Source::open(dir).unwrap();
    let report = report(&source, Request::new(Kind::Soc2), Options::default()).unwrap();
    report.retention.holds_in_force
}

//! The bad days of a ring: openings that fail, directories that move, files that were changed, and
//! strangers. What was accepted comes into the trail, or the trail says why not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use audit_logging::{AuditConfig, AuditLogger, OpenError, WaitError};
use audit_testkit::TestEvent;
use audit_testkit::read::{labels, of_type};
use common::rings::{kill, killed, live, only_ring, read, recovered, reopen, rings};
use common::{PATIENCE, config, durable, lazy, with_mode};
use rustix::process::{Resource, Rlimit, setrlimit};

#[test]
fn a_life() {
    live();
}

fn with_rings_in(dir: &Path, ring_dir: &Path) -> AuditConfig {
    AuditConfig { ring_dir: Some(ring_dir.to_owned()), ..config(dir) }
}

#[test]
fn openings_that_fail_forget_no_directory_that_rings_are_in() {
    let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [a, b, c] = ["a", "b", "c"].map(|name| tmp.path().join(name));
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "signed");
    logger.shutdown_timeout(PATIENCE).unwrap();
    killed(dir.path(), Some(&a), &["one", "two"]);
    // Fails after the new ring was made.
    let checkpoint = dir.path().join("trail/checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    std::fs::write(&checkpoint, text.replace("\n\n", "\nextension\n\n")).unwrap();
    for ring_dir in [&b, &c] {
        let error = AuditLogger::new(with_rings_in(dir.path(), ring_dir)).err().unwrap();
        assert!(matches!(error, OpenError::NotAnExtension { .. }), "{error:?}");
        assert!(rings(ring_dir).is_empty());
    }
    std::fs::write(&checkpoint, text).unwrap();
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["signed", "written", "one", "two"]);
    assert_eq!(recovered(&lines)[0]["entries_salvaged"], 2);
    assert!(rings(&a).is_empty());
}

#[test]
fn a_directory_that_was_gone_for_a_while_is_still_looked_into() {
    let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, away) = (tmp.path().join("a"), tmp.path().join("away"));
    killed(dir.path(), Some(&a), &["one"]);
    std::fs::rename(&a, &away).unwrap();
    let lines = reopen(dir.path());
    let told = recovered(&lines)[0]["ring_problem"].as_str().unwrap();
    assert!(told.contains("missing"), "{told}");
    std::fs::rename(&away, &a).unwrap();
    assert_eq!(labels(&reopen(dir.path())), ["written", "one"]);
    assert!(rings(&a).is_empty());
    // Nothing more is to be had there, and it is not looked into again.
    std::fs::remove_dir(&a).unwrap();
    assert_eq!(std::fs::read(dir.path().join("trail/ring.dir")).unwrap(), b"");
}

#[test]
fn the_trails_own_directory_may_be_named_for_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let trail = dir.path().join("trail");
    killed(dir.path(), Some(&trail), &["one"]);
    let again = with_rings_in(dir.path(), &trail);
    AuditLogger::new(again).unwrap().shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read(dir.path())), ["written", "one"]);
    assert!(!trail.join("ring.dir").exists());
}

/// Changes the bytes of the only ring in `dir`.
fn change_ring(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let ring = only_ring(dir);
    let mut bytes = std::fs::read(&ring).unwrap();
    change(&mut bytes);
    std::fs::write(ring, bytes).unwrap();
}

fn find(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).rposition(|window| window == text.as_bytes()).unwrap()
}

#[test]
fn events_that_were_overwritten_in_the_ring_are_counted_in_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), None, &["kept", "victim"]);
    change_ring(dir.path(), |ring| {
        let at = find(ring, "victim");
        ring[at] ^= 1;
    });
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["written", "kept"]);
    let told = recovered(&lines)[0];
    let problem = told["ring_problem"].as_str().unwrap();
    assert!(problem.contains("overwritten, and are lost: 1"), "{told}");
}

#[test]
fn events_that_were_erased_from_the_ring_leave_their_room() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), None, &["kept", "victim"]);
    change_ring(dir.path(), |ring| {
        // As if nothing had ever been stored behind the first event, the header left as it is. A
        // body begins with its id, behind three words.
        let from = find(ring, "\"audit_id\":\"") - 24;
        ring[from..].fill(0);
    });
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["written", "kept"]);
    let told = recovered(&lines)[0];
    assert!(told["ring_unfinished_bytes"].as_u64().unwrap() >= 192, "{told}");
    assert!(told.get("ring_problem").is_none(), "{told}");
}

#[test]
fn a_header_that_was_changed_hides_nothing_and_is_named() {
    // The head far away; the head and its `seq`; the tail back at the start.
    let far = (1u64 << 40).to_le_bytes();
    let cases: [&[(usize, [u8; 8])]; 3] =
        [&[(512, far)], &[(512, far), (520, far)], &[(256, [0; 8])]];
    for case in cases {
        let dir = tempfile::tempdir().unwrap();
        let logger = AuditLogger::new(config(dir.path())).unwrap();
        durable(&logger, "before");
        logger.shutdown_timeout(PATIENCE).unwrap();
        killed(dir.path(), None, &["one", "two"]);
        change_ring(dir.path(), |ring| {
            for (at, value) in case {
                ring[*at..][..8].copy_from_slice(value);
            }
        });
        let lines = reopen(dir.path());
        assert_eq!(labels(&lines), ["before", "written", "one", "two"]);
        let told = recovered(&lines)[0];
        let problem = told["ring_problem"].as_str().unwrap();
        assert!(problem.contains("head and tail were changed"), "{told}");
    }
}

#[test]
fn a_trail_that_was_cut_to_before_what_the_ring_knows_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(with_mode(dir.path(), lazy())).unwrap();
    drop(logger.emit(TestEvent::routine("durable")).unwrap());
    logger.flush_blocking().unwrap();
    drop(logger.emit(TestEvent::routine("in the ring")).unwrap());
    let copy = kill(dir.path());
    // Nothing that was signed shows it.
    for derived in ["checkpoint", "tree.hashes"] {
        match std::fs::remove_file(copy.path().join("trail").join(derived)) {
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
            Ok(()) => {}
        }
    }
    let segment = common::segment_files(copy.path()).pop().unwrap();
    let text = std::fs::read_to_string(&segment).unwrap();
    let cut: Vec<_> = text.lines().take_while(|line| !line.contains("\"durable\"")).collect();
    std::fs::write(&segment, cut.join("\n") + "\n").unwrap();
    let lines = reopen(copy.path());
    assert_eq!(labels(&lines), ["in the ring"]);
    let told = recovered(&lines)[0];
    let problem = told["ring_problem"].as_str().unwrap();
    assert!(problem.contains("the trail was cut: it had 3 entries, and has 2"), "{told}");
}

#[test]
fn a_ring_that_is_used_is_not_taken_from_its_writer() {
    let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = tmp.path().join("rings");
    let logger =
        AuditLogger::new(AuditConfig { flush_mode: lazy(), ..with_rings_in(dir.path(), &home) });
    let logger = logger.unwrap();
    drop(logger.emit(TestEvent::routine("first")).unwrap());
    // The signpost of a copy, or of a backup that is tried out, leads to the same directory.
    let copy = kill(dir.path());
    let before = read(copy.path()).len();
    let error = AuditLogger::new(config(copy.path())).err().unwrap();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("emit ring"), "{error}");
    assert_eq!(read(copy.path()).len(), before, "untouched");
    // A second writer of the same trail, after its lock file was deleted.
    std::fs::remove_file(dir.path().join("trail/lock")).unwrap();
    let error = AuditLogger::new(with_rings_in(dir.path(), &home)).err().unwrap();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    drop(logger.emit(TestEvent::routine("second")).unwrap());
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read(dir.path())), ["first", "second"]);
    // Nobody uses it now, although a handle is still there.
    let again = AuditLogger::new(with_rings_in(dir.path(), &home)).unwrap();
    again.shutdown_timeout(PATIENCE).unwrap();
    drop(logger);
}

#[test]
fn a_poisoned_writer_whose_ring_is_empty_leaves_one_that_nobody_misses() {
    let dir = tempfile::tempdir().unwrap();
    let trail = dir.path().join("trail");
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "one");
    logger.seal_blocking().unwrap();
    // `audit.closed` cannot be written: a stranger's byte is in the segment, and the name of the
    // segment after it is taken.
    let segment = common::segment_files(dir.path()).pop().unwrap();
    std::fs::File::options().append(true).open(&segment).unwrap().write_all(b"x").unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    let next = trail.join(name.replace(".audit", "-1.audit"));
    std::fs::create_dir(&next).unwrap();
    let outcome = logger.shutdown_timeout(PATIENCE);
    assert!(matches!(outcome, Err(WaitError::Poisoned(_))), "{outcome:?}");
    std::fs::remove_dir(&next).unwrap();
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["one"]);
    let [told] = recovered(&lines)[..] else { panic!("{lines:#?}") };
    assert!(told.get("ring_problem").is_none(), "{told}");
    assert!(rings(&trail).is_empty());
}

/// In a process that may have no more threads, opens a trail.
#[test]
fn an_opening_without_threads() {
    let Some(dir) = std::env::var_os("NO_THREADS_DIR") else { return };
    let one = Rlimit { current: Some(1), maximum: Some(1) };
    setrlimit(Resource::Nproc, one).unwrap();
    let error = AuditLogger::new(config(Path::new(&dir))).err().unwrap();
    assert!(matches!(error, OpenError::Thread(_)), "{error:?}");
}

#[test]
fn an_opening_that_gets_no_thread_accuses_nobody_of_taking_its_ring() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let trail = dir.path().join("trail");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "an_opening_without_threads", "--test-threads", "1"]);
    // The limit does not hold root.
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        command.uid(65_534);
    }
    let output = command.env("NO_THREADS_DIR", dir.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    if is_root {
        let mut stack = vec![trail.clone()];
        while let Some(path) = stack.pop() {
            std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
            if path.is_dir() {
                stack.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
    assert_eq!(rings(&trail).len(), 1, "empty, and not missed");
    let lines = reopen(dir.path());
    let [told] = recovered(&lines)[..] else { panic!("{lines:#?}") };
    assert!(told.get("ring_problem").is_none(), "{told}");
    assert!(rings(&trail).is_empty());
}

#[test]
fn a_ring_that_is_moved_or_replaced_while_it_is_used_is_noticed() {
    type Take = fn(&Path, &Path);
    let ways: [Take; 3] = [
        |ring, away| std::fs::rename(ring, away).unwrap(),
        |ring, away| {
            std::fs::hard_link(ring, away).unwrap();
            std::fs::remove_file(ring).unwrap();
        },
        |ring, away| {
            std::fs::copy(ring, away).unwrap();
            std::fs::rename(away, ring).unwrap();
        },
    ];
    for take in ways {
        let dir = tempfile::tempdir().unwrap();
        let logger = AuditLogger::new(config(dir.path())).unwrap();
        take(&only_ring(dir.path()), &dir.path().join("away"));
        durable(&logger, "one");
        durable(&logger, "two");
        logger.shutdown_timeout(PATIENCE).unwrap();
        let lines = read(dir.path());
        let told: Vec<_> = of_type(&lines, "audit.storage_failed");
        assert_eq!(told.len(), 1);
        assert!(told[0].raw.contains("emit ring was deleted, moved or replaced"), "{told:?}");
    }
}

/// Makes one record of a ring's bytes say something else, with a checksum that fits.
fn forge(ring: &mut [u8], from: &str, to: &str) {
    let at = find(ring, from);
    ring[at..at + to.len()].copy_from_slice(to.as_bytes());
    let body = ring[..at].windows(12).rposition(|w| w == b"\"audit_id\":\"").unwrap();
    let word = |at: usize| u64::from_le_bytes(ring[at..][..8].try_into().unwrap());
    let (commit, seal, salt) = (body - 24, word(body - 16), word(32));
    let mut sum = crc32c::crc32c(&ring[body..][..(seal & 0xff_ffff) as usize]);
    sum = crc32c::crc32c_append(sum, &(word(commit) ^ salt).to_le_bytes());
    sum = crc32c::crc32c_append(sum, &word(body - 8).to_le_bytes());
    sum = crc32c::crc32c_append(sum, &(seal as u32).to_le_bytes());
    ring[body - 12..body - 8].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn records_that_are_no_events_do_not_keep_the_others_out() {
    // A member that is none, and an entry that only the writer makes.
    for (from, to) in [("\"result\":", "\"resul7\":"), ("data.read", "audit.hel")] {
        let dir = tempfile::tempdir().unwrap();
        killed(dir.path(), None, &["one", "two"]);
        change_ring(dir.path(), |ring| forge(ring, from, to));
        let ring = only_ring(dir.path());
        let left = std::fs::read(&ring).unwrap();
        let lines = reopen(dir.path());
        assert_eq!(labels(&lines), ["written", "one"]);
        let told = recovered(&lines)[0];
        let problem = told["ring_problem"].as_str().unwrap();
        assert!(problem.contains("records that are no events: 1"), "{told}");
        assert_eq!(told["entries_salvaged"], 1, "{told}");
        let kept = dir.path().join("trail/quarantine").join(ring.file_name().unwrap());
        assert_eq!(std::fs::read(kept).unwrap(), left);
    }
}

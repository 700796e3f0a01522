//! The bad days of a ring: openings that fail, directories that move or are not to be trusted, two who
//! want one. What was accepted comes into the trail, or the trail says why not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use audit_logging::{AuditConfig, AuditLogger, OpenError, WaitError};
use audit_testkit::read::{labels, of_type};
use audit_testkit::{CountingStorage, TestEvent};
use common::rings::{kill, killed, live, read, recovered, reopen, rings};
use common::{PATIENCE, config, durable, lazy, open_over, storage};
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
fn a_relative_directory_is_found_from_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    // From where the test runs up to the root, and down again.
    let here = std::env::current_dir().unwrap();
    let up = here.components().skip(1).map(|_| "..").collect::<std::path::PathBuf>();
    let rings_in = dir.path().join("rings");
    let relative = up.join(rings_in.strip_prefix("/").unwrap());
    killed(dir.path(), Some(&relative), &["one"]);
    let named = std::fs::read_to_string(dir.path().join("trail/ring.dir")).unwrap();
    assert!(Path::new(named.trim_end()).is_absolute(), "{named}");
    assert_eq!(labels(&reopen(dir.path())), ["written", "one"]);
    assert!(rings(&rings_in).is_empty());
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
fn an_old_directory_that_others_may_write_to_is_named_and_not_looked_into() {
    let (dir, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = tmp.path().join("old");
    killed(dir.path(), Some(&old), &["one"]);
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o777)).unwrap();
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["written"]);
    let problem = recovered(&lines)[0]["ring_problem"].as_str().unwrap();
    assert!(problem.contains("old: writable for group or others"), "{problem}");
    assert!(problem.contains("left as they are"), "{problem}");
    // Said once. What is in the ring comes in when somebody has looked at it and moves it.
    assert_eq!(recovered(&reopen(dir.path())).len(), 1);
    let ring = rings(&old).pop().unwrap();
    std::fs::rename(&ring, dir.path().join("trail").join(ring.file_name().unwrap())).unwrap();
    assert_eq!(labels(&reopen(dir.path())), ["written", "one"]);
    // Where it is configured, nothing is recorded.
    let error = AuditLogger::new(with_rings_in(dir.path(), &old)).err().unwrap();
    assert!(matches!(error, OpenError::Insecure { .. }), "{error:?}");
}

#[test]
fn what_has_a_rings_name_and_is_none_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let trail = dir.path().join("trail");
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    let text = std::fs::read(trail.join("trail.json")).unwrap();
    let info: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let name = format!("{}-{:032x}.ring", info["trail_id"].as_str().unwrap(), 7);
    let place = trail.join(&name);
    type Make = fn(&Path);
    let kinds: [(&str, Make); 4] = [
        ("symlink", |path| std::os::unix::fs::symlink("/etc/passwd", path).unwrap()),
        ("not a plain file", |path| {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("something"), "").unwrap();
        }),
        ("socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
        ("writable for group or others", |path| {
            std::fs::write(path, "").unwrap();
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
        }),
    ];
    for (n, (what, make)) in kinds.into_iter().enumerate() {
        make(&place);
        let lines = reopen(dir.path());
        let told = recovered(&lines);
        assert_eq!(told.len(), n + 1);
        let problem = told[n]["ring_problem"].as_str().unwrap();
        assert!(problem.contains(what) && problem.contains("quarantine"), "{problem}");
        assert!(place.symlink_metadata().is_err());
        trail.join(format!("quarantine/{name}.{n}")).symlink_metadata().unwrap();
    }
}

#[test]
fn refusals_that_a_killed_process_could_not_report_are_told_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let small = AuditConfig { queue_bytes: 1 << 20, ..config(dir.path()) };
    let logger = open_over(small, disk.clone());
    let reported = |dir: &Path| -> u64 {
        let lines = read(dir);
        let reports = of_type(&lines, "audit.events_dropped");
        reports.iter().map(|line| line.details["count"].as_u64().unwrap()).sum()
    };
    // One that is reported, durably: not told again.
    assert!(logger.emit(TestEvent::routine("bad").typed("audit.mine")).is_err());
    while reported(dir.path()) == 0 {
        std::thread::yield_now();
    }
    durable(&logger, "synced");
    disk.hold_syncs();
    let mut refused = [0; 2];
    for n in 0..3_000 {
        let critical = n % 3 == 0;
        let event = if critical { TestEvent::critical("x") } else { TestEvent::routine("x") };
        if logger.emit(event.padded(900)).is_err() {
            refused[usize::from(critical)] += 1;
        }
    }
    assert!(refused.iter().all(|count| *count > 100), "{refused:?}");
    let copy = kill(dir.path());
    let lines = reopen(copy.path());
    let told = recovered(&lines)[0];
    assert_eq!([&told["refused_routine"], &told["refused_critical"]], refused, "{told}");
    assert_eq!(reported(copy.path()), 1);
    // A writer that lives reports them itself, once.
    disk.release_syncs();
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(reported(dir.path()), 1 + refused.iter().sum::<u64>());
    assert!(recovered(&reopen(dir.path())).is_empty());
}

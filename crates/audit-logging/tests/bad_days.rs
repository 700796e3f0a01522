//! Bad days of a service that runs: stopped for a while, no memory to lock, a small `/dev/shm`, a
//! producer that dies in the middle of an emit, large events at the end of the ring, another boot, a disk
//! that stalls.
//!
//! What other files have: strangers at segments (`stranger.rs`), clocks that jump (`restart.rs`), full
//! disks (`opening.rs`), panics in an event's own code (`misuse.rs`), rings cut, foreign or of another
//! version (`ring.rs`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use audit_logging::{
    ActorInfo, AuditConfig, AuditLogger, AuthMethod, EmitError, OpenError, WaitError,
};
use audit_testkit::read::{labels, of_type, read_dir};
use audit_testkit::{CountingStorage, TestEvent};
use common::rings::{kill, killed, live, only_ring, reopen};
use common::{PATIENCE, config, durable, lazy, open_over, storage, with_mode};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};

const STOPPED: &str = "STOPPED_DIR";
const UNLOCKED: &str = "UNLOCKED_DIR";

fn skipped(test: &str, why: &str) {
    // Straight to the process's standard error: the harness captures `eprintln!` of tests that pass.
    std::io::stderr().write_all(format!("SKIPPED {test}: {why}\n").as_bytes()).unwrap();
}

/// Runs one test of this program in a process of its own.
fn start(test: &str, variable: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(variable, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_life() {
    live();
}

/// The process that is stopped: two threads emit until standard input ends.
#[test]
fn stopped_process() {
    let Some(dir) = std::env::var_os(STOPPED) else { return };
    let logger = AuditLogger::new(config(Path::new(&dir))).unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..2)
            .map(|thread| {
                let (logger, ended) = (&logger, &ended);
                scope.spawn(move || {
                    let mut n = 0;
                    while !ended.load(relaxed) {
                        match logger.emit(TestEvent::routine(format!("{thread}/{n}"))) {
                            Ok(receipt) if n % 10 == 0 => receipt.wait_durable().unwrap(),
                            Ok(_) => {}
                            Err(EmitError::QueueFull) => continue,
                            Err(error) => panic!("{error}"),
                        }
                        n += 1;
                    }
                    n
                })
            })
            .collect();
        println!("\nemitting");
        let mut byte = [0];
        assert_eq!(std::io::stdin().read(&mut byte).unwrap(), 0);
        ended.store(true, relaxed);
        producers.into_iter().map(|producer| producer.join().unwrap()).collect()
    });
    logger.shutdown_timeout(PATIENCE).unwrap();
    println!("\ncounts {} {}", counts[0], counts[1]);
}

/// State of a process as the kernel says: `T` when it is stopped.
fn state_of(child: &Child) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    stat.rsplit_once(") ").unwrap().1[..1].to_owned()
}

fn await_word(output: &mut impl Read, word: &str) -> String {
    let mut said = String::new();
    let mut byte = [0];
    while !said.contains(word) || !said.ends_with('\n') {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "ended after {said:?}");
        said.push(char::from(byte[0]));
    }
    said
}

#[test]
fn a_service_that_is_stopped_for_a_while_goes_on_and_loses_nothing() {
    // A minute is the long form.
    let seconds = std::env::var("AUDIT_STOP_SECONDS").ok().and_then(|s| s.parse().ok());
    let stop = Duration::from_secs(seconds.unwrap_or(1));
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("stopped_process", STOPPED, dir.path());
    let mut output = child.stdout.take().unwrap();
    await_word(&mut output, "emitting");
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    for _ in 0..3 {
        kill_process(pid, Signal::STOP).unwrap();
        let begun = Instant::now();
        while state_of(&child) != "T" || begun.elapsed() < stop / 3 {
            std::thread::yield_now();
        }
        kill_process(pid, Signal::CONT).unwrap();
    }
    drop(child.stdin.take());
    let said = await_word(&mut output, "counts ");
    assert!(child.wait().unwrap().success(), "{said}");
    let counts = said.rsplit_once("counts ").unwrap().1.trim().split_once(' ').unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    for (thread, count) in [(0, counts.0), (1, counts.1)] {
        let prefix = format!("{thread}/");
        let found: Vec<&str> =
            labels(&lines).into_iter().filter(|label| label.starts_with(&prefix)).collect();
        let expected: Vec<String> =
            (0..count.parse::<u64>().unwrap()).map(|n| format!("{thread}/{n}")).collect();
        assert!(found == expected, "thread {thread}: {} of {count}", found.len());
    }
    assert!(lines.iter().all(|line| line.event_type != "audit.storage_failed"));
}

/// The process that may lock no memory.
#[test]
fn unlocked_process() {
    let Some(dir) = std::env::var_os(UNLOCKED) else { return };
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Memlock, none).unwrap();
    let logger = AuditLogger::new(config(Path::new(&dir))).unwrap();
    durable(&logger, "unlocked");
    logger.shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn no_memory_needs_to_be_locked() {
    let dir = tempfile::tempdir().unwrap();
    let child = start("unlocked_process", UNLOCKED, dir.path());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(labels(&read_dir(&dir.path().join("trail"))), ["unlocked"]);
}

#[test]
fn a_shared_memory_of_64_mib_holds_three_rings_and_refuses_the_fourth() {
    let name = "a_shared_memory_of_64_mib_holds_three_rings_and_refuses_the_fourth";
    let Some(mount) = common::Mount::new("64m") else {
        return skipped(name, "cannot mount a tmpfs here");
    };
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let with_ring = |dir: &tempfile::TempDir| AuditConfig {
        ring_dir: Some(mount.path().join("rings")),
        ..config(dir.path())
    };
    let loggers: Vec<_> =
        dirs[..3].iter().map(|dir| AuditLogger::new(with_ring(dir)).unwrap()).collect();
    let error = AuditLogger::new(with_ring(&dirs[3])).err().unwrap();
    assert!(matches!(error, OpenError::Ring { .. }), "{error:?}");
    assert!(error.to_string().contains("free space"), "{error}");
    for logger in &loggers {
        durable(logger, "goes on");
    }
    // A ring gone is room again, and the refused trail opens as if nothing had been.
    loggers[0].shutdown_timeout(PATIENCE).unwrap();
    drop(loggers);
    let end = Instant::now() + PATIENCE;
    let fourth = loop {
        match AuditLogger::new(with_ring(&dirs[3])) {
            Ok(logger) => break logger,
            // The room is free when the last mapping is gone.
            Err(OpenError::Ring { .. }) if Instant::now() < end => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    durable(&fourth, "at last");
    fourth.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read_dir(&dirs[3].path().join("trail"))), ["at last"]);
}

#[test]
fn a_producer_that_dies_inside_emit_poisons_and_what_others_were_promised_is_salvaged() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    durable(&logger, "before");
    // What a thread leaves that reserved eight cells and was killed before it committed: the tail,
    // word 32 of the mapped file, beyond what is filled. See `ring/layout.rs`.
    let file = std::fs::File::options().read(true).write(true).open(only_ring(dir.path())).unwrap();
    let mut tail = [0; 8];
    file.read_exact_at(&mut tail, 32 * 8).unwrap();
    let beyond = u64::from_le_bytes(tail) + 8;
    file.write_all_at(&beyond.to_le_bytes(), 32 * 8).unwrap();
    let behind: Vec<_> =
        (0..5).map(|n| logger.emit(TestEvent::routine(format!("b{n}"))).unwrap()).collect();
    // Half a minute of the writer's own sleeps, so that a thread that was only pre-empted is not
    // given up; there is nothing to wait for in the meantime.
    let outcome = behind[4].wait_durable_timeout(Duration::from_secs(300));
    let Err(WaitError::Poisoned(fault)) = outcome else { panic!("{outcome:?}") };
    assert!(fault.to_string().contains("died inside emit"), "{fault}");
    assert!(matches!(logger.emit(TestEvent::routine("late")), Err(EmitError::Poisoned(_))));
    drop(logger);
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["before", "b0", "b1", "b2", "b3", "b4"]);
}

#[test]
fn large_events_over_the_end_of_the_ring_are_salvaged() {
    let dir = tempfile::tempdir().unwrap();
    let small = AuditConfig { queue_bytes: 1 << 20, ..with_mode(dir.path(), lazy()) };
    let logger = AuditLogger::new(small).unwrap();
    let mut expected = Vec::new();
    for n in 0..40 {
        let label = n.to_string();
        drop(logger.emit(TestEvent::routine(&label).padded(30_000)).unwrap());
        expected.push(label);
        // A megabyte is 33 to 35 of them: one of these lies over the end.
        if (31..37).contains(&n) {
            let copy = kill(dir.path());
            assert_eq!(labels(&reopen(copy.path())), expected);
        }
        logger.flush_blocking().unwrap();
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(labels(&read_dir(&dir.path().join("trail"))), expected);
}

#[test]
fn a_ring_of_another_boot_is_salvaged_and_the_trail_says_that_the_boot_changed() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), None, &["then"]);
    let lock = dir.path().join("trail/lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    let (before, _) = text.rsplit_once(" boot ").unwrap();
    std::fs::write(&lock, format!("{before} boot 00000000-0000-4000-8000-000000000000\n")).unwrap();
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["written", "then"]);
    let told = lines.iter().find(|line| line.event_type == "audit.recovered").unwrap();
    assert_eq!(told.details["same_boot"], false);
    assert_eq!(told.details["entries_salvaged"], 1);
}

#[test]
fn a_disk_that_stalls_costs_what_finds_no_room_and_nothing_else() {
    // Half a minute is the long form: `AUDIT_STALL_SECONDS=30`.
    let seconds = std::env::var("AUDIT_STALL_SECONDS").ok().and_then(|s| s.parse().ok());
    let stall = Duration::from_secs(seconds.unwrap_or(0));
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let small = AuditConfig { queue_bytes: 1 << 20, ..config(dir.path()) };
    let logger = open_over(small, disk.clone());
    disk.hold_syncs();
    let begun = Instant::now();
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for n in 0.. {
        let label = n.to_string();
        match logger.emit(TestEvent::routine(&label).padded(400)) {
            Ok(receipt) => {
                assert!(!receipt.is_durable(), "nothing was synced");
                accepted.push(label);
            }
            Err(EmitError::QueueFull) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        if refused >= 100 && begun.elapsed() >= stall {
            break;
        }
        // A full ring is found again and again: not as fast as the machine can.
        if refused > 0 {
            std::thread::yield_now();
        }
    }
    disk.release_syncs();
    logger.flush_blocking().unwrap();
    // There is room again.
    durable(&logger, "after");
    accepted.push("after".to_owned());
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&dir.path().join("trail"));
    assert!(labels(&lines) == accepted, "{} of {}", labels(&lines).len(), accepted.len());
    let dropped = of_type(&lines, "audit.events_dropped");
    let told: u64 = dropped.iter().map(|line| line.details["count"].as_u64().unwrap()).sum();
    assert_eq!(told, refused);
    assert!(of_type(&lines, "audit.storage_failed").is_empty(), "slow is no failure");
}

#[test]
fn a_note_of_access_that_was_not_answered_yet_accuses_nobody_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingStorage::over(storage(dir.path()));
    let logger = open_over(config(dir.path()), disk.clone());
    let auditor = ActorInfo::new("auditor", AuthMethod::ApiKey);
    disk.hold_syncs();
    let copy = std::thread::scope(|scope| {
        let noting = scope.spawn(|| logger.record_access(&auditor, "query", &[], None));
        disk.wait_held();
        let copy = kill(dir.path());
        disk.release_syncs();
        noting.join().unwrap().unwrap();
        copy
    });
    let lines = reopen(copy.path());
    let recovered = of_type(&lines, "audit.recovered");
    assert!(recovered.iter().all(|line| line.details.get("ring_problem").is_none()), "{lines:#?}");
}

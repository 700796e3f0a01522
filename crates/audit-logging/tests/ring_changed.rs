//! A ring that somebody changed, dead or alive: what is whole comes into the trail, and the trail says
//! what is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;
use std::time::Duration;

use audit_logging::AuditLogger;
use audit_testkit::read::labels;
use audit_testkit::{TestClock, TestEvent};
use common::rings::{kill, killed, live, only_ring, read, recovered, reopen};
use common::{PATIENCE, config, durable, lazy, with_mode};

/// Where the header has these.
const HEAD: usize = 512;
const SEQ: usize = 520;

#[test]
fn a_life() {
    live();
}

/// Changes the bytes of the only ring in `dir`.
fn change_ring(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let ring = only_ring(dir);
    let mut bytes = std::fs::read(&ring).unwrap();
    change(&mut bytes);
    std::fs::write(ring, bytes).unwrap();
}

/// The trail as a kill leaves it, with other words in its ring.
fn killed_with(dir: &Path, words: &[(usize, u64)]) -> tempfile::TempDir {
    let copy = kill(dir);
    change_ring(copy.path(), |ring| {
        for (at, value) in words {
            ring[*at..][..8].copy_from_slice(&value.to_le_bytes());
        }
    });
    copy
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
fn a_head_that_can_be_and_is_not_the_rings_hides_and_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(with_mode(dir.path(), lazy())).unwrap();
    for label in ["a", "b"] {
        drop(logger.emit(TestEvent::routine(label)).unwrap());
    }
    logger.flush_blocking().unwrap();
    drop(logger.emit(TestEvent::routine("c")).unwrap());
    // The first event of a batch wakes the writer; nothing does after it.
    while !labels(&read(dir.path())).contains(&"c") {
        std::thread::yield_now();
    }
    for label in ["d", "e"] {
        drop(logger.emit(TestEvent::routine(label)).unwrap());
    }
    let entries = read(dir.path()).len() as u64;
    let word = |at: usize| {
        let ring = std::fs::read(only_ring(dir.path())).unwrap();
        u64::from_le_bytes(ring[at..][..8].try_into().unwrap())
    };
    let (head, tail, seq) = (word(HEAD), word(256), word(SEQ));
    assert!(0 < head && head < tail && seq < entries, "{head} {tail} {seq} {entries}");
    let cases: [&[(usize, u64)]; 6] = [
        &[],
        &[(HEAD, 0)],
        &[(HEAD, tail)],
        &[(SEQ, entries)],
        &[(HEAD, 0), (SEQ, entries)],
        &[(HEAD, tail), (SEQ, entries)],
    ];
    for case in cases {
        let copy = killed_with(dir.path(), case);
        let lines = reopen(copy.path());
        assert_eq!(labels(&lines), ["a", "b", "c", "d", "e"], "{case:?}");
        let problem = recovered(&lines)[0].get("ring_problem").map(ToString::to_string);
        let is_told = problem.as_ref().is_some_and(|p| p.contains("does not fit the trail"));
        assert_eq!(is_told, !case.is_empty(), "{case:?} {problem:?}");
        assert!(is_told || problem.is_none(), "{problem:?}");
    }
}

#[test]
fn a_head_that_leads_into_an_older_segment_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2024-05-01T10:00:00Z");
    let lazily = with_mode(dir.path(), lazy());
    let logger = AuditLogger::builder(lazily).clock(clock.shared()).open().unwrap();
    for label in ["a", "b"] {
        drop(logger.emit(TestEvent::routine(label)).unwrap());
    }
    logger.flush_blocking().unwrap();
    clock.advance(Duration::from_secs(86_400));
    // The first event of a batch wakes the writer, which begins another segment.
    drop(logger.emit(TestEvent::routine("c")).unwrap());
    while !labels(&read(dir.path())).contains(&"c") {
        std::thread::yield_now();
    }
    drop(logger.emit(TestEvent::routine("d")).unwrap());
    let newest = common::segment_files(dir.path()).pop().unwrap();
    let newest = newest.file_name().unwrap().to_str().unwrap();
    let lines = read(dir.path());
    let first = lines.iter().position(|line| line.segment == newest).unwrap();
    assert!(first > 0, "two segments");
    let left = std::fs::read(only_ring(dir.path())).unwrap();
    let seq = u64::from_le_bytes(left[SEQ..][..8].try_into().unwrap());
    assert!(seq >= first as u64, "no event of before is in the newest segment");
    let cases: [&[(usize, u64)]; 3] = [&[], &[(HEAD, 0)], &[(HEAD, 0), (SEQ, first as u64)]];
    for case in cases {
        let copy = killed_with(dir.path(), case);
        let lines = reopen(copy.path());
        assert_eq!(labels(&lines), ["a", "b", "c", "d"], "{case:?}");
        let problem = recovered(&lines)[0].get("ring_problem").map(ToString::to_string);
        let is_told = problem.is_some_and(|p| p.contains("does not fit the trail"));
        assert_eq!(is_told, !case.is_empty(), "{case:?}");
    }
}

#[test]
fn a_head_before_which_nothing_is_whole_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), None, &["kept", "broken", "broken-too"]);
    change_ring(dir.path(), |ring| {
        for label in ["\"broken\"", "\"broken-too\""] {
            let at = find(ring, label);
            ring[at] ^= 1;
        }
        ring.copy_within(256..264, HEAD);
    });
    let lines = reopen(dir.path());
    assert_eq!(labels(&lines), ["written", "kept"]);
    let told = recovered(&lines)[0];
    let problem = told["ring_problem"].as_str().unwrap();
    assert!(problem.contains("does not fit the trail"), "{told}");
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
        if let Err(error) = std::fs::remove_file(copy.path().join("trail").join(derived)) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
    let segment = common::segment_files(copy.path()).pop().unwrap();
    let text = std::fs::read_to_string(&segment).unwrap();
    let cut: Vec<_> = text.lines().take_while(|line| !line.contains("\"durable\"")).collect();
    std::fs::write(&segment, cut.join("\n") + "\n").unwrap();
    let lines = reopen(copy.path());
    // What was cut off still stood in the ring.
    assert_eq!(labels(&lines), ["durable", "in the ring"]);
    let told = recovered(&lines)[0];
    let problem = told["ring_problem"].as_str().unwrap();
    assert!(problem.contains("the trail was cut: it had 3 entries, and has 2"), "{told}");
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

#[test]
fn what_a_killed_writer_had_not_set_aside_yet_does_not_close_the_trail() {
    for is_symlink in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        killed(dir.path(), None, &["one"]);
        let ring = only_ring(dir.path());
        let displaced = ring.with_extension("ring.tmp");
        if is_symlink {
            std::os::unix::fs::symlink("/nowhere", &displaced).unwrap();
        } else {
            std::fs::create_dir(&displaced).unwrap();
        }
        let lines = reopen(dir.path());
        assert_eq!(labels(&lines), ["written", "one"]);
        let told = recovered(&lines)[0];
        assert!(told["ring_problem"].as_str().unwrap().contains("quarantine"), "{told}");
        assert!(displaced.symlink_metadata().is_err());
        let name = format!("{}.0", displaced.file_name().unwrap().to_str().unwrap());
        assert!(dir.path().join("trail/quarantine").join(name).symlink_metadata().is_ok());
        reopen(dir.path());
    }
}

#[test]
fn a_ring_is_taken_in_though_an_older_segment_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at("2024-05-01T10:00:00Z");
    let logger = AuditLogger::builder(config(dir.path())).clock(clock.shared()).open().unwrap();
    durable(&logger, "old");
    logger.shutdown_timeout(PATIENCE).unwrap();
    // Behind it stand control entries only, until a process is killed.
    reopen(dir.path());
    killed(dir.path(), None, &["one"]);
    let old = dir.path().join("trail/2024-05-01.audit");
    std::fs::remove_file(&old).unwrap();
    std::fs::write(old.with_extension("audit.zst"), b"no archive").unwrap();
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    let newest = common::segment_files(dir.path()).pop().unwrap();
    let text = std::fs::read_to_string(newest).unwrap();
    assert_eq!(text.matches("\"label\":\"one\"").count(), 1, "{text}");
    let told = text.lines().find(|line| line.contains("audit.recovered")).unwrap();
    assert!(told.contains("2024-05-01.audit: cannot be read"), "{told}");
}

//! What is refused at the door, with which error, and that nothing was touched.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use audit_logging::{AuditConfig, AuditLogger, OpenError};
use audit_testkit::{TestEvent, read_dir};
use common::{Mount, PATIENCE, config};

fn trail() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::new(config(dir.path())).unwrap();
    drop(logger.emit(TestEvent::routine("a")).unwrap());
    logger.shutdown_timeout(PATIENCE).unwrap();
    dir
}

fn refused(config: AuditConfig) -> OpenError {
    AuditLogger::new(config).unwrap_err()
}

/// Every file but the lock, with its bytes.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(dir.join("trail")).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file() && path.file_name().unwrap() != "lock")
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}

fn is_root() -> bool {
    String::from_utf8_lossy(&Command::new("id").arg("-u").output().unwrap().stdout).trim() == "0"
}

fn skipped(test: &str, why: &str) {
    // Written past the harness, which would keep it to itself when the test passes.
    let line = format!("SKIPPED {test}: {why}\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

#[test]
fn a_second_writer_in_the_same_process_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = AuditLogger::new(config(dir.path())).unwrap();
    match refused(config(dir.path())) {
        OpenError::Locked { holder, .. } => {
            assert!(holder.contains(&format!("pid {}", std::process::id())), "{holder}");
        }
        other => panic!("{other:?}"),
    }
    first.emit(TestEvent::routine("x")).unwrap().wait_durable_timeout(PATIENCE).unwrap();
    first.shutdown_timeout(PATIENCE).unwrap();
    // Free as soon as the first is shut down, though its handle lives.
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
}

/// The child's side: tries to open and says how it went.
#[test]
fn second_process() {
    let Some(dir) = std::env::var_os("OPENING_DIR") else { return };
    println!("\noutcome {:?}", AuditLogger::new(config(dir.as_ref())).map(drop));
}

#[test]
fn a_second_writer_in_another_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = AuditLogger::new(config(dir.path())).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "second_process", "--nocapture"])
        .env("OPENING_DIR", dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("outcome Err(Locked"), "{text}");
    assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
}

#[test]
fn the_trail_of_another_service_is_refused_and_untouched() {
    let dir = trail();
    let before = contents(dir.path());
    let other = AuditConfig { mode: config(dir.path()).mode, ..AuditConfig::new("other") };
    let error = refused(other);
    assert!(
        matches!(&error, OpenError::WrongService { expected, found, .. }
            if expected == "other" && found == "billing-api"),
        "{error:?}"
    );
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_newer_format_and_a_broken_description_are_refused_and_untouched() {
    let dir = trail();
    let path = dir.path().join("trail/trail.json");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("audit-trail/1", "audit-trail/2")).unwrap();
    let before = contents(dir.path());
    let error = refused(config(dir.path()));
    assert!(
        matches!(&error, OpenError::UnsupportedFormat { found, .. } if found == "audit-trail/2")
    );
    assert_eq!(contents(dir.path()), before);
    for broken in ["", "{", "{\"format\":\"audit-trail/1\"}"] {
        std::fs::write(&path, broken).unwrap();
        let error = refused(config(dir.path()));
        assert!(matches!(error, OpenError::Damaged { .. }), "{broken}: {error:?}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(refused(config(dir.path())), OpenError::Damaged { .. }));
    std::fs::write(&path, good).unwrap();
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn a_directory_with_other_things_in_it_is_refused_and_nothing_is_put_there() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("trail");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("precious"), "x").unwrap();
    let error = refused(config(dir.path()));
    assert!(matches!(error, OpenError::NotATrail { .. }), "{error:?}");
    let names: Vec<_> =
        std::fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["precious"]);
}

#[test]
fn segments_that_are_all_gone_are_not_taken_for_a_new_trail() {
    let dir = trail();
    for entry in std::fs::read_dir(dir.path().join("trail")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "audit") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let error = refused(config(dir.path()));
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn an_emptied_trail_is_not_taken_for_a_new_one() {
    let dir = trail();
    for entry in std::fs::read_dir(dir.path().join("trail")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "audit") {
            std::fs::write(path, "").unwrap();
        }
    }
    let error = refused(config(dir.path()));
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn symlinks_are_refused_wherever_they_stand() {
    let dir = trail();
    let linked = tempfile::tempdir().unwrap();
    symlink(dir.path().join("trail"), linked.path().join("trail")).unwrap();
    let error = refused(config(linked.path()));
    assert!(matches!(error, OpenError::Insecure { .. }), "{error:?}");
    let segment = std::fs::read_dir(dir.path().join("trail"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "audit"))
        .unwrap();
    for file in [segment, dir.path().join("trail/trail.json"), dir.path().join("trail/lock")] {
        let aside = dir.path().join("aside");
        std::fs::rename(&file, &aside).unwrap();
        symlink(&aside, &file).unwrap();
        let error = refused(config(dir.path()));
        assert!(matches!(error, OpenError::Insecure { .. }), "{}: {error:?}", file.display());
        std::fs::rename(&aside, &file).unwrap();
    }
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    for mode in [0o770, 0o702] {
        let dir = trail();
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path().join("trail"), permissions).unwrap();
        let error = refused(config(dir.path()));
        assert!(matches!(error, OpenError::Insecure { .. }), "{mode:o}: {error:?}");
    }
}

#[test]
fn a_foreign_owner_is_refused() {
    if !is_root() {
        return skipped("a_foreign_owner_is_refused", "only root can give files away");
    }
    let dir = trail();
    std::os::unix::fs::chown(dir.path().join("trail"), Some(12_345), None).unwrap();
    let error = refused(config(dir.path()));
    assert!(matches!(error, OpenError::Insecure { .. }), "{error:?}");
}

#[test]
fn leftovers_of_a_crash_while_the_trail_was_made_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("trail");
    std::fs::create_dir_all(place.join("keys")).unwrap();
    for file in ["trail.json.tmp", "keys/0.key.tmp", "keys/0.key"] {
        std::fs::write(place.join(file), "half").unwrap();
    }
    AuditLogger::new(config(dir.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    assert_eq!(read_dir(&place)[0].event_type, "audit.trail_created");
}

#[test]
fn a_read_only_file_system_is_an_error() {
    let Some(mount) = Mount::new("24m") else {
        return skipped("a_read_only_file_system_is_an_error", "cannot mount a tmpfs here");
    };
    AuditLogger::new(config(mount.path())).unwrap().shutdown_timeout(PATIENCE).unwrap();
    // A program that another test is just starting holds this one's files until its `exec`: busy for so long.
    let deadline = Instant::now() + PATIENCE;
    while !Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(mount.path())
        .status()
        .unwrap()
        .success()
    {
        assert!(Instant::now() < deadline, "the file system stays busy");
    }
    let error = refused(config(mount.path()));
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
}

#[test]
fn a_disk_that_is_really_full_refuses_and_resumes_and_loses_nothing() {
    let Some(mount) = Mount::new("5m") else {
        return skipped("a_disk_that_is_really_full", "cannot mount a tmpfs here");
    };
    let error = refused(config(mount.path()));
    assert!(matches!(error, OpenError::Ring { .. }), "16 MiB do not fit: {error:?}");
    assert!(error.to_string().contains("free space, or set `ring_dir`"), "{error}");
    let small = AuditConfig { queue_bytes: 1 << 20, ..config(mount.path()) };
    let logger = AuditLogger::new(small).unwrap();
    let mut durable = Vec::new();
    let ballast = mount.path().join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    for n in 0.. {
        let label = n.to_string();
        match logger.emit(TestEvent::critical(&label).padded(30_000)) {
            Ok(receipt) => durable.push((label, receipt)),
            Err(audit_logging::EmitError::DiskFull) => break,
            // The small ring is full before the writer has found the disk full.
            Err(audit_logging::EmitError::QueueFull) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
        assert!(n < 100_000_000, "never full");
    }
    std::fs::remove_file(&ballast).unwrap();
    for (_, receipt) in &durable {
        receipt.wait_durable_timeout(PATIENCE).unwrap();
    }
    logger.shutdown_timeout(PATIENCE).unwrap();
    let lines = read_dir(&mount.path().join("trail"));
    let expected: Vec<&str> = durable.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(audit_testkit::read::labels(&lines), expected);
    assert!(lines.iter().any(|line| line.event_type == "audit.events_dropped"));
}

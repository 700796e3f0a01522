//! What is kept, and what is said of it when it or the trail was changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, AuditMode, RetentionPolicy, RotationPolicy};
use audit_testkit::{TestClock, TestEvent};

use crate::authority::{Authority, openssl};
use crate::{auditlog, check, emit, json, size, stamp, trail};

/// Where a size's token or checkpoint is.
fn file(dir: &str, name: &str) -> PathBuf {
    Path::new(dir).join("timestamps").join(name)
}

#[test]
fn what_is_kept_is_proven_by_us_and_by_openssl() {
    let Some(authority) = Authority::start() else { return };
    let dir = trail(&authority.path("trail"));
    let root = authority.path("root.pem");
    let mut sizes = Vec::new();
    for by in ["rsa-sha256-sha256", "rsa-sha512-sha1", "ec-sha256-sha256", "ec-sha384-sha512"] {
        emit(&dir, 1);
        sizes.push(size(&dir));
        let (code, said) = stamp(&dir, &authority.by(by), &root);
        assert_eq!(code, 0, "{by}: {said}");
        assert_eq!(said["written"], true, "{said}");
        assert_eq!(said["size"], size(&dir));
        assert_eq!(said["accuracy_us"], 1_500_000, "{said}");
        assert!(said["time"].as_str().unwrap().ends_with('Z'), "{said}");
        assert_eq!(said["policy"], "1.2.3.4.1");
        let name = by.split('-').next().unwrap();
        assert_eq!(said["authority"], format!("CN=Test-{name}"));
        // Again: nobody is asked, not even somebody who is not there.
        let before = fs::read(file(&dir, &format!("{}.tsr", size(&dir)))).unwrap();
        let (code, again) = stamp(&dir, "http://127.0.0.1:1/", &root);
        assert_eq!((code, &again["written"]), (0, &false.into()), "{again}");
        assert_eq!(again["time"], said["time"]);
        assert_eq!(fs::read(file(&dir, &format!("{}.tsr", size(&dir)))).unwrap(), before);
    }
    for size in &sizes {
        let (data, token) = (format!("{size}.checkpoint"), format!("{size}.tsr"));
        let at = file(&dir, "");
        let verify = format!("ts -verify -data {data} -in {token} -CAfile {}", root.display());
        openssl(&at, &verify).unwrap();
        for name in [data, token] {
            let mode = fs::metadata(file(&dir, &name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    assert_eq!(fs::read_dir(file(&dir, "")).unwrap().count(), 2 * sizes.len());

    let (code, said) = check(&dir, &root);
    assert_eq!((code, &said["verdict"]), (0, &"proven".into()), "{said}");
    let found: Vec<_> = said["timestamps"].as_array().unwrap().iter().collect();
    assert_eq!(found.iter().filter_map(|one| one["size"].as_u64()).collect::<Vec<_>>(), sizes);
    assert!(found.iter().all(|one| one["verdict"] == "proven"), "{said}");
    assert_eq!(said["trail"]["freshness"]["reference"]["size"], *sizes.last().unwrap());

    let key = auditlog(&["keys", &dir, "export", "--first"]);
    let key = String::from_utf8(key.stdout).unwrap();
    let roots = root.to_str().unwrap();
    let pinned = ["timestamp", &dir, "--check", "--roots", roots, "--key", key.trim()];
    assert_eq!(json(&pinned).0, 0);
    let people = auditlog(&pinned);
    let text = String::from_utf8(people.stdout).unwrap();
    assert!(text.contains("existed at 2") && text.contains("give or take 1.5s"), "{text}");
    // Keys change: what the old one signed stays proven.
    assert_eq!(auditlog(&["keys", &dir, "rotate"]).status.code(), Some(0));
    emit(&dir, 1);
    assert_eq!(stamp(&dir, &authority.by("rsa-sha256-sha256"), &root).0, 0);
    let (code, said) = json(&pinned);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said["timestamps"].as_array().unwrap().len(), sizes.len() + 1);
}

#[test]
fn nothing_else_minds_the_directory() {
    let Some(authority) = Authority::start() else { return };
    let dir = trail(&authority.path("trail"));
    let root = authority.path("root.pem");
    assert_eq!(stamp(&dir, &authority.by("rsa-sha256-sha256"), &root).0, 0);
    emit(&dir, 2);
    let kept = file(&dir, "");
    let there = fs::read_dir(&kept).unwrap().count();
    for command in ["verify", "query"] {
        let (code, said) = json_lines(&[command, &dir]);
        assert_eq!(code, 0, "{command}: {said}");
    }
    assert_eq!(auditlog(&["retention", &dir, "run"]).status.code(), Some(0));
    let tar = authority.path("trail.tar");
    let packed = std::process::Command::new("tar")
        .args(["-cf", tar.to_str().unwrap(), "-C", &dir, "."])
        .status();
    assert!(packed.unwrap().success());
    assert_eq!(json_lines(&["verify", tar.to_str().unwrap()]).0, 0);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_full.py");
    let python = std::process::Command::new("python3").arg(script).arg(&dir).output();
    match python {
        Ok(python) if !String::from_utf8_lossy(&python.stderr).contains("cryptography") => {
            assert_eq!(python.status.code(), Some(0), "{python:?}");
        }
        _ => eprintln!("SKIPPED: python3 with its package cryptography is not here"),
    }
    assert_eq!(fs::read_dir(&kept).unwrap().count(), there);
    assert_eq!(check(&dir, &root).0, 0);
}

#[test]
fn a_stamp_outlives_the_entries_that_retention_deletes() {
    let Some(authority) = Authority::start() else { return };
    let (at, root) = (authority.path("trail"), authority.path("root.pem"));
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let policy =
        RetentionPolicy { min_retention_days: 30, archive_after_days: 10, delete_after_days: 30 };
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: at.clone() },
        rotation: RotationPolicy::Daily,
        retention: policy,
        retention_interval_hours: 0,
        heartbeat_secs: 0,
        seal_interval_ms: 1,
        ..AuditConfig::new("billing-api")
    };
    let logger = AuditLogger::builder(config).clock(clock.shared()).open().unwrap();
    let dir = at.to_str().unwrap();
    let by = authority.by("rsa-sha256-sha256");
    for day in 0..45 {
        drop(logger.emit(TestEvent::routine(format!("day {day}"))).unwrap());
        logger.seal_blocking().unwrap();
        // The writer has it open all the while.
        if [2, 20, 40].contains(&day) {
            assert_eq!(stamp(dir, &by, &root).0, 0);
        }
        clock.advance(Duration::from_secs(86_400));
    }
    assert!(!logger.apply_retention().unwrap().deleted.is_empty());
    logger.seal_blocking().unwrap();
    logger.shutdown_blocking().unwrap();
    let (code, said) = check(dir, &root);
    assert_eq!((code, &said["verdict"]), (0, &"proven".into()), "{said}");
    assert!(said["trail"]["first_seq"].as_u64() > said["timestamps"][0]["size"].as_u64(), "{said}");
    assert_eq!(said["timestamps"].as_array().unwrap().len(), 3);
}

fn json_lines(args: &[&str]) -> (i32, String) {
    let output = auditlog(&[args, &["--json"]].concat());
    let code = output.status.code().unwrap();
    (code, String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_trail_that_was_changed_contradicts_its_stamps() {
    let Some(authority) = Authority::start() else { return };
    let dir = trail(&authority.path("trail"));
    let root = authority.path("root.pem");
    let backup = authority.path("backup");
    copy(Path::new(&dir), &backup);
    emit(&dir, 2);
    let stamped = size(&dir);
    assert_eq!(stamp(&dir, &authority.by("ec-sha256-sha256"), &root).0, 0);

    // The older copy, with the stamps of the newer one: fewer entries than were stamped.
    copy(&file(&dir, ""), &backup.join("timestamps"));
    let old = backup.to_str().unwrap();
    let (code, said) = check(old, &root);
    assert_eq!((code, &said["timestamps"][0]["verdict"]), (1, &"violated".into()), "{said}");
    assert!(said["timestamps"][0]["problem"].as_str().unwrap().contains("fewer entries"), "{said}");

    // It goes on otherwise, to more entries: another history.
    emit(old, 5);
    let (code, said) = check(old, &root);
    assert_eq!(code, 1, "{said}");
    assert!(
        said["timestamps"][0]["problem"].as_str().unwrap().contains("another history"),
        "{said}"
    );
    // Also where it is of the very size, and somebody would stamp it again.
    if size(old) == stamped {
        assert_eq!(stamp(old, &authority.by("ec-sha256-sha256"), &root).0, 1);
    }

    // An entry is edited: the trail itself says so, and that is the answer.
    let segment = fs::read_dir(&dir).unwrap().map(|item| item.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|end| end == "audit"));
    let segment = segment.max().unwrap();
    let text = fs::read_to_string(&segment).unwrap().replace("auth.failure", "auth.success");
    fs::write(&segment, text).unwrap();
    let (code, said) = check(&dir, &root);
    assert_eq!((code, &said["verdict"]), (1, &"violated".into()), "{said}");
}

#[test]
fn kept_files_that_were_changed_are_told_apart() {
    let Some(authority) = Authority::start() else { return };
    let dir = trail(&authority.path("trail"));
    let root = authority.path("root.pem");
    let (code, said) = check(&dir, &root);
    assert_eq!((code, &said["verdict"]), (3, &"unproven".into()), "no time stamps: {said}");
    let first = size(&dir);
    assert_eq!(stamp(&dir, &authority.by("rsa-sha256-sha256"), &root).0, 0);
    emit(&dir, 1);
    let second = size(&dir);
    assert_eq!(stamp(&dir, &authority.by("rsa-sha256-sha256"), &root).0, 0);

    let token = file(&dir, &format!("{first}.tsr"));
    let note = file(&dir, &format!("{first}.checkpoint"));
    let (good, good_note) = (fs::read(&token).unwrap(), fs::read(&note).unwrap());
    let other = fs::read(file(&dir, &format!("{second}.tsr"))).unwrap();
    let other_note = fs::read(file(&dir, &format!("{second}.checkpoint"))).unwrap();
    let mut flipped = good_note.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cases = [
        ("of another checkpoint", &other, &good_note, 1, "other bytes"),
        ("cut short", &good[..good.len() - 40].to_vec(), &good_note, 1, "cannot be read"),
        ("emptied", &Vec::new(), &good_note, 1, "cannot be read"),
        ("far too long", &[&good[..], &[0; 70_000]].concat(), &good_note, 1, "cannot be read"),
        ("checkpoint edited", &good, &flipped, 1, "other bytes"),
        ("both of another size", &other, &other_note, 1, "its checkpoint is of"),
    ];
    for (what, token_bytes, note_bytes, exit, problem) in cases {
        fs::write(&token, token_bytes).unwrap();
        fs::write(&note, note_bytes).unwrap();
        let (code, said) = check(&dir, &root);
        assert_eq!(code, exit, "{what}: {said}");
        assert_eq!(said["timestamps"][0]["verdict"], "violated", "{what}: {said}");
        assert_eq!(said["timestamps"][1]["verdict"], "proven", "{what}: {said}");
        let found = said["timestamps"][0]["problem"].as_str().unwrap();
        assert!(found.contains(problem), "{what}: {found}");
        assert!(said["timestamps"][0]["time"].is_null(), "{what}: no time of what does not hold");
    }
    // A true time stamp of a checkpoint that the trail's key did not sign, though it is of this history.
    let text = String::from_utf8(good_note.clone()).unwrap();
    let at = text.trim_end().len() - 8;
    let (before, after) = text.split_at(at);
    let letter = if after.starts_with('A') { "B" } else { "A" };
    let foreign = format!("{before}{letter}{}", &after[1..]);
    fs::write(&token, authority.response("rsa-sha256-sha256", foreign.as_bytes())).unwrap();
    fs::write(&note, foreign).unwrap();
    let (code, said) = check(&dir, &root);
    let problem = said["timestamps"][0]["problem"].as_str().unwrap();
    assert!(code == 1 && problem.contains("not signed by the trail's key"), "{said}");

    fs::write(&token, &good).unwrap();
    fs::remove_file(&note).unwrap();
    let (code, said) = check(&dir, &root);
    assert_eq!(code, 3, "the checkpoint is gone: {said}");
    fs::write(&note, &good_note).unwrap();
    assert_eq!(check(&dir, &root).0, 0);
    let (code, said) = check(&dir, &authority.path("other.pem"));
    assert_eq!(code, 3, "{said}");
    let problem = said["timestamps"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("roots that were given"), "{problem}");
    // What a crash leaves, and what others put there, is none of ours.
    fs::remove_file(&token).unwrap();
    for name in ["99.tsr.tmp", "007.tsr", "-1.tsr", "notes.txt"] {
        fs::write(file(&dir, name), "x").unwrap();
    }
    let (code, said) = check(&dir, &root);
    assert_eq!((code, said["timestamps"].as_array().unwrap().len()), (0, 1), "{said}");
}

/// Copies a directory of files, and those in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &to);
        } else {
            fs::copy(item.path(), to).unwrap();
        }
    }
}

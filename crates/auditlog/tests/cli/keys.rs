//! `auditlog keys`: show, rotate, export, pin, on trails that the program itself made.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use audit_logging::{AuditConfig, AuditLogger, AuditMode, RotationPolicy};
use audit_testkit::TestClock;
use serde_json::Value;

use crate::{auditlog, run, stderr, stdout, vector};

/// A trail with some entries, its path, and its first key.
fn trail(temp: &Path) -> (String, String) {
    let dir = temp.join("trail").display().to_string();
    let made = run(&["init", &dir, "--service", "billing-api", "--json"]);
    let said: Value = serde_json::from_slice(&made.stdout).unwrap();
    emit(&dir);
    (dir, said["key"].as_str().unwrap().to_owned())
}

fn emit(dir: &str) -> Output {
    let mut child =
        auditlog(&["emit", dir]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"event_type\":\"door.opened\"}\n").unwrap();
    child.wait_with_output().unwrap()
}

fn show(dir: &str) -> Value {
    let output = run(&["keys", dir, "show", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn rotated_shown_exported_and_still_proven_by_the_first_key() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, first) = trail(temp.path());
    let before = show(&dir);
    assert_eq!(before["epochs"].as_array().unwrap().len(), 1);
    assert_eq!(before["epochs"][0]["key"], first.as_str());
    assert_eq!(before["files"][0]["mode"], "0600");
    for epoch in 1..=2 {
        let rotated = run(&["keys", &dir, "rotate", "--json"]);
        assert_eq!(rotated.status.code(), Some(0), "{}", stderr(&rotated));
        let said: Value = serde_json::from_slice(&rotated.stdout).unwrap();
        assert_eq!(said["epoch"], epoch);
        emit(&dir);
    }
    // All in one segment: the rotations are found in the middle of it, and lead from the first key on.
    let proof = temp.path().join("p.tlog-proof").display().to_string();
    assert!(run(&["prove", &dir, "0", "-o", &proof]).status.success());
    let proven = run(&["check", &proof, "--key", &first, "--json"]);
    let proven: Value = serde_json::from_slice(&proven.stdout).unwrap();
    assert_eq!(
        (&proven["verdict"], &proven["rotations"]),
        (&"proven".into(), &2.into()),
        "{proven}"
    );
    let after = show(&dir);
    let epochs = after["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 3);
    // Each key signs from where the one before ends, with one size in between that nobody signs.
    for pair in epochs.windows(2) {
        let ends = pair[0]["to_size"].as_u64().unwrap();
        assert_eq!(pair[1]["from_size"].as_u64().unwrap(), ends + 1);
        assert_eq!(pair[1]["vouched_by"], "key_before");
    }
    let files = after["files"].as_array().unwrap();
    assert_eq!((files.len(), &files[0]["epoch"]), (1, &Value::from(2)));
    assert!(files[0]["problem"].is_null(), "{files:?}");

    let export = |which: &[&str]| stdout(&run(&[&["keys", &dir, "export"][..], which].concat()));
    assert_eq!(export(&["--first"]), format!("{first}\n"));
    assert_eq!(export(&["--current"]).trim_end(), epochs[2]["key"].as_str().unwrap());
    assert_eq!(export(&["--epoch", "1"]).trim_end(), epochs[1]["key"].as_str().unwrap());
    assert_eq!(export(&[]).lines().count(), 3);
    assert_eq!(run(&["keys", &dir, "export", "--epoch", "7"]).status.code(), Some(2));
    assert_eq!(run(&["verify", &dir, "--key", &first]).status.code(), Some(0));
}

#[test]
fn a_pin_is_made_once_held_against_the_trail_and_taken_by_verify() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, first) = trail(temp.path());
    let file = temp.path().join("billing.vkey");
    let pin = file.display().to_string();
    assert_eq!(run(&["keys", &dir, "pin", &pin]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{first}\n"));
    run(&["keys", &dir, "rotate"]);
    // It stays the pin whatever is rotated.
    assert_eq!(run(&["keys", &dir, "pin", &pin]).status.code(), Some(0));
    for key in [format!("@{pin}"), pin.clone(), first] {
        assert_eq!(run(&["verify", &dir, "--key", &key]).status.code(), Some(0), "{key}");
    }
    // Another trail has another first key; the pin is not touched.
    let other = temp.path().join("other");
    fs::create_dir(&other).unwrap();
    let (other, _) = trail(&other);
    let before = fs::read(&file).unwrap();
    assert_eq!(run(&["keys", &other, "pin", &pin]).status.code(), Some(1));
    assert_eq!(run(&["verify", &other, "--key", &pin]).status.code(), Some(1));
    assert_eq!(fs::read(&file).unwrap(), before);
    // No pin at all is no success.
    fs::write(&file, "hello\n").unwrap();
    assert_eq!(run(&["keys", &dir, "pin", &pin]).status.code(), Some(2));
    assert_eq!(run(&["verify", &dir, "--key", &format!("@{pin}")]).status.code(), Some(2));
    assert_eq!(run(&["verify", &dir, "--key", "@/nowhere"]).status.code(), Some(2));
}

#[test]
fn rotating_a_trail_that_somebody_writes_is_a_clear_error() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, _) = trail(temp.path());
    let mut writer = auditlog(&["emit", &dir, "--receipts", "durable"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(b"{\"event_type\":\"door.opened\"}\n").unwrap();
    let mut receipt = String::new();
    let mut lines = std::io::BufReader::new(writer.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut receipt).unwrap();
    let refused = run(&["keys", &dir, "rotate"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("another writer has this trail"), "{}", stderr(&refused));
    assert_eq!(show(&dir)["epochs"].as_array().unwrap().len(), 1);
    drop(stdin);
    writer.wait().unwrap();
    assert_eq!(run(&["keys", &dir, "rotate"]).status.code(), Some(0));
}

#[test]
fn key_files_that_are_wrong_are_shown_and_nothing_private_is_printed() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, _) = trail(temp.path());
    let key = Path::new(&dir).join("keys/0.key");
    let good = fs::read_to_string(&key).unwrap();
    let secret = good.trim_end().splitn(5, '+').nth(4).unwrap().to_owned();
    fs::create_dir(temp.path().join("o")).unwrap();
    let foreign = trail(&temp.path().join("o")).0;
    let foreign = fs::read_to_string(Path::new(&foreign).join("keys/0.key")).unwrap();
    let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    for (content, bits, problem) in [
        (good.as_str(), 0o640, "others may read"),
        (&good[..good.len() - 9], 0o600, "cut short"),
        ("", 0o600, "not a key"),
        (&foreign, 0o600, "another trail"),
    ] {
        fs::write(&key, content).unwrap();
        mode(bits);
        let shown = show(&dir);
        assert!(shown["files"][0]["problem"].as_str().unwrap().contains(problem), "{shown}");
        let refused = run(&["keys", &dir, "rotate"]);
        assert_eq!(refused.status.code(), Some(2), "{problem}");
        for output in [&refused, &run(&["keys", &dir, "show"]), &emit(&dir)] {
            let text = stdout(output) + &stderr(output);
            assert!(!text.contains(&secret) && !text.contains("PRIVATE"), "{text}");
        }
    }
    fs::write(&key, &good).unwrap();
    mode(0o600);
    // The key of an ended epoch that somebody put back is not overlooked.
    assert_eq!(run(&["keys", &dir, "rotate"]).status.code(), Some(0));
    fs::write(&key, &good).unwrap();
    mode(0o600);
    let shown = show(&dir);
    assert!(shown["files"][0]["problem"].as_str().unwrap().contains("has ended"), "{shown}");
    emit(&dir);
    assert!(!key.exists() && show(&dir)["files"].as_array().unwrap().len() == 1);
}

#[test]
fn a_key_that_nobody_vouches_for_is_a_violation() {
    let shown = run(&["keys", &vector("healthy"), "show"]);
    assert_eq!(shown.status.code(), Some(0), "{}", stdout(&shown));
    let temp = tempfile::tempdir().unwrap();
    let mut forged = false;
    for file in fs::read_dir(vector("healthy")).unwrap() {
        let file = file.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        // A new key under an honest rotation: the hash no longer fits, and the key is not believed.
        let changed = text.replacen("\"epoch\":1,\"new_key\":\"", "\"epoch\":1,\"new_key\":\"x", 1);
        forged |= changed != text;
        fs::write(temp.path().join(file.file_name().unwrap()), changed).unwrap();
    }
    assert!(forged);
    let shown = run(&["keys", &temp.path().display().to_string(), "show"]);
    assert_eq!(shown.status.code(), Some(1), "{}", stdout(&shown));
}

#[test]
fn a_rotation_begins_no_segment_and_takes_the_services_configuration() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    // Written on another day: with daily rotation, any opening of today begins a segment.
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: dir.clone() },
        rotation: RotationPolicy::SizeLimit { bytes: 1 << 30 },
        ..AuditConfig::new("billing-api")
    };
    let clock = TestClock::at("2001-01-01T00:00:00Z");
    let logger = AuditLogger::builder(config).clock(clock.shared()).open().unwrap();
    logger.shutdown_blocking().unwrap();
    let dir = dir.display().to_string();
    let segments = || {
        let names = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name());
        names.filter(|name| Path::new(name).extension().is_some_and(|e| e == "audit")).count()
    };
    let rotate = |more: &[&str]| run(&[&["keys", &dir, "rotate"], more].concat());
    assert_eq!(rotate(&[]).status.code(), Some(0));
    assert_eq!(segments(), 1);

    let file = temp.path().join("audit.toml");
    let configured = |base: &str, rotation: &str| {
        let toml = format!(
            "service_id = \"billing-api\"\nmode = {{ local = {{ base_dir = \"{base}\" }} }}\n\
             rotation = {rotation}\n"
        );
        fs::write(&file, toml).unwrap();
        rotate(&["--config", file.to_str().unwrap()])
    };
    let same = configured(&dir, "{ size_limit = { bytes = 1000000 } }");
    assert_eq!((same.status.code(), segments()), (Some(0), 1), "{}", stderr(&same));
    let elsewhere = configured("/elsewhere", "\"daily\"");
    assert_eq!(elsewhere.status.code(), Some(2));
    assert!(stderr(&elsewhere).contains("not the configuration of"), "{}", stderr(&elsewhere));
    assert_eq!(configured(&dir, "\"now and then\"").status.code(), Some(2));
    let daily = configured(&dir, "\"daily\"");
    assert_eq!((daily.status.code(), segments()), (Some(0), 2), "{}", stderr(&daily));
    // Two that were asked for, and one each for the segment and the asking.
    assert_eq!(show(&dir)["epochs"].as_array().unwrap().len(), 5);
}

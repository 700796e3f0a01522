//! `auditlog export` and `auditlog reconcile`: cursors that survive a kill, following, exit codes.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use serde_json::Value;

use crate::{auditlog, run, stderr, stdout, vector};

/// These tests count entries.
const NOT_NOTED: &str = "--audit-access=never";

/// A trail that is being written, and the way to write more.
pub(crate) struct Live {
    dir: tempfile::TempDir,
    emit: Child,
    events: Option<ChildStdin>,
    receipts: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Live {
    pub(crate) fn new() -> Live {
        let dir = tempfile::tempdir().unwrap();
        let trail = dir.path().join("audit").display().to_string();
        assert!(run(&["init", &trail, "--service", "svc"]).status.success());
        let mut emit = auditlog(&["emit", &trail, "--receipts", "durable"]);
        let mut emit = emit.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let events = emit.stdin.take();
        let receipts = BufReader::new(emit.stdout.take().unwrap()).lines();
        Live { dir, emit, events, receipts }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Writes so many events, and waits until they are durable.
    pub(crate) fn write(&mut self, count: usize) {
        let events = self.events.as_mut().unwrap();
        for n in 0..count {
            writeln!(events, r#"{{"event_type":"door.opened","details":{{"n":{n}}}}}"#).unwrap();
        }
        events.flush().unwrap();
        self.receipts.by_ref().take(count).for_each(|receipt| drop(receipt.unwrap()));
    }

    pub(crate) fn end(&mut self) {
        drop(self.events.take());
        assert!(self.emit.wait().unwrap().success());
    }
}

/// How many entries a trail has.
fn entries(trail: &str) -> u64 {
    let output = run(&["query", trail, "--limit", "1", "--order", "newest", "--json", NOT_NOTED]);
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["seq"].as_u64().unwrap() + 1
}

pub(crate) fn reconcile(dir: &str, files: &[&str]) -> (Option<i32>, Value) {
    let output = run(&[&["reconcile", "--json", dir], files].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn every_form_is_exported_and_reconciled() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["json", "csv", "ocsf", "cef", "syslog", "ecs"] {
        let output = run(&["export", &vector("healthy"), "--format", format]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stderr(&output).starts_with("300 records in "), "{}", stderr(&output));
        let file = dir.path().join(format);
        fs::write(&file, &output.stdout).unwrap();
        let file = file.display().to_string();
        let (code, result) = reconcile(&vector("healthy"), &[&file]);
        assert_eq!((code, &result["records"]), (Some(0), &300.into()), "{format}: {result}");
        // Without its last record but one.
        let text = stdout(&output);
        let lines: Vec<_> = text.lines().collect();
        let kept: Vec<_> =
            lines.iter().enumerate().filter(|(at, _)| *at != lines.len() - 2).collect();
        let text: String = kept.iter().map(|(_, line)| format!("{line}\n")).collect();
        fs::write(&file, text).unwrap();
        let (code, result) = reconcile(&vector("healthy"), &[&file]);
        assert_eq!((code, &result["missing_ranges"]), (Some(3), &serde_json::json!([[298, 298]])));
        let output = run(&["reconcile", &vector("healthy"), &file]);
        assert!(stdout(&output).contains("\n  missing   1: seq 298\n"), "{}", stdout(&output));
    }
    let other = dir.path().join("json").display().to_string();
    // What is exported is more than the shorter trail of the same name has.
    let (code, result) = reconcile(&vector("healthy-small"), &[&other]);
    assert_eq!(code, Some(1));
    assert!(result["beyond"].as_u64().unwrap() > 200, "{result}");
}

#[test]
fn a_next_run_goes_on_where_the_last_one_ended() {
    let mut live = Live::new();
    let (trail, cursor, file) = (live.file("audit"), live.file("cursor"), live.file("out"));
    let export = |expected: u64| {
        let args = [
            "export", &trail, "--format", "csv", "--cursor", &cursor, "-o", &file, "--json",
            NOT_NOTED,
        ];
        let told: Value = serde_json::from_str(&stderr(&run(&args))).unwrap();
        assert_eq!(told["records"], expected);
    };
    live.write(1);
    export(entries(&trail));
    live.write(10);
    export(10);
    export(0);
    // A crash left half a record, and a cursor that is older than the file.
    let before = fs::read(&cursor).unwrap();
    live.write(5);
    export(5);
    fs::write(&cursor, before).unwrap();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"half a rec").unwrap();
    export(5);
    let before = entries(&trail);
    live.end();
    export(entries(&trail) - before);
    let (code, result) = reconcile(&trail, &[&file]);
    assert_eq!((code, &result["repeated"], &result["unreadable"]), (Some(0), &5.into(), &0.into()));
    assert_eq!(fs::read_to_string(&file).unwrap().matches("origin,seq,").count(), 1);
    // A cursor is of one trail.
    let output = run(&["export", &vector("healthy"), "--format", "csv", "--cursor", &cursor]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is the cursor of another trail; "));
}

#[test]
fn what_retention_took_before_it_was_exported_is_named_and_the_exit_code_says_so() {
    let live = tempfile::tempdir().unwrap();
    let trail = live.path().join("audit");
    fs::create_dir(&trail).unwrap();
    for file in fs::read_dir(vector("healthy")).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), trail.join(file.file_name())).unwrap();
        }
    }
    let (dir, cursor) = (trail.display().to_string(), live.path().join("cursor"));
    let cursor_file = cursor.display().to_string();
    let args = ["export", &dir, "--format", "json", "--cursor", &cursor_file, NOT_NOTED];
    assert_eq!(run(&args).status.code(), Some(0));
    // As if that export had ended at entry 2, and then the first segment had gone.
    let text = fs::read_to_string(&cursor).unwrap();
    let (origin, place) = text.split_once('\n').unwrap();
    let (_, place) = place.split_once('@').unwrap();
    fs::write(&cursor, format!("{origin}\n2@{place}")).unwrap();
    let mut segments: Vec<_> = fs::read_dir(&trail)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "audit"))
        .collect();
    segments.sort();
    assert!(segments.len() > 1, "{segments:?}");
    let gone = fs::read_to_string(&segments[0]).unwrap().lines().count();
    fs::remove_file(&segments[0]).unwrap();
    let output = run(&args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("seq 3 to {} were not exported", gone - 1)), "{said}");
    assert_eq!(stdout(&output).lines().count(), 300 - gone);
    // It is told once.
    assert_eq!(run(&args).status.code(), Some(0));
}

#[test]
fn nothing_is_cut_off_a_file_that_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("letter").display().to_string();
    fs::write(&file, "Dear reader").unwrap();
    let output = run(&["export", &vector("healthy"), "--format", "json", "-o", &file]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("it ends in the middle of a line; "), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), "Dear reader");
}

/// Waits for a file to hold a text: whoever writes it does so at any moment.
fn wait_for(file: &Path, wanted: &str) {
    while !fs::read_to_string(file).is_ok_and(|text| text.contains(wanted)) {
        std::thread::yield_now();
    }
}

#[test]
fn a_stream_that_is_killed_again_and_again_loses_nothing() {
    let mut live = Live::new();
    let (trail, cursor, file) = (live.file("audit"), live.file("cursor"), live.file("out"));
    let follow = || {
        auditlog(&[
            "export", &trail, "--format", "ocsf", "--follow", "--cursor", &cursor, "-o", &file,
            NOT_NOTED,
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
    };
    for round in 0..4 {
        let mut child = follow();
        live.write(200);
        if round % 2 == 0 {
            // Alive until it has the last one.
            let last = entries(&trail) - 1;
            wait_for(Path::new(&file), &format!("\"sequence\":{last},"));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    live.end();
    let args = ["export", &trail, "--format", "ocsf", "--cursor", &cursor, "-o", &file, NOT_NOTED];
    assert!(run(&args).status.success());
    let (code, result) = reconcile(&trail, &[&file]);
    assert_eq!(
        (code, &result["missing"], &result["unreadable"]),
        (Some(0), &0.into(), &0.into()),
        "{result}"
    );
}

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

#[cfg(feature = "index")]
mod parquet {
    use super::*;

    #[test]
    fn a_parquet_file_is_whole_new_and_reconciled() {
        let mut live = Live::new();
        let (trail, cursor) = (live.file("audit"), live.file("cursor"));
        let (first, second, none) =
            (live.file("1.parquet"), live.file("2.parquet"), live.file("3"));
        let export = |file: &str| {
            let args =
                ["--format", "parquet", "--cursor", &cursor, "-o", file, "--json", NOT_NOTED];
            run(&[&["export", &trail][..], &args].concat())
        };
        let records = |output: &std::process::Output| {
            let told: Value = serde_json::from_str(&stderr(output)).unwrap();
            told["records"].as_u64().unwrap()
        };
        live.write(40);
        let there = entries(&trail);
        let done = export(&first);
        assert_eq!((done.status.code(), records(&done)), (Some(0), there));
        live.write(3);
        // What is newer is named, and is in the next file.
        let (code, result) = reconcile(&trail, &[&first]);
        let missing = serde_json::json!([[there, there + 2]]);
        assert_eq!((code, &result["missing_ranges"]), (Some(3), &missing), "{result}");
        // A file that is there is not touched, and the cursor does not move.
        let whole = fs::read(&first).unwrap();
        let refused = export(&first);
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains("exists"), "{}", stderr(&refused));
        assert!(fs::read(&first).unwrap() == whole);
        assert_eq!(records(&export(&second)), 3);
        assert_eq!(records(&export(&none)), 0);
        let (code, result) = reconcile(&trail, &[&second, &first, &none]);
        assert_eq!((code, &result["records"]), (Some(0), &(there + 3).into()), "{result}");
        assert_eq!(fs::read_dir(live.file("")).unwrap().count(), 5, "nothing unfinished is left");
        live.end();
        // Of another trail.
        let (code, result) = reconcile(&vector("healthy"), &[&first]);
        assert_eq!((code, &result["foreign"]), (Some(3), &there.into()), "{result}");
    }

    #[test]
    fn to_standard_output_and_from_standard_input() {
        let output = run(&["export", &vector("healthy"), "--format", "parquet"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).starts_with("300 records in "), "{}", stderr(&output));
        let reconcile = |trail: &str, bytes: &[u8]| {
            let mut child = auditlog(&["reconcile", "--json", &vector(trail), "-"]);
            let mut child = child
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(bytes).unwrap();
            let output = child.wait_with_output().unwrap();
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            (output.status.code(), told)
        };
        let whole = output.stdout;
        let (code, result) = reconcile("healthy", &whole);
        assert_eq!(
            (code, &result["records"], &result["carried"]),
            (Some(0), &300.into(), &0.into())
        );
        // More than the shorter trail of the same name has.
        let (code, result) = reconcile("healthy-small", &whole);
        assert!(code == Some(1) && result["beyond"].as_u64().unwrap() > 200, "{result}");
        for (half, says) in [
            (&whole[..whole.len() / 2], "it is no whole Parquet file"),
            (&whole[..4], "it is no whole Parquet file"),
        ] {
            let (code, told) = reconcile("healthy", half);
            assert_eq!(code, Some(2));
            assert!(told["error"].as_str().unwrap().contains(says), "{told}");
        }
        let mut damaged = whole.clone();
        let middle = damaged.len() / 3;
        damaged[middle..middle + 64].fill(0xff);
        let (code, told) = reconcile("healthy", &damaged);
        assert_ne!(code, Some(0), "{told}");
    }

    #[test]
    fn what_a_file_cannot_do_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out.parquet").display().to_string();
        for (more, says) in [
            (&["--follow", "-o", &file][..], "a Parquet file has an end"),
            (&["--to", "tcp://localhost:1"], "--to sends syslog messages"),
            (&["-o", "/nowhere/at/all/x.parquet"], "cannot write /nowhere/at/all/x.parquet"),
        ] {
            let args = ["export", &vector("healthy"), "--format", "parquet"];
            let output = run(&[&args[..], more].concat());
            assert_eq!(output.status.code(), Some(2), "{more:?}");
            assert!(stderr(&output).contains(says), "{}", stderr(&output));
        }
        assert!(!Path::new(&file).exists());
    }
}

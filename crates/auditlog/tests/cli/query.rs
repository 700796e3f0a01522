//! `auditlog query`: what is printed where, and that nothing hostile reaches a terminal.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::{auditlog, run, stderr, stdout, vector};

/// The lines of a vector, oldest first.
fn lines(name: &str) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(vector(name))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "audit"))
        .collect();
    // `-` sorts before `.`, so the first segment of a day comes last.
    files.sort_by_key(|path| path.display().to_string().replace(".audit", "-0.audit"));
    files
        .iter()
        .flat_map(|path| {
            fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn json_is_the_entries_as_they_stand_on_disk_and_the_count_is_beside_them() {
    let output = run(&["query", &vector("healthy"), "--type", "auth.*", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let expected: Vec<_> = lines("healthy")
        .into_iter()
        .filter(|line| line.contains("\"event_type\":\"auth."))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), expected);
    let searched: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(searched["matched"], expected.len());
    assert_eq!((&searched["entries"], &searched["complete"]), (&300.into(), &true.into()));
}

#[test]
fn nothing_found_says_how_much_was_searched() {
    let output = run(&["query", &vector("healthy"), "--actor", "nobody"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), String::new()));
    let said = stderr(&output);
    assert!(said.starts_with("0 found; searched 300 entries in 2 segments, "), "{said}");
}

#[test]
fn pages_by_the_cursor_that_is_printed() {
    let trail = vector("healthy");
    let (mut seqs, mut after) = (Vec::new(), Vec::new());
    loop {
        let mut args = vec!["query", &trail, "--limit", "128", "--order", "newest", "--json"];
        args.extend(after.iter().map(String::as_str));
        let output = run(&args);
        let page = stdout(&output);
        let seq =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap();
        seqs.extend(page.lines().map(seq));
        let searched: Value = serde_json::from_str(&stderr(&output)).unwrap();
        if searched["complete"] == true {
            break;
        }
        after = vec!["--after".to_owned(), searched["next"].as_str().unwrap().to_owned()];
    }
    assert_eq!(seqs, (0..300).rev().collect::<Vec<_>>());
    let output = run(&["query", &trail, "--limit", "2"]);
    let said = stderr(&output);
    assert!(said.contains("\nthere may be more: --after 1@2026-"), "{said}");
}

#[test]
fn csv_has_a_header_and_a_row_for_each_entry() {
    let output = run(&["query", &vector("healthy"), "--seq", "1-2", "--format", "csv"]);
    let text = stdout(&output);
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].starts_with("seq,audit_id,timestamp,") && rows[0].ends_with(",hash"));
    let columns = rows[0].split(',').count();
    let entry: Value = serde_json::from_str(&lines("healthy")[1]).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let begins = format!("1,{},{},", text(&entry["audit_id"]), text(&entry["timestamp"]));
    assert!(
        rows[1].starts_with(&begins) && rows[1].ends_with(&text(&entry["hash"])),
        "{}",
        rows[1]
    );
    assert!(rows[1].matches(',').count() + 1 >= columns);
}

#[test]
fn times_in_a_zone_and_what_cannot_be_understood() {
    let trail = vector("healthy");
    let found = |args: &[&str]| {
        let output = run(&[&["query", &trail, "--json"], args].concat());
        let searched: Value = serde_json::from_str(&stderr(&output)).unwrap();
        searched["matched"].as_u64().unwrap()
    };
    assert_eq!(found(&["--since", "2026-11-23", "--until", "2026-11-30"]), 300);
    assert_eq!(found(&["--until", "2026-11-22"]), 0);
    // The first entry is of 06:54 UTC.
    let berlin = ["--zone", "Europe/Berlin", "--until"];
    assert_eq!(found(&[&berlin[..], &["2026-11-23T07:54"]].concat()), 0);
    assert!(found(&[&berlin[..], &["2026-11-23T07:54:01"]].concat()) > 0);
    assert_eq!(found(&["--since", "2026-11-23T00:00:00-05:00", "--until", "1s"]), 300);
    for (args, says) in [
        (["--since", "soon"], "--since: \"soon\" is no time; give a duration"),
        (["--zone", "Mars/Olympus"], "--zone \"Mars/Olympus\": "),
        (["--seq", "5-x"], "--seq \"5-x\" is no range; give 100-200"),
        (["--seq", "5-4"], "the range of seq is empty: it begins at 5 and ends at 4"),
        (["--after", "17"], "--after \"17\": not a cursor; "),
        (["--contains", ""], "the text to search for is empty; "),
    ] {
        let output = run(&["query", &trail, args[0], args[1]]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
        assert!(stderr(&output).starts_with(&format!("auditlog: {says}")), "{}", stderr(&output));
    }
    let reversed = run(&["query", &trail, "--since", "1d", "--until", "7d"]);
    assert_eq!(reversed.status.code(), Some(2));
    assert!(stderr(&reversed).contains("the time range is empty: it begins at "));
}

#[test]
fn a_hostile_line_is_counted_and_never_printed() {
    let dir = tempfile::tempdir().unwrap();
    for file in fs::read_dir(vector("healthy-small")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let segment = last_segment(dir.path());
    let mut file = OpenOptions::new().append(true).open(segment).unwrap();
    file.write_all(b"{\"seq\":99,\"evil\":\"\x1b[2J\x07needle\"}\n").unwrap();
    let dir = dir.path().display().to_string();
    for format in ["table", "json", "csv"] {
        let output = run(&["query", &dir, "--contains", "needle", "--format", format]);
        let (out, said) = (stdout(&output), stderr(&output));
        assert!(!out.contains('\x1b') && !said.contains('\x1b') && !out.contains("evil"), "{out}");
        assert!(
            said.contains("\n1 lines that might match are no entries: the trail is damaged; run")
        );
    }
}

fn last_segment(dir: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|name| name == "audit")).collect();
    segments.sort_by_key(|path| path.display().to_string().replace(".audit", "-0.audit"));
    segments.pop().unwrap()
}

#[test]
fn what_is_durable_in_a_trail_that_is_being_written_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("audit").display().to_string();
    assert_eq!(run(&["init", &dir, "--service", "svc"]).status.code(), Some(0));
    let mut emit = auditlog(&["emit", &dir, "--receipts", "durable"]);
    let mut emit = emit.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut events = emit.stdin.take().unwrap();
    let mut receipts = BufReader::new(emit.stdout.take().unwrap()).lines();
    for n in 0..5 {
        writeln!(events, r#"{{"event_type":"door.opened","details":{{"n":"door-{n}"}}}}"#).unwrap();
        events.flush().unwrap();
        receipts.next().unwrap().unwrap();
        let output = run(&["query", &dir, "--contains", &format!("door-{n}"), "--json"]);
        assert_eq!(stdout(&output).lines().count(), 1, "door-{n}");
    }
    drop(events);
    assert!(emit.wait().unwrap().success());
}

#[test]
fn an_answer_that_may_lack_something_ends_with_3_and_a_torn_last_line_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let trail = dir.path().join("trail");
    fs::create_dir(&trail).unwrap();
    for file in fs::read_dir(vector("healthy-small")).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), trail.join(file.file_name())).unwrap();
        }
    }
    let place = trail.display().to_string();
    let segment = trail.join("2026-11-23.audit");
    let text = fs::read_to_string(&segment).unwrap();
    let codes = |bytes: String| {
        fs::remove_file(&segment).unwrap();
        fs::write(&segment, bytes).unwrap();
        let code =
            |args: &[&str]| run(&[args, &["--audit-access=never"]].concat()).status.code().unwrap();
        let query = code(&["query", &place]);
        let export = code(&["export", &place, "--format", "json"]);
        let report = ["--kind", "soc2", "--since", "2020-01-01", "--no-verify"];
        let report = code(&[&["report", &place][..], &report].concat());
        #[cfg(feature = "sql")]
        assert_eq!(code(&["sql", &place, "select count(*) from events"]), query);
        [query, export, report]
    };
    assert_eq!(codes(format!("{text}{{\"seq\":")), [0; 3]);
    assert_eq!(codes(text.replacen("\"audit_id\"", "\"audit id\"", 1)), [3; 3]);
}

//! `auditlog export` and crashes: of the export in its first batch, and of the trail under it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::export::reconcile;
use crate::{auditlog, run, stderr, stdout, vector};

/// Records so many events, each saying which trail this is.
fn emit(trail: &str, which: &str, count: usize) {
    let mut emit = auditlog(&["emit", trail]).stdin(Stdio::piped()).spawn().unwrap();
    let mut events = emit.stdin.take().unwrap();
    for _ in 0..count {
        writeln!(events, r#"{{"event_type":"door.opened","details":{{"which":"{which}"}}}}"#)
            .unwrap();
    }
    drop(events);
    assert!(emit.wait().unwrap().success());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for item in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(item.file_name());
        match item.file_type().unwrap().is_dir() {
            true => copy(&item.path(), &to),
            false => drop(fs::copy(item.path(), to).unwrap()),
        }
    }
}

#[test]
fn what_a_crash_of_the_trail_replaced_is_told_and_exported() {
    let temp = tempfile::tempdir().unwrap();
    let file = |name: &str| temp.path().join(name);
    let (trail, dir, cursor) = (file("trail"), file("trail").display().to_string(), file("cursor"));
    let cursor_file = cursor.display().to_string();
    let export = |format: &str| -> Output {
        let args = ["export", &dir, "--format", format, "--cursor", &cursor_file, "--json"];
        run(&[&args[..], &["--audit-access=never"]].concat())
    };
    let told = |output: &Output| -> Vec<Value> {
        stderr(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let seqs = |output: &Output| -> Vec<u64> {
        let seq =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["entry"]["seq"].as_u64();
        stdout(output).lines().map(|line| seq(line).unwrap()).collect()
    };
    assert!(run(&["init", &dir, "--service", "svc"]).status.success());
    emit(&dir, "durable", 5);
    let first = export("json");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let durable = seqs(&first).last().unwrap() + 1;
    copy(&trail, &file("durable"));
    // What is read from here on is gone after the power cut.
    emit(&dir, "lost", 5);
    let lost = export("json");
    assert_eq!((lost.status.code(), seqs(&lost)[0]), (Some(0), durable));
    let at_the_cut = fs::read(&cursor).unwrap();
    let restore = || {
        fs::remove_dir_all(&trail).unwrap();
        copy(&file("durable"), &trail);
        fs::write(&cursor, &at_the_cut).unwrap();
    };
    for format in ["json", "parquet"] {
        // Looked at while the trail is shorter, and when it is longer again.
        restore();
        let shorter = export(format);
        assert_eq!(shorter.status.code(), Some(3), "{}", stderr(&shorter));
        assert_eq!(told(&shorter)[0]["replaced"]["again_from"], durable);
        assert_eq!(told(&shorter)[1]["records"], 0);
        emit(&dir, "new", 2);
        let new = export("json");
        assert_eq!((new.status.code(), seqs(&new)[0]), (Some(0), durable), "told once");
        restore();
        emit(&dir, "new", 20);
        let longer = export(format);
        assert_eq!(longer.status.code(), Some(3), "{}", stderr(&longer));
        assert_eq!(told(&longer)[0]["replaced"]["again_from"], durable);
        assert!(told(&longer)[1]["records"].as_u64() > Some(20), "{}", stderr(&longer));
        if format == "json" {
            assert_eq!(seqs(&longer)[0], durable);
            assert_eq!(stdout(&longer).matches(r#""which":"new""#).count(), 20);
        }
        assert_eq!(export("json").status.code(), Some(0), "told once");
    }
    // What was remembered without a hash, by an earlier version, is believed as it was then.
    restore();
    emit(&dir, "new", 20);
    let text = String::from_utf8(at_the_cut.clone()).unwrap();
    let old: Vec<_> = text.lines().take(2).collect();
    fs::write(&cursor, old.join("\n") + "\n").unwrap();
    assert_eq!(export("json").status.code(), Some(0));
    assert!(fs::read_to_string(&cursor).unwrap().lines().count() > 2);
}

#[test]
fn an_export_that_is_killed_in_its_first_batch_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    for format in ["csv", "json"] {
        let (out, cursor) = (file(format), file(&format!("{format}.cursor")));
        let args = [
            "export",
            &vector("healthy"),
            "--format",
            format,
            "-o",
            &out,
            "--cursor",
            &cursor,
            "--audit-access=never",
        ];
        // The system ends it when the file has 20 KiB, in the middle of a record.
        let mut killed = Command::new("sh");
        killed.args(["-c", "ulimit -c 0; ulimit -f 40; exec \"$0\" \"$@\""]);
        let killed = killed.arg(env!("CARGO_BIN_EXE_auditlog")).args(args).output().unwrap();
        assert_eq!(killed.status.code(), None, "{}", stderr(&killed));
        assert!(fs::read(&out).unwrap().last() != Some(&b'\n'), "torn");
        let again = run(&args);
        assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
        let (code, result) = reconcile(&vector("healthy"), &[&out]);
        assert_eq!((code, &result["unreadable"]), (Some(0), &0.into()), "{result}");
        let headers = fs::read_to_string(&out).unwrap().matches("origin,seq,").count();
        assert_eq!(headers, usize::from(format == "csv"));
        assert!(stderr(&run(&args)).starts_with("0 records in "));
        // Killed before the first whole line, it begins with the header again.
        let text = fs::read_to_string(&cursor).unwrap();
        let origin = text.lines().next().unwrap();
        fs::write(&cursor, format!("{origin}\nbegun 0\n")).unwrap();
        fs::write(&out, "orig").unwrap();
        assert_eq!(run(&args).status.code(), Some(0));
        let (code, _) = reconcile(&vector("healthy"), &[&out]);
        assert_eq!(code, Some(0));
    }
}

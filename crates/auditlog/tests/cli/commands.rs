//! What each command prints and how it ends.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::{auditlog, run, stderr, stdout, vector};

fn code(args: &[&str]) -> Option<i32> {
    run(args).status.code()
}

/// A key of the vectors.
fn vkey(epoch: usize) -> String {
    let keys = fs::read(Path::new(&vector("healthy")).join("../keys.json")).unwrap();
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    keys["vkeys"][epoch].as_str().unwrap().to_owned()
}

#[test]
fn exit_codes_are_the_contract() {
    assert_eq!(code(&["verify", &vector("healthy")]), Some(0));
    assert_eq!(code(&["verify", &vector("healthy"), "--key", &vkey(0)]), Some(0));
    assert_eq!(code(&["verify", &vector("healthy"), "--key", &vkey(2)]), Some(1));
    assert_eq!(code(&["verify", &vector("tampered-seal-stripped")]), Some(1));
    let empty = tempfile::tempdir().unwrap();
    fs::copy(Path::new(&vector("healthy")).join("trail.json"), empty.path().join("trail.json"))
        .unwrap();
    assert_eq!(code(&["verify", empty.path().to_str().unwrap()]), Some(3));
    assert_eq!(code(&["verify", &vector("tampered-edited")]), Some(1));
    assert_eq!(code(&["verify", "/nowhere"]), Some(2));
    assert_eq!(code(&["verify", &vector("healthy"), "--key", "x"]), Some(2));
    assert_eq!(code(&["verify", &vector("healthy"), "--checkpoint", "x"]), Some(2));
    assert_eq!(code(&["verify"]), Some(2));
    assert_eq!(code(&["frobnicate"]), Some(2));
    assert_eq!(code(&["tail", &vector("healthy")]), Some(0));
    assert_eq!(code(&["show", &vector("healthy"), "5"]), Some(0));
    assert_eq!(code(&["show", &vector("healthy"), "300"]), Some(2));
    assert_eq!(code(&["show", &vector("healthy"), "five"]), Some(2));
}

#[test]
fn errors_say_what_and_what_next() {
    for args in [["verify", "/nowhere"], ["tail", "/"], ["show", "/tmp"]] {
        let mut args = args.to_vec();
        if args[0] == "show" {
            args.push("1");
        }
        let output = run(&args);
        let text = stderr(&output);
        assert!(text.starts_with("auditlog: ") && text.contains("; "), "{text}");
        assert_eq!((text.lines().count(), output.status.code()), (1, Some(2)), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn every_help_has_an_example() {
    for args in [&["--help"][..], &["verify", "--help"], &["tail", "--help"], &["show", "--help"]] {
        let output = run(args);
        assert!(output.status.success());
        assert!(stdout(&output).contains("Example:\n  auditlog "), "{args:?}");
    }
}

#[test]
fn verify_json_has_the_promised_shape() {
    let output = run(&["verify", "--json", &vector("tampered-deleted")]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let members: BTreeSet<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = "verdict origin key key_trust entries first_seq last_seq sealed_size root \
                    unsigned_tail freshness findings segments bytes seconds";
    assert_eq!(members, promised.split_whitespace().collect());
    assert_eq!(report["verdict"], "violated");
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["kind"] == "sequence_gap"));
    for finding in findings {
        let members: BTreeSet<_> =
            finding.as_object().unwrap().keys().map(String::as_str).collect();
        let promised = "kind severity segment offset seq expected found";
        assert_eq!(members, promised.split_whitespace().collect());
    }
}

#[test]
fn verify_tells_people_what_is_proven_and_what_is_not() {
    let text = stdout(&run(&["verify", &vector("healthy")]));
    assert!(text.starts_with("proven: ") && text.contains("only the trail itself"), "{text}");
    assert!(text.contains("freshness unknown"), "{text}");
    let text = stdout(&run(&["verify", &vector("healthy-unsigned-tail"), "--key", &vkey(0)]));
    assert!(text.contains("290 entries, key of epoch 1; 10 after them"), "{text}");
    let text = stdout(&run(&["verify", &vector("tampered-edited")]));
    assert!(text.contains("hash_mismatch in 2026-11-24.audit at byte "), "{text}");
}

#[test]
fn tail_json_is_what_stands_on_disk() {
    let segment = fs::read_to_string(Path::new(&vector("healthy")).join("2026-11-24.audit"));
    let segment = segment.unwrap();
    let lines: Vec<_> = segment.lines().collect();
    let text = stdout(&run(&["tail", "--json", &vector("healthy"), "-n", "7"]));
    assert_eq!(text.lines().collect::<Vec<_>>(), lines[lines.len() - 7..]);
}

#[test]
fn failures_are_told_to_machines_too() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("no\u{1b}where").display().to_string();
    let healthy = vector("healthy");
    for args in [
        &["verify", &nowhere][..],
        &["tail", &nowhere],
        &["show", &nowhere, "1"],
        &["show", &healthy, "no such entry"],
        &["show", &healthy, "999999999"],
        &["emit", &nowhere],
        &["init", &healthy, "--service", "x"],
        &["init", &nowhere, "--service", "white space"],
        &["verify"],
        &["verify", &healthy, "--no-such-option"],
    ] {
        let plain = run(args);
        assert_eq!(plain.status.code(), Some(2), "{args:?}");
        assert_eq!(stdout(&plain), "", "{args:?}");
        let told = run(&[args, &["--json"]].concat());
        assert_eq!(told.status.code(), Some(2), "{args:?}");
        assert!(!told.stderr.is_empty(), "{args:?}");
        let object: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(object["exit"], 2, "{args:?}");
        assert!(object["error"].as_str().is_some_and(|text| text.len() > 10), "{args:?}");
        assert_eq!(object.as_object().unwrap().len(), 2, "{args:?}");
    }
    for args in [&["--json"][..], &["verify", "--json"], &["verify", "--frob", "--json", &healthy]]
    {
        let told = run(args);
        assert_eq!(told.status.code(), Some(2), "{args:?}");
        assert_eq!(told.stderr, told.stdout, "{args:?}");
        let object: Value = serde_json::from_slice(&told.stderr).unwrap();
        assert!(!object["error"].as_str().unwrap().contains("u{a}"), "{object}");
    }
    let help = run(&["verify", "--json", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("Usage:") && !stdout(&help).contains("\"exit\""));
}

#[test]
fn show_finds_by_seq_and_id_and_notices_edits() {
    let by_seq = stdout(&run(&["show", "--json", &vector("healthy"), "205"]));
    let entry: Value = serde_json::from_str(&by_seq).unwrap();
    assert_eq!(entry["seq"], 205);
    let id = entry["audit_id"].as_str().unwrap();
    assert_eq!(stdout(&run(&["show", "--json", &vector("healthy"), id])), by_seq);
    let text = stdout(&run(&["show", &vector("healthy"), "205"]));
    assert!(text.contains(id) && text.contains("2026-11-24.audit at byte "), "{text}");

    let report = run(&["verify", "--json", &vector("tampered-edited")]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let seq = report["findings"][0]["seq"].to_string();
    assert_eq!(code(&["show", &vector("tampered-edited"), &seq]), Some(1));
}

#[test]
fn hostile_bytes_are_shown_and_not_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = b"\x1b]0;owned\x07{\"seq\":\xff\xc2\x9b31m \xe2\x80\xae\r\n";
    fs::write(dir.path().join("2026-11-23.audit"), hostile).unwrap();
    fs::write(dir.path().join("trail.json"), "{\"format\":\"\x1b[31m\"}").unwrap();
    let dir = dir.path().display().to_string();
    for args in [&["tail", &dir][..], &["tail", "--json", &dir], &["verify", &dir]] {
        let output = run(args);
        for byte in [&output.stdout, &output.stderr].into_iter().flatten() {
            assert!(matches!(byte, b' '..=b'~' | b'\n'), "{args:?} {byte:#x}");
        }
    }
    assert!(stdout(&run(&["tail", &dir])).contains("\\u{1b}]0;owned\\u{7}"));
}

#[test]
fn colours_only_where_asked_for() {
    let dir = vector("healthy");
    let colored = |args: &[&str]| stdout(&run(args)).contains('\u{1b}');
    assert!(!colored(&["tail", &dir]));
    assert!(colored(&["tail", &dir, "--color", "always"]));
    assert!(!colored(&["tail", &dir, "--color", "always", "--json"]));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let segment = fs::read(Path::new(&vector("healthy")).join("2026-11-23.audit")).unwrap();
    fs::write(dir.path().join("2026-11-23.audit"), segment.repeat(20)).unwrap();
    let dir = dir.path().display().to_string();
    for (args, expected) in [(&["tail", &dir, "-n", "4000"][..], 0), (&["verify", &dir], 1)] {
        let mut child = auditlog(args);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 16];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(stderr(&output), "");
        assert_eq!(output.status.code(), Some(expected), "{args:?}");
    }
}

#[test]
fn following_goes_across_a_rotation() {
    let healthy = vector("healthy");
    let segment = |name: &str| fs::read_to_string(Path::new(&healthy).join(name)).unwrap();
    let (one, two) = (segment("2026-11-23.audit"), segment("2026-11-24.audit"));
    let dir = tempfile::tempdir().unwrap();
    let (begun, rest) = one.split_at(one.trim_end().rfind('\n').unwrap() + 1);
    fs::write(dir.path().join("2026-11-23.audit"), begun).unwrap();

    let path = dir.path().display().to_string();
    let mut command = auditlog(&["tail", "--json", &path, "-n", "1", "-f"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), begun.lines().next_back().unwrap());

    let append = |name: &str, text: &str| {
        let open = OpenOptions::new().create(true).append(true).open(dir.path().join(name));
        open.unwrap().write_all(text.as_bytes()).unwrap();
    };
    let (a, b) = rest.split_at(100);
    append("2026-11-23.audit", a);
    append("2026-11-23.audit", b);
    assert_eq!(next(), rest.trim_end());
    for line in two.lines().take(3) {
        append("2026-11-24.audit", &format!("{line}\n"));
        assert_eq!(next(), line);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn verify_holds_a_trail_against_checkpoints_seen_earlier() {
    let checkpoint = |name: &str| Path::new(&vector(name)).join("checkpoint").display().to_string();
    let verify = |trail: &str, seen: &[&str]| {
        let mut args = vec!["verify".to_owned(), "--json".to_owned(), vector(trail)];
        for name in seen {
            args.extend(["--checkpoint".to_owned(), checkpoint(name)]);
        }
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let output = run(&args);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let kinds = findings.iter().map(|f| f["kind"].as_str().unwrap().to_owned());
        (output.status.code(), report["freshness"].clone(), kinds.collect::<BTreeSet<_>>())
    };
    let (code, freshness, kinds) = verify("healthy", &["healthy-unsigned-tail", "healthy"]);
    assert_eq!((code, freshness["reference"]["size"].as_u64()), (Some(0), Some(300)));
    assert!(!kinds.contains("freshness_unknown"));
    let (code, _, kinds) = verify("healthy-small", &["healthy"]);
    assert!(code == Some(1) && kinds.contains("rollback"), "{kinds:?}");
    let (code, _, kinds) = verify("healthy", &["tampered-resealed-with-current-key"]);
    assert!(code == Some(1) && kinds.contains("fork"), "{kinds:?}");
}

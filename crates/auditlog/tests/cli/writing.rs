//! `init`, `emit`, `schema` and `bench`: what they promise on the command line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{auditlog, run, stderr, stdout};

fn trail() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trail").display().to_string();
    let made = run(&["init", &path, "--service", "billing-api", "--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    (dir, path)
}

fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn emit(path: &str, more: &[&str], input: &[u8]) -> Output {
    let mut args = vec!["emit", path];
    args.extend_from_slice(more);
    feed(auditlog(&args), input)
}

/// All entries, oldest first; the trail must be proven.
fn entries(path: &str) -> Vec<Value> {
    let verified = run(&["verify", path, "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    let all = run(&["tail", path, "-n", "1000000", "--json"]);
    stdout(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["event_type"].as_str().unwrap()).collect()
}

#[test]
fn init_makes_a_trail_once_and_prints_the_key_to_pin() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t").display().to_string();
    let args =
        ["init", &path, "--service", "billing-api", "--origin", "audit.example.com/b", "--json"];
    let made: Value = serde_json::from_str(&stdout(&run(&args))).unwrap();
    let origin = made["origin"].as_str().unwrap();
    let id = made["trail_id"].as_str().unwrap();
    assert_eq!(origin, format!("audit.example.com/b/{id}"));
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with(&format!("{origin}+")), "{key}");
    let created = &entries(&path)[0];
    assert_eq!(created["event_type"], "audit.trail_created");
    assert_eq!(created["details"]["initial_key"], key);

    let again = run(&args);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("there is a trail here already"), "{}", stderr(&again));
}

#[test]
fn a_bad_line_is_named_and_counted_and_costs_no_other() {
    let (_dir, path) = trail();
    let input = b"{\"event_type\":\"door.opened\",\"actor\":{\"user_id\":\"alice\"}}\n\
        nonsense\n\n\
        {\"event_type\":\"door.closed\",\"details\":{\"n\":1,\"n\":2}}\n\
        {\"event_type\":\"door\"}\n\
        \xff\n\
        {\"event_type\":\"audit.closed\"}\n\
        {\"event_type\":\"door.opened\",\"colour\":\"red\"}";
    let output = emit(&path, &[], input);
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    for (line, said) in
        [(2, "not JSON"), (5, "event_type"), (6, "not UTF-8"), (7, "audit."), (8, "colour")]
    {
        let told = errors.lines().find(|text| text.contains(&format!("line {line}:")));
        assert!(told.is_some_and(|text| text.contains(said)), "line {line}: {errors}");
    }
    let all = entries(&path);
    let doors: Vec<&str> = types(&all).into_iter().filter(|t| t.starts_with("door")).collect();
    assert_eq!(doors, ["door.opened", "door.closed"]);
    // One entry or several, as the writer happens to look; the sum is exact.
    let counts = all
        .iter()
        .filter(|e| e["event_type"] == "audit.events_dropped")
        .map(|e| e["details"]["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 5);
    assert_eq!(all.iter().find(|e| e["event_type"] == "door.closed").unwrap()["details"]["n#2"], 2);
}

#[test]
fn hostile_strings_keep_no_event_out() {
    let (_dir, path) = trail();
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let input = format!(
        "{{\"event_type\":\"auth.failure\",\"actor\":{{\"user_id\":\"\\ud800\\u001b[2J\\n\"}}}}\n\
         {{\"event_type\":\"x.deep\",\"details\":{{\"deep\":{deep}}}}}\n\
         {{\"event_type\":\"x.big\",\"details\":{{\"list\":[{}1],\"text\":\"{}\"}}}}\n",
        "1,".repeat(200_000),
        "A".repeat(10_000_000),
    );
    let output = emit(&path, &["--json"], input.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(summary, serde_json::json!({"recorded": 3, "refused": 0}));
    let all = entries(&path);
    let failure = all.iter().find(|e| e["event_type"] == "auth.failure").unwrap();
    assert_eq!(failure["actor"]["user_id"], "\\u{d800}\\u{1b}[2J\\u{a}");
    assert_eq!((&failure["critical"], &failure["result"]), (&true.into(), &"failure".into()));
    let big = all.iter().find(|e| e["event_type"] == "x.big").unwrap();
    assert_eq!(big["details"]["oversize"], true);
    assert!(all.iter().any(|e| e["event_type"] == "x.deep" && e.to_string().contains("…[depth]")));
}

#[test]
fn only_the_first_bad_lines_are_named_and_none_is_obeyed() {
    let (_dir, path) = trail();
    let mut input = b"{\"event_type\":\"a.b\",\"\\u001b[2J\":1}\n".repeat(1_000);
    input.extend_from_slice(b"{\"event_type\":\"door.opened\"}\n");
    let output = emit(&path, &["--json"], &input);
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    assert_eq!(errors.lines().filter(|line| line.contains(": line ")).count(), 20, "{errors}");
    assert!(errors.contains("980 more lines were refused"), "{errors}");
    assert!(!errors.contains('\u{1b}'), "{errors:?}");
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(summary, serde_json::json!({"recorded": 1, "refused": 1_000}));
    // Receipts leave no room for a summary, so the failure is the last object.
    let output = emit(&path, &["--json", "--receipts", "durable"], b"nonsense\n");
    let failure: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(failure["exit"], 2);
}

/// The most memory a process has had so far, in MiB.
#[cfg(target_os = "linux")]
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_by_the_longest_line_allowed() {
    let names: Vec<String> = (0..1_500_000).map(|n| format!("\"{n:06x}\":1")).collect();
    let names = format!("{{\"event_type\":\"x.names\",\"details\":{{{}}}}}", names.join(","));
    assert!(names.len() > 14 << 20 && names.len() < 16 << 20);
    let refused = vec![b'x'; 48 << 20];
    // Beyond what the program takes by itself: its own size depends on its features.
    for (input, limit) in [(refused.as_slice(), 40), (names.as_bytes(), 96)] {
        let (_dir, path) = trail();
        let mut child = auditlog(&["emit", &path, "--receipts", "emitted"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut receipts = BufReader::new(child.stdout.take().unwrap()).lines();
        stdin.write_all(b"{\"event_type\":\"door.opened\"}\n").unwrap();
        assert!(receipts.any(|line| line.unwrap().starts_with("{\"line\":1,")));
        let before = peak_memory(child.id());
        stdin.write_all(input).unwrap();
        stdin.write_all(b"\n{\"event_type\":\"door.opened\"}\n").unwrap();
        assert!(receipts.any(|line| line.unwrap().starts_with("{\"line\":3,")));
        let peak = peak_memory(child.id()) - before;
        assert!(peak < limit, "{peak} MiB for a line of {} bytes", input.len());
        drop(stdin);
        child.wait().unwrap();
    }
}

#[test]
fn a_receipt_comes_while_the_input_is_still_open() {
    let (_dir, path) = trail();
    for at in ["emitted", "durable"] {
        let mut child = auditlog(&["emit", &path, "--receipts", at])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        for line in 1..=3 {
            writeln!(input, r#"{{"event_type":"door.opened"}}"#).unwrap();
            let mut text = String::new();
            output.read_line(&mut text).unwrap();
            let receipt: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(receipt["line"], line);
            let id = receipt["audit_id"].as_str().unwrap();
            if at == "durable" {
                let shown = run(&["show", &path, id, "--json"]);
                assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
            }
        }
        drop(input);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn sigterm_makes_what_was_read_durable() {
    let (_dir, path) = trail();
    let mut child = auditlog(&["emit", &path, "--flush-mode", "batched", "--receipts", "emitted"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, r#"{{"event_type":"door.opened"}}"#).unwrap();
    let mut text = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut text).unwrap();
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    child.wait().unwrap();
    let all = entries(&path);
    let tail = &types(&all)[all.len() - 2..];
    assert_eq!(tail, ["door.opened", "audit.closed"]);
}

#[test]
fn emit_needs_a_trail_and_says_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nothing").display().to_string();
    let output = emit(&nowhere, &[], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("auditlog init"), "{}", stderr(&output));
    assert!(!Path::new(&nowhere).exists());
    let wrong = emit(&nowhere, &["--flush-mode", "sometimes"], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("immediate, batched, hybrid"), "{}", stderr(&wrong));
}

#[test]
fn a_second_writer_is_refused_and_the_first_not_disturbed() {
    let (_dir, path) = trail();
    let mut first = auditlog(&["emit", &path, "--receipts", "durable"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = first.stdin.take().unwrap();
    let mut output = BufReader::new(first.stdout.take().unwrap());
    writeln!(input, r#"{{"event_type":"door.opened"}}"#).unwrap();
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    let second = emit(&path, &[], b"");
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains(&format!("pid {}", first.id())), "{}", stderr(&second));
    writeln!(input, r#"{{"event_type":"door.closed"}}"#).unwrap();
    drop(input);
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert!(types(&entries(&path)).contains(&"door.closed"));
}

#[test]
fn schema_lists_the_catalogue_and_bench_the_figures_of_the_contract() {
    let schema: Value = serde_json::from_str(&stdout(&run(&["schema"]))).unwrap();
    assert_eq!(schema["$defs"].as_object().unwrap().len(), 35);
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    let args = [
        "bench",
        "--json",
        "--dir",
        &place,
        "--events",
        "2000",
        "--rate",
        "1000,2000",
        "--producers",
        "2,1",
        "--runs",
        "2",
    ];
    let figures: Value = serde_json::from_str(&stdout(&run(&args))).unwrap();
    for name in [
        "/mode",
        "/producers",
        "/events",
        "/bytes_per_event",
        "/emit_ns/p50",
        "/emit_ns/p99",
        "/emit_ns/p999",
        "/emit_ns/max",
        "/emit_due_ns/p50",
        "/emit_due_ns/p99",
        "/emit_due_ns/p999",
        "/emit_due_ns/max",
        "/allocations_per_emit",
        "/durable_events_per_s",
        "/ack_us/p50",
        "/ack_us/p99",
        "/verify_events_per_s",
        "/raw/fdatasync_us_p50",
        "/raw/sha256_bytes_per_s",
        "/raw/memcpy_bytes_per_s",
        "/raw/clock_ns_p50",
        "/paced/1/emit_due_ns/p999",
        "/saturation/1/to_single_syncs",
        "/loaded/ack_us/p99",
        "/ratios/ack_p50_to_fdatasync",
        "/build_event_ns",
        "/conditions/file_system",
        "/runs/1/emit_ns/p50",
    ] {
        assert!(figures.pointer(name).is_some_and(|v| !v.is_null()), "{name} in {figures}");
    }
    assert_eq!(
        (&figures["producers"], &figures["saturation"][0]["producers"]),
        (&2.into(), &1.into())
    );
    // A call ends later after it was due than after it began.
    for quantile in ["p50", "p99", "p999", "max"] {
        let of = |name: &str| figures[name][quantile].as_u64().unwrap();
        assert!(of("emit_ns") <= of("emit_due_ns"), "{quantile} in {figures}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "bench cleans up");
}

//! `auditlog retention`, `auditlog hold`, and accesses that are noted: on trails nobody holds, and on one
//! that a running program holds.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, AuditMode, RetentionPolicy, RotationPolicy};
use audit_testkit::{TestClock, TestEvent};
use serde_json::Value;

use crate::{auditlog, run, stderr, stdout};

/// A trail that was written for so many days up to now.
fn trail_of_days(dir: &Path, days: u64, retention: RetentionPolicy) -> String {
    let day = Duration::from_secs(86_400);
    let start = jiff::Timestamp::now() - day * u32::try_from(days).unwrap();
    let clock = TestClock::at(&start.to_string());
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        rotation: RotationPolicy::Daily,
        retention,
        retention_interval_hours: 0,
        ..AuditConfig::new("billing-api")
    };
    let logger = AuditLogger::builder(config).clock(clock.shared()).open().unwrap();
    for n in 0..days {
        for entry in 0..40 {
            drop(logger.emit(TestEvent::routine(format!("{n}-{entry}")).padded(300)).unwrap());
        }
        logger.flush_blocking().unwrap();
        clock.advance(day);
    }
    logger.shutdown_blocking().unwrap();
    dir.display().to_string()
}

const POLICY: RetentionPolicy =
    RetentionPolicy { min_retention_days: 20, archive_after_days: 5, delete_after_days: 20 };

fn json(args: &[&str]) -> Value {
    let output = run(&[args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ending(dir: &str, suffix: &str) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|item| item.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(suffix)).count()
}

/// `auditlog emit`, which holds the trail until it is dropped.
struct Holder {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Holder {
    fn of(dir: &str) -> Holder {
        let mut child = auditlog(&["emit", dir, "--receipts", "durable"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"{\"event_type\":\"door.opened\"}\n").unwrap();
        let mut receipt = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut receipt).unwrap();
        assert!(receipt.contains("audit_id"));
        Holder { child, stdin: Some(stdin) }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.child.wait().unwrap();
    }
}

#[test]
fn planned_refused_run_and_proven() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 30, POLICY);
    // The rules are those of the writer, which left them beside the trail.
    let plan = json(&["retention", &dir, "plan"]);
    assert_eq!(plan["rules"]["archive_after_days"], 5);
    let count = |action: &str| {
        plan["segments"].as_array().unwrap().iter().filter(|row| row["action"] == action).count()
    };
    let (delete, archive) = (count("delete"), count("archive"));
    assert!(delete >= 7 && archive >= 13, "{plan}");
    let table = stdout(&run(&["retention", &dir, "plan"]));
    assert!(
        table.contains("never before 20") && table.contains("keep: entries are being"),
        "{table}"
    );
    // Below the minimum: refused, with the reason, and nothing is touched.
    let below = run(&["retention", &dir, "run", "--delete-after-days", "10"]);
    assert_eq!(below.status.code(), Some(2));
    let why = "delete_after_days (10) is below min_retention_days (20): entries would be deleted";
    assert!(stderr(&below).contains(why), "{}", stderr(&below));
    assert_eq!(ending(&dir, ".zst"), 0);
    let report = json(&["retention", &dir, "run"]);
    assert_eq!(report["deleted"].as_array().unwrap().len(), delete, "{report}");
    assert_eq!(report["archived"].as_array().unwrap().len(), archive);
    assert_eq!(ending(&dir, ".zst"), archive);
    assert!(report["freed_bytes"].as_u64().unwrap() > 0);
    // The key to pin from now on stands in the trail.
    let applied = run(&["query", &dir, "--type", "audit.retention_applied", "--json"]);
    let entry: Value = serde_json::from_slice(&applied.stdout).unwrap();
    let key = entry["details"]["front"]["key"].as_str().unwrap();
    let verified = run(&["verify", &dir, "--key", key, "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    // Asked again, there is nothing to do.
    let again = stdout(&run(&["retention", &dir, "run"]));
    assert!(again.contains("0 segments deleted, 0 archived"), "{again}");
    assert_eq!(run(&["retention", "/nowhere", "plan"]).status.code(), Some(2));
}

#[test]
fn a_hold_stops_the_deletion_and_its_release_lets_it_go() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 30, POLICY);
    let added = run(&["hold", &dir, "add", "case-7", "--reason", "ACME v. Example"]);
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    let list = stdout(&run(&["hold", &dir, "list"]));
    assert!(list.starts_with("case-7  everything, added ") && list.contains("ACME"), "{list}");
    assert_eq!(json(&["retention", &dir, "run"])["deleted"].as_array().unwrap().len(), 0);
    let plan = stdout(&run(&["retention", &dir, "plan"]));
    assert!(plan.contains("keep: held by case-7"), "{plan}");
    for refused in [
        &["add", "case-7", "--seq", "1-2"][..],
        &["add", "case 8"],
        &["add", "case-8", "--since", "2026-02-02", "--until", "2026-02-01"],
        &["release", "case-8"],
    ] {
        let output = run(&[&["hold", &dir][..], refused].concat());
        assert_eq!(output.status.code(), Some(2), "{refused:?}: {}", stdout(&output));
    }
    assert_eq!(json(&["hold", &dir, "release", "case-7"])["state"], "released");
    assert_eq!(stdout(&run(&["hold", &dir, "list"])), "no hold is in force\n");
    assert!(json(&["retention", &dir, "run"])["deleted"].as_array().unwrap().len() >= 7);
}

#[test]
fn a_running_logger_does_what_it_is_asked() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 30, POLICY);
    let holder = Holder::of(&dir);
    let added = run(&["hold", &dir, "add", "case-7", "--seq", "0-10", "--reason", "subpoena"]);
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    assert!(stdout(&run(&["hold", &dir, "list"])).contains("from seq 0, to seq 10"));
    let twice = run(&["hold", &dir, "add", "case-7"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(stderr(&twice).contains("is in force already"), "{}", stderr(&twice));
    let report = json(&["retention", &dir, "run"]);
    assert_eq!(report["deleted"].as_array().unwrap().len(), 0, "{report}");
    assert!(report["archived"].as_array().unwrap().len() >= 20, "{report}");
    // Other rules than the logger's are not silently its own.
    let other = run(&["retention", &dir, "run", "--archive-after-days", "1"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("by its own rules"), "{}", stderr(&other));
    assert_eq!(run(&["hold", &dir, "release", "case-7"]).status.code(), Some(0));
    assert!(json(&["retention", &dir, "run"])["deleted"].as_array().unwrap().len() >= 7);
    // Nothing is left in the box, and what lay there is nobody's business.
    assert_eq!(fs::read_dir(Path::new(&dir).join("requests")).unwrap().count(), 0);
    drop(holder);
    let applied = run(&["query", &dir, "--type", "audit.retention_applied", "--json"]);
    let entry: Value = serde_json::from_slice(&applied.stdout).unwrap();
    let key = entry["details"]["front"]["key"].as_str().unwrap();
    assert_eq!(run(&["verify", &dir, "--key", key]).status.code(), Some(0));
}

/// The accesses that a trail names: what was asked, by whom.
fn accesses(dir: &str) -> Vec<Value> {
    let args = ["query", dir, "--type", "audit.accessed", "--json", "--audit-access=never"];
    stdout(&run(&args)).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn who_asks_is_noted_before_the_answer() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail").display().to_string();
    assert!(run(&["init", &dir, "--service", "billing-api"]).status.success());
    assert_eq!(run(&["query", &dir, "--actor", "mallory"]).status.code(), Some(0));
    assert_eq!(run(&["export", &dir, "--format", "csv"]).status.code(), Some(0));
    let noted = accesses(&dir);
    assert_eq!(noted.len(), 2, "{noted:?}");
    assert_eq!(noted[0]["details"]["command"], "query");
    assert_eq!(noted[0]["details"]["arguments"], serde_json::json!([dir, "--actor", "mallory"]));
    assert!(!noted[0]["actor"]["user_id"].as_str().unwrap().is_empty());
    assert_eq!(noted[1]["details"]["command"], "export");
    // Where somebody else holds the trail, in one beside it.
    let holder = Holder::of(&dir);
    for _ in 0..2 {
        let output = run(&["query", &dir, "--type", "door.*", "--json"]);
        assert_eq!(stdout(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert_eq!(accesses(&dir).len(), 2);
    let beside = format!("{dir}.access");
    let noted = accesses(&beside);
    assert_eq!(noted.len(), 2, "{noted:?}");
    assert!(noted[0]["details"]["origin"].as_str().unwrap().starts_with("billing-api/"));
    assert_eq!(run(&["verify", &beside]).status.code(), Some(0));
    drop(holder);
    // Asked for and not to be had: nothing is read.
    let copy = temp.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(Path::new(&dir).join("checkpoint"), copy.join("checkpoint")).unwrap();
    for name in fs::read_dir(&dir).unwrap().map(|item| item.unwrap().file_name()) {
        if name.to_string_lossy().ends_with(".audit") {
            fs::copy(Path::new(&dir).join(&name), copy.join(&name)).unwrap();
        }
    }
    let copy = copy.display().to_string();
    let refused = run(&["query", &copy, "--audit-access"]);
    assert_eq!((refused.status.code(), stdout(&refused)), (Some(2), String::new()));
    // A copy without its settings is nobody's to write into.
    let asked = run(&["query", &copy, "--json"]);
    assert!(asked.status.success() && !stderr(&asked).contains("could not be noted"));
    assert_eq!(accesses(&copy).len(), 2);
}

#[test]
fn the_minimum_of_a_trail_is_raised_by_an_option_and_never_lowered() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 3, POLICY);
    for action in ["plan", "run"] {
        let lower = ["--min-retention-days", "19", "--delete-after-days", "19"];
        let refused = run(&[&["retention", &dir, action][..], &lower].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", stdout(&refused));
        assert!(stderr(&refused).contains("below the 20"), "{}", stderr(&refused));
    }
    // Where nobody has said anything, the default is the least.
    let made = temp.path().join("made").display().to_string();
    assert!(run(&["init", &made, "--service", "svc"]).status.success());
    for (days, code) in [("2554", 2), ("2555", 0)] {
        let asked = ["retention", &made, "plan", "--min-retention-days", days];
        let output = run(&[&asked[..], &["--delete-after-days", "2555"]].concat());
        assert_eq!(output.status.code(), Some(code), "{days}: {}", stderr(&output));
    }
    let higher = ["--min-retention-days", "21", "--delete-after-days", "21"];
    let plan = json(&[&["retention", &dir, "plan"][..], &higher].concat());
    assert_eq!(plan["rules"]["min_retention_days"], 21);
}

#[test]
fn commands_leave_the_settings_of_the_trails_writer_as_they_are() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 2, POLICY);
    let settings = Path::new(&dir).join("settings.json");
    fs::remove_file(&settings).unwrap();
    drop(Holder::of(&dir));
    assert!(run(&["hold", &dir, "add", "case-1"]).status.success());
    assert!(run(&["retention", &dir, "run"]).status.success());
    assert!(run(&["keys", &dir, "rotate"]).status.success());
    assert!(!settings.exists());
    // What cannot be read may ask for notes: that there is none is said, and nobody waits for a pipe.
    std::os::unix::fs::symlink("/dev/zero", &settings).unwrap();
    let asked = run(&["query", &dir, "--json"]);
    assert!(asked.status.success() && stderr(&asked).contains("could not be noted"));
}

/// A report, and how the command ended.
fn report(dir: &str, more: &[&str]) -> (Option<i32>, Value) {
    let base = ["report", dir, "--kind", "pci", "--json", "--audit-access=never"];
    let since: &[&str] = if more.contains(&"--since") { &[] } else { &["--since", "90d"] };
    let output = run(&[&base, since, more].concat());
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    (output.status.code(), report)
}

/// What the report found of something, in the first clause that asks for it.
fn found<'r>(report: &'r Value, what: &str) -> &'r str {
    let clauses = report["clauses"].as_array().unwrap().iter();
    let mut all = clauses.flat_map(|clause| clause["evidence"].as_array().unwrap());
    all.find(|evidence| evidence["what"] == what).unwrap()["found"].as_str().unwrap()
}

#[test]
fn a_report_counts_archives_and_holds_on_their_own() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 30, POLICY);
    for args in
        [&["add", "case-1", "--seq", "0-10"][..], &["add", "case-2"], &["release", "case-2"]]
    {
        assert!(run(&[&["hold", &dir][..], args].concat()).status.success());
    }
    let done = json(&["retention", &dir, "run"]);
    let archived = done["archived"].as_array().unwrap().len();
    assert!(archived > 20, "{done}");
    let (code, of) = report(&dir, &[]);
    assert_eq!(code, Some(0), "{of}");
    let retention = &of["retention"];
    assert_eq!(retention["archived"], archived);
    assert_eq!(
        (&retention["holds_in_force"], &retention["holds"][0]["id"]),
        (&1.into(), &"case-1".into())
    );
    assert!(retention["bytes_stored"].as_u64() < retention["bytes"].as_u64(), "{retention}");
    assert_eq!(
        (&of["keeping"]["holds_added"], &of["keeping"]["holds_released"]),
        (&2.into(), &1.into())
    );
    let state = found(&of, "state of retention");
    let says = format!("{archived} of them archived; 1 legal holds are in force");
    assert!(
        state.contains(&says) && state.contains("2 legal holds were added and 1 released"),
        "{state}"
    );
    // A hold from before the period is in force all the same.
    let (_, of) = report(&dir, &["--since", "1s"]);
    assert_eq!(of["retention"]["holds_in_force"], 1, "{of}");
    let page = stdout(&run(&["report", &dir, "--kind", "pci", "--audit-access=never"]));
    assert!(
        page.contains("Legal holds in force: 1") && page.contains("from seq 0, to seq 10"),
        "{page}"
    );
    assert!(run(&["hold", &dir, "release", "case-1"]).status.success());
    let done = json(&["retention", &dir, "run"]);
    assert!(done["deleted"].as_array().unwrap().len() >= 7, "{done}");
    let (_, of) = report(&dir, &[]);
    assert_eq!(
        (&of["retention"]["holds_in_force"], &of["keeping"]["retention_applied"]),
        (&0.into(), &1.into())
    );
    assert!(of["retention"]["first_seq"].as_u64() > Some(0));
}

#[test]
fn reads_noted_beside_the_trail_are_counted_apart_and_have_a_verdict_of_their_own() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail").display().to_string();
    assert!(run(&["init", &dir, "--service", "billing-api"]).status.success());
    assert!(run(&["query", &dir]).status.success());
    let (code, of) = report(&dir, &[]);
    assert_eq!((code, &of["reads_beside"]), (Some(0), &"none".into()));
    assert_eq!(found(&of, "reads of this trail"), "1; none was noted beside the trail");
    let holder = Holder::of(&dir);
    for _ in 0..2 {
        assert!(run(&["query", &dir]).status.success());
    }
    let (code, of) = report(&dir, &[]);
    assert_eq!(code, Some(0), "{of}");
    let beside = &of["reads_beside"]["read"];
    assert_eq!((&beside["accessed"]["total"], &beside["of_other_trails"]), (&2.into(), &0.into()));
    assert_eq!(beside["verification"]["verdict"], "proven");
    assert_eq!(of["keeping"]["accessed"]["total"], 1);
    let reads = found(&of, "reads of this trail");
    assert_eq!(reads, "1; and 2 in the trail beside it, which is proven");
    drop(holder);
    // A key that is not that trail's, and then what was noted is changed.
    let beside = format!("{dir}.access");
    let (code, _) = report(&dir, &["--access-key", &pinned(&dir)]);
    assert_ne!(code, Some(0));
    let (code, _) = report(&dir, &["--access-key", &pinned(&beside)]);
    assert_eq!(code, Some(0));
    let names = fs::read_dir(&beside).unwrap().map(|item| item.unwrap().path());
    let segment = names.into_iter().find(|path| path.extension().is_some_and(|end| end == "audit"));
    let segment = segment.unwrap();
    let text = fs::read_to_string(&segment).unwrap().replace("\"query\"", "\"qverx\"");
    fs::write(&segment, text).unwrap();
    let (code, of) = report(&dir, &[]);
    assert_eq!(
        (code, &of["integrity"]["checked"]["verification"]["verdict"]),
        (Some(1), &"proven".into())
    );
    assert!(found(&of, "reads of this trail").contains("which is violated"), "{of}");
    // What is no trail is said to be unreadable, not to be none.
    fs::remove_dir_all(&beside).unwrap();
    fs::create_dir(&beside).unwrap();
    let (code, of) = report(&dir, &[]);
    assert_eq!(code, Some(3), "nothing proves them");
    assert!(of["reads_beside"]["unreadable"]["problem"].is_string(), "{of}");
    assert!(found(&of, "reads of this trail").contains("cannot be read"));
}

#[test]
fn a_report_on_a_trail_with_a_damaged_archive_is_made_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 12, POLICY);
    assert!(run(&["hold", &dir, "add", "case-1"]).status.success());
    assert!(run(&["retention", &dir, "run"]).status.success());
    let (code, whole) = report(&dir, &["--since", "2020-01-01"]);
    assert_eq!((code, &whole["archives_unreadable"]), (Some(0), &0.into()));
    let files = fs::read_dir(&dir).unwrap().map(|item| item.unwrap().path());
    let mut archives: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "zst")).collect();
    archives.sort();
    let mut bytes = fs::read(&archives[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::remove_file(&archives[0]).unwrap();
    fs::write(&archives[0], bytes).unwrap();
    for (more, code) in [(&["--since", "2020-01-01"][..], 1), (&["--no-verify"], 1)] {
        let (told, of) = report(&dir, more);
        assert_eq!((told, &of["archives_unreadable"]), (Some(code), &1.into()), "{more:?}");
        assert_eq!(of["retention"]["holds_in_force"], 1);
        let limits = of["cannot_know"].to_string();
        assert!(limits.contains("in 1 archived segments"), "{limits}");
        // It is there all the same, and nothing says that its entries are not.
        for what in ["segments", "archived", "bytes_stored"] {
            assert_eq!(of["retention"][what], whole["retention"][what], "{what}");
        }
        let total = |of: &Value| of["searched"]["segments_total"].clone();
        assert_eq!(total(&of), total(&whole));
        assert!(!limits.contains("no longer in the trail"), "{limits}");
        assert!(limits.contains("in archives that do not unpack"), "{limits}");
        assert!(found(&of, "how far back the trail reaches").contains("cannot be read"), "{of}");
        assert_eq!(of["retention"]["holds_uncertain"], 1);
    }
    let (_, of) = report(&dir, &["--since", "2020-01-01"]);
    assert_eq!(of["integrity"]["checked"]["verification"]["verdict"], "violated");
    let entries = |of: &Value| of["searched"]["entries"].as_u64().unwrap();
    assert!(entries(&of) > 0 && entries(&of) < entries(&whole));
    // One that unpacks to more than a segment can be is damaged, too, however it states its length.
    let zeros = || std::io::repeat(0).take(1 << 28);
    let mut streamed = zstd::Encoder::new(Vec::new(), 3).unwrap();
    std::io::copy(&mut zeros(), &mut streamed).unwrap();
    let mut stated = zstd::Encoder::new(Vec::new(), 3).unwrap();
    stated.set_pledged_src_size(Some(1 << 28)).unwrap();
    std::io::copy(&mut zeros(), &mut stated).unwrap();
    for packed in [streamed.finish().unwrap(), stated.finish().unwrap()] {
        fs::write(&archives[0], packed).unwrap();
        let (code, of) = report(&dir, &["--since", "2020-01-01"]);
        assert_eq!((code, &of["archives_unreadable"]), (Some(1), &1.into()));
    }
}

#[test]
fn a_hold_that_damage_hides_is_not_called_none() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 3, POLICY);
    assert!(run(&["hold", &dir, "add", "case-1", "--seq", "0-10"]).status.success());
    let files = fs::read_dir(&dir).unwrap().map(|item| item.unwrap().path());
    let holds = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "audit")
            && fs::read_to_string(path).unwrap().contains("audit.hold_added")
    };
    let segment = files.into_iter().find(holds).unwrap();
    let text = fs::read_to_string(&segment).unwrap();
    // No entry any more; another scope under the same hash.
    for (from, to, code, says) in [
        ("audit.hold_added\",", "audit.hold_added\";", 3, "that might match are no entries"),
        ("\"last_seq\":10", "\"last_seq\":11", 1, "their hash is another"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::remove_file(&segment).unwrap();
        fs::write(&segment, text.replacen(from, to, 1)).unwrap();
        let list = run(&["hold", &dir, "list"]);
        assert_eq!(list.status.code(), Some(code), "{to}");
        assert_eq!(stdout(&list), "no hold was found, and one may be in force\n");
        assert!(stderr(&list).contains(says), "{}", stderr(&list));
        let list = run(&["hold", &dir, "list", "--json"]);
        assert_eq!((list.status.code(), stdout(&list).as_str()), (Some(code), ""));
        let (code, of) = report(&dir, &["--no-verify"]);
        assert_eq!((code, &of["retention"]["holds_uncertain"]), (Some(3), &1.into()));
        assert!(of["cannot_know"].to_string().contains("Whether other legal holds are in force"));
    }
}

/// The first key that a trail states.
fn pinned(dir: &str) -> String {
    let bytes = fs::read(Path::new(dir).join("trail.json")).unwrap();
    let info: Value = serde_json::from_slice(&bytes).unwrap();
    info["initial_key"].as_str().unwrap().to_owned()
}

#[test]
fn a_damaged_trail_takes_a_hold_and_one_that_nobody_opens_says_what_to_do() {
    let temp = tempfile::tempdir().unwrap();
    let dir = trail_of_days(&temp.path().join("trail"), 10, POLICY);
    let mut names: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "audit"))
        .collect();
    names.sort();
    let damage = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::remove_file(path).unwrap();
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    damage(&names[2], "\"label\":\"", "\"label\":\"x");
    assert_eq!(run(&["verify", &dir]).status.code(), Some(1));
    let added = run(&["hold", &dir, "add", "case-9", "--reason", "who did this?"]);
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    assert!(stdout(&run(&["hold", &dir, "list"])).starts_with("case-9  everything"));
    // A trail whose newest signed entries are gone is opened by nobody.
    let newest = fs::read_to_string(names.last().unwrap()).unwrap();
    let (kept, _) = newest.split_at(newest.find("\"audit.hold_added\"").unwrap());
    let (kept, _) = kept.rsplit_once('\n').unwrap();
    fs::write(names.last().unwrap(), format!("{kept}\n")).unwrap();
    let refused = run(&["hold", &dir, "add", "case-10"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(said.contains("keep a copy of the directory as it is"), "{said}");
}

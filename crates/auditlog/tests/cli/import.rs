//! `auditlog emit --from`: the audit logs of other programs, held against what they must become
//! (fixtures/import/*.expected).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Map, Value};

use crate::{auditlog, run, stderr, stdout, vector};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/import").join(name)
}

/// Imports into a new trail.
fn import(dir: &Path, from: &str, input: &[u8]) -> (String, Output) {
    let trail = dir.join("trail").display().to_string();
    if !dir.join("trail").exists() {
        assert!(run(&["init", &trail, "--service", "import"]).status.success());
    }
    let mut child = auditlog(&["emit", &trail, "--from", from])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    (trail, child.wait_with_output().unwrap())
}

/// What services said, without what the trail added.
fn events(trail: &str) -> Vec<Map<String, Value>> {
    let output = stdout(&run(&["query", trail, "--json"]));
    let entries =
        output.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap());
    let said = entries.filter(|entry| !entry["event_type"].as_str().unwrap().starts_with("audit."));
    said.map(|mut entry| {
        for name in ["seq", "audit_id", "service_id", "prev_hash", "hash"] {
            entry.remove(name);
        }
        entry
    })
    .collect()
}

/// Imports a file and compares; `refused` are what standard error must say.
fn as_expected(file: &str, from: &str, refused: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (trail, output) = import(dir.path(), from, &fs::read(fixture(file)).unwrap());
    let said = stderr(&output);
    for refused in refused {
        assert!(said.contains(refused), "{said}");
    }
    assert_eq!(output.status.code(), Some(if refused.is_empty() { 0 } else { 2 }), "{said}");
    let found: String = events(&trail)
        .into_iter()
        .map(|event| serde_json::to_string_pretty(&event).unwrap() + "\n")
        .collect();
    let path = fixture(&format!("{file}.expected"));
    if std::env::var_os("AUDITLOG_BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert!(found == expected, "{} is not as expected; found:\n{found}", path.display());
    // Bad records are counted in the trail, the others are in it, and it is proven.
    let verified = run(&["verify", &trail]);
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    let drops = stdout(&run(&["query", &trail, "--type", "audit.events_dropped", "--json"]));
    assert_eq!(drops.is_empty(), refused.is_empty(), "{drops}");
}

#[test]
fn cloudtrail() {
    as_expected("cloudtrail.json", "cloudtrail", &[]);
}

#[test]
fn kubernetes_events_one_a_line() {
    as_expected("k8s.ndjson", "k8s", &[]);
}

#[test]
fn a_kubernetes_event_list_with_a_bad_event() {
    as_expected(
        "k8s-list.json",
        "k8s",
        &["record 2, line 21, byte ", "no verb: not an audit Event"],
    );
}

#[test]
fn auditd() {
    as_expected("auditd.log", "auditd", &["line 14: no record of auditd; expected type="]);
}

#[test]
fn ocsf_of_others() {
    as_expected(
        "ocsf.ndjson",
        "ocsf",
        &["record 4, line 4, byte ", "`time` is no number of milliseconds"],
    );
}

#[test]
fn gzip_and_lines_are_taken_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let plain = fs::read(fixture("cloudtrail.json")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let (trail, output) = import(dir.path(), "cloudtrail", &gz.finish().unwrap());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let whole = events(&trail);
    let records: Value = serde_json::from_slice(&plain).unwrap();
    let lines: Vec<String> =
        records["Records"].as_array().unwrap().iter().map(|record| format!("{record}\n")).collect();
    let (trail, output) = import(dir.path(), "cloudtrail", lines.concat().as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(events(&trail).len(), 2 * whole.len());
}

#[test]
fn a_cut_or_broken_input_loses_nothing_that_came_before() {
    let dir = tempfile::tempdir().unwrap();
    let plain = fs::read(fixture("cloudtrail.json")).unwrap();
    let (trail, output) = import(dir.path(), "cloudtrail", &plain[..plain.len() * 2 / 3]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("the input ends in the middle of the record"), "{said}");
    assert_eq!(events(&trail).len(), 3, "{said}");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gz.write_all(&plain).unwrap();
    let gz = gz.finish().unwrap();
    let (trail, output) = import(dir.path(), "cloudtrail", &gz[..gz.len() - 200]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("what was read before is recorded"), "{}", stderr(&output));
    assert!(events(&trail).len() >= 6);
    let (_, output) = import(dir.path(), "cloudtrail", b"{\"digestS3Object\":\"x\"}");
    assert!(stderr(&output).contains("a digest file of CloudTrail"), "{}", stderr(&output));
}

#[test]
fn our_own_ocsf_export_comes_back_as_it_was_and_an_altered_record_does_not() {
    let exported = stdout(&run(&["export", &vector("healthy"), "--format", "ocsf"]));
    let dir = tempfile::tempdir().unwrap();
    let altered = exported.replace("invalid_token", "expired_token");
    assert!(altered != exported);
    let (trail, output) = import(dir.path(), "ocsf", exported.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let original = stdout(&run(&["query", &vector("healthy"), "--json"]));
    let back = events(&trail);
    assert_eq!(back.len(), original.lines().count());
    for (mut back, line) in back.into_iter().zip(original.lines()) {
        let mut entry: Map<String, Value> = serde_json::from_str(line).unwrap();
        let from = back["details"].as_object_mut().unwrap().remove("imported_from").unwrap();
        assert_eq!((&from["hash"], &from["seq"]), (&entry["hash"], &entry["seq"]));
        for name in ["seq", "audit_id", "service_id", "prev_hash", "hash"] {
            entry.remove(name);
        }
        if entry["event_type"].as_str().unwrap().starts_with("audit.") {
            let imported = format!("imported.{}", entry["event_type"].as_str().unwrap());
            entry["event_type"] = imported.into();
        }
        if back["details"].as_object().unwrap().is_empty() {
            back.remove("details");
        }
        assert_eq!(back, entry);
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, output) = import(dir.path(), "ocsf", altered.as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("raw_data does not have the hash it states"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_other_programs_really_write_is_understood() {
    let one = |from: &str, input: &str| {
        let dir = tempfile::tempdir().unwrap();
        let (trail, output) = import(dir.path(), from, input.as_bytes());
        assert_eq!(output.status.code(), Some(0), "{from}: {}", stderr(&output));
        Value::Object(events(&trail).pop().unwrap())
    };
    // A webhook of Kubernetes gets lists whose items say neither what they are nor of which version.
    let event = one(
        "k8s",
        r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[{"level":"Metadata","auditID":"0d7b1b5e","stage":"ResponseComplete","verb":"delete","objectRef":{"resource":"secrets","namespace":"prod","name":"db"},"responseStatus":{"code":200},"stageTimestamp":"2026-11-20T08:00:00.000000Z"}]}"#,
    );
    assert_eq!(
        (&event["event_type"], &event["result"]),
        (&"k8s.secrets.delete".into(), &"success".into())
    );
    // AppArmor refuses in a field of its own; where it only complains, nothing was refused.
    let apparmor = |word: &str| {
        one(
            "auditd",
            &format!(
                "type=AVC msg=audit(1524662933.080:61207): apparmor=\"{word}\" operation=\"open\" profile=\"docker-default\" name=\"/etc/shadow\" pid=5571 comm=\"cat\" requested_mask=\"r\" denied_mask=\"r\" fsuid=0 ouid=0\n"
            ),
        )
    };
    let event = apparmor("DENIED");
    assert_eq!((&event["result"], &event["reason"]), (&"failure".into(), &"EACCES".into()));
    assert_eq!(event["resource"]["resource_id"], "/etc/shadow");
    assert_eq!(apparmor("ALLOWED")["result"], "success");
    // Times in text, and in microseconds with the text beside them.
    for time in [
        r#""time":"2026-11-20T08:00:00Z""#,
        r#""time":1795161600000000,"time_dt":"2026-11-20T08:00:00Z""#,
    ] {
        let event = one("ocsf", &format!("{{\"class_uid\":6003,\"activity_id\":1,{time}}}\n"));
        assert!(event["timestamp"].as_str().unwrap().starts_with("2026-11-20T08:00:00"), "{event}");
    }
}

#[test]
fn a_bad_record_in_the_middle_is_placed_and_costs_itself_alone() {
    let cloudtrail = |n: u8| {
        format!(
            r#"{{"eventVersion":"1.11","eventTime":"2026-11-20T08:00:0{n}Z","eventSource":"s3.amazonaws.com","eventName":"GetObject"}}"#
        )
    };
    let k8s = |n: u8| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","stage":"ResponseComplete","stageTimestamp":"2026-11-20T08:00:0{n}.000000Z","responseStatus":{{"code":200}}}}"#
        )
    };
    let auditd = |n: u8| {
        format!(
            "type=USER_AUTH msg=audit(1763625600.00{n}:{n}): pid=1 uid=0 auid=1000 ses=1 msg='op=PAM acct=\"a\" exe=\"/bin/su\" res=success'"
        )
    };
    let ocsf = |n: u8| format!(r#"{{"class_uid":6003,"activity_id":1,"time":176362560000{n}}}"#);
    let formats: [(&str, &dyn Fn(u8) -> String); 4] =
        [("cloudtrail", &cloudtrail), ("k8s", &k8s), ("auditd", &auditd), ("ocsf", &ocsf)];
    for (from, record) in formats {
        for bad in ["{\"half\":", "\u{fffd}\u{1}garbage", "[1,2", "{\"kind\":\"Pod\"}"] {
            let dir = tempfile::tempdir().unwrap();
            let lines = [&record(1), &record(2), bad, &record(3), &record(4)];
            let (trail, output) = import(dir.path(), from, (lines.join("\n") + "\n").as_bytes());
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{from} {bad:?}: {said}");
            assert!(said.contains(", line 3"), "{from} {bad:?}: {said}");
            // The place is that of what should have been a record, in a list the first thing in it.
            if from != "auditd" && !bad.starts_with('[') {
                let before = record(1).len() + record(2).len() + 2;
                assert!(
                    said.contains(&format!("record 3, line 3, byte {before}")),
                    "{from} {bad:?}: {said}"
                );
            }
            assert_eq!(events(&trail).len(), 4, "{from} {bad:?}: {said}");
            assert_eq!(run(&["verify", &trail]).status.code(), Some(0));
        }
    }
}

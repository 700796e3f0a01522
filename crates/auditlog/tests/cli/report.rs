//! `auditlog report`: what is in the file, what is told, and that nothing hostile becomes a page.

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding};
use serde_json::Value;

use crate::{auditlog, run, stderr, stdout, vector};

fn report(args: &[&str]) -> (i32, String) {
    let all: Vec<&str> = ["report"].iter().chain(args).copied().collect();
    let output = run(&all);
    (output.status.code().unwrap(), stdout(&output) + &stderr(&output))
}

fn json(trail: &str, args: &[&str]) -> Value {
    let all = [&["report", trail, "--json", "--since", "2026-01-01", "--audit-access=never"], args]
        .concat();
    let output = run(&all);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
}

#[test]
fn numbers_are_those_of_queries_and_the_evidence_checks() {
    let trail = vector("healthy");
    let report = json(&trail, &["--kind", "soc2"]);
    assert_eq!(report["searched"]["entries"], 300);
    assert_eq!(report["integrity"]["checked"]["verification"]["verdict"], "proven");
    let count = |args: &[&str]| {
        let all = [&["query", &trail, "--json"], args].concat();
        stdout(&run(&all)).lines().count()
    };
    assert_eq!(report["totals"]["results"]["failure"], count(&["--result", "failure"]));
    assert_eq!(report["totals"]["critical"], count(&["--critical"]));
    assert_eq!(
        report["incidents"]["total"],
        count(&["--type", "security.*", "--type", "seal.verification_failed"])
    );
    for row in report["types"]["rows"].as_array().unwrap() {
        assert_eq!(row["entries"], count(&["--type", row["value"].as_str().unwrap()]), "{row}");
    }
    for row in report["actors"]["rows"].as_array().unwrap() {
        assert_eq!(row["entries"], count(&["--actor", row["value"].as_str().unwrap()]), "{row}");
    }
    let buckets = report["timeline"]["buckets"].as_array().unwrap();
    let sum: u64 = buckets
        .iter()
        .flat_map(|bucket| {
            ["success", "partial", "failure"].map(|name| bucket[name].as_u64().unwrap())
        })
        .sum();
    assert_eq!(sum, 300);
    // What is attached can be checked without the trail.
    let dir = tempfile::tempdir().unwrap();
    let proofs = report["integrity"]["checked"]["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 2);
    for proof in proofs {
        let file = dir.path().join("proof");
        fs::write(&file, proof["proof"].as_str().unwrap()).unwrap();
        fs::write(dir.path().join("proof.entry"), proof["entry"].as_str().unwrap()).unwrap();
        let key = proof["key"].as_str().unwrap();
        let checked = run(&["check", &file.display().to_string(), "--key", key]);
        assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    }
}

/// The files that a page has to save, by name.
fn files_of(page: &str) -> Vec<(String, Vec<u8>)> {
    let begin = "<a download=\"";
    let links = page.split(begin).skip(1).map(|link| {
        let (name, rest) =
            link.split_once("\" href=\"data:application/octet-stream;base64,").unwrap();
        let (data, _) = rest.split_once('"').unwrap();
        (name.to_owned(), Base64::decode_vec(data).unwrap())
    });
    links.collect()
}

#[test]
fn what_is_attached_to_the_page_is_checked_by_the_command_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let trail = trail_of(dir.path(), "{\"event_type\":\"x.y\",\"details\":{\"<b>\":\"&amp;é\"}}\n");
    let info: Value =
        serde_json::from_slice(&fs::read(Path::new(&trail).join("trail.json")).unwrap()).unwrap();
    let pinned = info["initial_key"].as_str().unwrap();
    // The proofs have a rotation in them, and the first key checks them all the same.
    assert!(run(&["keys", &trail, "rotate"]).status.success());
    let (code, page) = report(&[&trail, "--kind", "iso27001", "--key", pinned]);
    assert_eq!(code, 0, "{page}");
    let files = files_of(&page);
    assert_eq!(files.len(), 5, "a checkpoint and two proofs with their entries");
    for (name, content) in &files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    assert_eq!(files[0].0, "checkpoint");
    assert!(page.contains(&format!("--key &#39;{pinned}&#39;")), "{page}");
    let proofs: Vec<&String> =
        files.iter().map(|(name, _)| name).filter(|name| name.ends_with(".tlog-proof")).collect();
    assert_eq!(proofs.len(), 2);
    for proof in proofs {
        let file = dir.path().join(proof).display().to_string();
        let checked = run(&["check", &file, "--key", pinned]);
        assert_eq!(checked.status.code(), Some(0), "{}", stdout(&checked));
    }
    // What can be read on the page is what is in the files.
    for (name, content) in files.iter().filter(|(name, _)| name.ends_with(".entry")) {
        let shown = page.split(&format!("{name}</a></p><pre>")).nth(1).unwrap();
        let shown = shown.split("</pre>").next().unwrap().replace("&quot;", "\"");
        let shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        assert_eq!(shown.as_bytes(), content);
    }
}

/// Every number and text in a JSON value, with the section it stands in.
fn scalars<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| scalars(value, out)),
        Value::Array(items) => items.iter().for_each(|value| scalars(value, out)),
        Value::Null => {}
        plain => out.push(plain),
    }
}

#[test]
fn the_csv_has_everything_that_the_json_has() {
    let args = ["--kind", "pci", "--until", "2030-01-01"];
    let report = json(&vector("healthy"), &args);
    let all =
        [&["report", &vector("healthy"), "--format", "csv", "--since", "2026-01-01"], &args[..]];
    let csv = stdout(&run(&[&all.concat()[..], &["--audit-access=never"]].concat()));
    let rows = csv.lines().filter(|line| line.matches(',').count() >= 3);
    let mut sections: std::collections::HashMap<&str, Vec<&str>> = std::collections::HashMap::new();
    for row in rows {
        let section = row.split(',').next().unwrap();
        sections.entry(section).or_default().push(row);
    }
    let mut numbers = 0;
    for (section, value) in report.as_object().unwrap() {
        let mut wanted = Vec::new();
        scalars(value, &mut wanted);
        let section =
            if value.is_object() || value.is_array() { section.as_str() } else { "report" };
        for value in wanted {
            // How long it took, and when it was, differ from run to run.
            let Some(number) = value.as_u64() else { continue };
            let there = sections[section]
                .iter()
                .any(|row| row.split(',').any(|cell| cell == number.to_string()));
            assert!(there, "{section}: {number}");
            numbers += 1;
        }
    }
    assert!(numbers > 500, "{numbers}");
    for row in [
        "integrity,,checked.verification.verdict,proven",
        "classes,logins,results.failure,",
        "timeline,,week.6.23,",
        "retention,,archived,0",
        "keeping,,heartbeats,",
        "silences,,while_closed,",
        "privileged,,not_listed,",
    ] {
        assert!(csv.contains(&format!("\r\n{row}")), "{row}");
    }
}

#[test]
fn each_framework_names_its_clauses_and_none_is_called_fulfilled() {
    for (kind, clauses) in [
        ("soc2", vec!["CC6.1", "CC7.2"]),
        ("gdpr", vec!["Art. 5(1)(f)", "Art. 15", "Art. 17", "Art. 30", "Art. 32(1)(b)", "Art. 33"]),
        ("iso27001", vec!["A.5.28", "A.8.15", "A.8.16"]),
        ("hipaa", vec!["§ 164.308(a)(1)(ii)(D)", "§ 164.312(b)", "§ 164.316(b)(2)(i)"]),
        ("pci", vec!["10.2.1", "10.2.1.4", "10.5.1", "10.7.2, 10.7.3"]),
    ] {
        let report = json(&vector("healthy"), &["--kind", kind]);
        let named: Vec<&str> = report["clauses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|clause| {
                assert!(!clause["evidence"].as_array().unwrap().is_empty());
                clause["id"].as_str().unwrap()
            })
            .collect();
        assert!(clauses.iter().all(|clause| named.contains(clause)), "{kind}: {named:?}");
        let text = report.to_string().to_lowercase();
        assert!(!text.contains("compliant") && !text.contains("fulfilled"), "{kind}");
    }
}

#[test]
fn the_exit_code_is_the_verdict_and_the_report_says_it() {
    let (code, page) =
        report(&[&vector("tampered-edited"), "--kind", "pci", "--since", "2026-01-01"]);
    assert_eq!(code, 1);
    assert!(page.contains("<b>Violated.</b>") && page.contains("hash_mismatch"), "{page}");
    let (code, page) =
        report(&[&vector("healthy"), "--kind", "pci", "--since", "2026-01-01", "--no-verify"]);
    assert_eq!(code, 0);
    assert!(page.contains("<b>Not verified.</b>"));
    let (code, said) =
        report(&[&vector("healthy"), "--kind", "pci", "--since", "now", "--until", "7d"]);
    assert_eq!(code, 2);
    assert!(said.contains("auditlog: "), "{said}");
    let (code, said) = report(&["/nowhere", "--kind", "pci"]);
    assert_eq!(code, 2, "{said}");
}

/// A trail with these lines.
fn trail_of(dir: &Path, lines: &str) -> String {
    let trail = dir.join("trail").display().to_string();
    assert!(run(&["init", &trail, "--service", "svc"]).status.success());
    let mut child = auditlog(&["emit", &trail])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    trail
}

#[test]
fn hostile_text_is_text_on_the_page_and_no_formula_in_csv() {
    let dir = tempfile::tempdir().unwrap();
    let trail = trail_of(
        dir.path(),
        "{\"event_type\":\"auth.failure\",\"actor\":{\"user_id\":\"</td><script>alert(1)</script>\",\"ip\":\"\\\" onload=\\\"x\"},\"reason\":\"=HYPERLINK(1)\",\"details\":{\"<b>\":\"</code><img src=x>\"}}\n\
         {\"event_type\":\"security.suspicious_activity\",\"actor\":{\"user_id\":\"</td><script>alert(1)</script>\"},\"reason\":\"<i>\",\"details\":{\"x\":\"</code><img src=x>\"}}\n",
    );
    let (code, page) = report(&[&trail, "--kind", "soc2"]);
    assert_eq!(code, 0);
    assert!(page.contains("&lt;/td&gt;&lt;script&gt;alert(1)"), "{page}");
    for hostile in ["<script", "<img", "onload=\"x", "<i>", "<b>=", "http://"] {
        let page = page.replace("<i class", "").replace("https://", "");
        assert!(!page.contains(hostile), "{hostile}");
    }
    let (_, csv) = report(&[&trail, "--kind", "soc2", "--format", "csv"]);
    assert!(csv.starts_with("section,item,name,value\r\n"));
    assert!(csv.contains("reasons,'=HYPERLINK(1),rows.entries,1\r\n"), "{csv}");
    let file = dir.path().join("r.html");
    let (code, said) = report(&[&trail, "--kind", "soc2", "-o", &file.display().to_string()]);
    assert_eq!(code, 0);
    assert!(said.starts_with("SOC 2: ") && said.contains("trail proven"), "{said}");
    assert!(fs::read_to_string(file).unwrap().starts_with("<!doctype html>"));
}

#[test]
fn a_report_on_a_person_has_all_that_names_them_and_tells_of_what_may() {
    let dir = tempfile::tempdir().unwrap();
    let trail = trail_of(
        dir.path(),
        "{\"event_type\":\"auth.success\",\"actor\":{\"user_id\":\"c-7\"}}\n\
         {\"event_type\":\"data.deleted\",\"resource\":{\"resource_type\":\"customer\",\"resource_id\":\"c-7\"}}\n\
         {\"event_type\":\"mail.sent\",\"details\":{\"to\":[\"c-7\"]}}\n\
         {\"event_type\":\"mail.sent\",\"details\":{\"text\":\"dear c-7,\"}}\n\
         {\"event_type\":\"auth.success\",\"actor\":{\"user_id\":\"c-71\"}}\n\
         {\"event_type\":\"auth.success\",\"actor\":{\"user_id\":\"bob\"}}\n",
    );
    let report = json(&trail, &["--kind", "gdpr", "--subject", "c-7"]);
    let subject = &report["subject"];
    assert_eq!((&subject["as_actor"], &subject["as_resource"]), (&1.into(), &1.into()));
    assert_eq!((&subject["in_details"], &subject["only_within_text"]), (&1.into(), &2.into()));
    assert_eq!(
        (&report["concerned"]["total"], &report["totals"]["entries"]),
        (&3.into(), &3.into())
    );
    // One person's entries say nothing of how the trail was kept.
    assert!(report["keeping"].is_null() && report["silences"].is_null());
    let found = |what: &str| -> Vec<Value> {
        let clauses = report["clauses"].as_array().unwrap().iter();
        let all = clauses.flat_map(|clause| clause["evidence"].as_array().unwrap());
        all.filter(|evidence| evidence["what"] == what).map(|one| one["found"].clone()).collect()
    };
    for what in [
        "events refused",
        "failures of the logging itself",
        "times without an entry",
        "reads of this trail",
        "replaced signing keys",
    ] {
        let found = found(what);
        assert!(!found.is_empty(), "{what}");
        assert!(found.iter().all(|it| it == "not looked at in a report on one person"), "{what}");
    }
    assert_eq!(found("access denied")[0], "none in the period that concern this person");
}

#[test]
fn what_was_refused_and_who_is_an_administrator_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let trail = trail_of(dir.path(), "{\"event_type\":\"x.y\",\"actor\":{\"user_id\":\"root\"}}\n");
    let mut child = auditlog(&["emit", &trail])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"no event\nnor this\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let report =
        json(&trail, &["--kind", "pci", "--privileged-actor", "root", "--incident", "x.*"]);
    assert_eq!(report["keeping"]["dropped_events"], 2);
    assert_eq!(
        (&report["privileged"]["total"], &report["incidents"]["total"]),
        (&1.into(), &1.into())
    );
    let states: Vec<&Value> = report["clauses"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|clause| clause["id"] == "10.7.2, 10.7.3")
        .map(|clause| &clause["state"])
        .collect();
    assert_eq!(states, ["attention"]);
    assert!(report["cannot_know"].to_string().contains("What the 2 refused events were"));
}

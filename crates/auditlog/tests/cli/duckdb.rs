//! DuckDB as an oracle: another engine reads the tables of the index, and says what we say.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::month::{Month, month};
use crate::{run, stderr, stdout, vector};

/// Asks DuckDB, one JSON object a row; `None`, said loudly, where it is not installed.
fn duckdb(question: &str) -> Option<Vec<Value>> {
    const SCRIPT: &str = "
import sys, json, duckdb
db = duckdb.connect()
db.execute(\"set TimeZone = 'UTC'\")
rows = db.execute(sys.argv[1])
names = [column[0] for column in rows.description]
for row in rows.fetchall():
    print(json.dumps(dict(zip(names, row))))
";
    let there = Command::new("python3").args(["-c", "import duckdb"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: DuckDB as an oracle needs python3 and its package `duckdb` (in a virtual environment whose bin is first in PATH)"
        );
        return None;
    }
    let output = Command::new("python3").args(["-c", SCRIPT, question]).output().unwrap();
    assert!(output.status.success(), "{question}: {}", stderr(&output));
    Some(stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Both engines, asked the same; `events` is each one's table, without the segment that is open.
fn same(dir: &Path, open: u64, question: &str) -> Option<Vec<Value>> {
    let tables = format!("read_parquet('{}/index/*.parquet')", dir.display());
    let theirs = duckdb(&question.replace("events", &tables))?;
    let ours = question.replace("events", &format!("(select * from events where seq < {open})"));
    let dir = dir.display().to_string();
    for more in [&[][..], &["--no-index"]] {
        let asked = [&["sql", &dir, &ours, "--json", "--audit-access=never"], more].concat();
        let output = run(&asked);
        assert_eq!(output.status.code(), Some(0), "{ours}: {}", stderr(&output));
        let rows = stdout(&output);
        let rows: Vec<Value> =
            rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows, theirs, "{question} {more:?}");
    }
    Some(theirs)
}

/// The first `seq` that is in no table.
fn first_open(dir: &Path) -> u64 {
    let segments = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let open = segments.filter(|path| {
        let closed = format!("{}.sha256", path.display());
        path.extension().is_some_and(|name| name == "audit") && !Path::new(&closed).exists()
    });
    let text = fs::read_to_string(open.min().unwrap()).unwrap();
    serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()["seq"].as_u64().unwrap()
}

#[test]
fn another_engine_says_the_same() {
    let month = month();
    assert!(run(&["index", &month.dir()]).status.success());
    let open = first_open(&month.path);
    let ask = |question: &str| same(&month.path, open, question);
    let Some(all) = ask("select count(*) as n, min(seq) as first, max(seq) as last from events")
    else {
        return;
    };
    assert_eq!((&all[0]["n"], &all[0]["last"]), (&open.into(), &(open - 1).into()));
    let actor = month.busiest().0;
    let of_one = format!(
        "select seq, audit_id, hash from events where actor_user_id = '{actor}' order by seq"
    );
    for question in [
        of_one.as_str(),
        "select event_type, strftime_day as day, count(*) as n from (select event_type, cast(cast(timestamp as date) as varchar) as strftime_day from events) group by 1, 2 order by 1, 2",
        "select result, critical, count(*) as n from events group by 1, 2 order by 1, 2",
        "select count(*) as n, count(actor_user_id) as actors, count(actor_session_id) as sessions, count(resource_id) as resources, count(reason) as reasons, count(trace_id) as traces, count(details) as details from events",
        "select count(*) as n from events where actor_user_id is null and resource_id is null",
        "select actor_user_id, count(*) as n from events where event_type like 'auth%' group by 1 order by n desc, 1 limit 20",
        "select count(distinct hash) as hashes, count(distinct audit_id) as ids, min(line_length) as short from (select hash, audit_id, length(details) as line_length from events)",
    ] {
        let rows = ask(question).unwrap();
        assert!(!rows.is_empty(), "{question}");
    }
    times(&month, open);
    queried(&month);
    exported(&month);
}

/// Each time, to the nanosecond.
fn times(month: &Month, open: u64) {
    let tables = format!("read_parquet('{}/index/*.parquet')", month.path.display());
    let question =
        format!("select seq, epoch_ns(timestamp::timestamp_ns) as at from {tables} order by seq");
    let theirs = duckdb(&question).unwrap();
    let lines =
        stdout(&run(&["query", &month.dir(), "--json", "--no-index", "--audit-access=never"]));
    let mut compared = 0;
    for (row, line) in theirs.iter().zip(lines.lines()) {
        let entry: Value = serde_json::from_str(line).unwrap();
        let time: jiff::Timestamp = entry["timestamp"].as_str().unwrap().parse().unwrap();
        let at = i64::try_from(time.as_nanosecond()).unwrap();
        assert_eq!((&row["seq"], &row["at"]), (&entry["seq"], &at.into()));
        compared += 1;
    }
    assert_eq!(compared, open);
}

/// What `auditlog query` finds of an actor is what DuckDB finds, entry by entry.
fn queried(month: &Month) {
    let tables = format!("read_parquet('{}/index/*.parquet')", month.path.display());
    let (dir, (actor, _)) = (month.dir(), month.busiest());
    let question = format!(
        "select seq, hash, details, actor_ip from {tables} where actor_user_id = '{actor}' order by seq"
    );
    let theirs = duckdb(&question).unwrap();
    let lines = stdout(&run(&["query", &dir, "--actor", &actor, "--json", "--audit-access=never"]));
    let ours: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ours.len(), theirs.len());
    for (row, entry) in theirs.iter().zip(&ours) {
        assert_eq!((&row["seq"], &row["hash"]), (&entry["seq"], &entry["hash"]));
        assert_eq!(row["actor_ip"], entry["actor"]["ip"]);
        let details: Value = serde_json::from_str(row["details"].as_str().unwrap()).unwrap();
        assert_eq!(details, entry["details"]);
    }
}

/// An export is that table, too, and what DuckDB makes of it is reconciled.
fn exported(month: &Month) {
    let temp = tempfile::tempdir().unwrap();
    let file = |name: &str| temp.path().join(name).display().to_string();
    let (dir, out, again) = (month.dir(), file("out.parquet"), file("again.parquet"));
    let export = ["export", &dir, "--format", "parquet", "-o", &out, "--audit-access=never"];
    assert!(run(&export).status.success());
    let count = |question: &str| duckdb(question).unwrap()[0]["n"].clone();
    let lacks = format!(
        "select count(*) as n from (select * exclude (line_offset) from read_parquet('{dir}/index/*.parquet') except select * exclude (line_offset) from '{out}')"
    );
    assert_eq!(count(&lacks), 0);
    duckdb(&format!("copy (select seq, hash from '{out}' where seq <> 1234) to '{again}'"))
        .unwrap();
    let reconcile = run(&["reconcile", &dir, &again, "--json"]);
    let result: Value = serde_json::from_slice(&reconcile.stdout).unwrap();
    assert_eq!(reconcile.status.code(), Some(3), "{result}");
    assert_eq!(result["missing_ranges"], serde_json::json!([[1234, 1234]]));
    // A number below zero, and nothing, are no records; the file is of no other trail.
    let odd = file("odd.parquet");
    duckdb(&format!(
        "copy (select seq::bigint as seq, hash from '{out}' union all select -1, 'x' union all select null, null) to '{odd}'"
    ))
    .unwrap();
    let reconcile = run(&["reconcile", &dir, &odd, "--json"]);
    let result: Value = serde_json::from_slice(&reconcile.stdout).unwrap();
    assert_eq!((reconcile.status.code(), &result["unreadable"]), (Some(0), &2.into()), "{result}");
    duckdb(&format!("copy (select seq from '{out}') to '{again}'")).unwrap();
    let lacks = run(&["reconcile", &vector("healthy"), &again]);
    assert_eq!(lacks.status.code(), Some(2));
    assert!(stderr(&lacks).contains("the table has no column `hash`"), "{}", stderr(&lacks));
}

//! `auditlog sql`: the same answers as by query, nothing but reading, and limits that the operating
//! system holds.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::export::Live;
use crate::month::month;
use crate::{auditlog, run, stderr, stdout, vector};

fn sql(dir: &str, question: &str, more: &[&str]) -> Output {
    run(&[&["sql", dir, question, "--audit-access=never"], more].concat())
}

/// The rows of an answer.
fn rows(dir: &str, question: &str, more: &[&str]) -> Vec<Value> {
    let output = sql(dir, question, &[&["--json"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{question}: {}{}", stdout(&output), stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a question is refused with; for machines too.
fn refusal(dir: &str, question: &str, more: &[&str]) -> String {
    let output = sql(dir, question, more);
    assert_eq!(output.status.code(), Some(2), "{question}: {}", stdout(&output));
    let said = stderr(&output);
    assert!(said.starts_with("auditlog: "), "{said}");
    let output = sql(dir, question, &[more, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(2), "{question}");
    let last = stdout(&output).lines().last().unwrap().to_owned();
    let told: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(told["exit"], 2, "{told}");
    assert_eq!(format!("auditlog: {}\n", told["error"].as_str().unwrap()), stderr(&output));
    said
}

#[test]
fn what_is_counted_is_what_is_queried_by_index_and_without() {
    let month = month();
    let dir = month.dir();
    let query = |args: &[&str]| {
        let args =
            [&["query", &dir, "--no-index", "--json", "--audit-access=never"], args].concat();
        stdout(&run(&args)).lines().count() as u64
    };
    let (all, failed) = (query(&[]), query(&["--type", "auth.failure"]));
    let day = query(&["--type", "auth.success", "--since", "2026-11-03", "--until", "2026-11-03"]);
    let by_type = "select event_type, date_trunc('day', timestamp) as day, count(*) as n from events group by 1, 2 order by 1, 2";
    let mut before: Option<(Vec<Value>, Vec<Value>)> = None;
    for indexed in [false, true] {
        if indexed {
            assert!(run(&["index", &dir]).status.success());
        }
        for more in [&[][..], &["--no-index"], &["--jobs", "1"]] {
            let counted = rows(&dir, by_type, more);
            let of = |kind: &str| {
                let rows =
                    counted.iter().filter(|row| kind.is_empty() || row["event_type"] == kind);
                rows.map(|row| row["n"].as_u64().unwrap()).sum::<u64>()
            };
            assert_eq!((of(""), of("auth.failure")), (all, failed));
            let that = counted.iter().find(|row| {
                row["event_type"] == "auth.success"
                    && row["day"].as_str().unwrap().starts_with("2026-11-03T00:00:00")
            });
            assert_eq!(that.unwrap()["n"], day);
            let each = rows(&dir, "select * from events order by seq", more);
            let now = (counted, each);
            assert!(before.get_or_insert_with(|| now.clone()) == &now, "{indexed} {more:?}");
        }
    }
    let told = sql(&dir, "select 1 as one", &["--json"]);
    assert_eq!(stdout(&told), "{\"one\":1}\n");
    let told: Value = serde_json::from_str(&stderr(&told)).unwrap();
    assert_eq!((&told["rows"], &told["malformed"]), (&1.into(), &0.into()));
    assert_eq!(told["segments"].as_u64().unwrap(), told["segments_by_index"].as_u64().unwrap() + 1);
}

#[test]
fn a_damaged_index_changes_no_answer() {
    let month = month();
    let dir = month.dir();
    assert!(run(&["index", &dir]).status.success());
    let question = "select seq, actor_user_id, hash, prev_hash from events where event_type like 'auth%' order by seq";
    let expected = rows(&dir, question, &["--no-index"]);
    assert!(expected.len() > 2_000);
    let table = month.file("index/2026-11-02.audit.parquet");
    let whole = fs::read(&table).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [&flipped[..], &whole[..whole.len() - 8], &whole[..100], b""] {
        fs::write(&table, bytes).unwrap();
        assert!(rows(&dir, question, &[]) == expected, "{} bytes", bytes.len());
    }
    fs::copy(month.file("index/2026-11-03.audit.parquet"), &table).unwrap();
    assert!(rows(&dir, question, &[]) == expected, "of another day");
    fs::remove_file(&table).unwrap();
    assert!(rows(&dir, question, &[]) == expected, "gone");
}

#[test]
fn the_newest_entry_is_in_the_answer() {
    let mut live = Live::new();
    let dir = live.file("audit");
    for n in 1..4 {
        live.write(5);
        let opened =
            rows(&dir, "select count(*) as n from events where event_type = 'door.opened'", &[]);
        assert_eq!(opened[0]["n"], 5 * n);
    }
    live.end();
}

#[test]
fn tables_csv_and_hostile_text() {
    let dir = vector("healthy");
    let question = "select seq, event_type from events where seq < 2 order by seq";
    let csv = sql(&dir, question, &["--format", "csv"]);
    let text = stdout(&csv);
    assert!(text.starts_with("seq,event_type\n0,audit.trail_created\n1,"), "{text}");
    let table = stdout(&sql(&dir, question, &[]));
    assert!(table.starts_with("seq  event_type\n0    audit.trail_created\n1    "), "{table}");
    let said = stderr(&sql(&dir, question, &[]));
    assert!(said.starts_with("2 rows; 2 segments (0 by index) in "), "{said}");
    let hostile = "select 'a' || chr(27) || '[2J' as \"x\u{1b}[1m\"";
    let output = sql(&dir, hostile, &["--color", "always"]);
    assert!(!stdout(&output).replace("\x1b[2m", "").replace("\x1b[0m", "").contains('\x1b'));
    assert!(stdout(&sql(&dir, "select '=1' as a", &["--format", "csv"])).contains("'=1"));
    // An answer without rows still says its columns.
    assert_eq!(
        stdout(&sql(&dir, "select seq from events where seq > 1000", &["--format", "csv"])),
        "seq\n"
    );
}

#[test]
fn what_would_write_or_read_something_else_is_refused() {
    let month = month();
    let dir = month.dir();
    assert!(run(&["index", &dir]).status.success());
    let list = || {
        let mut names: Vec<_> = ["", "index"]
            .iter()
            .flat_map(|sub| fs::read_dir(month.file(sub)).unwrap())
            .map(|file| file.unwrap())
            .map(|file| (file.file_name(), file.metadata().unwrap().len()))
            .collect();
        names.sort();
        names
    };
    let before = list();
    let outside = tempfile::tempdir().unwrap();
    let stolen = outside.path().join("stolen").display().to_string();
    let table = month.file("index/2026-11-02.audit.parquet").display().to_string();
    for question in [
        "insert into events select * from events".to_owned(),
        "delete from events".to_owned(),
        "update events set seq = 0".to_owned(),
        "drop table events".to_owned(),
        "create table mine as select * from events".to_owned(),
        format!("create external table mine stored as parquet location '{table}'"),
        format!("copy events to '{stolen}'"),
        format!("copy (select 1) to '{stolen}' stored as csv"),
        format!("select * from '{table}'"),
        format!("select * from read_parquet('{table}')"),
        "select * from read_csv('/etc/passwd')".to_owned(),
        "select pg_read_file('/etc/passwd')".to_owned(),
        "set datafusion.runtime.memory_limit = '100G'".to_owned(),
        "select 1; drop table events".to_owned(),
        "begin".to_owned(),
    ] {
        refusal(&dir, &question, &[]);
    }
    assert_eq!(list(), before);
    assert!(!Path::new(&stolen).exists());
}

#[test]
fn what_cannot_be_understood_is_said() {
    let dir = vector("healthy");
    for (question, says) in [
        ("", "the table is `events`"),
        ("selec 1", "the table is `events`"),
        ("select nothing from events", "nothing"),
        ("select * from elsewhere", "elsewhere"),
        ("select frobnicate(seq) from events", "frobnicate"),
        ("select 1 / 0", "correct the question"),
    ] {
        let said = refusal(&dir, question, &[]);
        assert!(said.contains(says), "{question}: {said}");
    }
    let long = format!("select {}1", "1 + ".repeat(10_000));
    assert!(refusal(&dir, &long, &[]).contains("longer than 16384 bytes"));
    for (args, says) in [
        (&["sql", &dir][..], "<SQL>"),
        (&["sql", "/nowhere/at/all", "select 1"], "No such file"),
        (&["sql", &dir, "select 1", "--memory", "much"], "much"),
        (&["sql", &dir, "select 1", "--format", "xml"], "xml"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn no_question_takes_more_memory_than_it_may() {
    let dir = vector("healthy");
    let small = ["--memory", "64", "--jobs", "2"];
    for question in [
        // One value: what no engine counts.
        "select length(repeat('x', 2000000000) || repeat('y', 2000000000)) as n",
        "select length(lpad('x', 2000000000, 'y')) + length(rpad('x', 2000000000, 'y')) as n",
        "with a as (select rpad('x', 60000, 'x') as s), b as (select replace(s, 'x', s) as s from a) select length(replace(s, 'x', s)) as n from b",
        // Many.
        "select array_agg(a.hash || b.hash || repeat('x', 10000)) from events a, events b",
        "select string_agg(rpad(hash, 100000, 'x'), ',') from (select a.hash from events a, events b)",
        "select * from generate_series(1, 100000000) order by value % 1000",
        "select count(*) from (select distinct a.hash || b.hash || c.hash from events a, events b, events c)",
    ] {
        let said = refusal(&dir, question, &small);
        assert!(
            (said.contains("64 MiB of memory") || said.contains("64 MiB of --memory"))
                && (said.contains("allow more")),
            "{question}: {said}"
        );
    }
    // The same small process answers what is asked of it.
    assert_eq!(rows(&dir, "select count(*) as n from events", &small)[0]["n"], 300);
    // With more room a large value is no harm.
    let one = rows(&dir, "select length(repeat('x', 100000000)) as n", &[]);
    assert_eq!(one[0]["n"], 100_000_000);
}

#[test]
fn what_was_printed_before_a_limit_is_whole_rows() {
    let dir = vector("healthy");
    let question = "select a.seq, rpad('x', cast(1000 + a.seq * a.seq * a.seq * 200 as bigint), 'x') as s from events a";
    let output = sql(&dir, question, &["--memory", "16", "--jobs", "1", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stdout(&output);
    for line in text.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert!(text.ends_with("\"exit\":2}\n"));
}

#[test]
fn a_time_limit_ends_everything() {
    let dir = vector("healthy");
    let join = "select count(*) from events a, events b, events c, events d where a.seq + b.seq + c.seq = d.seq * 7";
    let said = refusal(&dir, join, &["--timeout", "1"]);
    assert!(said.contains("took longer than 1 s"), "{said}");
    // Killed from outside, the process that answers goes, too.
    let mut asking = auditlog(&["sql", &dir, join, "--audit-access=never"]).spawn().unwrap();
    let engine = engine_of(&asking);
    asking.kill().unwrap();
    asking.wait().unwrap();
    ends(&engine);
}

/// More rows than anybody waits for.
const ENDLESS: &str = "select a.hash, b.hash as h, c.hash as i from events a, events b, events c";

#[test]
fn a_time_limit_ends_an_answer_that_flows() {
    let dir = vector("healthy");
    let asked = ["sql", &dir, ENDLESS, "--timeout", "1", "--json", "--audit-access=never"];
    let mut asking = auditlog(&asked);
    asking.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut flowing = asking.spawn().unwrap();
    let mut rows = BufReader::new(flowing.stdout.take().unwrap());
    let (mut line, mut last) = (String::new(), String::new());
    while rows.read_line(&mut line).unwrap() > 0 {
        std::mem::swap(&mut line, &mut last);
        line.clear();
    }
    let said = flowing.wait_with_output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(stderr(&said).contains("took longer than 1 s"), "{}", stderr(&said));
    assert!(last.contains("took longer than 1 s"), "{last}");
    // Where nobody takes the rows, it ends all the same, and says so as soon as somebody does.
    ends_in_time_untaken(&mut asking);
}

/// Asks what takes longer than its second, and takes nothing of the answer before the engine ended.
fn ends_in_time_untaken(asking: &mut Command) {
    let waiting = asking.spawn().unwrap();
    ends(&engine_of(&waiting));
    let said = waiting.wait_with_output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(stderr(&said).contains("took longer than 1 s"), "{}", stderr(&said));
}

#[test]
fn a_time_limit_holds_where_the_alarm_is_ignored() {
    let dir = vector("healthy");
    let mut asking = Command::new("sh");
    asking.args(["-c", "trap '' ALRM; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_auditlog")]);
    asking.args(["sql", &dir, ENDLESS, "--timeout", "1", "--json", "--audit-access=never"]);
    asking.stdout(Stdio::piped()).stderr(Stdio::piped());
    ends_in_time_untaken(&mut asking);
}

#[test]
fn an_answer_that_nobody_waits_for_is_no_answer() {
    // Its parent is not who it says.
    let dir = vector("healthy");
    let output = run(&["sql", &dir, "select 1 as one", "--engine", "1", "--audit-access=never"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("the process that asked is gone"), "{}", stderr(&output));
}

/// Where the system says how the process is that answers for this one.
fn engine_of(asking: &Child) -> String {
    let children = format!("/proc/{0}/task/{0}/children", asking.id());
    loop {
        let listed = fs::read_to_string(&children).unwrap();
        if let Some(engine) = listed.split_whitespace().next() {
            return format!("/proc/{engine}/stat");
        }
    }
}

/// Waits until it is gone, or dead and not buried yet.
fn ends(engine: &str) {
    let runs = || fs::read_to_string(engine).is_ok_and(|stat| !stat.contains(") Z "));
    let begun = std::time::Instant::now();
    while runs() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "it goes on");
        std::thread::yield_now();
    }
}

#[test]
fn thousands_of_segments_do_not_open_thousands_of_files() {
    let month = month();
    let dir = month.dir();
    let question =
        "select count(*) as n, count(distinct prev_hash) as linked, max(seq) as last from events";
    let limited = |what: &str| {
        let shell = format!("ulimit -n {FILES}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &shell, env!("CARGO_BIN_EXE_auditlog"), "sql", &dir, question]);
        let output =
            command.args(["--json", "--jobs", "2", "--audit-access=never"]).output().unwrap();
        assert!(output.status.success(), "{what}: {}{}", stdout(&output), stderr(&output));
        serde_json::from_str::<Value>(stdout(&output).trim()).unwrap()
    };
    let expected = rows(&dir, question, &[])[0].clone();
    assert_eq!(expected["n"], expected["linked"]);
    assert_eq!(limited("without index"), expected);
    assert!(run(&["index", &dir]).status.success());
    assert_eq!(limited("by index"), expected);
    // As archives: what `prev_hash` is read from is unpacked into files.
    for file in fs::read_dir(&month.path).unwrap().map(Result::unwrap) {
        let name = file.file_name().into_string().unwrap();
        if name.ends_with(".audit") && month.file(&format!("{name}.sha256")).exists() {
            let bytes = fs::read(file.path()).unwrap();
            let packed = zstd::stream::encode_all(&bytes[..], 1).unwrap();
            fs::write(month.file(&format!("{name}.zst")), packed).unwrap();
            fs::remove_file(file.path()).unwrap();
        }
    }
    assert_eq!(limited("archived"), expected);
    assert!(run(&["index", &dir]).status.success());
    assert_eq!(limited("archived, by index"), expected);
}

/// Fewer than the month has segments.
const FILES: u32 = 28;

#[test]
fn questions_are_noted_once() {
    let live = tempfile::tempdir().unwrap();
    let dir = live.path().join("audit").display().to_string();
    assert!(run(&["init", &dir, "--service", "svc"]).status.success());
    let output = run(&["sql", &dir, "select count(*) as n from events", "--audit-access=always"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let noted = rows(
        &dir,
        "select details->>'command' as command from events where event_type = 'audit.accessed'",
        &[],
    );
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!(noted[0]["command"], "sql");
}

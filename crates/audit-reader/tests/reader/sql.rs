//! SQL over a trail: the same answer by index and by line, nothing but reading, limits that hold.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use audit_reader::index::{IndexOptions, index};
use audit_reader::sql::{Answered, SqlError, SqlOptions, sql};
use audit_reader::{DirSource, LogFile, LogSource, Query, QueryOptions, ReadError, Source};
use serde_json::Value;

use crate::common::{Random, Trail};
use crate::query::{all_lines, trail};

/// A trail of three segments, the first indexed.
fn mixed(random: &mut Random) -> Trail {
    let trail = trail(random);
    trail.close("2026-11-20.audit");
    let source = Source::open(trail.path()).unwrap();
    assert_eq!(index(&source, IndexOptions::default()).unwrap().built, 1);
    trail
}

fn ask(
    trail: &Trail,
    question: &str,
    options: &SqlOptions,
) -> Result<(Vec<Value>, Answered), SqlError> {
    let source = Source::open(trail.path()).unwrap();
    let mut answer = Vec::new();
    let answered = sql(&source, question, options, |rows| {
        for row in 0..rows.len() {
            let mut json = Vec::new();
            rows.json(row, &mut json).unwrap();
            answer.push(serde_json::from_slice(&json).unwrap());
        }
        ControlFlow::Continue(())
    })?;
    Ok((answer, answered))
}

fn answer(trail: &Trail, question: &str) -> Vec<Value> {
    ask(trail, question, &SqlOptions::default()).unwrap_or_else(|error| panic!("{error}")).0
}

fn refusal(trail: &Trail, question: &str) -> SqlError {
    match ask(trail, question, &SqlOptions::default()) {
        Ok(answer) => panic!("{question}: {answer:?}"),
        Err(error) => error,
    }
}

#[test]
fn every_member_of_every_entry_is_there_by_index_and_by_line() {
    let random = &mut Random(5);
    let trail = mixed(random);
    let mut without = SqlOptions::default();
    without.index = false;
    let question = "select * from events order by seq";
    let (rows, answered) = ask(&trail, question, &SqlOptions::default()).unwrap();
    let (by_line, plain) = ask(&trail, question, &without).unwrap();
    assert_eq!(rows, by_line);
    assert_eq!((answered.segments, answered.segments_by_index, plain.segments_by_index), (3, 1, 0));
    let lines = all_lines(&trail);
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        let entry: Value = serde_json::from_str(line).unwrap();
        let member = |path: &str| entry.pointer(path).cloned().unwrap_or_default();
        for (column, path) in [
            ("seq", "/seq"),
            ("audit_id", "/audit_id"),
            ("timestamp", "/timestamp"),
            ("event_type", "/event_type"),
            ("actor_user_id", "/actor/user_id"),
            ("resource_type", "/resource/resource_type"),
            ("resource_id", "/resource/resource_id"),
            ("result", "/result"),
            ("reason", "/reason"),
            ("trace_id", "/context/trace_id"),
            ("request_id", "/context/request_id"),
            ("prev_hash", "/prev_hash"),
            ("hash", "/hash"),
        ] {
            assert_eq!(row[column], member(path), "{column} of {line}");
        }
        assert_eq!(row["critical"], entry.get("critical").is_some());
        let details = row["details"].as_str().map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(details.unwrap_or(Value::Null), member("/details"));
    }
}

#[test]
fn groups_times_and_details_can_be_asked() {
    let trail = mixed(&mut Random(6));
    let lines = all_lines(&trail);
    let count = answer(&trail, "select count(*) as n from events");
    assert_eq!(count[0]["n"], lines.len());
    let days = answer(
        &trail,
        "select event_type, date_trunc('day', timestamp) as day, count(*) as n from events group by 1, 2",
    );
    let sum: u64 = days.iter().map(|row| row["n"].as_u64().unwrap()).sum();
    assert_eq!(sum, lines.len() as u64);
    let created = answer(
        &trail,
        "select details->>'format' as form, json_get_str(details, 'trail_id') as id from events where seq = 0",
    );
    assert_eq!(created[0]["form"], "audit-trail/1");
    assert!(created[0]["id"].is_string());
    let failed = lines.iter().filter(|line| line.contains(r#","result":"failure""#)).count();
    let asked = answer(&trail, "select seq from events where result = 'failure'");
    assert_eq!(asked.len(), failed);
}

#[test]
fn only_reading_is_possible_and_only_the_trail() {
    let trail = mixed(&mut Random(7));
    let files = || {
        let mut names: Vec<_> =
            fs::read_dir(trail.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let table = trail.file("index/2026-11-20.audit.parquet");
    for writing in [
        "drop table events",
        "create table other as select * from events",
        "create view other as select * from events",
        "create external table other stored as parquet location '/etc'",
        "insert into events select * from events",
        "delete from events",
        "update events set seq = 1",
        "copy events to 'stolen.csv'",
        "set datafusion.execution.batch_size = 1",
        "begin transaction",
        "prepare one as select 1",
    ] {
        let error = refusal(&trail, writing);
        assert!(
            matches!(error, SqlError::NotReading(_) | SqlError::Question(_)),
            "{writing}: {error:?}"
        );
    }
    for elsewhere in [
        format!("select * from '{}'", table.display()),
        format!("select * from read_parquet('{}')", table.display()),
        "select * from events; select 1".to_owned(),
        "select nothing from events".to_owned(),
        String::new(),
    ] {
        let error = refusal(&trail, &elsewhere);
        assert!(matches!(error, SqlError::Question(_)), "{elsewhere}: {error:?}");
    }
    assert_eq!(files(), before);
}

#[test]
fn a_question_that_asks_for_too_much_ends_in_an_error_that_says_so() {
    let trail = mixed(&mut Random(8));
    let mut options = SqlOptions::default();
    options.memory = 4 << 20;
    let all = "select value, count(*) from generate_series(1, 3000000) group by 1";
    let error = ask(&trail, all, &options).expect_err("a limit of memory");
    assert!(matches!(error, SqlError::Memory { limit } if limit == 4 << 20), "{error:?}");
    options.time = Some(Duration::from_millis(300));
    let join = "select count(*) from generate_series(1, 2000) a, generate_series(1, 2000) b, generate_series(1, 2000) c where a.value + b.value = c.value * 7";
    options.memory = 64 << 20;
    let error = ask(&trail, join, &options).expect_err("a limit of time");
    assert!(matches!(error, SqlError::Time { .. }), "{error:?}");
    let deep = format!("select {}1 as n", "1+".repeat(500));
    // Answered or refused, and this process lives.
    drop(ask(&trail, &deep, &SqlOptions::default()));
    let longer = format!("select {}1 as n", "1+".repeat(20_000));
    assert!(matches!(refusal(&trail, &longer), SqlError::Question(_)));
}

#[test]
fn a_damaged_index_is_passed_over_before_anything_is_said() {
    let trail = mixed(&mut Random(9));
    let question = "select actor_user_id, count(*) as n from events group by 1 order by 1, 2";
    let expected = answer(&trail, question);
    let path = trail.file("index/2026-11-20.audit.parquet");
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 20) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, bytes).unwrap();
        assert_eq!(answer(&trail, question), expected, "byte {at}");
    }
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    assert_eq!(answer(&trail, question), expected);
    fs::remove_file(&path).unwrap();
    assert_eq!(answer(&trail, question), expected);
}

/// A trail of which retention takes a segment away as soon as it was looked at.
#[derive(Debug)]
struct Shrinking {
    whole: DirSource,
    segment: &'static str,
    looked: AtomicBool,
}

impl LogSource for Shrinking {
    fn place(&self) -> PathBuf {
        self.whole.place()
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        self.whole.names()
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        if name.starts_with(self.segment) && self.looked.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        self.whole.open(name)
    }
}

#[test]
fn what_retention_takes_away_meanwhile_is_counted() {
    let trail = trail(&mut Random(11));
    let count = "select count(*) as n from events";
    let whole = answer(&trail, count)[0]["n"].as_u64().unwrap();
    let shrinking = Shrinking {
        whole: DirSource::open(trail.path()).unwrap(),
        segment: "2026-11-20.audit",
        looked: AtomicBool::new(false),
    };
    let mut left = 0;
    let answered = sql(Source::new(shrinking).unwrap(), count, &SqlOptions::default(), |rows| {
        left = rows.text(0, 0).parse().unwrap();
        ControlFlow::Continue(())
    });
    assert_eq!(answered.unwrap().segments_gone, 1);
    assert!(left > 0 && left < whole, "{left} of {whole}");
}

#[test]
fn what_stands_behind_megabytes_of_damage_is_found_and_a_torn_line_is_counted() {
    let short: Vec<u8> = b"junk\n".iter().copied().cycle().take(5 * 1_900_000).collect();
    let long = [vec![b'x'; 5 << 20], b"\n".to_vec()].concat();
    let mut trail = Trail::new();
    let first = trail.lines(100);
    trail.append("2026-11-20.audit", &first);
    trail.append("2026-11-20.audit", &short);
    let behind = trail.lines(100);
    trail.append("2026-11-20.audit", &behind);
    trail.append("2026-11-21.audit", &long);
    let behind = trail.lines(100);
    trail.append("2026-11-21.audit", &behind);
    // No segment but the newest may end in the middle of a line.
    trail.append("2026-11-21.audit", b"{\"seq\":300");
    trail.write("2026-11-22.audit", 1);
    trail.append("2026-11-22.audit", b"{\"seq\":301");
    let (rows, answered) =
        ask(&trail, "select count(*) as n, max(seq) as last from events", &SqlOptions::default())
            .unwrap();
    let source = DirSource::open(trail.path()).unwrap();
    let searched = Query::new().run(source, QueryOptions::default(), |_| ControlFlow::Continue(()));
    let searched = searched.unwrap();
    assert_eq!((searched.matched, searched.malformed), (301, 1_900_000 + 2));
    assert_eq!((rows[0]["n"].as_u64(), rows[0]["last"].as_u64()), (Some(301), Some(300)));
    assert_eq!(answered.malformed, searched.malformed);
}

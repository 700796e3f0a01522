//! How fast a trail is searched, beside reading the same bytes: `cargo bench -p audit-reader --bench
//! query -- ENTRIES [DIR]`. The trail stays in DIR and is used again.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use audit_core::chain::Head;
use audit_core::plan;
use audit_reader::{DirSource, Order, Query, QueryOptions};
use jiff::Timestamp;

const ACTORS: u64 = 10_000;
const SEGMENT: u64 = 100 * 1024 * 1024;
/// Entries come this far apart: ten million in 52 weeks.
const APART_MS: i64 = 3_145;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let entries = args.next().map_or(Ok(500_000), |count| count.parse::<u64>())?;
    let temp = tempfile::tempdir()?;
    let dir = args.next().map_or(temp.path().to_owned(), PathBuf::from);
    if !dir.join("trail.json").exists() {
        generate(&dir, entries)?;
    }
    let source = DirSource::open(&dir)?;
    let segments = source.segments()?;
    let paths: Vec<_> = segments.iter().map(|name| dir.join(name.to_string())).collect();
    let jobs = std::thread::available_parallelism()?.get();
    for _ in 0..2 {
        let began = Instant::now();
        let bytes = read_all(&paths)?;
        let took = began.elapsed().as_secs_f64();
        println!("read all, one core: {:.2} GB/s of {bytes} bytes", bytes as f64 / took / 1e9);
    }
    let last: Timestamp = time(entries as i64).parse()?;
    let week = last.checked_sub(jiff::SignedDuration::from_hours(7 * 24))?;
    let newest = Query::new().order(Order::NewestFirst).limit(100);
    for (what, query) in [
        ("newest 100 of a type", newest.clone().event_type("authz.denied")),
        ("newest 100 of a glob", newest.event_type("*.denied")),
        ("one actor, one week", Query::new().actor("user-4711@example.com").since(week)),
        ("one actor", Query::new().actor("user-4711@example.com")),
        ("text, rare", Query::new().containing("model-77777")),
        ("text, nowhere", Query::new().containing("no such text anywhere")),
        ("one day", Query::new().since(last.checked_sub(jiff::SignedDuration::from_hours(24))?)),
        ("one trace", Query::new().trace_id("0af7651916cd43dd8448eb211c80319c")),
        ("critical", Query::new().critical(true)),
        ("one percent by type", Query::new().event_type("authz.denied")),
        ("everything", Query::new()),
    ] {
        for jobs in [1, jobs] {
            let began = Instant::now();
            let options = QueryOptions::default().with_jobs(jobs);
            let searched = query.run(&source, options, |_| ControlFlow::Continue(()))?;
            let took = began.elapsed().as_secs_f64();
            println!(
                "{what:<22} {jobs} jobs {:>9.1} ms {:>6.2} GB/s {:>9} of {} entries",
                took * 1e3,
                searched.bytes as f64 / took / 1e9,
                searched.matched,
                searched.entries,
            );
        }
    }
    Ok(())
}

fn read_all(paths: &[PathBuf]) -> Result<u64, Box<dyn Error>> {
    let (mut buffer, mut at) = (vec![0; 512 * 1024], 0);
    for path in paths {
        let (file, mut offset) = (File::open(path)?, 0);
        loop {
            let count = file.read_at(&mut buffer, offset)? as u64;
            if count == 0 {
                break;
            }
            offset += count;
        }
        at += offset;
    }
    Ok(at)
}

fn time(seq: i64) -> String {
    let time = Timestamp::from_millisecond(1_763_881_200_000 + seq * APART_MS);
    time.map_or_else(|error| error.to_string(), |time| format!("{time:.9}"))
}

/// Entries of some 450 bytes in segments of 100 MB, without seals.
fn generate(dir: &Path, entries: u64) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let (mut head, mut line) = (Head::EMPTY, Vec::new());
    let (mut number, mut written) = (0, u64::MAX);
    let mut out = None;
    for seq in 0..entries {
        if written >= SEGMENT {
            let name = if number == 0 { String::new() } else { format!("-{number}") };
            let file = File::create(dir.join(format!("2026-11-23{name}.audit")))?;
            out = Some(BufWriter::with_capacity(1 << 20, file));
            (number, written) = (number + 1, 0);
        }
        line.clear();
        plan::append_line(&mut line, &mut head, body(seq).as_bytes());
        written += line.len() as u64;
        if let Some(out) = &mut out {
            out.write_all(&line)?;
        }
    }
    if let Some(mut out) = out {
        out.flush()?;
    }
    fs::write(dir.join("trail.json"), "{}")?;
    Ok(())
}

fn body(seq: u64) -> String {
    let actor = seq.wrapping_mul(2_654_435_761) % ACTORS;
    let (event_type, critical, result) = match seq % 100 {
        0 => ("authz.denied", "", "failure"),
        1 => ("auth.failure", ",\"critical\":true", "failure"),
        2..40 => ("auth.success", "", "success"),
        _ => ("data.model_accessed", "", "success"),
    };
    let time = time(seq as i64);
    format!(
        r#""audit_id":"01932c05-aa01-7000-8000-{seq:012x}","timestamp":"{time}","service_id":"billing-api","event_type":"{event_type}"{critical},"actor":{{"user_id":"user-{actor}@example.com","ip":"192.0.2.{}"}},"resource":{{"resource_type":"model","resource_id":"model-{}"}},"result":"{result}","details":{{"access_type":"inference"}}"#,
        seq % 250,
        seq % 100_003,
    )
}

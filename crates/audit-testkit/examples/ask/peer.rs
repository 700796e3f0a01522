//! DuckDB, asked the same.

use std::process::Command;

use crate::Outcome;

/// Warm, in one process, so that its start is not counted: that is in our disfavour.
const SCRIPT: &str = "
import sys, time, duckdb
question, runs, threads = sys.argv[1], int(sys.argv[2]), sys.argv[3]
db = duckdb.connect()
db.execute(f\"set threads = {threads}\")
db.execute(\"set TimeZone = 'UTC'\")
times = []
for _ in range(runs + 1):
    began = time.perf_counter()
    rows = db.execute(question).fetchall()
    times.append(time.perf_counter() - began)
print(sorted(times[1:])[runs // 2], sum(row[-1] for row in rows))
";

/// The median of its seconds, and how many entries it counted; `None` if it is not installed.
pub(crate) fn duckdb(question: &str, runs: usize, threads: usize) -> Outcome<Option<(f64, u64)>> {
    let there = Command::new("python3").args(["-c", "import duckdb"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, question]).args([runs.to_string(), threads.to_string()]);
    let output = python.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let told = String::from_utf8_lossy(&output.stdout);
    let (median, count) = told.trim().split_once(' ').ok_or("it told nothing")?;
    Ok(Some((median.parse()?, count.parse()?)))
}

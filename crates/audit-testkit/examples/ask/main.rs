//! How fast a trail is asked, by the program as people run it: `cargo xtask bench-query DIR`.
//!
//! What must stay true here: figures that stand side by side are taken in the same run, of the same
//! bytes, warm, and are medians. A time is that of the whole process, from its start to its end. Of the
//! trail nothing is changed but `index/`.

mod beside;
mod peer;
mod program;
mod raw;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::program::{Program, Run};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const USAGE: &str =
    "usage: ask AUDITLOG DIR [--runs N] [--only index|query|sql|export|beside] [--archive NEWDIR]";
/// What can be measured alone.
const PARTS: [&str; 5] = ["index", "query", "sql", "export", "beside"];
/// A long measurement is not repeated beyond this.
const PATIENCE: f64 = 60.0;
/// Count by type and day, as our engine and DuckDB both understand it.
const BY_DAY: &str = "select event_type, date_trunc('day', timestamp) as day, count(*) as n \
    from events group by 1, 2 order by 1, 2";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match Asked::parse(&args).map(|asked| asked.run()) {
        None => {
            eprintln!("{USAGE}");
            2.into()
        }
        Some(Err(error)) => {
            eprintln!("ask: {error}");
            2.into()
        }
        Some(Ok(())) => ExitCode::SUCCESS,
    }
}

struct Asked {
    program: Program,
    dir: PathBuf,
    runs: usize,
    /// The one part that is measured.
    only: Option<String>,
    /// Where a copy of the trail is made and compressed.
    archive: Option<PathBuf>,
}

impl Asked {
    fn parse(args: &[String]) -> Option<Asked> {
        let [program, dir, options @ ..] = args else { return None };
        let (mut runs, mut only, mut archive) = (5, None, None);
        for option in options.chunks(2) {
            match option {
                [name, value] if name == "--runs" => {
                    runs = value.parse().ok().filter(|n| *n > 0)?
                }
                [name, value] if name == "--only" && PARTS.contains(&value.as_str()) => {
                    only = Some(value.clone());
                }
                [name, value] if name == "--archive" => archive = Some(PathBuf::from(value)),
                _ => return None,
            }
        }
        let dir = PathBuf::from(dir);
        Some(Asked { program: Program::new(program, &dir), dir, runs, only, archive })
    }

    fn run(&self) -> Outcome<()> {
        let cores = std::thread::available_parallelism()?.get();
        println!("{}, {cores} cores, medians of {} runs, warm\n", self.dir.display(), self.runs);
        let wants = |part: &str| self.only.as_ref().is_none_or(|only| only == part);
        if wants("index") {
            self.index()?;
        }
        if wants("query") {
            self.queries(cores)?;
        }
        if wants("sql") {
            self.sql(cores)?;
        }
        if wants("export") {
            self.exports()?;
        }
        if wants("beside") {
            beside::measure(&self.program, &self.dir, self.runs)?;
        }
        match &self.archive {
            Some(copy) => self.archive(copy),
            None => Ok(()),
        }
    }

    fn index(&self) -> Outcome<()> {
        let args = ["index", "--rebuild", "--jobs", "1", "--json"];
        let run = self.median(|| self.program.run(&args))?;
        let made = run.told(&run.stdout)?;
        let (entries, seconds) = (number(&made, "entries"), number(&made, "seconds"));
        let share = 100.0 * number(&made, "table_bytes") / number(&made, "segment_bytes");
        say("index, one job", entries / seconds, "entries/s", "at least 300,000");
        say("index, size of the trail", share, "%", "at most 15");
        Ok(())
    }

    fn queries(&self, cores: usize) -> Outcome<()> {
        let segments = raw::segments(&self.dir)?;
        let needle = b"no such text anywhere";
        let bytes = raw::scan(&segments, needle, 1)?.0 as f64;
        let one = median_of(self.runs, || Ok(raw::scan(&segments, needle, 1)?.1))?;
        let all = median_of(self.runs, || Ok(raw::scan(&segments, needle, cores)?.1))?;
        say("raw search of the bytes, one core", bytes / one / 1e9, "GB/s", "");
        say("raw search of the bytes, all cores", bytes / all / 1e9, "GB/s", "");
        let never = "--audit-access=never";
        let text = ["query", "--contains", "no such text anywhere", "--json", never];
        let text = self.median(|| self.program.run(&text))?;
        say("text in all fields", bytes / text.seconds / 1e9, "GB/s", "at least 1");
        say("  of the raw search", 100.0 * all / text.seconds, "%", "");
        let week = ["--since", "2026-11-02", "--until", "2026-11-08"];
        let actor = ["query", "--actor", "user-4711", "--json", never];
        let selective = [&actor[..], &week].concat();
        let newest = ["query", "--order", "newest", "--limit", "100", "--json", never, "--type"];
        for (what, args, target) in [
            ("one actor, one week", selective.clone(), "at most 100"),
            ("newest 100 of a type (1 %)", [&newest[..], &["authz.denied"]].concat(), "at most 50"),
            (
                "newest 100 of a type (0.01 %)",
                [&newest[..], &["gdpr.data_access_request"]].concat(),
                "",
            ),
            ("one actor, one week, without index", [&selective[..], &["--no-index"]].concat(), ""),
        ] {
            let run = self.median(|| self.program.run(&args))?;
            let told = run.told(&run.stderr)?;
            let found = number(&told, "matched");
            say(&format!("{what}: {found} found"), run.seconds * 1e3, "ms", target);
            if found < 1.0 {
                println!("  NO MEASUREMENT: the trail has nothing of it");
            }
            let by_index = !args.contains(&"--no-index");
            if by_index && number(&told, "segments_by_index") < 1.0 {
                println!("  NO MEASUREMENT: no index was used; run with `--only index` first");
            }
        }
        Ok(())
    }

    fn sql(&self, cores: usize) -> Outcome<()> {
        let args = ["sql", BY_DAY, "--json", "--audit-access=never"];
        let ours = self.median(|| self.program.run(&args))?;
        let told = ours.told(&ours.stderr)?;
        say("SQL, count by type and day", ours.seconds, "s", "at most 1");
        say("  of that, in the engine", number(&told, "seconds"), "s", "");
        let counted = told_rows(&ours.stdout)?;
        let from = format!("read_parquet('{}/index/*.parquet')", self.dir.display());
        let question = BY_DAY.replace("events", &from);
        match peer::duckdb(&question, self.runs, cores)? {
            Some((peer, peers)) => {
                // Its tables are those of the index, and the newest segment has none.
                let unindexed = raw::lines(&raw::unindexed(&self.dir)?)?;
                if peers + unindexed != counted {
                    let it =
                        format!("DuckDB counted {peers} entries, and {unindexed} have no table");
                    return Err(format!("{it}; our SQL counted {counted}").into());
                }
                say("  DuckDB in its process, same files", peer, "s", "");
                say("  we / DuckDB", ours.seconds / peer, "x", "at most 1.5");
            }
            None => println!("  SKIPPED: DuckDB; `python3` has no package `duckdb`"),
        }
        Ok(())
    }

    fn exports(&self) -> Outcome<()> {
        for format in ["json", "ocsf", "ecs", "cef", "syslog", "csv", "parquet"] {
            let args = ["export", "--format", format, "--json", "--audit-access=never"];
            let run = self.median(|| self.program.discarding(&args))?;
            let records = number(&run.told(&run.stderr)?, "records");
            let what = format!("export, {format}");
            say(&what, records / run.seconds, "entries/s", "at least 200,000");
        }
        Ok(())
    }

    /// Compresses all closed segments of a copy.
    fn archive(&self, copy: &Path) -> Outcome<()> {
        raw::copy(&self.dir, copy)?;
        let before = raw::bytes(copy, |name| name.ends_with(".audit"))?;
        let program = self.program.of(copy);
        let run =
            program.run_in(&["retention"], &["run", "--archive-after-days", "1", "--json"])?;
        let report = run.told(&run.stdout)?;
        let rows = report["archived"].as_array().cloned().unwrap_or_default();
        let sum = |name: &str| rows.iter().map(|row| number(row, name)).sum::<f64>();
        let (plain, packed) = (sum("bytes_before"), sum("bytes_after"));
        say("archive, size of what was compressed", 100.0 * packed / plain, "%", "at most 20");
        say("  compressed", plain / run.seconds / 1e6, "MB/s", "");
        println!("  {} segments, {plain} of {before} bytes", rows.len());
        Ok(())
    }

    /// The run in the middle, by time. The first one only warms.
    fn median(&self, run: impl Fn() -> Outcome<Run>) -> Outcome<Run> {
        let first = run()?;
        let most = (PATIENCE / first.seconds.max(0.001)) as usize;
        let mut runs = Vec::new();
        for _ in 0..self.runs.min(most) {
            runs.push(run()?);
        }
        if runs.len() < self.runs {
            println!("(of the next, {} runs: one takes {:.0} s)", runs.len().max(1), first.seconds);
        }
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let middle = runs.len() / 2;
        Ok(if runs.is_empty() { first } else { runs.swap_remove(middle) })
    }
}

fn median_of(runs: usize, measure: impl Fn() -> Outcome<f64>) -> Outcome<f64> {
    Ok(middle((0..runs).map(|_| measure()).collect::<Outcome<_>>()?))
}

/// The median of at least one figure.
fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The entries that an answer counts, all rows together.
fn told_rows(answer: &[u8]) -> Outcome<u64> {
    let rows = answer.split(|byte| *byte == b'\n').filter(|row| !row.is_empty());
    let count = |row| -> Outcome<u64> {
        let row: serde_json::Value = serde_json::from_slice(row)?;
        row["n"].as_u64().ok_or_else(|| format!("a row without a count: {row}").into())
    };
    rows.map(count).sum()
}

/// A number that a program told.
fn number(told: &serde_json::Value, name: &str) -> f64 {
    told[name].as_f64().unwrap_or(f64::NAN)
}

fn say(what: &str, figure: f64, unit: &str, target: &str) {
    let digits = if figure >= 1_000.0 { 0 } else { 3 };
    let asked = if target.is_empty() { String::new() } else { format!("  (asked: {target})") };
    println!("{what:<44} {figure:>12.digits$} {unit}{asked}");
}

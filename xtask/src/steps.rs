//! `cargo xtask test`: every check of the project, in order, stopping at the first failure.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{metadata, tidy, tour, turn};

const VERIFIER: &str = "docs/verify_trail.py";
/// The query engine and time stamps, which a plain build leaves out.
pub(crate) const FEATURES: &str = "auditlog/sql,auditlog/timestamps";
/// Findings that a verifier of the chain alone must see.
const CHAIN_FINDINGS: [&str; 4] =
    ["hash_mismatch", "chain_break", "sequence_gap", "sequence_repeat"];

enum Done {
    Ok(String),
    Skipped(String),
}

type Step = (&'static str, fn(&Path) -> Result<Done, String>);

const STEPS: &[Step] = &[
    ("format: cargo fmt --all --check", |root| run(root, &["fmt", "--all", "--check"])),
    (
        "lint: cargo clippy --workspace --all-targets --features auditlog/sql,auditlog/timestamps",
        |root| {
            let clippy =
                ["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--locked"];
            run(root, &[&clippy[..], &["--", "-D", "warnings"]].concat())
        },
    ),
    ("style: cargo xtask tidy", |root| tidy::run(root).map(|()| Done::Ok(String::new()))),
    ("tests: cargo test --workspace --features auditlog/sql,auditlog/timestamps --locked", tests),
    ("documentation: cargo doc, warnings are errors", |root| {
        let mut cargo = metadata::cargo();
        cargo
            .args(["doc", "--workspace", "--no-deps", "--features", FEATURES, "--locked"])
            .env("RUSTDOCFLAGS", "-Dwarnings");
        finish(cargo.current_dir(root)).map(|()| Done::Ok(String::new()))
    }),
    ("independent verifier: docs/verify_trail.py on the frozen trails", python),
    ("tour: every command of docs/tour.md works and prints what is there", |root| {
        tour::check(root).map(Done::Ok)
    }),
];

/// Runs the steps and prints a summary.
pub(crate) fn test(root: &Path) -> Result<(), String> {
    let _turn = turn::take(&metadata::target_directory(root)?)?;
    let begun = Instant::now();
    let mut summary = Vec::new();
    let mut failure = None;
    for (number, (name, step)) in STEPS.iter().enumerate() {
        println!("\n=== [{}/{}] {name}", number + 1, STEPS.len());
        let start = Instant::now();
        let (word, note) = match step(root) {
            Ok(Done::Ok(note)) => ("ok", note),
            Ok(Done::Skipped(why)) => ("SKIPPED", why),
            Err(why) => {
                failure = Some(format!("step {} failed ({name}): {why}", number + 1));
                ("FAILED", why)
            }
        };
        println!("=== {word} after {} {note}", seconds(start.elapsed()));
        let note = note.lines().next().unwrap_or_default().to_owned();
        summary.push(format!("{word:8}{:>8}  {name}  {note}", seconds(start.elapsed())));
        if failure.is_some() {
            break;
        }
    }
    println!("\n=== summary, {} in all", seconds(begun.elapsed()));
    for line in &summary {
        println!("{}", line.trim_end());
    }
    for (name, _) in &STEPS[summary.len()..] {
        println!("not run           {name}");
    }
    failure.map_or(Ok(()), Err)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn run(root: &Path, args: &[&str]) -> Result<Done, String> {
    finish(metadata::cargo().args(args).current_dir(root)).map(|()| Done::Ok(String::new()))
}

fn finish(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status =
        command.stdin(Stdio::null()).status().map_err(|e| format!("cannot run {name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{status}")) }
}

/// Passes cargo's output on as it comes, and adds up its closing lines.
fn tests(root: &Path) -> Result<Done, String> {
    let mut child = metadata::cargo()
        .args(["test", "--workspace", "--features", FEATURES, "--locked"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run cargo test: {e}"))?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|e| format!("cannot read cargo test's output: {e}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts.add(&line);
        }
    }
    let status = child.wait().map_err(|e| format!("cannot wait for cargo test: {e}"))?;
    let note = format!(
        "{} passed, {} failed, {} ignored, in {} test programs",
        counts.passed, counts.failed, counts.ignored, counts.programs
    );
    if status.success() { Ok(Done::Ok(note)) } else { Err(format!("{note}; {status}")) }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
    programs: u64,
}

impl Counts {
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        for part in rest.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let Some(number) = words.next().and_then(|w| w.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// The second verifier accepts the healthy trails and refuses those whose chain is broken.
fn python(root: &Path) -> Result<Done, String> {
    let works = Command::new("python3")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !works {
        return Ok(Done::Skipped("there is no python3 on this machine".to_owned()));
    }
    if !root.join(VERIFIER).is_file() {
        return Err(format!("{VERIFIER} is missing"));
    }
    let path = root.join("fixtures/vectors/expected.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let expected: BTreeMap<String, Value> =
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut checked = 0;
    for (name, facts) in &expected {
        let Some(intact) = chain_intact(name, facts) else { continue };
        let output = Command::new("python3")
            .arg(VERIFIER)
            .arg(format!("fixtures/vectors/{name}"))
            .current_dir(root)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("cannot run python3: {e}"))?;
        if output.status.success() != intact {
            return Err(format!(
                "{VERIFIER} {} {name} ({}), and should not\n{}{}",
                if intact { "refuses" } else { "accepts" },
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            ));
        }
        println!("{name}: {} as it should be", if intact { "accepted" } else { "refused" });
        checked += 1;
    }
    if checked == 0 {
        return Err("expected.json names no trail to check".to_owned());
    }
    Ok(Done::Ok(format!("{checked} trails")))
}

/// Whether the chain of a frozen trail is intact; `None` where the chain alone cannot tell.
fn chain_intact(name: &str, facts: &Value) -> Option<bool> {
    let findings = facts["must_include"].as_array()?;
    let broken = findings.iter().filter_map(Value::as_str).any(|f| CHAIN_FINDINGS.contains(&f));
    if broken {
        return Some(false);
    }
    (name == "healthy" || name.starts_with("healthy-")).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn closing_lines_of_cargo_test_are_added_up() {
        let mut counts = Counts::default();
        counts.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s");
        counts.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        counts.add("test x ... ok");
        assert_eq!(counts, Counts { passed: 13, failed: 2, ignored: 1, programs: 2 });
    }

    #[test]
    fn only_trails_the_chain_can_judge_are_given_to_python() {
        assert_eq!(chain_intact("healthy", &json!({"must_include": []})), Some(true));
        let facts = json!({"must_include": ["chain_break", "sequence_gap"]});
        assert_eq!(chain_intact("tampered-deleted", &facts), Some(false));
        let facts = json!({"must_include": ["signature_invalid"]});
        assert_eq!(chain_intact("tampered-checkpoint-edited", &facts), None);
    }
}

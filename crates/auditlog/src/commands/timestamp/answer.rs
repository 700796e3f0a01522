//! What `auditlog timestamp` does in a build that has it.
//!
//! What must stay true here: what an authority or a trail says is printed escaped; the exit code is that
//! of the worst answer.

use std::io::Write;
use std::time::Duration;

use audit_reader::{Verdict, VerifyOptions};
use audit_shipper::timestamp::{self, Authority, CheckReport, Judged, Roots, Stamp, Stamped};
use serde::Serialize;

use super::Args;
use crate::commands::{Exit, input, jobs, key, verify};
use crate::error::CliError;
use crate::output::{Color, Output, escape};
use crate::progress::Bar;

/// The largest file of roots that is read: every authority there is.
const MAX_ROOTS: u64 = 4 * 1024 * 1024;

/// Asks the authority.
pub(super) fn stamp(args: &Args, url: &str, out: &mut Output) -> Result<Exit, CliError> {
    let roots = Roots::from_pem(&input(&args.roots, MAX_ROOTS)?)?;
    let by = Authority::new(url, Duration::from_secs(args.timeout))?;
    let stamped = timestamp::stamp(&args.dir, &by, &roots)?;
    if out.json {
        json(&stamped, out)?;
    } else {
        let Stamped { origin, written, timestamp, .. } = &stamped;
        let (color, word) = match (timestamp.verdict, written) {
            (Verdict::Proven, true) => (Color::Good, "time-stamped"),
            (Verdict::Proven, false) => (Color::Good, "time-stamped already, nobody was asked"),
            (Verdict::Unproven, _) => (
                Color::Warn,
                "time-stamped already, nobody was asked, and not proven by these roots",
            ),
            _ => (Color::Bad, "time-stamped already, and that does not hold"),
        };
        let (word, origin) = (out.paint(color, word), escape(origin.as_bytes()));
        writeln!(out, "{word}: {} entries of {origin}", timestamp.size)?;
        print(timestamp, out)?;
    }
    Ok(verify::exit(stamped.timestamp.verdict))
}

/// Verifies what is kept.
pub(super) fn check(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let roots = Roots::from_pem(&input(&args.roots, MAX_ROOTS)?)?;
    let mut options = VerifyOptions::default().with_jobs(jobs(args.jobs));
    if let Some(pinned) = &args.key {
        options = options.with_key(key("--key", pinned)?);
    }
    let bar = Bar::new("verifying");
    let mut tell = |progress| bar.show(progress);
    let report = timestamp::check(&args.dir, &roots, options.with_progress(&mut tell));
    bar.clear();
    let report = report?;
    let exit = verify::exit(report.verdict);
    let printed = if out.json { json(&report, out) } else { human(&report, out) };
    match printed {
        // Whoever asks for the exit code only need not read the rest.
        Err(CliError::ReaderGone) | Ok(()) => Ok(exit),
        Err(error) => Err(error),
    }
}

fn json(answer: &impl Serialize, out: &mut Output) -> Result<(), CliError> {
    serde_json::to_writer(&mut *out, answer).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

fn human(report: &CheckReport, out: &mut Output) -> Result<(), CliError> {
    let count = report.timestamps.len();
    let word = painted(report.verdict, out);
    match count {
        0 => writeln!(out, "{word}: no time stamp is kept; ask for one with --tsa")?,
        _ => writeln!(out, "{word}: {count} time stamps, by the roots that you gave")?,
    }
    for one in &report.timestamps {
        let word = painted(one.verdict, out);
        writeln!(out, "  {} entries: {word}", one.size)?;
        print(one, out)?;
    }
    writeln!(out, "the trail itself, with the stamped checkpoints as references:")?;
    verify::human(&report.trail, out)
}

fn painted(verdict: Verdict, out: &Output) -> String {
    match verdict {
        Verdict::Proven => out.paint(Color::Good, "proven"),
        Verdict::Violated => out.paint(Color::Bad, "violated"),
        Verdict::Unproven => out.paint(Color::Warn, "unproven"),
    }
}

/// What a time stamp says, and what is wrong with it.
fn print(one: &Judged, out: &mut Output) -> Result<(), CliError> {
    if let Some(Stamp { time, accuracy_us, authority, serial, policy, .. }) = &one.stamp {
        let accuracy = accuracy_us.map_or(String::new(), |us| {
            let unit = Duration::from_micros(us);
            format!(", give or take {unit:?}")
        });
        let word = if one.verdict == Verdict::Proven { "existed at" } else { "states    " };
        writeln!(out, "    {word} {time}{accuracy}")?;
        writeln!(out, "    says       {}", escape(authority.as_bytes()))?;
        writeln!(out, "    number     {serial}, policy {policy}")?;
    }
    if let Some(problem) = &one.problem {
        writeln!(out, "    problem    {}", escape(problem.as_bytes()))?;
    }
    Ok(())
}

//! `auditlog verify`: FORMAT section 10, for people and for machines.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use audit_reader::{Progress, Report, Severity, Verdict, VerifyOptions, verify_dir};
use indicatif::{ProgressBar, ProgressStyle};

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};
use crate::render;

/// Trails below this size are verified before anybody looks for a progress bar.
const BIG: u64 = 256 * 1024 * 1024;

/// Verify a trail: grammar, hashes, chain, and the files beside the segments
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 proven, 1 violated, 2 could not look, 3 unproven.\n\n\
    Example:\n  auditlog verify /var/lib/billing/audit\n  auditlog verify --json /var/lib/billing/audit | jq .verdict")]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// The public key to trust, as a C2SP vkey
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// A checkpoint seen earlier, which the trail must extend
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    for (given, name) in
        [(args.key.is_some(), "--key"), (!args.checkpoint.is_empty(), "--checkpoint")]
    {
        if given {
            return Err(CliError::Usage {
                what: format!(
                    "{name} is not available yet: this version does not examine signatures"
                ),
                next: "leave it out to verify the chain",
            });
        }
    }
    let bar = ProgressBar::hidden();
    let mut tell = |progress: Progress| show_progress(&bar, progress);
    let report = verify_dir(&args.dir, VerifyOptions::default().with_progress(&mut tell));
    bar.finish_and_clear();
    let report = report?;
    let exit = match report.verdict {
        Verdict::Proven => Exit::Done,
        Verdict::Violated => Exit::Violated,
        Verdict::Unproven => Exit::Unproven,
    };
    let printed = if out.json { json(&report, out) } else { human(&report, out) };
    match printed {
        // Whoever asks for the exit code only need not read the rest.
        Err(CliError::ReaderGone) | Ok(()) => Ok(exit),
        Err(error) => Err(error),
    }
}

fn show_progress(bar: &ProgressBar, progress: Progress) {
    if progress.total_bytes < BIG || !std::io::stderr().is_terminal() {
        return;
    }
    if bar.is_hidden() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        let template = "verifying {bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
    }
    bar.set_length(progress.total_bytes.max(progress.bytes));
    bar.set_position(progress.bytes);
}

fn json(report: &Report, out: &mut Output) -> Result<(), CliError> {
    serde_json::to_writer(&mut *out, report).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

fn human(report: &Report, out: &mut Output) -> Result<(), CliError> {
    let (color, verdict) = match report.verdict {
        Verdict::Proven => (Color::Good, "proven"),
        Verdict::Violated => (Color::Bad, "violated"),
        Verdict::Unproven => (Color::Warn, "unproven"),
    };
    let verdict = out.paint(color, verdict);
    let meaning = match report.verdict {
        Verdict::Proven => "intact, as signed",
        Verdict::Violated => "this is not what was written",
        Verdict::Unproven => "nothing is wrong with the chain, but nothing proves who wrote it",
    };
    writeln!(out, "{verdict}: {meaning}")?;
    if let Some(origin) = &report.origin {
        writeln!(out, "  origin    {}", escape(origin.as_bytes()))?;
    }
    let range = match (report.first_seq, report.last_seq) {
        (Some(first), Some(last)) => format!(", seq {first} to {last}"),
        _ => String::new(),
    };
    let Report { entries, segments, bytes, seconds, .. } = report;
    writeln!(out, "  entries   {entries}{range}")?;
    writeln!(out, "  read      {segments} segments, {bytes} bytes, in {seconds:.2} s")?;
    writeln!(out, "  freshness unknown: nothing says how old this copy is")?;
    if report.checkpoint_unexamined {
        writeln!(out, "  checkpoint present; this version does not examine its signature")?;
    }
    for (severity, title) in [(Severity::Violation, "violations"), (Severity::Notice, "notices")] {
        let all = report.findings.counts().iter().filter(|(kind, _)| kind.severity() == severity);
        let count: u64 = all.map(|(_, count)| count).sum();
        if count == 0 {
            continue;
        }
        writeln!(out, "{title}: {count}")?;
        let kept = report.findings.kept().iter().filter(|f| f.severity == severity);
        let mut shown: u64 = 0;
        for finding in kept {
            let text = render::finding(out, finding);
            writeln!(out, "{text}")?;
            shown += 1;
        }
        if shown < count {
            writeln!(out, "  … and {} more of these kinds", count - shown)?;
        }
    }
    Ok(())
}

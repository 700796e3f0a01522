//! `auditlog verify`: FORMAT section 10, for people and for machines.

use std::io::Write;
use std::path::{Path, PathBuf};

use audit_core::note::VerifierKey;
use audit_reader::{
    Freshness, KeyTrust, Report, Severity, Verdict, VerifiedState, VerifyOptions, verify,
};

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};
use crate::progress::Bar;
use crate::render;

/// The largest state that is read: a hundred thousand changes of keys.
const MAX_STATE: u64 = 512 * 1024 * 1024;

/// Verify a trail: entries, chain, tree, signatures, and the files beside the segments
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 proven, 1 violated, 2 could not look, 3 unproven.\n\n\
    Example:\n  auditlog verify /var/lib/billing/audit --key \"$(cat billing.vkey)\"\n  \
    auditlog verify ./audit --checkpoint last-week.checkpoint\n  \
    auditlog verify ./audit --key billing.vkey --from-last /var/lib/auditor/billing.state\n  \
    auditlog verify https://audit.example.com/billing-api\n  \
    auditlog verify --json /var/lib/billing/audit | jq .verdict")]
pub(crate) struct Args {
    /// The trail: its directory, an archive of it (tar, or tar compressed with zstd), or the address of
    /// the directory on an HTTP server
    dir: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// Go on from where the last verification with this file ended, and leave here where this one ended;
    /// the file is made if there is none
    #[arg(long, value_name = "FILE")]
    from_last: Option<PathBuf>,
    /// Threads that check [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// What the verification is held against.
#[derive(Debug, clap::Args)]
pub(crate) struct Trust {
    /// The first public key of the trail, as a C2SP vkey: what `init` printed
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// A checkpoint seen earlier, which the trail must extend; may be given several times
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A witness whose cosignature says how fresh the trail is; may be given several times
    #[arg(long, value_name = "VKEY")]
    witness: Vec<String>,
}

impl Trust {
    /// By a key alone, if there is one.
    pub(crate) const fn by_key(key: Option<String>) -> Trust {
        Trust { key, checkpoint: Vec::new(), witness: Vec::new() }
    }
}

/// Verifies a trail, with a progress bar where there is reason to.
pub(crate) fn verified(
    dir: &Path,
    trust: &Trust,
    from_last: Option<&Path>,
    jobs: Option<usize>,
) -> Result<Report, CliError> {
    let mut options = VerifyOptions::default().with_jobs(super::jobs(jobs));
    if let Some(key) = &trust.key {
        options = options.with_key(super::key("--key", key)?);
    }
    for file in &trust.checkpoint {
        let name = file.display().to_string();
        options = options.with_reference(name, super::checkpoint(file)?);
    }
    for key in &trust.witness {
        options = options.with_witness(super::key("--witness", key)?);
    }
    if let Some(file) = from_last
        && let Some(state) = state(file, options.key.as_ref())?
    {
        options = options.from_state(file.display().to_string(), state);
    }
    let source = super::source(dir)?;
    let bar = Bar::new("verifying");
    let mut tell = |progress| bar.show(progress);
    let report = verify(source, options.with_progress(&mut tell));
    bar.clear();
    let report = report?;
    if let (Some(file), Some(verified)) = (from_last, &report.verified) {
        keep(file, verified)?;
    }
    Ok(report)
}

/// The exit code of a verdict.
pub(crate) const fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Proven => Exit::Done,
        Verdict::Violated => Exit::Violated,
        Verdict::Unproven => Exit::Unproven,
    }
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let report = verified(&args.dir, &args.trust, args.from_last.as_deref(), args.jobs)?;
    let exit = exit(report.verdict);
    let printed = if out.json { json(&report, out) } else { human(&report, out) };
    match printed {
        // Whoever asks for the exit code only need not read the rest.
        Err(CliError::ReaderGone) | Ok(()) => Ok(exit),
        Err(error) => Err(error),
    }
}

/// Where the last verification ended; `None` if there was none.
fn state(file: &Path, key: Option<&VerifierKey>) -> Result<Option<VerifiedState>, CliError> {
    let usage = |what: String, next| CliError::Usage {
        what: format!("--from-last {}: {what}", file.display()),
        next,
    };
    // A file that cannot be looked for is not one that is not there: that would verify less than was asked.
    let looked = file.try_exists();
    let there = looked.map_err(|error| usage(error.to_string(), "nothing was verified"))?;
    if !there {
        return Ok(None);
    }
    let bytes = super::input(file, MAX_STATE)?;
    let state = VerifiedState::parse(&bytes)
        .map_err(|error| usage(error.to_string(), "nothing was verified"))?;
    if key.is_some_and(|key| key != state.first_key()) {
        let next = "give the key that it was made with, or another file";
        return Err(usage("it begins with another key than --key".to_owned(), next));
    }
    Ok(Some(state))
}

/// Leaves where this verification ended: the old file or the new one is there, whatever happens.
fn keep(file: &Path, verified: &VerifiedState) -> Result<(), CliError> {
    let written = || {
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut new = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
        new.write_all(verified.to_json().as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(file)?;
        Ok(())
    };
    written().map_err(|error: std::io::Error| CliError::Usage {
        what: format!("cannot write {}: {error}", file.display()),
        next: "the verification itself is as printed without --from-last; give a place you may write",
    })
}

fn json(report: &Report, out: &mut Output) -> Result<(), CliError> {
    serde_json::to_writer(&mut *out, report).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

pub(crate) fn human(report: &Report, out: &mut Output) -> Result<(), CliError> {
    let (color, verdict) = match report.verdict {
        Verdict::Proven => (Color::Good, "proven"),
        Verdict::Violated => (Color::Bad, "violated"),
        Verdict::Unproven => (Color::Warn, "unproven"),
    };
    let verdict = out.paint(color, verdict);
    let meaning = match (report.verdict, report.key_trust) {
        (Verdict::Proven, KeyTrust::Pinned) => "intact up to the checkpoint, as signed by your key",
        (Verdict::Proven, KeyTrust::SelfAsserted) => {
            "intact up to the checkpoint, as signed by a key that only the trail itself vouches for"
        }
        (Verdict::Violated, _) => "this is not what was written",
        (Verdict::Unproven, _) => "nothing is wrong, but nothing proves who wrote it",
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
    if let Some(size) = report.resumed_from {
        writeln!(
            out,
            "  resumed   the first {size} entries were proven earlier and not read again; that they are\n            \
             still on disk as they were, nobody looked"
        )?;
    }
    if let Some(seal) = &report.seal {
        let epoch = seal.key.epoch.map_or(String::new(), |epoch| format!(", key of epoch {epoch}"));
        let tail = report.unsigned_tail.unwrap_or(0);
        writeln!(
            out,
            "  signed    {} entries{epoch}; {tail} after them are not signed yet",
            seal.size
        )?;
    }
    let freshness = match &report.freshness {
        Freshness::Reference { size } => {
            format!("at least that of the checkpoint over {size} entries that you gave")
        }
        Freshness::Cosigned { size, time } => {
            format!("cosigned at {time}, when it had {size} entries or more")
        }
        _ => "unknown: nothing says how old this copy is".to_owned(),
    };
    writeln!(out, "  freshness {freshness}")?;
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

//! `auditlog witness-sync`: gets a trail's checkpoints cosigned.
//!
//! What must stay true here: a fork or rollback that a witness reports ends with exit 1, loudly,
//! whatever the others say, also when following. Nothing a witness sent is printed unescaped.

use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use audit_shipper::{Follower, Outcome, Policy, SyncError, SyncOptions, SyncReport, WitnessSync};

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};

/// Get a trail's checkpoints cosigned by witnesses, and keep them as `witnessed`
#[derive(Debug, clap::Args)]
#[command(after_help = "The policy is a C2SP tlog-policy:\n\n  \
    witness w1 <vkey> http://10.0.0.7:7380\n  witness w2 <vkey> http://10.0.1.7:7380\n  \
    group all-of-us 2 w1 w2\n  quorum all-of-us\n\n\
    Exit codes: 0 satisfied, 1 a fork or rollback is reported, 2 could not, 3 not satisfied yet.\n\n\
    Example:\n  auditlog witness-sync /var/lib/billing/audit --policy /etc/audit/policy --follow")]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// Which witnesses, and how many of them are enough
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Go on with every new checkpoint, until a fork or rollback is reported
    #[arg(long)]
    follow: bool,
    /// How long a witness may take to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// With --follow: how often to look for a new checkpoint
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let bytes = std::fs::read(&args.policy).map_err(CliError::network("read --policy"))?;
    let policy = Policy::parse(&bytes)?;
    let options = SyncOptions { timeout: Duration::from_secs(args.timeout) };
    let mut sync = WitnessSync::new(&args.dir, policy, &options);
    if !args.follow {
        let report = sync.sync()?;
        print(&report, out)?;
        return Ok(exit(&report));
    }
    let (tell, told) = channel();
    let follower = Follower::start(sync, Duration::from_secs(args.interval), move |report| {
        let told = match report {
            Ok(report) => Ok(report.clone()),
            // The writer may not have sealed yet; another process may be at it. Both pass.
            Err(error) => Err((error.to_string(), is_passing(error))),
        };
        // Gone only when this program is ending.
        drop(tell.send(told));
    });
    let follower = follower.map_err(CliError::network("start a thread"))?;
    let mut ended = Exit::Done;
    for report in told {
        match report {
            Ok(report) => {
                print(&report, out)?;
                out.flush()?;
                if report.has_finding() {
                    ended = exit(&report);
                    break;
                }
            }
            Err((error, true)) => {
                eprintln!("auditlog: {}", escape(error.as_bytes()));
            }
            Err((what, false)) => {
                return Err(CliError::Usage { what, next: "then start this again" });
            }
        }
    }
    follower.stop();
    Ok(ended)
}

const fn is_passing(error: &SyncError) -> bool {
    matches!(error, SyncError::NoCheckpoint | SyncError::Busy | SyncError::Tree(_))
}

const fn exit_of(finding: bool, satisfied: bool) -> Exit {
    match (finding, satisfied) {
        (true, _) => Exit::Violated,
        (false, true) => Exit::Done,
        (false, false) => Exit::Unproven,
    }
}

fn exit(report: &SyncReport) -> Exit {
    exit_of(report.has_finding(), report.satisfied)
}

fn print(report: &SyncReport, out: &mut Output) -> Result<(), CliError> {
    if out.json {
        serde_json::to_writer(&mut *out, report).map_err(std::io::Error::from)?;
        return Ok(out.write_all(b"\n")?);
    }
    let (color, word) = match exit(report) {
        Exit::Violated => (Color::Bad, "ANOTHER HISTORY REPORTED"),
        Exit::Done => (Color::Good, "witnessed"),
        Exit::Unproven => (Color::Warn, "not witnessed yet"),
    };
    let word = out.paint(color, word);
    writeln!(out, "{word}: {} entries of {}", report.size, escape(report.origin.as_bytes()))?;
    if let Some(finding) = &report.local_finding {
        let text = describe(finding);
        writeln!(out, "  {:<12} {text}", "witnessed")?;
    }
    for witness in &report.witnesses {
        let text = describe(&witness.outcome);
        writeln!(out, "  {:<12} {text}", escape(witness.name.as_bytes()))?;
    }
    Ok(())
}

fn describe(outcome: &Outcome) -> String {
    let proof = |evidence: &Option<audit_shipper::Evidence>| match evidence {
        Some(evidence) if evidence.signed_by_log => "proven: this trail's own key signed it",
        Some(_) => "it shows a checkpoint it cosigned",
        None => "it shows no proof",
    };
    match outcome {
        Outcome::Cosigned { time } => format!("cosigned at {time}"),
        Outcome::NoUrl => "not asked: the policy has no URL for it".to_owned(),
        Outcome::Unreachable { reason } => format!("unreachable: {}", escape(reason.as_bytes())),
        Outcome::TimedOut => "did not answer in time".to_owned(),
        Outcome::UnknownLog => "does not know this log; its operator must add it".to_owned(),
        Outcome::UnknownKey => "does not know the log's key; its operator must add it".to_owned(),
        Outcome::Status { status } => format!("answered with status {status}"),
        Outcome::Lying { what } => format!("not to be believed: {what}"),
        Outcome::Rollback { seen, evidence } => format!(
            "ROLLBACK: {seen} entries were witnessed, and the trail has fewer ({})",
            proof(evidence)
        ),
        Outcome::Fork { seen, evidence } => {
            format!("FORK: at {seen} entries another history was witnessed ({})", proof(evidence))
        }
        _ => "something else".to_owned(),
    }
}

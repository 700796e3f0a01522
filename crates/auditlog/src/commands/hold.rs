//! `auditlog hold`: legal holds, which keep entries whatever their age.
//!
//! What must stay true here: a hold is an entry of the trail, durable and signed before the command says
//! so; a running logger records it, and need not be stopped. That none is in force is said only where all
//! lines could be looked at.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use audit_core::event::ActorInfo;
use audit_core::retention::{Hold, HoldScope};
use audit_logging::OpenError;
use audit_logging::retention::{Ask, RetentionError, ask};
use audit_reader::Source;
use jiff::civil::Date;
use serde_json::json;

use super::Exit;
use super::access::who;
use super::query::{print_searched, seq_range};
use crate::error::CliError;
use crate::output::{Output, escape};

/// Add, list and release legal holds: what they cover is not deleted, whatever its age
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A trail is shortened from its front only, so everything behind what a hold \
    covers stays, too.\n\n\
    Example:\n  auditlog hold /var/lib/billing/audit add case-2026-118 --reason 'ACME v. Example'\n  \
    auditlog hold /var/lib/billing/audit list\n  \
    auditlog hold /var/lib/billing/audit release case-2026-118 --reason 'settled'"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// How long a running logger's answer is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    wait: u64,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Add a hold, on everything or on a part
    #[command(after_help = "Example:\n  auditlog hold ./audit add case-7 --reason 'subpoena'\n  \
        auditlog hold ./audit add case-8 --since 2026-03-01 --until 2026-03-31\n  \
        auditlog hold ./audit add case-9 --seq 1000-2000")]
    Add {
        /// What to call it: A-Z a-z 0-9 . _ : / -
        id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        /// Entries with a `seq` in this range: 100-200, 100-, or one number
        #[arg(long, value_name = "FIRST-LAST")]
        seq: Option<String>,
        /// Entries written on this date (UTC) or later
        #[arg(long, value_name = "DATE")]
        since: Option<Date>,
        /// Entries written on this date (UTC) or earlier
        #[arg(long, value_name = "DATE")]
        until: Option<Date>,
    },
    /// List the holds in force
    #[command(
        after_help = "What was searched is said on standard error. Where a hold may be hidden by \
        damage the exit code is 3, by an entry that is not what was written 1. `auditlog verify` tells \
        of entries that were removed.\n\nExample:\n  auditlog hold ./audit list"
    )]
    List,
    /// Release a hold
    #[command(after_help = "Example:\n  auditlog hold ./audit release case-7 --reason 'settled'")]
    Release {
        /// What it is called
        id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let by = who();
    match &args.action {
        Action::List => list(args, out),
        Action::Add { id, reason, seq, since, until } => {
            let (first, last) = match seq {
                Some(seq) => seq_range(seq).map(|(first, last)| (Some(first), last))?,
                None => (None, None),
            };
            let scope =
                HoldScope { first_seq: first, last_seq: last, since: *since, until: *until };
            let request = Ask::AddHold { by, hold: id.clone(), scope, reason: reason.clone() };
            record(args, &request)?;
            said(out, id, "in force", "added")
        }
        Action::Release { id, reason } => {
            let request = Ask::ReleaseHold { by, hold: id.clone(), reason: reason.clone() };
            record(args, &request)?;
            said(out, id, "released", "released")
        }
    }
}

/// Has the trail say so, here or where it is open.
fn record(args: &Args, request: &Ask) -> Result<(), CliError> {
    let logger = match super::open_briefly(super::config_of(&args.dir)?) {
        Ok(logger) => logger,
        Err(OpenError::Locked { .. }) => {
            let answer = ask(&args.dir, request, Duration::from_secs(args.wait))?;
            return answer.map(drop).map_err(CliError::Refused);
        }
        Err(error @ OpenError::NotAnExtension { .. }) => {
            return Err(CliError::Usage {
                what: format!("no logger opens this trail: {error}"),
                next: "no logger deletes anything of it either, so it needs no hold now; keep a copy of \
                       the directory as it is, and add the hold when the trail is whole again",
            });
        }
        Err(error) => return Err(error.into()),
    };
    let actor = ActorInfo::internal;
    let done: Result<(), RetentionError> = match request {
        Ask::AddHold { by, hold, scope, reason } => {
            logger.add_hold(&actor(by), hold, *scope, reason.as_deref())
        }
        Ask::ReleaseHold { by, hold, reason } => {
            logger.release_hold(&actor(by), hold, reason.as_deref())
        }
        _ => return Err(CliError::Bug("a hold that is none")),
    };
    super::close(&logger)?;
    Ok(done?)
}

fn said(out: &mut Output, id: &str, state: &str, done: &str) -> Result<Exit, CliError> {
    if out.json {
        writeln!(out, "{}", json!({"hold": id, "state": state.replace(' ', "_")}))?;
    } else {
        writeln!(out, "hold {} {done}; the trail says so", escape(id.as_bytes()))?;
    }
    Ok(Exit::Done)
}

fn list(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let source = Source::open(&args.dir)?;
    let (holds, searched) = audit_reader::holds(&source, super::jobs(None))?;
    let exit = Exit::of(&searched);
    if out.json {
        for hold in holds.in_force() {
            writeln!(out, "{}", json!(hold))?;
        }
        out.flush()?;
        print_searched(&searched, out)?;
        return Ok(exit);
    }
    match (holds.in_force().is_empty(), exit) {
        (true, Exit::Done) => writeln!(out, "no hold is in force")?,
        (true, _) => writeln!(out, "no hold was found, and one may be in force")?,
        (false, Exit::Done) => {}
        (false, _) => writeln!(out, "other holds may be in force than these:")?,
    }
    for hold in holds.in_force() {
        let Hold { id, reason, by, at, .. } = hold;
        let why = reason.as_ref().map_or(String::new(), |why| format!(": {why}"));
        let covers = hold.scope;
        let line = format!("{id}  {covers}, added {at} by {by}{why}");
        writeln!(out, "{}", escape(line.as_bytes()))?;
    }
    out.flush()?;
    print_searched(&searched, out)?;
    Ok(exit)
}

//! `auditlog init`: makes a trail and its first key.

use std::io::Write;
use std::path::PathBuf;

use audit_logging::{AuditConfig, AuditMode};

use super::Exit;
use crate::error::CliError;
use crate::output::Output;

/// Make a trail and its first key, and print the public key to pin
#[derive(Debug, clap::Args)]
#[command(after_help = "Keep the printed key elsewhere: an auditor who has it needs to trust \
    neither us nor this machine.\n\n\
    Example:\n  auditlog init /var/lib/billing/audit --service billing-api\n  \
    auditlog init ./audit --service billing-api --origin audit.example.com/billing-api")]
pub(crate) struct Args {
    /// The directory: new or empty
    dir: PathBuf,
    /// Who will write: stands in every entry (A-Z a-z 0-9 . _ -)
    #[arg(long, value_name = "ID")]
    service: String,
    /// Name of the log in checkpoints, a URL without scheme; the trail's id is appended
    #[arg(long)]
    origin: Option<String>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let info = audit_logging::create_trail(AuditConfig {
        mode: AuditMode::Local { base_dir: args.dir.clone() },
        origin: args.origin.clone(),
        ..AuditConfig::new(&args.service)
    })?;
    if out.json {
        let line = serde_json::json!({
            "dir": args.dir,
            "service_id": info.service_id,
            "trail_id": info.trail_id,
            "origin": info.origin,
            "key": info.initial_key,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "trail   {}", args.dir.display())?;
        writeln!(out, "origin  {}", info.origin)?;
        writeln!(out, "key     {}", info.initial_key)?;
        writeln!(out, "\nKeep the key elsewhere; a verifier pins it.")?;
    }
    Ok(Exit::Done)
}

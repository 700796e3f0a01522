//! `auditlog keys`: which keys a trail has, a new one, and the one to pin.
//!
//! What must stay true here: no private key is ever printed; what is said of a key without a pinned
//! one beside it is the trail's own word, and called that.

mod pin;
mod show;

use std::io::Write;
use std::path::{Path, PathBuf};

use audit_logging::AuditLogger;
use audit_reader::{KeyEpoch, KeyHistory, key_history};

use super::Exit;
use crate::error::CliError;
use crate::output::{Output, escape};

/// Show, rotate, export and pin the keys of a trail
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  auditlog keys /var/lib/billing/audit show\n  \
    auditlog keys /var/lib/billing/audit pin billing.vkey\n  \
    auditlog verify /var/lib/billing/audit --key @billing.vkey\n  \
    auditlog keys /var/lib/billing/audit export --current\n  \
    auditlog keys /var/lib/billing/audit rotate")]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the keys: epoch, id, which sizes each signs, and the private key files that are there
    #[command(after_help = "The trail's own word: `auditlog verify --key` proves it.\n\
        Exit codes: 0 listed, 1 a key is not vouched for by the one before it, 2 could not look.\n\n\
        Example:\n  auditlog keys /var/lib/billing/audit show")]
    Show,
    /// Replace the signing key in the trail, and destroy the old one
    #[command(after_help = "The trail must not be open elsewhere: a running service rotates by \
        itself, at each new segment and at least daily.\n\
        Nothing but the key is changed: no segment is begun, whatever the service's rotation is. A\n\
        service that keeps its ring elsewhere, or has other settings, gives its own: --config.\n\n\
        Example:\n  auditlog keys /var/lib/billing/audit rotate\n  \
        auditlog keys /var/lib/billing/audit rotate --config /etc/billing/audit.toml")]
    Rotate {
        /// The service's own configuration (TOML); its directory must be DIR
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print public keys, one vkey a line
    #[command(after_help = "Without an option: all of them, from the first on. To check a proof, \
        take the key of the epoch that signed it; to verify the trail, take the first.\n\n\
        Example:\n  auditlog keys /var/lib/billing/audit export --first > billing.vkey")]
    Export(Which),
    /// Write the first public key into a file, or hold the trail against it
    #[command(
        after_help = "If FILE is there, the trail must still have that first key: exit 0 if \
        so, 1 if not.\nIf it is not, it is made, and the trail is taken at its word: do that right \
        after `auditlog init`, or compare the key with what the operator gave you.\n\n\
        Example:\n  auditlog keys /var/lib/billing/audit pin billing.vkey\n  \
        auditlog verify /var/lib/billing/audit --key @billing.vkey"
    )]
    Pin {
        /// The file to keep, on another machine than the trail
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Which {
    /// The first key: what a verifier pins
    #[arg(long)]
    first: bool,
    /// The key in force
    #[arg(long)]
    current: bool,
    /// The key of this epoch
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    match &args.action {
        Action::Show => show::run(&args.dir, out),
        Action::Rotate { config } => rotate(args, config.as_deref(), out),
        Action::Export(which) => export(args, which, out),
        Action::Pin { file } => pin::run(&args.dir, file, out),
    }
}

fn history(dir: &std::path::Path) -> Result<KeyHistory, CliError> {
    Ok(key_history(&super::source(dir)?)?)
}

fn rotate(args: &Args, config: Option<&Path>, out: &mut Output) -> Result<Exit, CliError> {
    let config = match config {
        Some(file) => super::config(file, &args.dir)?,
        None => super::config_of(&args.dir)?,
    };
    let logger = AuditLogger::builder(config).for_tool().rotate_key().open()?;
    super::close(&logger)?;
    let history = history(&args.dir)?;
    let new = history.epochs.last().ok_or(CliError::Bug("a rotated trail without a key"))?;
    let left = audit_logging::keys::key_files(&args.dir)?;
    if let Some(old) = left.iter().find(|file| Some(file.epoch) != new.epoch) {
        return Err(CliError::Usage {
            what: format!("rotated, but the old key {} is still there", old.path.display()),
            next: "look at the disk, then run this again: opening the trail destroys it",
        });
    }
    let epoch = new.epoch.unwrap_or_default();
    if out.json {
        let line = serde_json::json!({"epoch": epoch, "key": new.key.to_string(),
            "from_size": new.from_size});
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "rotated: epoch {epoch} signs from size {} on", new.from_size)?;
        writeln!(out, "key     {}", escape(new.key.to_string().as_bytes()))?;
        writeln!(
            out,
            "The old key vouched for it and is destroyed. Pinned keys stay as they are."
        )?;
    }
    Ok(Exit::Done)
}

fn export(args: &Args, which: &Which, out: &mut Output) -> Result<Exit, CliError> {
    let history = history(&args.dir)?;
    let wanted = |epoch: &&KeyEpoch| match which.epoch {
        Some(number) => epoch.epoch == Some(number),
        None if which.first => epoch.epoch == Some(0),
        None if which.current => epoch.to_size.is_none(),
        None => true,
    };
    let keys: Vec<&KeyEpoch> = history.epochs.iter().filter(wanted).collect();
    if keys.is_empty() {
        return Err(CliError::Usage {
            what: "the trail names no such key".to_owned(),
            next: "see `auditlog keys DIR show`",
        });
    }
    for epoch in keys {
        let key = epoch.key.to_string();
        if out.json {
            let line = serde_json::json!({"epoch": epoch.epoch, "key": key,
                "from_size": epoch.from_size, "to_size": epoch.to_size});
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{}", escape(key.as_bytes()))?;
        }
    }
    Ok(Exit::Done)
}

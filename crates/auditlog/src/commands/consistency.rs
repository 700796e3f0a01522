//! `auditlog consistency`: that one checkpoint extends another.

use std::io::Write;
use std::path::PathBuf;

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::VerifierKey;
use audit_reader::{ProveError, prove_consistency};

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};

/// Prove from a trail that one checkpoint extends another
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 NEW extends OLD, 1 it does not, or not in this trail, \
    2 could not look. Signatures are checked if keys are given.\n\n\
    Example:\n  auditlog consistency monday.checkpoint friday.checkpoint /var/lib/billing/audit")]
pub(crate) struct Args {
    /// The older checkpoint
    old: PathBuf,
    /// The newer checkpoint
    new: PathBuf,
    /// The trail
    dir: PathBuf,
    /// A key that may have signed the checkpoints, as a C2SP vkey; may be given several times
    #[arg(long, value_name = "VKEY")]
    key: Vec<String>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let keys = args.key.iter().map(|key| super::key("--key", key));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let (old, new) = (super::checkpoint(&args.old)?, super::checkpoint(&args.new)?);
    let source = super::source(&args.dir)?;
    let why = match (unsigned(&keys, &old), unsigned(&keys, &new)) {
        (Some(why), _) => Some(format!("OLD: {why}")),
        (_, Some(why)) => Some(format!("NEW: {why}")),
        _ if old.unverified().origin != new.unverified().origin => {
            Some("they are checkpoints of two logs".to_owned())
        }
        _ => match prove_consistency(&source, old.unverified(), new.unverified()) {
            Ok(_) => None,
            Err(ProveError::Read(error)) => return Err(error.into()),
            Err(error) => Some(error.to_string()),
        },
    };
    let (from, to) = (old.unverified().size, new.unverified().size);
    let (verdict, color) = match why {
        None => ("proven", Color::Good),
        Some(_) => ("violated", Color::Bad),
    };
    if out.json {
        let line = serde_json::json!({"verdict": verdict, "old": from, "new": to, "why": why});
        writeln!(out, "{line}")?;
    } else {
        let verdict = out.paint(color, verdict);
        match &why {
            None => writeln!(out, "{verdict}: the tree of {to} entries extends that of {from}")?,
            Some(why) => writeln!(out, "{verdict}: {}", escape(why.as_bytes()))?,
        }
    }
    Ok(if why.is_none() { Exit::Done } else { Exit::Violated })
}

/// Why a checkpoint is not signed by any of the keys, if there are keys.
fn unsigned(keys: &[VerifierKey], signed: &SignedCheckpoint) -> Option<String> {
    let mut why = None;
    for key in keys {
        match signed.verify(key) {
            Ok(_) => return None,
            Err(error) => why = Some(error.to_string()),
        }
    }
    why
}

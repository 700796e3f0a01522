//! `auditlog show`: one entry in full.

use std::io::Write;
use std::path::PathBuf;

use audit_core::entry::Entry;
use audit_reader::{find_by_audit_id, find_by_seq};
use uuid::Uuid;

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output};
use crate::render;

/// Print one entry in full
#[derive(Debug, clap::Args)]
#[command(after_help = "With --json, the entry is printed exactly as it stands on disk.\n\
    Exit code 1 if its hash is not the hash of its bytes.\n\n\
    Example:\n  auditlog show /var/lib/billing/audit 4711\n  \
    auditlog show /var/lib/billing/audit 01932c05-aa01-7000-8000-000000000001")]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// Its `seq` or its `audit_id`
    #[arg(value_name = "SEQ|AUDIT_ID")]
    which: String,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let Args { dir, which } = args;
    let source = super::source(dir)?;
    let found = if let Ok(seq) = which.parse() {
        find_by_seq(&source, seq)?
    } else if let Ok(audit_id) = which.parse::<Uuid>() {
        find_by_audit_id(&source, audit_id)?
    } else {
        return Err(CliError::Usage {
            what: format!("{which:?} is neither a seq nor an audit_id"),
            next: "give a number such as 4711, or a UUID",
        });
    };
    let nothing = || CliError::Usage {
        what: format!("there is no entry {which} in {}", dir.display()),
        next: "see what there is with `auditlog tail`",
    };
    let found = found.ok_or_else(nothing)?;
    let entry = Entry::parse(&found.line).map_err(|_| nothing())?;
    let intact = entry.hash_matches();
    if out.json {
        out.write_all(&found.line)?;
        out.write_all(b"\n")?;
    } else {
        for (name, value) in render::members(&entry) {
            let name = out.paint(Color::Dim, &format!("{name:<22}"));
            writeln!(out, "{name} {value}")?;
        }
        let place = format!("{} at byte {}", found.segment, found.offset);
        let name = out.paint(Color::Dim, &format!("{:<22}", "stands in"));
        writeln!(out, "{name} {place}")?;
        let state = if intact {
            out.paint(Color::Good, "the hash is the hash of these bytes")
        } else {
            out.paint(Color::Bad, "the hash is NOT the hash of these bytes: the entry was changed")
        };
        writeln!(out, "{state}")?;
    }
    Ok(if intact { Exit::Done } else { Exit::Violated })
}

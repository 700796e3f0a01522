//! `auditlog prove`: an entry, and the proof that it is in the trail.
//!
//! What must stay true here: the two files are all that `auditlog check`, or anybody's C2SP tools,
//! need besides a key, the trail's first one or that of the epoch.

use std::io::Write;
use std::path::{Path, PathBuf};

use audit_reader::prove;

use super::Exit;
use crate::error::CliError;
use crate::output::{Output, escape};

/// Write the proof that an entry is in the trail, with the entry beside it
#[derive(Debug, clap::Args)]
#[command(after_help = "Writes a C2SP tlog-proof to FILE and the entry to FILE.entry, and says \
    which keys check them: the one that signed, and the trail's first one, from which the rotations in\n\
    the proof lead to it. That a key is the trail's is for whoever pinned it to say.\n\n\
    Example:\n  auditlog prove /var/lib/billing/audit 4711 -o 4711.tlog-proof\n  \
    auditlog check 4711.tlog-proof --key \"$(cat billing.vkey)\"")]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// The entry
    seq: u64,
    /// Where to write the proof; the entry goes to FILE.entry
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// The file that the entry of a proof is in.
pub(super) fn entry_file(proof: &Path) -> PathBuf {
    let mut name = proof.as_os_str().to_owned();
    name.push(".entry");
    PathBuf::from(name)
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let source = super::source(&args.dir)?;
    let evidence = prove(&source, args.seq).map_err(|error| CliError::Usage {
        what: format!("no proof of entry {}: {error}", args.seq),
        next: "see `auditlog verify` for what is wrong, or wait a second for the next checkpoint",
    })?;
    let entry = entry_file(&args.output);
    let mut line = evidence.line;
    line.push(b'\n');
    write(&entry, &line)?;
    write(&args.output, evidence.proof.to_string().as_bytes())?;
    let size = evidence.proof.checkpoint.unverified().size;
    let key = evidence.key.to_string();
    let from = evidence.from_key.map(|key| key.to_string());
    if out.json {
        let line = serde_json::json!({"seq": args.seq, "size": size, "key": key, "from_key": from,
            "proof": args.output, "entry": entry});
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "proof   {}", escape(args.output.as_os_str().as_encoded_bytes()))?;
        writeln!(out, "entry   {}", escape(entry.as_os_str().as_encoded_bytes()))?;
        writeln!(out, "size    entry {} of {size} that are signed", args.seq)?;
        writeln!(out, "key     {}", escape(key.as_bytes()))?;
        if let Some(from) = from {
            let from = escape(from.as_bytes());
            writeln!(out, "or      {from}, from which the rotations in the proof lead to it")?;
        }
    }
    Ok(Exit::Done)
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(file, bytes).map_err(|error| CliError::Usage {
        what: format!("cannot write {}: {error}", file.display()),
        next: "choose another place with -o",
    })
}

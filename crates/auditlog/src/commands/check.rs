//! `auditlog check`: a proof, offline.
//!
//! What must stay true here: only the two files and the key given count. What is proven is the whole
//! line of the entry.

use std::io::Write;
use std::path::PathBuf;

use audit_core::chain::MAX_LINE;
use audit_core::proof::{MAX_PROOF, TlogProof};

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};

/// Check a proof that `prove` wrote, without the trail
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 the entry is in the log that the key signed, 1 it is not, \
    2 could not look.\n\n\
    Example:\n  auditlog check 4711.tlog-proof --key \"$(cat billing.vkey)\"")]
pub(crate) struct Args {
    /// The proof; the entry is in FILE.entry
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// The key of the epoch that the proof's checkpoint is of, as a C2SP vkey; may be given several times
    #[arg(long, value_name = "VKEY", required = true)]
    key: Vec<String>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let keys = args.key.iter().map(|key| super::key("--key", key));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let bytes = super::input(&args.proof, MAX_PROOF as u64)?;
    let line = super::input(&super::prove::entry_file(&args.proof), MAX_LINE as u64 + 1)?;
    let proof = match TlogProof::parse(&bytes) {
        Ok(proof) => proof,
        Err(error) => return violated(out, &error.to_string()),
    };
    let mut why = String::new();
    for key in &keys {
        match proof.verify_entry(&line, key) {
            Ok(proven) => {
                let (seq, size) = (proven.index, proven.checkpoint.size);
                if out.json {
                    let line = serde_json::json!({"verdict": "proven", "seq": seq, "size": size,
                        "origin": proven.checkpoint.origin, "key": key.to_string()});
                    writeln!(out, "{line}")?;
                } else {
                    let verdict = out.paint(Color::Good, "proven");
                    let origin = escape(proven.checkpoint.origin.as_bytes());
                    writeln!(
                        out,
                        "{verdict}: this is entry {seq} of {origin}, signed at size {size}"
                    )?;
                }
                return Ok(Exit::Done);
            }
            Err(error) => why = error.to_string(),
        }
    }
    violated(out, &why)
}

fn violated(out: &mut Output, why: &str) -> Result<Exit, CliError> {
    if out.json {
        writeln!(out, "{}", serde_json::json!({"verdict": "violated", "why": why}))?;
    } else {
        let verdict = out.paint(Color::Bad, "violated");
        writeln!(out, "{verdict}: this is not proven: {}", escape(why.as_bytes()))?;
    }
    Ok(Exit::Violated)
}

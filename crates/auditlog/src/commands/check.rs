//! `auditlog check`: a proof, offline.
//!
//! What must stay true here: only the two files and the key given count. What is proven is the whole
//! line of the entry. A key from which nothing leads to the signature proves nothing and accuses nobody.

use std::io::Write;
use std::path::PathBuf;

use audit_core::chain::MAX_LINE;
use audit_core::note::VerifierKey;
use audit_core::proof::{MAX_PROOF, ProofError, ProvenFrom, TlogProof};

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};

/// Check a proof that `prove` wrote, without the trail
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The key may be the trail's first one or any later one: the proof carries the\n\
    rotations that lead to the key that signed, each signed by the key before, and that each of\n\
    these trees extends the one before. Whether later rotations were left out does not show here.\n\n\
    Exit codes: 0 the entry is in the log of that key, 1 it is not, 2 could not look, 3 nothing is\n\
    wrong, and nothing leads from that key to what was signed.\n\n\
    Example:\n  auditlog check 4711.tlog-proof --key @billing.vkey"
)]
pub(crate) struct Args {
    /// The proof; the entry is in FILE.entry
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// A key of the log, as a C2SP vkey or a file that holds one; may be given several times
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
        Err(error) => return refused(out, Exit::Violated, &error),
    };
    let mut worst: Option<ProofError> = None;
    for key in &keys {
        match proof.verify_from(&line, key) {
            Ok(proven) => return proved(out, key, &proven).map(|()| Exit::Done),
            // What is wrong weighs more than what is not known.
            Err(error) if worst.as_ref().is_none_or(ProofError::is_unproven) => worst = Some(error),
            Err(_) => {}
        }
    }
    let why = worst.ok_or(CliError::Bug("no key"))?;
    refused(out, if why.is_unproven() { Exit::Unproven } else { Exit::Violated }, &why)
}

fn proved(out: &mut Output, given: &VerifierKey, from: &ProvenFrom<'_>) -> Result<(), CliError> {
    let (seq, size) = (from.proven.index, from.proven.checkpoint.size);
    let origin = &from.proven.checkpoint.origin;
    if out.json {
        let line = serde_json::json!({"verdict": "proven", "seq": seq, "size": size,
            "origin": origin, "key": from.key.to_string(), "given_key": given.to_string(),
            "rotations": from.rotations});
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let verdict = out.paint(Color::Good, "proven");
    let origin = escape(origin.as_bytes());
    write!(out, "{verdict}: this is entry {seq} of {origin}, signed at size {size}")?;
    match from.rotations {
        0 => writeln!(out, " by the key given")?,
        1 => writeln!(out, " by the key after the one given")?,
        many => writeln!(out, " by the key {many} rotations after the one given")?,
    }
    Ok(())
}

fn refused(out: &mut Output, exit: Exit, why: &ProofError) -> Result<Exit, CliError> {
    let (verdict, color) = match exit {
        Exit::Unproven => ("unproven", Color::Warn),
        _ => ("violated", Color::Bad),
    };
    let why = why.to_string();
    if out.json {
        writeln!(out, "{}", serde_json::json!({"verdict": verdict, "why": why}))?;
    } else {
        let verdict = out.paint(color, verdict);
        writeln!(out, "{verdict}: this is not proven: {}", escape(why.as_bytes()))?;
        if exit == Exit::Unproven {
            writeln!(
                out,
                "  give the key that signed (`auditlog keys DIR export`), or have the proof made anew \
                 by `auditlog prove`, which puts the rotations in"
            )?;
        }
    }
    Ok(exit)
}

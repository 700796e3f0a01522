//! `auditlog timestamp`: checkpoints stamped by an authority of RFC 3161, and what is kept of that checked.
//!
//! What must stay true here: a program that was built without it says how to get one that has it, and
//! understands the same arguments.

#[cfg(feature = "timestamps")]
mod answer;

use std::path::PathBuf;

use super::Exit;
use crate::error::CliError;
use crate::output::Output;

/// Have a trail's checkpoint time-stamped (RFC 3161), or check the time stamps that are kept
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Needs a build with the feature `timestamps`. With --tsa, the checkpoint as it \
    stands is stamped; the answer is verified, and kept in DIR/timestamps beside the checkpoint. With \
    --check, every one that is kept is verified again, and with them the whole trail: the first so many \
    entries existed at that time. Revocation of the authority's certificate is not looked at.\n\n\
    Exit codes: 0 stamped, or all proven; 1 a time stamp or the trail contradicts; 2 could not; \
    3 unproven: with --check no time stamps, or no path to the roots.\n\n\
    Examples:\n  \
    auditlog timestamp /var/lib/billing/audit --tsa http://tsa.example.com --roots tsa-roots.pem\n  \
    auditlog timestamp /var/lib/billing/audit --check --roots tsa-roots.pem --key @billing.vkey\n  \
    openssl ts -verify -data DIR/timestamps/5.checkpoint -in DIR/timestamps/5.tsr -CAfile tsa-roots.pem"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// The authority to ask, an address that begins with http:// or https://
    #[arg(long, value_name = "URL", required_unless_present = "check", conflicts_with = "check")]
    tsa: Option<String>,
    /// Verify the time stamps that are kept, and the trail with them; nobody is asked
    #[arg(long)]
    pub(crate) check: bool,
    /// The root certificates of the authority, in PEM: nobody else is believed on time
    #[arg(long, value_name = "FILE")]
    roots: PathBuf,
    /// With --check: the first public key of the trail, as a C2SP vkey
    #[arg(long, value_name = "VKEY", requires = "check")]
    key: Option<String>,
    /// With --check: threads that check [default: one for each core]
    #[arg(long, value_name = "N", requires = "check")]
    jobs: Option<usize>,
    /// How long the authority may take to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// Asks, or checks.
#[cfg(feature = "timestamps")]
pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    match &args.tsa {
        Some(url) => answer::stamp(args, url, out),
        None => answer::check(args, out),
    }
}

/// Says how to get it.
#[cfg(not(feature = "timestamps"))]
pub(crate) fn run(args: &Args, _: &mut Output) -> Result<Exit, CliError> {
    // Understood, and of no use here.
    let Args { dir: _, tsa: _, check: _, roots: _, key: _, jobs: _, timeout: _ } = args;
    Err(CliError::Usage {
        what: "this `auditlog` was built without time stamps".to_owned(),
        next: "build it with `cargo build --release -p auditlog --features timestamps`, or ask by hand: docs/operations.md, \"Time stamps\"",
    })
}

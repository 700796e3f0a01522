//! `auditlog serve-tiles`: a trail over HTTP, for standard monitors.
//!
//! What must stay true here: nothing is written, and nothing but the trail is served.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use audit_collector::{Tiles, tiles};

use super::Exit;
use super::witness::serve_until_signal;
use crate::error::CliError;
use crate::output::Output;

/// Serve a trail read-only over HTTP, as C2SP tlog-tiles
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Entries are served to whoever can connect: put it behind a proxy that asks \
    who is there.\n\n\
    Example:\n  auditlog serve-tiles /var/lib/billing/audit --listen 127.0.0.1:7381\n  \
    curl http://127.0.0.1:7381/checkpoint"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let open = Tiles::open(&args.dir)?;
    serve_until_signal(args.listen, tiles::router(Arc::new(open)), |address| {
        if out.json {
            writeln!(out, "{}", serde_json::json!({ "listening": address }))?;
        } else {
            writeln!(out, "listening  http://{address}")?;
        }
        out.flush()
    })
}

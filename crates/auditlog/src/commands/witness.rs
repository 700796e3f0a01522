//! `auditlog witness`: a C2SP witness server.
//!
//! What must stay true here: the address and the key are printed when requests are accepted, not
//! before, and a signal lets begun answers end.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use audit_collector::serve::{Limits, serve};
use audit_collector::{Witness, WitnessConfig, witness};
use audit_core::note::VerifierKey;
use axum::Router;

use super::Exit;
use crate::error::CliError;
use crate::output::Output;

/// Cosign other logs' checkpoints, as a C2SP witness
#[derive(Debug, clap::Args)]
#[command(after_help = "Run it on another machine than the logs. Its first start makes its key. \
    It follows a log's key rotations, if the log proves them to it, as `witness-sync` does.\n\n\
    Example:\n  auditlog witness --listen 0.0.0.0:7380 --state /var/lib/witness \\\n    \
    --name witness.example.com/w1 --log \"$(jq -r .initial_key /var/lib/billing/audit/trail.json)\"")]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Where its key and what it has cosigned are kept
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Its name, a URL without scheme; decided at the first start
    #[arg(long)]
    name: Option<String>,
    /// A log it cosigns for, as a C2SP vkey
    #[arg(long, value_name = "VKEY")]
    log: Vec<String>,
    /// A file of such vkeys, one a line; lines with # are comments
    #[arg(long, value_name = "FILE")]
    logs: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let mut vkeys = args.log.clone();
    if let Some(path) = &args.logs {
        let text = std::fs::read_to_string(path).map_err(CliError::network("read --logs"))?;
        let lines = text.lines().map(str::trim);
        vkeys.extend(lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned));
    }
    let keys = vkeys.iter().map(|vkey| {
        VerifierKey::parse(vkey).map_err(|error| CliError::Usage {
            what: format!("--log: {error}"),
            next: "give the key as `auditlog init` printed it, or as it stands in trail.json",
        })
    });
    let logs = keys.collect::<Result<Vec<_>, _>>()?;
    if logs.is_empty() {
        let what = "no log is named".to_owned();
        return Err(CliError::Usage { what, next: "give --log VKEY, or --logs FILE" });
    }
    let state = args.state.clone();
    let open = Witness::open(WitnessConfig { state, name: args.name.clone(), logs })?;
    let key = open.key().to_string();
    serve_until_signal(args.listen, witness::router(Arc::new(open)), |address| {
        if out.json {
            let line = serde_json::json!({ "listening": address, "key": key });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "listening  http://{address}")?;
            writeln!(out, "key        {key}")?;
        }
        out.flush()
    })
}

/// Serves until SIGTERM or Ctrl-C; `ready` is told the address once requests are accepted.
pub(super) fn serve_until_signal(
    listen: SocketAddr,
    router: Router,
    ready: impl FnOnce(SocketAddr) -> std::io::Result<()>,
) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(CliError::network("start threads"))?.block_on(async {
        let stop = stop_signal().map_err(CliError::Signals)?;
        let listener = tokio::net::TcpListener::bind(listen).await;
        let listener = listener.map_err(CliError::network("listen"))?;
        ready(listener.local_addr().map_err(CliError::network("listen"))?)?;
        serve(listener, router, Limits::default(), stop).await;
        Ok(Exit::Done)
    })
}

/// Resolves at SIGTERM or Ctrl-C; both are caught from now on.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

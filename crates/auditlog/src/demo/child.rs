//! The service as a process of its own, and its hidden mode that is this process.
//!
//! What must stay true here: the child never outlives its parent. It is killed when this is
//! dropped, and it stops by itself when the pipe to its standard input closes, which also a parent
//! that is killed does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, AuditMode, RotationPolicy};
use rustix::process::{Pid, Signal, kill_process};

use super::{DemoError, service};

/// How long the child may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
const GREETING: &str = "listening on ";
/// Small, so that segments are closed while somebody watches.
const SEGMENT_BYTES: u64 = 64 << 10;
pub(super) const SERVICE_ID: &str = "demo-shop";

/// A running service.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    /// Held open: its end tells the child that we are gone.
    _stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    pub(super) address: SocketAddr,
}

impl Service {
    /// Starts it and waits until it says where it listens.
    pub(super) fn start(trail: &Path) -> Result<Service, DemoError> {
        let program = std::env::current_exe().map_err(DemoError::io("find this program"))?;
        let mut child = Command::new(program)
            .args(["demo", "--serve", "--dir"])
            .arg(trail)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(DemoError::io("start the service"))?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            // Ends with the child. Its end is how we wait for the child with a limit.
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let stdin = child.stdin.take();
        // From here on dropping it kills the child.
        let mut service = Service { child, _stdin: stdin, lines, address };
        let greeting = service.lines.recv_timeout(PATIENCE).map_err(|_| DemoError::NotAsTold {
            what: "the service did not start; what it said stands above".to_owned(),
        })?;
        let address = greeting.strip_prefix(GREETING).and_then(|text| text.parse().ok());
        service.address = address.ok_or_else(|| DemoError::NotAsTold {
            what: format!("the service did not say where it listens but {greeting:?}"),
        })?;
        Ok(service)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: the process ends where it stands, without a chance to write anything.
    pub(super) fn kill(mut self) -> Result<ExitStatus, DemoError> {
        self.child.kill().map_err(DemoError::io("kill the service"))?;
        self.child.wait().map_err(DemoError::io("wait for the service"))
    }

    /// SIGTERM: please end; waits until it has.
    pub(super) fn terminate(mut self) -> Result<ExitStatus, DemoError> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let sent = pid.map(|pid| kill_process(pid, Signal::TERM));
        match sent {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(DemoError::io("stop the service")(error.into())),
            None => return Err(DemoError::NotAsTold { what: "no process id".to_owned() }),
        }
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return self.child.wait().map_err(DemoError::io("wait for the service"));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let what = format!("the service did not stop within {PATIENCE:?} of SIGTERM");
                    return Err(DemoError::NotAsTold { what });
                }
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// The hidden mode: audits to `trail` and serves until it is told to stop.
pub(super) fn serve(trail: &Path) -> Result<(), DemoError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| DemoError::Service {
        why: error.to_string(),
    };
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: trail.to_owned() },
        rotation: RotationPolicy::Both { bytes: SEGMENT_BYTES },
        ..AuditConfig::new(SERVICE_ID)
    };
    let audit = AuditLogger::new(config).map_err(|error| failed(error.into()))?;
    let (parent_gone, gone) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whatever comes, bytes, an error or the end: reading ends with the parent.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        drop(parent_gone);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_io()
        .build()
        .map_err(DemoError::io("start the runtime"))?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(DemoError::io("listen on 127.0.0.1"))?;
        let address = listener.local_addr().map_err(DemoError::io("listen on 127.0.0.1"))?;
        let mut out = std::io::stdout();
        writeln!(out, "{GREETING}{address}")
            .and_then(|()| out.flush())
            .map_err(DemoError::Output)?;
        let stop = async {
            tokio::select! {
                _ = service::stop_signal() => {}
                _ = gone => {}
            }
        };
        service::serve(listener, audit, stop).await.map_err(failed)
    })
}

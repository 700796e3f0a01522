//! Witnesses and tiles over loopback, with trails that the writer wrote.
//!
//! What must stay true here: real servers, real HTTP, real directories; nothing waits for a time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up must fail")]

mod oracle;
mod protocol;
mod quorum;
mod rotation;
mod source;
mod witnessed;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use audit_collector::serve::{Limits, serve};
use audit_collector::{Witness, WitnessConfig, witness};
use audit_core::note::VerifierKey;
use audit_logging::{
    ActorInfo, AuditConfig, AuditEvent, AuditLogger, AuditMode, AuthMethod, RotationPolicy,
};
use audit_shipper::{Policy, SyncOptions, SyncReport, WitnessSync};
use axum::Router;
use tokio::sync::oneshot;

/// A server on loopback; ends when dropped.
struct Server {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(router: Router) -> Server {
        Server::limited(router, Limits::default())
    }

    fn limited(router: Router, limits: Limits) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let stop = async { drop(stopped.await) };
                let limits = Limits { stop: Duration::from_millis(200), ..limits };
                serve(listener, router, limits, stop).await;
            });
        });
        Server { url, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A witness and its server. The key lives on in `state`.
fn witness(state: &Path, logs: &[VerifierKey]) -> (Server, VerifierKey) {
    let config = WitnessConfig { state: state.to_owned(), name: None, logs: logs.to_vec() };
    let open = Witness::open(config).unwrap();
    let key = open.key().clone();
    (Server::start(witness::router(Arc::new(open))), key)
}

fn config(dir: &Path) -> AuditConfig {
    AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        seal_interval_ms: 10,
        ..AuditConfig::new("billing-api")
    }
}

/// Writes events of this user into a trail and closes it; gives the log's first key.
fn write(dir: &Path, user: &str, count: u32) -> VerifierKey {
    write_with(config(dir), user, count)
}

fn write_with(config: AuditConfig, user: &str, count: u32) -> VerifierKey {
    let logger = AuditLogger::new(config).unwrap();
    let key = VerifierKey::parse(logger.initial_key().unwrap()).unwrap();
    for _ in 0..count {
        drop(
            logger
                .emit(AuditEvent::AuthSuccess {
                    timestamp: None,
                    actor: ActorInfo::new(user, AuthMethod::ApiKey),
                    method: AuthMethod::ApiKey,
                    path: "/tasks".to_owned(),
                })
                .unwrap(),
        );
    }
    logger.shutdown_blocking().unwrap();
    key
}

/// As `write`, with a segment, and so a key, for every few entries.
fn write_rotating(dir: &Path, user: &str, count: u32) -> VerifierKey {
    let rotation = RotationPolicy::SizeLimit { bytes: 64 * 1024 };
    write_with(AuditConfig { rotation, ..config(dir) }, user, count)
}

/// A policy of `k` of these witnesses.
fn policy(k: usize, witnesses: &[(&str, &VerifierKey)]) -> Policy {
    let mut text = String::new();
    let mut names = String::new();
    for (at, (url, key)) in witnesses.iter().enumerate() {
        text.push_str(&format!("witness w{at} {key} {url}\n"));
        names.push_str(&format!(" w{at}"));
    }
    text.push_str(&format!("group all-of-them {k}{names}\nquorum all-of-them\n"));
    Policy::parse(text.as_bytes()).unwrap()
}

fn sync(dir: &Path, policy: Policy) -> SyncReport {
    let options = SyncOptions { timeout: Duration::from_secs(5) };
    WitnessSync::new(dir, policy, &options).sync().unwrap()
}

/// A copy of a trail, as a backup is.
fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else if item.file_type().unwrap().is_file() {
            std::fs::copy(item.path(), &target).unwrap();
            let mode = item.metadata().unwrap().permissions().mode();
            std::fs::set_permissions(&target, PermissionsExt::from_mode(mode)).unwrap();
        }
    }
}

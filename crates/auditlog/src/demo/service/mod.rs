//! A small service that audits itself: how `audit_logging` is put into an axum application.
//!
//! What must stay true here: **no action without its audit.** A handler records first and acts
//! then; if the trail refuses, the action does not happen and the answer is 503. What cannot be
//! undone is done only when its record is durable. No password and no token reaches an event.
//!
//! Here: what the handlers share, and the beginning and end of the service. `caller`: who is
//! asking, and may they. `handlers`: the events. `refused`: what is answered if auditing fails.

mod caller;
mod handlers;
mod refused;

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use audit_logging::{AuditLogger, EmitError, Event, Fingerprint, InContext, Receipt};
use axum::Router;
use axum::routing::{delete, get, post};

use caller::Caller;

/// Failed logins that one address may have in a window.
pub(crate) const MAX_FAILURES: u32 = 60;
/// The window.
const WINDOW_SECONDS: u32 = 60;

/// What the handlers share. The logger is a handle: cheap to clone, callable from any thread.
struct Service {
    audit: AuditLogger,
    /// Names tokens in the trail without being them.
    fingerprint: Fingerprint,
    state: Mutex<Tables>,
}

/// In place of a database.
struct Tables {
    /// By name: password and role. A real service keeps hashes (argon2), of course.
    users: HashMap<&'static str, (&'static str, Role)>,
    permissions: HashMap<String, Vec<String>>,
    /// By the token's fingerprint, so that the tokens themselves are kept nowhere.
    sessions: HashMap<String, (&'static str, Role)>,
    failures: HashMap<IpAddr, u32>,
    window: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Admin,
    Clerk,
}

/// Serves until `stop` resolves. The order at the end matters: first the last request is
/// answered, then the trail is closed, with everything in it durable.
pub(crate) async fn serve(
    listener: tokio::net::TcpListener,
    audit: AuditLogger,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let router = router(audit.clone())?;
    let make = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, make).with_graceful_shutdown(stop).await?;
    audit.shutdown().await?;
    Ok(())
}

/// Resolves when the process is told to end: SIGTERM, or Ctrl-C.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The routes. Fails only if the operating system has no randomness.
pub(crate) fn router(audit: AuditLogger) -> Result<Router, Box<dyn Error + Send + Sync>> {
    // A real service takes this key from its secret store, so that a token has the same
    // fingerprint after a restart. It never stands in the trail.
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    let users = HashMap::from([
        ("alice", ("correct horse battery staple", Role::Admin)),
        ("bob", ("tr0ub4dor&3", Role::Clerk)),
    ]);
    let state = Mutex::new(Tables {
        users,
        permissions: HashMap::new(),
        sessions: HashMap::new(),
        failures: HashMap::new(),
        window: Instant::now(),
    });
    let service = Service { audit, fingerprint: Fingerprint::new(&key)?, state };
    Ok(Router::new()
        .route("/login", post(handlers::login))
        .route("/files/{*path}", get(handlers::file))
        .route("/v2/tasks", get(handlers::tasks))
        .route("/invoices/{id}/approve", post(handlers::approve_invoice))
        .route("/admin/permissions", post(handlers::change_permissions))
        .route("/admin/customers/{id}", delete(handlers::delete_customer))
        .with_state(Arc::new(service)))
}

impl Service {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event of this request. `?` on it is all a handler needs to answer 503. That it
    /// will be durable is the flush mode's promise; the receipt is not needed for that.
    fn record(&self, caller: &Caller, event: impl Event) -> Result<(), EmitError> {
        self.emit(caller, event).map(drop)
    }

    /// As `record`, for those who want the event's id or wait until it is durable.
    fn emit(&self, caller: &Caller, event: impl Event) -> Result<Receipt, EmitError> {
        self.audit.emit(InContext { event, context: caller.context.clone() })
    }

    /// Counts a failed login of an address; true while it has any left in this window.
    fn may_fail(&self, ip: IpAddr, failed: bool) -> (bool, u32) {
        let mut tables = self.tables();
        if tables.window.elapsed() >= Duration::from_secs(u64::from(WINDOW_SECONDS)) {
            tables.failures.clear();
            tables.window = Instant::now();
        }
        let count = tables.failures.entry(ip).or_default();
        *count = count.saturating_add(u32::from(failed));
        (*count < MAX_FAILURES, *count)
    }
}

/// 128 bits nobody can guess.
fn random_hex() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

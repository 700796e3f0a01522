//! Flushing when the process is told to end.
//!
//! What must stay true here: flushing runs on a plain thread, never in a signal handler; after the
//! flush the signal has the effect it would have had without the guard. At every moment somebody
//! answers a signal: a living guard, or else the default action. A guard keeps no logger open.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::logger::AuditLogger;
use crate::shared::Shared;

const SIGNALS: [i32; 2] = [SIGTERM, SIGINT];

/// All guards of the process. Once a signal has a handler it keeps one for ever, so the default
/// action is a handler too, registered once, which acts while no guard lives.
struct Guards {
    living: usize,
    idle: Option<Arc<AtomicBool>>,
}

static GUARDS: Mutex<Guards> = Mutex::new(Guards { living: 0, idle: None });

impl Guards {
    fn lock() -> MutexGuard<'static, Guards> {
        // Changed only in steps that cannot panic.
        GUARDS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the first guard's own handlers: whatever fails later, signals are never ignored.
    fn keep_the_default(&mut self) -> io::Result<()> {
        if self.idle.is_none() {
            let idle = Arc::new(AtomicBool::new(true));
            for signal in SIGNALS {
                register_conditional_default(signal, Arc::clone(&idle))?;
            }
            self.idle = Some(idle);
        }
        Ok(())
    }

    fn count(&mut self, living: usize) {
        self.living = living;
        if let Some(idle) = &self.idle {
            idle.store(living == 0, Ordering::SeqCst);
        }
    }
}

/// While this lives, SIGTERM and SIGINT shut the logger down (everything accepted becomes durable)
/// and then end the process as they would have. Dropping it gives the signals back to their
/// default action.
///
/// It is no handle on the trail: when the last [`AuditLogger`] is dropped, the trail is flushed
/// and closed, guard or not.
///
/// A service with its own graceful shutdown does not need it: it calls
/// [`AuditLogger::shutdown`] at the end.
#[derive(Debug)]
pub struct SignalGuard {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl AuditLogger {
    /// Installs the guard. Waits for the disk at most `limit` when a signal comes.
    ///
    /// # Errors
    /// The operating system refused the handlers or the thread.
    pub fn guard_signals(&self, limit: Duration) -> io::Result<SignalGuard> {
        let mut guards = Guards::lock();
        guards.keep_the_default()?;
        let mut signals = Signals::new(SIGNALS)?;
        let handle = signals.handle();
        let shared = self.shared();
        let work = move || {
            for signal in signals.forever() {
                answer(shared.as_ref(), signal, limit);
            }
            // What came before the guard was dropped and was not looked at yet.
            for signal in signals.pending() {
                answer(shared.as_ref(), signal, limit);
            }
        };
        let thread = std::thread::Builder::new().name("audit-signals".to_owned()).spawn(work)?;
        let living = guards.living + 1;
        guards.count(living);
        Ok(SignalGuard { handle, thread: Some(thread) })
    }
}

fn answer(shared: Option<&Arc<Shared>>, signal: i32, limit: Duration) {
    if let Some(shared) = shared
        && let Err(error) = shared.shut_down(limit)
    {
        tracing::error!(%error, signal, "not everything was durable at the signal");
    }
    if let Err(error) = emulate_default_handler(signal) {
        tracing::error!(%error, signal, "the signal could not be passed on");
    }
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        let mut guards = Guards::lock();
        let living = guards.living.saturating_sub(1);
        // First, so that there is no moment at which a signal finds nobody.
        guards.count(living);
        drop(guards);
        self.handle.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the signal thread panicked (a bug: report it)");
        }
    }
}

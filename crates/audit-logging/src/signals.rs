//! Flushing when the process is told to end.
//!
//! What must stay true here: everything runs on a plain thread, nothing in a signal handler; after
//! the flush the signal has the effect it would have had without the guard.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::logger::AuditLogger;

/// While this lives, SIGTERM and SIGINT shut the logger down (everything accepted becomes durable)
/// and then end the process as they would have. Dropping it gives the signals back.
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
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let handle = signals.handle();
        let logger = self.clone();
        let thread =
            std::thread::Builder::new().name("audit-signals".to_owned()).spawn(move || {
                for signal in signals.forever() {
                    if let Err(error) = logger.shutdown_timeout(limit) {
                        tracing::error!(%error, signal, "not everything was durable at the signal");
                    }
                    if let Err(error) = emulate_default_handler(signal) {
                        tracing::error!(%error, signal, "the signal could not be passed on");
                    }
                }
            })?;
        Ok(SignalGuard { handle, thread: Some(thread) })
    }
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the signal thread panicked (a bug: report it)");
        }
    }
}

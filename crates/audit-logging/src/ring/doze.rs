//! How the consumer sleeps and is woken, without a system call per record.
//!
//! What must stay true here: who sleeps has said so before it looked for the last time, and who
//! brings something looks whether somebody sleeps after it brought it, both with a full fence in
//! between (Dekker): one of the two sees the other. Of many producers one pays for the waking.

use std::sync::OnceLock;
use std::time::Duration;

use super::cells::Position;
use super::sync::{AtomicU64, Ordering, Thread, fence};

/// Nobody sleeps.
const AWAKE: u64 = u64::MAX;

/// The consumer's sleep.
#[derive(Debug)]
pub(super) struct Doze {
    /// Position from which on a record is worth waking for, while the consumer sleeps.
    wake_at: AtomicU64,
    sleeper: OnceLock<Thread>,
}

impl Doze {
    pub(super) fn new() -> Doze {
        Doze { wake_at: AtomicU64::new(AWAKE), sleeper: OnceLock::new() }
    }

    /// Producer: a record that ends at `end` was committed.
    #[inline]
    pub(super) fn brought(&self, end: Position) {
        // Between the reservation (a swap of the tail) and the look at `wake_at`.
        fence(Ordering::SeqCst);
        if self.wake_at.load(Ordering::Relaxed) <= end {
            self.wake();
        }
    }

    /// Anybody: something other than a record was brought.
    pub(super) fn call(&self) {
        fence(Ordering::SeqCst);
        self.wake();
    }

    #[cold]
    fn wake(&self) {
        if self.wake_at.swap(AWAKE, Ordering::AcqRel) != AWAKE
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// Consumer: sleeps until a record ends at `wake_at` or beyond, somebody calls, or `span` is
    /// over, unless `is_ready` says at the last look that there is no reason to.
    pub(super) fn sleep(
        &self,
        wake_at: Position,
        span: Option<Duration>,
        is_ready: impl FnOnce() -> bool,
    ) {
        self.sleeper.get_or_init(current_thread);
        self.wake_at.store(wake_at, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_ready() {
            park(span);
        }
        self.wake_at.store(AWAKE, Ordering::Relaxed);
    }

    /// Consumer: a pause that records do not end, only [`Doze::shake`] does, or nothing at all.
    pub(super) fn nap(&self, span: Duration) {
        self.sleeper.get_or_init(current_thread);
        park(Some(span));
    }

    /// Wakes the consumer from whatever sleep it is in.
    pub(super) fn shake(&self) {
        self.wake_at.store(AWAKE, Ordering::Relaxed);
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }
}

#[cfg(not(loom))]
fn current_thread() -> Thread {
    std::thread::current()
}

#[cfg(not(loom))]
fn park(span: Option<Duration>) {
    match span {
        None => std::thread::park(),
        Some(span) => std::thread::park_timeout(span),
    }
}

#[cfg(loom)]
fn current_thread() -> Thread {
    loom::thread::current()
}

/// The model has no clock: a sleep with a limit is one without, which finds more lost wake-ups.
#[cfg(loom)]
fn park(_: Option<Duration>) {
    loom::thread::park();
}

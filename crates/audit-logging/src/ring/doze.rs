//! How the consumer sleeps and is woken, without a system call per record.
//!
//! What must stay true here: who sleeps has said so before it looked for the last time, and who
//! brings something looks whether somebody sleeps after it brought it (Dekker): in the one order of
//! all sequentially consistent operations and fences, one of the two sees the other. Of many
//! producers one pays for the waking.

use std::sync::OnceLock;
use std::time::Duration;

use super::cells::Position;
use super::sync::{AtomicU64, Ordering, Thread, current, fence, park};

/// Nobody sleeps.
const AWAKE: u64 = u64::MAX;

/// The consumer's sleep.
#[derive(Debug)]
pub(crate) struct Doze {
    /// Position from which on a record is worth waking for, while the consumer sleeps.
    wake_at: AtomicU64,
    sleeper: OnceLock<Thread>,
}

impl Doze {
    pub(crate) fn new() -> Doze {
        Doze { wake_at: AtomicU64::new(AWAKE), sleeper: OnceLock::new() }
    }

    /// Producer: a record that ends at `end` was committed.
    #[inline]
    pub(crate) fn brought(&self, end: Position) {
        // What the sleeper looks at last is the tail, and the swap of the tail in the reservation
        // was SeqCst, as this load is, and as the fence in `sleep` is: no fence of our own is needed.
        // Loom takes SeqCst operations for AcqRel ones, so the model says the same with a fence.
        #[cfg(loom)]
        fence(Ordering::SeqCst);
        if self.wake_at.load(Ordering::SeqCst) <= end {
            self.wake();
        }
    }

    /// Anybody: something other than a record was brought.
    pub(crate) fn call(&self) {
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
    pub(crate) fn sleep(
        &self,
        wake_at: Position,
        span: Option<Duration>,
        is_ready: impl FnOnce() -> bool,
    ) {
        self.sleeper.get_or_init(current);
        self.wake_at.store(wake_at, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_ready() {
            park(span);
        }
        self.wake_at.store(AWAKE, Ordering::Relaxed);
    }

    /// Consumer: a pause that records do not end, only [`Doze::shake`] does, or nothing at all.
    pub(crate) fn nap(&self, span: Duration) {
        self.sleeper.get_or_init(current);
        park(Some(span));
    }

    /// Wakes the consumer from whatever sleep it is in, or is about to begin if what it is shaken for
    /// was not there at its last look.
    pub(crate) fn shake(&self) {
        // Between what was brought and the look at the sleeper, who may only be about to give its name.
        fence(Ordering::SeqCst);
        self.wake_at.store(AWAKE, Ordering::Relaxed);
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }
}

//! What callers and the writer share.
//!
//! What must stay true here: everything in it may be touched from any thread; nothing in it blocks
//! on the disk.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::error::WaitError;
use crate::ledger::Ledger;
use crate::progress::{Goal, Progress};
use crate::queue::Queue;
use crate::witness::Marks;

/// How much room the disk has: the ladder the logger climbs as space runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum SpaceLevel {
    /// Enough.
    Normal = 0,
    /// Less than `warn_below`: everything is still accepted.
    Low = 1,
    /// Less than `refuse_routine_below`: critical events only.
    CriticalOnly = 2,
    /// Less than `refuse_all_below`, or the disk refused a write: no events, control entries only.
    Full = 3,
}

/// State of one open logger.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) progress: Progress,
    pub(crate) ledger: Ledger,
    /// Which checkpoint covers which position.
    pub(crate) marks: Marks,
    pid: i32,
    space: AtomicU8,
    poisoned: AtomicU8,
    /// A checkpoint over this position was asked for.
    pub(crate) seal_to: AtomicU64,
    /// Events written, control entries not counted.
    pub(crate) recorded: AtomicU64,
}

impl Shared {
    pub(crate) fn new(queue: Queue) -> Shared {
        Shared {
            queue,
            progress: Progress::default(),
            ledger: Ledger::default(),
            marks: Marks::default(),
            pid: current_pid(),
            space: AtomicU8::new(SpaceLevel::Normal as u8),
            poisoned: AtomicU8::new(0),
            seal_to: AtomicU64::new(0),
            recorded: AtomicU64::new(0),
        }
    }

    /// True in a child that was forked off the process that opened the logger: the writer's
    /// thread is not here, and a lock may be held for ever.
    pub(crate) fn is_forked(&self) -> bool {
        self.pid != current_pid()
    }

    /// Closes the queue and waits until the writer has left, at most for `limit`.
    pub(crate) fn shut_down(&self, limit: Duration) -> Result<(), WaitError> {
        self.queue.close();
        self.progress.wait(Goal::Finished, Some(limit))
    }

    pub(crate) fn space(&self) -> SpaceLevel {
        match self.space.load(Ordering::Relaxed) {
            0 => SpaceLevel::Normal,
            1 => SpaceLevel::Low,
            2 => SpaceLevel::CriticalOnly,
            _ => SpaceLevel::Full,
        }
    }

    /// Writer only. Returns the level before.
    pub(crate) fn set_space(&self, level: SpaceLevel) -> SpaceLevel {
        let before = self.space();
        self.space.store(level as u8, Ordering::Relaxed);
        before
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire) != 0
    }

    /// Writer only: nothing more will be written.
    pub(crate) fn poison(&self, fault: crate::error::Fault) {
        self.progress.fail(fault, || self.poisoned.store(1, Ordering::Release));
        self.queue.close();
    }
}

fn current_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

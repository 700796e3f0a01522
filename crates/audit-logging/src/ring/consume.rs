//! The writer's end of the ring: sleeping until there is something to do, reading, giving room back.
//!
//! What must stay true here: only the writer's thread calls these; it never sleeps while there is
//! something worth waking for, and never reads past a record that is not committed.

use std::time::{Duration, Instant};

use super::sync::{Ordering, fence};
use super::{Look, Position, Ring, lock};

/// No event is shorter: id, time, service, type and result alone take three cells.
const FEWEST_CELLS: u64 = 3;
/// Looks at a record that is reserved and not committed before the thread gives its core away: its
/// producer is in the middle of a copy, on another core.
const SPINS: u32 = 200;
/// Times the core is given away then: its producer may need it.
const YIELDS: u32 = 50;
/// How long the thread sleeps then.
const SHORT_SLEEP: Duration = Duration::from_micros(50);
/// How often, before the producer is given up: half a minute in which this process ran. The longest
/// stall of a thread that was merely pre-empted is some tens of milliseconds.
const SHORT_SLEEPS: u32 = 300_000;

/// What the writer is asked for besides writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wake {
    /// Everything up to here must be synced, whatever the flush mode.
    pub(crate) flush_to: Position,
    /// Nothing more will come.
    pub(crate) closed: bool,
}

/// What the writer waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitFor {
    /// Everything up to here was read.
    pub(crate) read: Position,
    /// Everything up to here is durable.
    pub(crate) durable: Position,
    /// How many more records are worth being woken for, if they are not urgent.
    pub(crate) records: u64,
    pub(crate) timeout: Option<Duration>,
}

impl Ring {
    /// True when there is something that the writer should not wait any longer for.
    pub(crate) fn is_hurried(&self, read: Position, durable: Position) -> bool {
        self.urgent_to.load(Ordering::Acquire) > read
            || self.flush_to.load(Ordering::Acquire) > durable
            || self.is_closed()
            || self.is_pressed()
    }

    /// Writer only. Sleeps until there are records worth it, one that is urgent, a request beyond
    /// what is durable, a kick, the end, or the time is over.
    pub(crate) fn wait(&self, what: WaitFor) -> Wake {
        let deadline = what.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        // Half full is reason enough, however few records that are.
        let pressed = self.cells.head() + self.routine_capacity / 2;
        let worth = what.read + 1 + (what.records.saturating_sub(1)).saturating_mul(FEWEST_CELLS);
        let wake_at = worth.min(pressed.max(what.read + 1));
        let is_ready = || {
            self.cells.tail() >= wake_at
                || self.urgent_to.load(Ordering::Acquire) > what.read
                || self.flush_to.load(Ordering::Acquire) > what.durable
                || self.kicked.load(Ordering::Acquire)
                || (self.is_waited_for() && self.cells.tail() > self.cells.head())
                || self.is_closed()
        };
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if is_ready() || left.is_some_and(|left| left.is_zero()) {
                self.kicked.store(false, Ordering::Release);
                return Wake {
                    flush_to: self.flush_to.load(Ordering::Acquire),
                    closed: self.is_closed(),
                };
            }
            self.doze.sleep(wake_at, left, is_ready);
        }
    }

    /// Writer only. Sleeps for `span`, or shorter when the ring is closed meanwhile; records do not
    /// end it.
    pub(crate) fn pause(&self, span: Duration) {
        let was_closed = self.is_closed();
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || (!was_closed && self.is_closed()) {
                return;
            }
            self.doze.nap(left);
        }
    }

    /// Writer only. What stands at `position`, which is before the tail.
    pub(crate) fn read(&self, position: Position, body: &mut Vec<u8>) -> Look {
        self.cells.read(position, body)
    }

    /// Writer only. As [`Ring::read`], waiting for a producer that is in the middle of a copy.
    /// `Uncommitted` when it has been for so long that it must have died there.
    pub(crate) fn read_patiently(&self, position: Position, body: &mut Vec<u8>) -> Look {
        self.read_within(position, body, &mut { SHORT_SLEEPS })
    }

    /// Writer only. As [`Ring::read_patiently`], for as long as this many short sleeps are left.
    pub(crate) fn read_within(
        &self,
        position: Position,
        body: &mut Vec<u8>,
        sleeps: &mut u32,
    ) -> Look {
        let mut attempt = 0;
        loop {
            match self.cells.read(position, body) {
                Look::Uncommitted if attempt < SPINS => std::hint::spin_loop(),
                Look::Uncommitted if attempt < SPINS + YIELDS => std::thread::yield_now(),
                Look::Uncommitted if *sleeps == 0 => return Look::Uncommitted,
                // Counted in sleeps, not by the clock: a process that was stopped did not wait.
                Look::Uncommitted => {
                    *sleeps -= 1;
                    self.doze.nap(SHORT_SLEEP);
                }
                decided => return decided,
            }
            attempt = (attempt + 1).min(SPINS + YIELDS);
        }
    }

    /// Writer only. Everything up to `position` is durable in the trail, whose next entry is
    /// `next_seq`: its room is free again.
    pub(crate) fn release(&self, position: Position, next_seq: u64) {
        self.cells.release(position, next_seq);
        // Freed before the look, as those who wait say so before their last look at the room.
        fence(Ordering::SeqCst);
        if self.is_waited_for() {
            let guard = lock(&self.room);
            self.room_freed.notify_all();
            drop(guard);
        }
    }
}

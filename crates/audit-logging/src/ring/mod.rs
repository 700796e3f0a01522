//! The ring between `emit` and the writer: encoded bytes, bounded, in the order of acceptance.
//!
//! What must stay true here: an accepted record is handed to the writer exactly once and its room
//! is free only when the writer says it is durable, so the ring is the retry buffer; after
//! [`Ring::close`] nothing is accepted and everything accepted is still handed over. What a push put
//! into a mapped ring outlives the process, and [`salvage`] gives it to the next one.
//!
//! No push takes a lock, allocates or calls the kernel, unless the writer sleeps and must be woken,
//! or the ring is full and the caller wants to wait.

mod cells;
mod doze;
mod layout;
pub(crate) mod mapping;
mod memory;
pub(crate) mod salvage;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::cells::Cells;
use self::doze::Doze;
use self::layout::{CELL_WORDS, WORD};
use self::sync::{AtomicU64, Ordering, fence};

pub(crate) use self::cells::{Look, Position, Refusal};
pub(crate) use self::layout::{ENDING, Identity, MIN_CELLS, NotARing};
pub use self::memory::RingMemory;
pub(crate) use self::memory::{Damage, words_for};

/// Bytes of a cell.
pub(crate) const CELL_BYTES: usize = CELL_WORDS * WORD;
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

/// How a ring is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Bytes that may wait.
    pub(crate) bytes: usize,
    /// Share of them for critical records only.
    pub(crate) reserve_percent: u8,
    /// A critical record is urgent: the writer is woken for it at once.
    pub(crate) critical_is_urgent: bool,
}

impl Options {
    /// Cells of the ring: a power of two, so that a position leads to its cell by a mask.
    pub(crate) fn cells(&self) -> u64 {
        ((self.bytes / CELL_BYTES) as u64).next_power_of_two().max(MIN_CELLS)
    }
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Ring {
    cells: Cells,
    doze: Doze,
    options: Options,
    capacity: u64,
    routine_capacity: u64,
    flush_to: AtomicU64,
    urgent_to: AtomicU64,
    kicked: AtomicBool,
    /// Producers in [`Ring::push`] that wait for room.
    waiting: AtomicUsize,
    room: Mutex<()>,
    room_freed: Condvar,
    /// True when closed. Held by those who note something that must be noted before the end.
    gate: Mutex<bool>,
}

impl Ring {
    /// A ring in memory made for [`Options::cells`]. `salt` is random; `next_seq` is that of the
    /// next entry of the trail.
    pub(crate) fn new(
        memory: RingMemory,
        identity: Identity,
        salt: u64,
        next_seq: u64,
        options: Options,
    ) -> Ring {
        let cells = Cells::new(memory, identity, salt, options.cells());
        cells.release(0, next_seq);
        let capacity = ((options.bytes / CELL_BYTES) as u64).max(MIN_CELLS);
        let reserve = capacity * u64::from(options.reserve_percent) / 100;
        Ring {
            cells,
            doze: Doze::new(),
            options,
            capacity,
            routine_capacity: capacity - reserve,
            flush_to: AtomicU64::new(0),
            urgent_to: AtomicU64::new(0),
            kicked: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            room: Mutex::new(()),
            room_freed: Condvar::new(),
            gate: Mutex::new(false),
        }
    }

    /// Accepts a record, waiting for room until `patience` is over; one beyond the clock never is.
    /// `time` stands beside it.
    #[inline]
    pub(crate) fn push(
        &self,
        critical: bool,
        time: u64,
        body: &[u8],
        patience: Duration,
    ) -> Result<Position, Refusal> {
        let limit = if critical { self.capacity } else { self.routine_capacity };
        let body_crc = crc32c::crc32c(body);
        let room = match self.cells.reserve(body.len(), limit) {
            Err(Refusal::Full) if !patience.is_zero() => {
                self.wait_for_room(body.len(), limit, patience)?
            }
            reserved => reserved?,
        };
        self.cells.fill(room, critical, time, body, body_crc);
        if critical && self.options.critical_is_urgent {
            self.urgent_to.fetch_max(room.end, Ordering::AcqRel);
            self.doze.call();
        } else {
            self.doze.brought(room.end);
        }
        Ok(room.end)
    }

    #[cold]
    fn wait_for_room(
        &self,
        len: usize,
        limit: u64,
        patience: Duration,
    ) -> Result<cells::Reservation, Refusal> {
        let end = Instant::now().checked_add(patience);
        self.waiting.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        // Said before the last look at the room, as the writer frees it before it looks here.
        fence(Ordering::SeqCst);
        let mut guard = lock(&self.room);
        let outcome = loop {
            match self.cells.reserve(len, limit) {
                Err(Refusal::Full) => {}
                decided => break decided,
            }
            self.doze.call();
            guard = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                None => self.room_freed.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => break Err(Refusal::Full),
                Some(left) => self
                    .room_freed
                    .wait_timeout(guard, left)
                    .map_or_else(|e| e.into_inner().0, |(guard, _)| guard),
            };
        };
        drop(guard);
        self.waiting.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
        outcome
    }

    /// Position behind the last record accepted.
    #[inline]
    pub(crate) fn tail(&self) -> Position {
        self.cells.tail()
    }

    /// Bytes taken, and bytes there are.
    pub(crate) fn occupancy(&self) -> (u64, u64) {
        let taken = self.cells.tail().saturating_sub(self.cells.head());
        (taken * CELL_BYTES as u64, self.capacity * CELL_BYTES as u64)
    }

    /// True when the writer had better make room soon, whatever the flush mode.
    pub(crate) fn is_pressed(&self) -> bool {
        let taken = self.cells.tail().saturating_sub(self.cells.head());
        self.is_waited_for() || taken >= self.routine_capacity / 2
    }

    fn is_waited_for(&self) -> bool {
        self.waiting.load(std::sync::atomic::Ordering::Acquire) > 0
    }

    /// Asks the writer to sync everything up to `position`.
    pub(crate) fn request_flush(&self, position: Position) {
        self.flush_to.fetch_max(position, Ordering::AcqRel);
        self.doze.call();
    }

    /// Wakes the writer for something that is not a record.
    pub(crate) fn kick(&self) {
        self.kicked.store(true, Ordering::Release);
        self.doze.call();
    }

    /// Accepts nothing from now on; those who wait for room are refused.
    pub(crate) fn close(&self) {
        let mut closed = lock(&self.gate);
        *closed = true;
        self.cells.close();
        drop(closed);
        self.doze.shake();
        // Under the lock: nobody is between its look at the room and its wait.
        let guard = lock(&self.room);
        self.room_freed.notify_all();
        drop(guard);
    }

    /// Runs `note` unless the ring is closed; what it notes is noted before any later
    /// [`Ring::close`], so whoever closes and then looks finds it.
    pub(crate) fn while_open<T>(&self, note: impl FnOnce() -> T) -> Option<T> {
        let closed = lock(&self.gate);
        (!*closed).then(note)
    }

    /// True after [`Ring::close`].
    pub(crate) fn is_closed(&self) -> bool {
        self.cells.is_closed()
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
                || self.cells.is_closed()
        };
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if is_ready() || left.is_some_and(|left| left.is_zero()) {
                self.kicked.store(false, Ordering::Release);
                return Wake {
                    flush_to: self.flush_to.load(Ordering::Acquire),
                    closed: self.cells.is_closed(),
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
        for attempt in 0..SPINS + YIELDS + SHORT_SLEEPS {
            match self.cells.read(position, body) {
                Look::Uncommitted if attempt < SPINS => std::hint::spin_loop(),
                Look::Uncommitted if attempt < SPINS + YIELDS => std::thread::yield_now(),
                // Counted in sleeps, not by the clock: a process that was stopped did not wait.
                Look::Uncommitted => self.doze.nap(SHORT_SLEEP),
                decided => return decided,
            }
        }
        Look::Uncommitted
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

    /// What a stranger did to the ring's file.
    pub(crate) fn damage(&self) -> std::io::Result<Option<Damage>> {
        self.cells.memory().damage()
    }

    /// True when everything that was accepted is durable in the trail.
    pub(crate) fn is_drained(&self) -> bool {
        self.cells.head() == self.cells.tail()
    }
}

/// The state behind these locks is changed in steps that cannot panic, so it is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

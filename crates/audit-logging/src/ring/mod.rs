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
mod consume;
mod doze;
mod layout;
pub(crate) mod mapping;
mod memory;
mod renew;
pub(crate) mod salvage;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicUsize, compiler_fence};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::thread::{MembarrierCommand, membarrier};

use self::cells::{Cells, Reservation};
use self::doze::Doze;
use self::layout::{CELL_WORDS, WORD};
use self::sync::{AtomicU64, Ordering, fence};

pub(crate) use self::cells::{Look, Position, Refusal, Refusals};
pub(crate) use self::consume::WaitFor;
pub(crate) use self::layout::{ENDING, Identity, MIN_CELLS, NotARing};
pub use self::memory::RingMemory;
pub(crate) use self::memory::{Damage, words_for};

/// Bytes of a cell.
pub(crate) const CELL_BYTES: usize = CELL_WORDS * WORD;
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
    /// The writer is gone without having read everything: see [`Ring::abandon`].
    abandoned: AtomicBool,
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
            abandoned: AtomicBool::new(false),
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
            Ok(room) => room,
            Err(_) => self.wait_for_room(body.len(), limit, patience)?,
        };
        self.commit(room, critical, time, body, body_crc)
    }

    /// The second half of [`Ring::push`]: nothing in it can fail before the record is whole.
    #[inline]
    fn commit(
        &self,
        room: Reservation,
        critical: bool,
        time: u64,
        body: &[u8],
        body_crc: u32,
    ) -> Result<Position, Refusal> {
        self.cells.fill(room, critical, time, body, body_crc);
        // The processor may do both the other way round; `abandon` has it done in this order.
        compiler_fence(std::sync::atomic::Ordering::SeqCst);
        if self.abandoned.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Refusal::Closed);
        }
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
    ) -> Result<Reservation, Refusal> {
        let patience = self.patience(patience);
        if patience.is_zero() {
            return self.reserve(len, limit);
        }
        let end = Instant::now().checked_add(patience);
        self.waiting.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        // Said before the last look at the room, as the writer frees it before it looks here.
        fence(Ordering::SeqCst);
        let mut guard = lock(&self.room);
        let outcome = loop {
            match self.reserve(len, limit) {
                Err(Refusal::Full) => {}
                decided => break decided,
            }
            self.doze.call();
            guard = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                None => self.room_freed.wait(guard).unwrap_or_else(PoisonError::into_inner),
                // A ring that was held until now has room.
                Some(left) if left.is_zero() => break self.reserve(len, limit),
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

    /// Writer only, when it gives up and somebody else will read what it did not: a producer that is
    /// in the middle of a copy now, and commits when that other has read already, is told that nothing
    /// took its record. (One that was just in time is told so too, and is in the trail after all.)
    ///
    /// The barrier in every thread of the process pairs with the two plain accesses in
    /// [`Ring::push`]: either the producer sees that the ring is abandoned, or its record is seen by
    /// whoever reads the ring after this returns. So the price is paid here and not by each record.
    pub(crate) fn abandon(&self) {
        self.close();
        self.abandoned.store(true, std::sync::atomic::Ordering::SeqCst);
        if let Err(error) = membarrier(MembarrierCommand::Global) {
            tracing::warn!(%error, "a record that is being copied now may be lost with an Ok");
        }
    }

    /// Runs `note` unless the ring is closed; what it notes is noted before any later
    /// [`Ring::close`], so whoever closes and then looks finds it.
    pub(crate) fn while_open<T>(&self, note: impl FnOnce() -> T) -> Option<T> {
        let closed = lock(&self.gate);
        (!*closed).then(note)
    }

    /// What a stranger did to the ring's file.
    pub(crate) fn damage(&self) -> std::io::Result<Option<Damage>> {
        self.cells.memory().damage()
    }

    /// Notes, for the next process, events that were refused and that the trail does not tell of yet.
    pub(crate) fn note_refused(&self, counts: Refusals) {
        self.cells.refused(counts);
    }

    /// Writer only. The trail tells of these refusals now, durably.
    pub(crate) fn refusals_told(&self, counts: Refusals) {
        self.cells.told(counts);
    }

    /// The writer has left: the next one may take what is in the ring's file.
    pub(crate) fn let_go(&self) -> std::io::Result<()> {
        self.cells.memory().let_go()
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

//! The queue between `emit` and the writer: encoded bytes, bounded, in the order of acceptance.
//!
//! What must stay true here: an accepted record is handed to the writer exactly once and counts
//! against the capacity until the writer says it is durable; after [`Queue::close`] nothing is
//! accepted and everything accepted is still handed over. Callers hold the lock for one copy, the
//! writer for one swap. This narrow interface is where a crash-safe ring can take the queue's place.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of the frame before each body: length and flags.
const FRAME: usize = 5;
/// Fewer buffers than this are kept for reuse.
const MAX_SPARE: usize = 4;

/// Number of the last record accepted; records are counted from 1.
pub(crate) type Position = u64;

/// Why a record was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Closed,
}

/// What the writer is asked for besides writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wake {
    /// Everything up to here must be synced, whatever the flush mode.
    pub(crate) flush_to: Position,
    /// Nothing more will come.
    pub(crate) closed: bool,
}

/// Records taken in one go, in order.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Records in it.
    pub(crate) count: u64,
}

/// Without the records: a receipt that is logged must not log other people's events.
impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Batch {
    /// The records: whether each is critical, and its body.
    pub(crate) fn records(&self) -> impl Iterator<Item = (bool, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (frame, after) = rest.split_first_chunk::<FRAME>()?;
            let [a, b, c, d, flags] = *frame;
            let (body, after) = after.split_at_checked(u32::from_le_bytes([a, b, c, d]) as usize)?;
            rest = after;
            Some((flags != 0, body))
        })
    }
}

#[derive(Debug, Default)]
struct State {
    incoming: Batch,
    spare: Vec<Vec<u8>>,
    used: usize,
    pushed: Position,
    wake: Wake,
    kicked: bool,
    writer_sleeps: bool,
    waiting_for_room: usize,
}

/// Room a record takes in the queue.
pub(crate) const fn weight_of(body: &[u8]) -> usize {
    FRAME + body.len()
}

/// The queue. All sizes in bytes, frames included.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Position of the last record accepted, for looks that must not hold up who accepts.
    tail: AtomicU64,
    work: Condvar,
    room: Condvar,
    capacity: usize,
    routine_capacity: usize,
}

impl Queue {
    /// A queue of `capacity` bytes, `reserve_percent` of them for critical records only.
    pub(crate) fn new(capacity: usize, reserve_percent: u8) -> Queue {
        let reserve = capacity / 100 * usize::from(reserve_percent);
        Queue {
            state: Mutex::default(),
            tail: AtomicU64::new(0),
            work: Condvar::new(),
            room: Condvar::new(),
            capacity,
            routine_capacity: capacity - reserve,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is only ever changed in steps that cannot panic, so it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a record, waiting for room until `patience` is over; one beyond the clock never is.
    pub(crate) fn push(
        &self,
        critical: bool,
        body: &[u8],
        patience: Duration,
    ) -> Result<Position, Refusal> {
        let weight = weight_of(body);
        let limit = if critical { self.capacity } else { self.routine_capacity };
        let mut state = self.lock();
        let mut deadline = None;
        loop {
            if state.wake.closed {
                return Err(Refusal::Closed);
            }
            if state.used + weight <= limit {
                break;
            }
            if patience.is_zero() {
                return Err(Refusal::Full);
            }
            let now = Instant::now();
            let end = *deadline.get_or_insert_with(|| now.checked_add(patience));
            let left = end.map(|end| end.saturating_duration_since(now));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Refusal::Full);
            }
            state.waiting_for_room += 1;
            state = match left {
                None => self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self
                    .room
                    .wait_timeout(state, left)
                    .map_or_else(|e| e.into_inner().0, |(guard, _)| guard),
            };
            state.waiting_for_room -= 1;
        }
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let [a, b, c, d] = len.to_le_bytes();
        state.incoming.bytes.extend_from_slice(&[a, b, c, d, u8::from(critical)]);
        state.incoming.bytes.extend_from_slice(body);
        state.incoming.count += 1;
        state.used += weight;
        state.pushed += 1;
        let position = state.pushed;
        self.tail.store(position, Ordering::Release);
        let wake = std::mem::take(&mut state.writer_sleeps);
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(position)
    }

    /// Position of the last record accepted.
    pub(crate) fn tail(&self) -> Position {
        self.tail.load(Ordering::Acquire)
    }

    /// True when the writer had better make room soon, whatever the flush mode.
    pub(crate) fn is_pressed(&self) -> bool {
        let state = self.lock();
        state.waiting_for_room > 0 || state.used >= self.routine_capacity / 2
    }

    /// Asks the writer to sync everything up to `position`.
    pub(crate) fn request_flush(&self, position: Position) {
        self.signal(|state| state.wake.flush_to = state.wake.flush_to.max(position));
    }

    /// Wakes the writer for something that is not a record.
    pub(crate) fn kick(&self) {
        self.signal(|state| state.kicked = true);
    }

    /// Accepts nothing from now on; those who wait for room are refused.
    pub(crate) fn close(&self) {
        self.signal(|state| state.wake.closed = true);
        self.room.notify_all();
    }

    fn signal(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.writer_sleeps = false;
        drop(state);
        self.work.notify_one();
    }

    /// Writer only. Sleeps until there is a record, a request beyond `flushed_to`, a kick, the
    /// end, or `timeout` is over.
    pub(crate) fn wait(&self, flushed_to: Position, timeout: Option<Duration>) -> Wake {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            let ready = state.incoming.count > 0
                || state.wake.flush_to > flushed_to
                || state.wake.closed
                || state.kicked;
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if ready || left.is_some_and(|left| left.is_zero()) {
                state.kicked = false;
                state.writer_sleeps = false;
                return state.wake;
            }
            state.writer_sleeps = true;
            state = match left {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self
                    .work
                    .wait_timeout(state, left)
                    .map_or_else(|e| e.into_inner().0, |(guard, _)| guard),
            };
        }
    }

    /// Writer only. Sleeps for `span`, or shorter when the queue is closed; records do not wake it.
    pub(crate) fn pause(&self, span: Duration) {
        let state = self.lock();
        let closed = self.work.wait_timeout_while(state, span, |state| !state.wake.closed);
        drop(closed);
        // Closed already: the pause still has to be one.
        if self.is_closed() {
            std::thread::park_timeout(span);
        }
    }

    /// Runs `note` unless the queue is closed; what it notes is noted before any later
    /// [`Queue::close`], so whoever closes and then looks finds it.
    pub(crate) fn while_open<T>(&self, note: impl FnOnce() -> T) -> Option<T> {
        let state = self.lock();
        (!state.wake.closed).then(note)
    }

    /// True after [`Queue::close`].
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().wake.closed
    }

    /// Writer only. Takes everything that was accepted since the last call. The buffer that takes
    /// its place is made as large here, so that no caller has to let it grow.
    pub(crate) fn take(&self) -> Batch {
        let (spare, size) = {
            let mut state = self.lock();
            (state.spare.pop(), state.incoming.bytes.capacity())
        };
        let mut bytes = spare.unwrap_or_default();
        if bytes.capacity() < size {
            bytes.reserve_exact(size);
        }
        std::mem::replace(&mut self.lock().incoming, Batch { bytes, count: 0 })
    }

    /// Writer only. Gives an emptied batch's buffer back for reuse.
    pub(crate) fn recycle(&self, batch: Batch) {
        let mut bytes = batch.bytes;
        bytes.clear();
        let mut state = self.lock();
        if state.spare.len() < MAX_SPARE {
            state.spare.push(bytes);
        }
    }

    /// Writer only. The room of records that are durable is free again.
    pub(crate) fn release(&self, weight: usize) {
        let mut state = self.lock();
        state.used -= weight;
        let waiting = state.waiting_for_room > 0;
        drop(state);
        if waiting {
            self.room.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn weight_of_all(batch: &Batch) -> usize {
        batch.records().map(|(_, body)| weight_of(body)).sum()
    }

    #[test]
    fn records_come_out_once_and_in_order() {
        let queue = Queue::new(1 << 20, 10);
        assert_eq!(queue.push(false, b"one", NOW), Ok(1));
        assert_eq!(queue.push(true, b"", NOW), Ok(2));
        let batch = queue.take();
        let records: Vec<_> = batch.records().collect();
        assert_eq!(records, [(false, b"one".as_slice()), (true, b"".as_slice())]);
        assert_eq!(queue.take().count, 0);
    }

    #[test]
    fn room_is_free_only_after_release_and_a_share_is_for_critical_records() {
        let queue = Queue::new(1000, 20);
        let body = [0u8; 95];
        let mut routine = 0;
        while queue.push(false, &body, NOW).is_ok() {
            routine += 1;
        }
        assert_eq!(routine, 8);
        assert!(queue.push(true, &body, NOW).is_ok());
        assert!(queue.push(true, &body, NOW).is_ok());
        assert_eq!(queue.push(true, &body, NOW), Err(Refusal::Full));
        let batch = queue.take();
        assert_eq!(queue.push(true, &body, NOW), Err(Refusal::Full), "taken is not released");
        queue.release(weight_of_all(&batch));
        assert!(queue.push(false, &body, NOW).is_ok());
    }

    #[test]
    fn closing_refuses_new_records_and_hands_over_the_old() {
        let queue = Queue::new(1 << 20, 10);
        queue.push(false, b"last", NOW).unwrap();
        assert_eq!(queue.while_open(|| "noted"), Some("noted"));
        queue.close();
        assert_eq!(queue.push(false, b"late", NOW), Err(Refusal::Closed));
        assert!(queue.wait(0, None).closed);
        assert_eq!(queue.take().count, 1);
        assert_eq!(queue.while_open(|| "noted"), None);
    }

    #[test]
    fn a_waiting_producer_gets_the_room_that_is_released() {
        for patience in [Duration::from_secs(60), Duration::MAX] {
            let queue = Queue::new(100, 0);
            queue.push(false, &[0; 90], NOW).unwrap();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| queue.push(false, &[0; 90], patience));
                while queue.lock().waiting_for_room == 0 {
                    std::thread::yield_now();
                }
                let batch = queue.take();
                queue.release(weight_of_all(&batch));
                assert_eq!(waiting.join().unwrap(), Ok(2));
            });
        }
    }

    #[test]
    fn a_timeout_beyond_the_clock_is_none() {
        let queue = Queue::new(1 << 20, 10);
        queue.push(false, b"one", NOW).unwrap();
        assert!(!queue.wait(0, Some(Duration::MAX)).closed);
    }
}

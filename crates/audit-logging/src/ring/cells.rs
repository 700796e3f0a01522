//! The ring itself: many producers reserve, fill and commit; one consumer reads and releases.
//!
//! What must stay true here:
//! * A record is reserved by one compare-and-swap of the tail, and only where the consumer has
//!   released everything: nobody overwrites what is not durable yet.
//! * Between the reservation and the commit word nothing can panic, allocate or call the kernel.
//! * The commit word is the record's position XOR a random salt, stored last (Release). An older
//!   lap of the ring never matches, so memory is not cleared; a payload cannot pose as a record
//!   without knowing the salt.
//! * When the tail is closed nothing is reserved any more, and what was reserved is still read.
//!
//! The design is that of bounded multi-producer rings with a commit flag in the slot (Lamport 1983;
//! LMAX Disruptor; Chronicle Queue), with the position as the flag.

use super::layout::{
    CELL_WORDS, CLOSED, CONSTANT_WORDS, Constants, FRAME_WORDS, HEAD, HEAD_SEQ, HEADER_WORDS,
    Identity, MAX_BODY, REFUSED, TAIL, WORD, cells_for, open_seal_word, seal_word,
};
use super::memory::RingMemory;
use super::sync::{AtomicU64, Ordering};

/// A count of cells since the ring was made. A record's position is that behind its last cell.
pub(crate) type Position = u64;

/// Counts of refused events, routine and critical ones.
pub(crate) type Refusals = [u64; 2];

/// Why a record was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Closed,
}

/// Room that was reserved and must be filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reservation {
    start: Position,
    pub(crate) end: Position,
}

/// A record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Position behind it.
    pub(crate) end: Position,
    pub(crate) critical: bool,
    /// When it was accepted, as the producer said.
    pub(crate) time: u64,
}

/// What stands at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// A record; its body was copied out.
    Record(Record),
    /// Reserved and not committed yet.
    Uncommitted,
    /// Committed, and not what was committed: memory was overwritten.
    Overwritten,
}

/// The lock-free part.
pub(crate) struct Cells {
    memory: RingMemory,
    salt: u64,
    cells: u64,
}

/// Without the salt: who knows it could make a payload pose as a record. Without head and tail: a
/// receipt may be shown in a forked child, which has no ring.
impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("cells", &self.cells).finish_non_exhaustive()
    }
}

impl Cells {
    /// Makes a ring of `cells` cells (a power of two) in zeroed memory made for as many.
    pub(crate) fn new(memory: RingMemory, identity: Identity, salt: u64, cells: u64) -> Cells {
        // Zeroed cells must match no position that is ever reached.
        let salt = salt | 1 << 62;
        let constants = Constants { identity, salt, cells }.encode();
        for (word, value) in memory.words().iter().zip(constants) {
            word.store(value, Ordering::Relaxed);
        }
        let ring = Cells { memory, salt, cells };
        ring.word(HEAD).store(0, Ordering::Release);
        ring.word(TAIL).store(0, Ordering::Release);
        ring
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        const { assert!(CONSTANT_WORDS <= TAIL && HEAD_SEQ < HEADER_WORDS) };
        &self.memory.words()[index]
    }

    pub(crate) const fn memory(&self) -> &RingMemory {
        &self.memory
    }

    /// Position behind the last reservation.
    #[inline]
    pub(crate) fn tail(&self) -> Position {
        self.word(TAIL).load(Ordering::Acquire) & !CLOSED
    }

    /// Position up to which the room is free again.
    #[inline]
    pub(crate) fn head(&self) -> Position {
        self.word(HEAD).load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.word(TAIL).load(Ordering::Acquire) & CLOSED != 0
    }

    /// Nothing is accepted from now on.
    pub(crate) fn close(&self) {
        self.word(TAIL).fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Consumer only. The end of [`Cells::close`].
    pub(crate) fn open_again(&self) {
        self.word(TAIL).fetch_and(!CLOSED, Ordering::AcqRel);
    }

    /// Consumer only, while the tail is closed and everything reserved is committed: copies the header
    /// and what is not released to the same places of zeroed memory that is as long.
    pub(crate) fn copy_to(&self, fresh: &RingMemory) -> std::io::Result<()> {
        let (here, there) = (self.memory.words(), fresh.words());
        if here.len() != there.len() {
            return Err(std::io::Error::other("the new ring is not as long as the old one"));
        }
        let copy = |words: std::ops::Range<usize>| {
            let words = (here.get(words.clone()), there.get(words));
            let (from, to) = (words.0.unwrap_or_default(), words.1.unwrap_or_default());
            for (from, to) in from.iter().zip(to) {
                to.store(from.load(Ordering::Acquire), Ordering::Release);
            }
        };
        copy(0..HEADER_WORDS);
        for position in self.head()..self.tail() {
            let first = HEADER_WORDS + (position & (self.cells - 1)) as usize * CELL_WORDS;
            copy(first..first + CELL_WORDS);
        }
        Ok(())
    }

    /// Reserves room for a body of `len` bytes if at most `limit` cells are taken then.
    #[inline]
    pub(crate) fn reserve(&self, len: usize, limit: u64) -> Result<Reservation, Refusal> {
        let cells = cells_for(len);
        let word = self.word(TAIL);
        let mut tail = word.load(Ordering::Acquire);
        loop {
            if tail & CLOSED != 0 {
                return Err(Refusal::Closed);
            }
            // The head may be newer than the tail that was loaded: then the swap below fails.
            let taken = tail.saturating_sub(self.head());
            if taken + cells > limit.min(self.cells) {
                return Err(Refusal::Full);
            }
            // The Acquire of the head above made sure that what was released was read before it is
            // overwritten. SeqCst for `Doze::brought`.
            match word.compare_exchange_weak(
                tail,
                tail + cells,
                Ordering::SeqCst,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(Reservation { start: tail, end: tail + cells }),
                Err(now) => tail = now,
            }
        }
    }

    /// Fills a reservation and commits it. `body_crc` is the CRC32C of `body`.
    #[inline]
    pub(crate) fn fill(
        &self,
        room: Reservation,
        critical: bool,
        time: u64,
        body: &[u8],
        body_crc: u32,
    ) {
        let (front, wrapped) = self.record(room.start, FRAME_WORDS + body.len().div_ceil(WORD));
        let mut words = front.iter().chain(wrapped);
        // Only this producer may touch these words until the commit word is stored.
        let commit = words.next();
        let seal = seal_word(room.start, time, critical, body.len(), body_crc);
        // The words come second: a pair that is not complete must not take one.
        for (value, word) in [seal, time].into_iter().zip(words.by_ref()) {
            word.store(value, Ordering::Relaxed);
        }
        let (whole, rest) = body.as_chunks::<WORD>();
        if wrapped.is_empty() {
            // The usual case, without the test for the seam at each word.
            let front = front.get(FRAME_WORDS..).unwrap_or_default();
            for (word, chunk) in front.iter().zip(whole) {
                word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
            }
            if let Some(word) = front.get(whole.len()) {
                word.store(padded(rest), Ordering::Relaxed);
            }
        } else {
            for (chunk, word) in whole.iter().zip(words.by_ref()) {
                word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
            }
            if let Some(word) = words.next() {
                word.store(padded(rest), Ordering::Relaxed);
            }
        }
        if let Some(commit) = commit {
            commit.store(room.start ^ self.salt, Ordering::Release);
        }
    }

    /// Consumer only. Looks at `position`, which must be less than the tail; the body of a record
    /// replaces what is in `body`.
    pub(crate) fn read(&self, position: Position, body: &mut Vec<u8>) -> Look {
        let (frame, rest) = self.record(position, FRAME_WORDS);
        let mut words = frame.iter().chain(rest);
        let mut next = |order| words.next().map_or(0, |word| word.load(order));
        // Acquire: with the commit word, all that was stored before it is seen.
        if next(Ordering::Acquire) != position ^ self.salt {
            return Look::Uncommitted;
        }
        let seal = next(Ordering::Relaxed);
        let time = next(Ordering::Relaxed);
        let (len, critical) = open_seal_word(seal);
        if len > MAX_BODY {
            return Look::Overwritten;
        }
        let (front, wrapped) = self.record(position, FRAME_WORDS + len.div_ceil(WORD));
        body.resize(len.next_multiple_of(WORD), 0);
        let (slots, _) = body.as_chunks_mut::<WORD>();
        if wrapped.is_empty() {
            // The usual case, without the test for the seam at each word.
            let front = front.get(FRAME_WORDS..).unwrap_or_default();
            for (slot, word) in slots.iter_mut().zip(front) {
                *slot = word.load(Ordering::Relaxed).to_le_bytes();
            }
        } else {
            let words = front.iter().chain(wrapped).skip(FRAME_WORDS);
            for (slot, word) in slots.iter_mut().zip(words) {
                *slot = word.load(Ordering::Relaxed).to_le_bytes();
            }
        }
        body.truncate(len);
        if seal != seal_word(position, time, critical, len, crc32c::crc32c(body)) {
            return Look::Overwritten;
        }
        Look::Record(Record { end: position + cells_for(len), critical, time })
    }

    /// Consumer only. Everything before `position` is durable in the trail, whose next entry is
    /// `next_seq`: the room is free.
    pub(crate) fn release(&self, position: Position, next_seq: u64) {
        // This order: a process killed in between leaves a `seq` that is too small, and salvage then
        // only compares with more entries than it has to.
        self.word(HEAD).store(position, Ordering::Release);
        self.word(HEAD_SEQ).store(next_seq, Ordering::Release);
    }

    /// This many events, routine and critical ones, were refused.
    pub(crate) fn refused(&self, counts: Refusals) {
        for (word, count) in self.refusals().iter().zip(counts) {
            word.fetch_add(count, Ordering::AcqRel);
        }
    }

    /// The trail tells of this many of them, durably.
    pub(crate) fn told(&self, counts: Refusals) {
        for (word, count) in self.refusals().iter().zip(counts) {
            word.fetch_sub(count, Ordering::AcqRel);
        }
    }

    fn refusals(&self) -> &[AtomicU64] {
        self.memory.words().get(REFUSED..REFUSED + 2).unwrap_or_default()
    }

    /// The words of a record at `position`: a part up to the end of the ring, and one from its
    /// start.
    #[inline]
    fn record(&self, position: Position, words: usize) -> (&[AtomicU64], &[AtomicU64]) {
        let all = self.memory.words().get(HEADER_WORDS..).unwrap_or_default();
        let first = (position & (self.cells - 1)) as usize * CELL_WORDS;
        let front = all.len().saturating_sub(first).min(words);
        (
            all.get(first..first + front).unwrap_or_default(),
            all.get(..words - front).unwrap_or_default(),
        )
    }
}

/// Fewer than eight bytes as a word.
#[inline]
fn padded(rest: &[u8]) -> u64 {
    let mut word = [0; WORD];
    for (to, from) in word.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

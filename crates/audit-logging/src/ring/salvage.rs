//! Reading what a dead process left in its ring.
//!
//! What must stay true here: pure and total: any bytes give an answer, none a panic, and memory and
//! work are bounded by the file. All cells are looked at, as acknowledged records lie behind the
//! holes that killed producers leave. A record counts only with its commit word and its checksum,
//! both of which are of this very ring, and no cell is of two records; nothing is guessed at, and
//! what was accepted and is not whole is counted.
//!
//! After a kill the file is what the process saw. After a power failure it is any mixture of old
//! and new pages, the header's included: the head may be older than the cells, never newer than
//! what was durable, so records are taken from the head on without an upper end, and the caller
//! compares them with the trail.

use super::cells::Refusals;
use super::layout::{
    CELL_WORDS, CLOSED, CONSTANT_WORDS, Constants, FRAME_WORDS, HEAD, HEAD_SEQ, HEADER_WORDS,
    Identity, MAX_BODY, NotARing, REFUSED, TAIL, WORD, cells_for, open_seal_word, seal_word,
};

/// How often all bytes of the file may be summed up. Once is enough for a ring that was written
/// here; commit words made by hand could ask for any number.
const MAX_PASSES: usize = 4;

/// A record that was accepted and may not be in the trail.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Salvaged {
    /// Where it begins.
    pub(crate) position: u64,
    pub(crate) critical: bool,
    pub(crate) time: u64,
    pub(crate) body: Vec<u8>,
}

/// Without the body: other people's events are not for logs.
impl std::fmt::Debug for Salvaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Salvaged").field("position", &self.position).finish_non_exhaustive()
    }
}

/// A dead ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    pub(crate) identity: Identity,
    /// Entries of the trail before this one hold nothing of what is in `records`.
    pub(crate) next_seq: u64,
    /// In the order of acceptance.
    pub(crate) records: Vec<Salvaged>,
    /// The body of the last record before the head: if that is the head, it is in the trail.
    pub(crate) before: Option<Vec<u8>>,
    /// That record is there and not whole. No process leaves one so: its room was not given away.
    pub(crate) before_broken: bool,
    /// Records between head and tail that were committed and are not what was committed.
    pub(crate) overwritten: u64,
    /// Cells that were reserved and hold no record: producers that were killed in the middle, what
    /// was overwritten, and what was erased without a trace.
    pub(crate) hole_cells: u64,
    /// Head and tail cannot have stood beside each other: neither is believed.
    pub(crate) bad_header: bool,
    /// Events that were refused and that the trail may not tell of.
    pub(crate) refused: Refusals,
    /// There are records behind the tail. After a power failure the tail may be old.
    pub(crate) beyond_tail: bool,
}

/// Reads a ring file's bytes. Where head and tail are not believed, everything whole is taken.
pub(crate) fn salvage(bytes: &[u8], are_believed: bool) -> Result<Dead, NotARing> {
    let (words, rest) = bytes.as_chunks::<WORD>();
    let Some((header, cells)) = words.split_at_checked(HEADER_WORDS) else {
        return Err(NotARing::TooShort);
    };
    let word = |at: usize| header.get(at).map_or(0, |word| u64::from_le_bytes(*word));
    let mut constants = [0; CONSTANT_WORDS];
    for (at, value) in constants.iter_mut().enumerate() {
        *value = word(at);
    }
    let constants = Constants::decode(&constants, words.len())?;
    if !rest.is_empty() {
        return Err(NotARing::WrongLength);
    }
    let (head, tail) = (word(HEAD), word(TAIL) & !CLOSED);
    let bad_header = !are_believed || head > tail || tail - head > constants.cells;
    // All there is, compared with all of the trail: too much does no harm.
    let (head, tail, next_seq) = if bad_header { (0, 0, 0) } else { (head, tail, word(HEAD_SEQ)) };
    let cells = Cells { words: cells, ring: constants };
    let (records, overwritten) = records(&cells, head, tail);
    let (before, before_broken) = last_before(&cells, head, tail);
    let full: u64 = records.iter().map(|record| cells_for(record.body.len())).sum();
    Ok(Dead {
        identity: constants.identity,
        next_seq,
        overwritten,
        hole_cells: (tail - head).saturating_sub(full),
        bad_header,
        refused: [word(REFUSED), word(REFUSED + 1)],
        before,
        before_broken,
        beyond_tail: !bad_header && records.last().is_some_and(|last| last.end() > tail),
        records,
    })
}

impl Salvaged {
    /// Position behind it.
    fn end(&self) -> u64 {
        self.position + cells_for(self.body.len())
    }
}

/// The records from `head` on, in order, and how many between it and `tail` are not whole.
fn records(cells: &Cells<'_>, head: u64, tail: u64) -> (Vec<Salvaged>, u64) {
    let mut positions: Vec<u64> =
        (0..cells.ring.cells).filter_map(|cell| cells.commit(cell)).collect();
    positions.retain(|position| *position >= head);
    positions.sort_unstable();
    let mut records: Vec<Salvaged> = Vec::new();
    let mut overwritten = 0;
    let mut work = cells.words.len() * MAX_PASSES;
    let mut next = u64::MAX;
    // The newest first: what it overwrote was durable before.
    for position in positions.into_iter().rev() {
        let newest_end = records.first().map_or(0, Salvaged::end);
        let fits = position + cells.ring.cells >= newest_end;
        match fits.then(|| cells.record(position, next, &mut work)).flatten() {
            Some(record) => records.push(record),
            None => overwritten += u64::from((head..tail).contains(&position)),
        }
        next = position;
    }
    records.reverse();
    (records, overwritten)
}

/// The last record before `head` whose room no later one has reserved, and whether it is broken.
fn last_before(cells: &Cells<'_>, head: u64, tail: u64) -> (Option<Vec<u8>>, bool) {
    let position = (0..cells.ring.cells)
        .filter_map(|cell| cells.commit(cell))
        .filter(|position| *position < head && position + cells.ring.cells >= tail)
        .max();
    let Some(position) = position else { return (None, false) };
    let mut work = cells.words.len();
    let body = cells.record(position, head, &mut work).map(|record| record.body);
    let is_broken = body.is_none();
    (body, is_broken)
}

/// The cells of a file.
struct Cells<'a> {
    words: &'a [[u8; WORD]],
    ring: Constants,
}

impl Cells<'_> {
    fn word(&self, cell: u64, at: usize) -> Option<u64> {
        let first = usize::try_from(cell).ok()?.checked_mul(CELL_WORDS)?;
        let at = (first + at) % self.words.len();
        self.words.get(at).map(|word| u64::from_le_bytes(*word))
    }

    /// The position of the record whose first cell this is, if it is one.
    fn commit(&self, cell: u64) -> Option<u64> {
        let position = self.word(cell, 0)? ^ self.ring.salt;
        (position & (self.ring.cells - 1) == cell && position < 1 << 62).then_some(position)
    }

    /// The record at `position` if it is whole, and ends where the next one begins or before.
    fn record(&self, position: u64, next: u64, work: &mut usize) -> Option<Salvaged> {
        let cell = position & (self.ring.cells - 1);
        let (seal, time) = (self.word(cell, 1)?, self.word(cell, 2)?);
        let (len, critical) = open_seal_word(seal);
        let taken = cells_for(len);
        if len > MAX_BODY || taken > self.ring.cells || position + taken > next {
            return None;
        }
        *work = work.checked_sub(len.div_ceil(WORD))?;
        let mut body = Vec::with_capacity(len + WORD);
        for at in 0..len.div_ceil(WORD) {
            body.extend_from_slice(&self.word(cell, FRAME_WORDS + at)?.to_le_bytes());
        }
        body.truncate(len);
        let sum = seal_word(position, time, critical, len, crc32c::crc32c(&body));
        (seal == sum).then_some(Salvaged { position, critical, time, body })
    }
}

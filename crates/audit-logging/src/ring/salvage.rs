//! Reading what a dead process left in its ring.
//!
//! What must stay true here: pure and total: any bytes give an answer, none a panic, and memory is
//! bounded by the file. All cells are looked at, as acknowledged records lie behind the holes that
//! killed producers leave. A record counts only with its commit word and its checksum, both of
//! which are of this very ring; nothing is guessed at.
//!
//! After a kill the file is what the process saw. After a power failure it is any mixture of old
//! and new pages, the header's included: the head may be older than the cells, never newer than
//! what was durable, so records are taken from the head on without an upper end, and the caller
//! compares them with the trail.

use super::layout::{
    CELL_WORDS, CLOSED, CONSTANT_WORDS, Constants, FRAME_WORDS, HEAD, HEAD_SEQ, HEADER_WORDS,
    Identity, MAX_BODY, NotARing, TAIL, WORD, cells_for, open_seal_word, seal_word,
};

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
    /// Cells that were reserved and hold no record: producers that were killed in the middle.
    pub(crate) hole_cells: u64,
}

/// Reads a ring file's bytes.
pub(crate) fn salvage(bytes: &[u8]) -> Result<Dead, NotARing> {
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
    let head = word(HEAD);
    let mut records: Vec<Salvaged> =
        (0..constants.cells).filter_map(|cell| record_at(cells, &constants, head, cell)).collect();
    records.sort_unstable_by_key(|record| record.position);
    let full: u64 = records.iter().map(|record| cells_for(record.body.len())).sum();
    let reserved = (word(TAIL) & !CLOSED).saturating_sub(head).min(constants.cells);
    Ok(Dead {
        identity: constants.identity,
        next_seq: word(HEAD_SEQ),
        records,
        hole_cells: reserved.saturating_sub(full),
    })
}

/// The record whose first cell this is, if it is one.
fn record_at(cells: &[[u8; WORD]], ring: &Constants, head: u64, cell: u64) -> Option<Salvaged> {
    let first = usize::try_from(cell).ok()?.checked_mul(CELL_WORDS)?;
    let word = |at: usize| {
        let at = (first + at) % cells.len();
        cells.get(at).map(|word| u64::from_le_bytes(*word))
    };
    let position = word(0)? ^ ring.salt;
    if position & (ring.cells - 1) != cell || position < head || position >= 1 << 62 {
        return None;
    }
    let (seal, time) = (word(1)?, word(2)?);
    let (len, critical) = open_seal_word(seal);
    if len > MAX_BODY || cells_for(len) > ring.cells {
        return None;
    }
    let mut body = Vec::with_capacity(len + WORD);
    for at in 0..len.div_ceil(WORD) {
        body.extend_from_slice(&word(FRAME_WORDS + at)?.to_le_bytes());
    }
    body.truncate(len);
    (seal == seal_word(position, time, critical, len, crc32c::crc32c(&body))).then_some(Salvaged {
        position,
        critical,
        time,
        body,
    })
}

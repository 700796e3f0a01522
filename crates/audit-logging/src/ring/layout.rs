//! Where things stand in a ring file, byte for byte.
//!
//! What must stay true here: both the live ring and the salvage of a dead one take every offset
//! from here; the constant part of the header is covered by a checksum; whatever is written here is
//! private to this crate, and a file of another version is refused, never guessed at.
//!
//! All numbers are 64-bit little-endian words. The first page is the header:
//!
//! | word | what |
//! |---|---|
//! | 0 | `AUDRING1` |
//! | 1 | version |
//! | 2, 3 | ring id |
//! | 4 | salt |
//! | 5, 6 | trail id |
//! | 7, 8 | boot id |
//! | 9 | process id |
//! | 10 | when it was made, nanoseconds since 1970 |
//! | 11 | cells |
//! | 12 | CRC32C of words 0 to 11 |
//! | 32 | tail: position behind the last reservation; the top bit says closed |
//! | 64, 65 | head: position up to which all is durable in the trail; `seq` of the next entry then |
//! | 96, 97 | refusals, of routine and of critical events, that the trail does not tell of yet |
//!
//! Behind it the cells of 64 bytes. A *position* counts cells since the ring was made and never
//! starts anew; the cell of a position is its remainder by the number of cells.

#[cfg(target_endian = "big")]
compile_error!(
    "the emit ring stores native words and reads little-endian ones: not for big-endian machines"
);

/// Bytes of a word.
pub(super) const WORD: usize = 8;
/// Words of a cell: one cache line.
pub(super) const CELL_WORDS: usize = 8;
/// Words of the header: one page.
pub(super) const HEADER_WORDS: usize = 512;
/// Words of the constant part, its checksum included.
pub(super) const CONSTANT_WORDS: usize = 13;
/// Word of the tail, on a cache line of its own.
pub(super) const TAIL: usize = 32;
/// Word of the head; the next word is on the same line.
pub(super) const HEAD: usize = 64;
/// Word of the `seq` that belongs to the head.
pub(super) const HEAD_SEQ: usize = 65;
/// Word of the refusals of routine events; that of critical ones is the next.
pub(super) const REFUSED: usize = 96;
/// Words before a record's body: commit word; length, kind and checksum; time.
pub(super) const FRAME_WORDS: usize = 3;
/// The longest body, in bytes: what the encoder makes at the most.
pub(super) const MAX_BODY: usize = audit_core::plan::MAX_BODY;
/// Fewest cells of a ring: the largest record is at most an eighth of it.
pub(crate) const MIN_CELLS: u64 = (cells_for(MAX_BODY) * 8).next_power_of_two();
/// Set in the tail when nothing more is accepted.
pub(super) const CLOSED: u64 = 1 << 63;
/// Ending of a ring file's name.
pub(crate) const ENDING: &str = ".ring";

const MAGIC: u64 = u64::from_le_bytes(*b"AUDRING1");
const VERSION: u64 = 1;

/// Cells a record with a body of `len` bytes takes.
pub(super) const fn cells_for(len: usize) -> u64 {
    (FRAME_WORDS + len.div_ceil(WORD)).div_ceil(CELL_WORDS) as u64
}

/// Whose ring it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) ring_id: u128,
    pub(crate) trail_id: u128,
    /// 0 where the system has none.
    pub(crate) boot_id: u128,
    pub(crate) pid: u64,
    /// Nanoseconds since 1970.
    pub(crate) started: u64,
}

/// The constant part of a header, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Constants {
    pub(super) identity: Identity,
    pub(super) salt: u64,
    pub(super) cells: u64,
}

/// Why bytes are no ring that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotARing {
    /// Shorter than a header.
    #[error("shorter than a ring's header")]
    TooShort,
    /// Another first word, or a checksum that does not fit.
    #[error("not a ring, or its header is damaged")]
    NotOurs,
    /// Written by another version of this library, whole as far as can be seen.
    #[error("a ring of version {0}; this library reads version {VERSION}")]
    OtherVersion(u64),
    /// The header says another length than the file has.
    #[error("not as long as its header says")]
    WrongLength,
}

impl Constants {
    /// The words of the constant part.
    pub(super) fn encode(&self) -> [u64; CONSTANT_WORDS] {
        let Identity { ring_id, trail_id, boot_id, pid, started } = self.identity;
        let [r0, r1] = split(ring_id);
        let [t0, t1] = split(trail_id);
        let [b0, b1] = split(boot_id);
        let (salt, cells) = (self.salt, self.cells);
        let mut words = [MAGIC, VERSION, r0, r1, salt, t0, t1, b0, b1, pid, started, cells, 0];
        words[CONSTANT_WORDS - 1] = checksum(&words);
        words
    }

    /// Reads the constant part of a file of `file_words` words.
    pub(super) fn decode(
        words: &[u64; CONSTANT_WORDS],
        file_words: usize,
    ) -> Result<Constants, NotARing> {
        let &[magic, version, r0, r1, salt, t0, t1, b0, b1, pid, started, cells, sum] = words;
        if magic != MAGIC || sum != checksum(words) {
            return Err(NotARing::NotOurs);
        }
        if version != VERSION {
            return Err(NotARing::OtherVersion(version));
        }
        let expected = usize::try_from(cells)
            .ok()
            .filter(|cells| cells.is_power_of_two())
            .and_then(|cells| cells.checked_mul(CELL_WORDS)?.checked_add(HEADER_WORDS));
        if expected != Some(file_words) {
            return Err(NotARing::WrongLength);
        }
        let (ring_id, trail_id, boot_id) = (join(r0, r1), join(t0, t1), join(b0, b1));
        let identity = Identity { ring_id, trail_id, boot_id, pid, started };
        Ok(Constants { identity, salt, cells })
    }
}

fn checksum(words: &[u64; CONSTANT_WORDS]) -> u64 {
    let crc = words[..CONSTANT_WORDS - 1]
        .iter()
        .fold(0, |crc, word| crc32c::crc32c_append(crc, &word.to_le_bytes()));
    u64::from(crc)
}

const fn split(id: u128) -> [u64; 2] {
    [id as u64, (id >> 64) as u64]
}

const fn join(low: u64, high: u64) -> u128 {
    low as u128 | (high as u128) << 64
}

/// The second word of a record: length and kind, and the checksum over all of it.
pub(super) fn seal_word(
    position: u64,
    time: u64,
    critical: bool,
    len: usize,
    body_crc: u32,
) -> u64 {
    let low = len as u64 & 0xff_ffff | u64::from(critical) << 24;
    let mut frame = [0; 20];
    frame[..8].copy_from_slice(&position.to_le_bytes());
    frame[8..16].copy_from_slice(&time.to_le_bytes());
    frame[16..].copy_from_slice(&(low as u32).to_le_bytes());
    u64::from(crc32c::crc32c_append(body_crc, &frame)) << 32 | low
}

/// Length and criticality in the second word of a record.
pub(super) const fn open_seal_word(word: u64) -> (usize, bool) {
    ((word & 0xff_ffff) as usize, word & 1 << 24 != 0)
}

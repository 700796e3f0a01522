//! The bytes of one body while it is being written.
//!
//! What must stay true here: what is read back is exactly what was put. An event is some thirty short
//! pieces; most of what a `Vec<u8>` costs for each of them is the call that copies it, so short pieces
//! are copied by pairs of words that overlap, without a call, into memory that is there already.

use std::io;
use std::ops::Deref;

/// Pieces up to this length are copied without a call.
const SHORT: usize = 32;
/// The least room that is made at once.
const LEAST: usize = 4096;

/// A growing run of bytes.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// As long as there is room, the unused part zero or stale.
    room: Vec<u8>,
    len: usize,
}

impl Buffer {
    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Gives memory back beyond `keep` bytes, if empty.
    pub(crate) fn shrink_to(&mut self, keep: usize) {
        if self.len == 0 && self.room.len() > keep {
            self.room.truncate(keep);
            self.room.shrink_to(keep);
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.put_all([bytes]);
    }

    /// Puts all pieces, with one look at the room and one step of the length.
    #[inline]
    pub(crate) fn put_all<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        let Some(mut free) = self.free().get_mut(..total) else {
            self.grow(total);
            return self.put_all(pieces);
        };
        for piece in pieces {
            let (slot, later) = free.split_at_mut(piece.len());
            copy(slot, piece);
            free = later;
        }
        self.len += total;
    }

    /// Puts `before`, the text and `after`, if all of the text is printable ASCII without `"` and `\`;
    /// else nothing, and false. Looked at and copied eight bytes at a time: nearly every string of a
    /// trail is done with after this.
    #[inline]
    pub(crate) fn put_plain(&mut self, before: &[u8], text: &[u8], after: &[u8]) -> bool {
        let total = before.len() + text.len() + after.len();
        let Some(free) = self.free().get_mut(..total) else {
            self.grow(total);
            return self.put_plain(before, text, after);
        };
        let (slot, free) = free.split_at_mut(before.len());
        copy(slot, before);
        let (slot, free) = free.split_at_mut(text.len());
        let plain = copy_checking(slot, text);
        copy(free, after);
        if plain {
            self.len += total;
        }
        plain
    }

    /// What is not used yet.
    #[inline]
    fn free(&mut self) -> &mut [u8] {
        self.room.get_mut(self.len..).unwrap_or_default()
    }

    /// Makes room for `more` bytes.
    #[cold]
    fn grow(&mut self, more: usize) {
        self.room.resize((self.len + more).next_power_of_two().max(LEAST), 0);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.room[..self.len]
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both have the same length.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..=16 => ends::<8>(to, from),
        17..=SHORT => ends::<16>(to, from),
        4..=7 => ends::<4>(to, from),
        0..=3 => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies `N` bytes from the start and `N` at the end, which may overlap; there are `N` to `2 * N`.
#[inline]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        to[..N].copy_from_slice(first);
        let at = to.len() - N;
        to[at..].copy_from_slice(last);
    }
}

/// As [`copy`]; true if everything is plain.
#[inline]
fn copy_checking(to: &mut [u8], from: &[u8]) -> bool {
    if from.len() < 8 {
        copy(to, from);
        return match (from.first_chunk(), from.last_chunk()) {
            (Some(first), Some(last)) => {
                let both = u64::from(u32::from_le_bytes(*first)) << 32;
                is_plain(both | u64::from(u32::from_le_bytes(*last)))
            }
            _ => from.iter().all(|b| is_plain(u64::from_le_bytes([*b; 8]))),
        };
    }
    let (words, _) = from.as_chunks::<8>();
    let (slots, _) = to.as_chunks_mut::<8>();
    let mut plain = true;
    for (slot, word) in slots.iter_mut().zip(words) {
        *slot = *word;
        plain &= is_plain(u64::from_le_bytes(*word));
    }
    if let (Some(last), Some(slot)) = (from.last_chunk::<8>(), to.last_chunk_mut::<8>()) {
        *slot = *last;
        plain &= is_plain(u64::from_le_bytes(*last));
    }
    plain
}

/// True if each of the eight bytes is in 0x20..=0x7e and neither `"` nor `\` (the tests for a zero and
/// for a small byte in a word are those of Warren's *Hacker's Delight*, section 6-1).
#[inline]
const fn is_plain(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    const fn has_zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = has_zero(word ^ (ONES * b'"' as u64));
    let backslash = has_zero(word ^ (ONES * b'\\' as u64));
    let delete = has_zero(word ^ (ONES * 0x7f));
    (word | control | quote | backslash | delete) & HIGH == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_length_come_back_as_they_were() {
        let bytes: Vec<u8> = (0..100u8).collect();
        let mut buffer = Buffer::default();
        let mut expected = Vec::new();
        for len in (0..=100).chain((0..=100).rev()) {
            buffer.put(&bytes[..len]);
            expected.extend_from_slice(&bytes[..len]);
            buffer.push(7);
            expected.push(7);
        }
        assert_eq!(*buffer, *expected);
        buffer.truncate(10);
        assert_eq!(*buffer, expected[..10]);
    }

    #[test]
    fn every_byte_is_plain_or_not_at_every_place_of_every_length() {
        for len in 1..=40 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    let mut buffer = Buffer::default();
                    buffer.put(b"x");
                    let plain = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
                    assert_eq!(
                        buffer.put_plain(b"?", &text, b"!"),
                        plain,
                        "{byte:#x} at {at} of {len}"
                    );
                    let kept = if plain { [b"x?", &*text, b"!"].concat() } else { b"x".to_vec() };
                    assert_eq!(*buffer, *kept);
                }
            }
        }
    }
}

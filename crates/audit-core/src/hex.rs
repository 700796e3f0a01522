//! Lower-case hex of SHA-256 digests, the only binary values in an entry.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The 64 lower-case hex digits of a digest.
#[must_use]
pub fn encode(digest: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

/// Reads 64 lower-case hex digits; `None` for anything else, upper case included.
#[must_use]
pub fn decode(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    let mut all = 0;
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        all |= high | low;
        *byte = high << 4 | low;
    }
    (all < 16).then_some(out)
}

/// The value of each lower-case hex digit; above 15 for every other byte. Decoding by table and
/// without branches is four times as fast, and every entry read has two hashes.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut i = 0;
    while i < 16 {
        values[DIGITS[i] as usize] = i as u8;
        i += 1;
    }
    values
};

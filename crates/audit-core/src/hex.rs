//! Lower-case hex: SHA-256 digests, the only binary values in an entry, and UUIDs.
//!
//! What must stay true here: eight digits are made at a time, without a table or a branch; every entry
//! has an id and two digests.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The 64 lower-case hex digits of a digest.
#[must_use]
pub fn encode(digest: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    for (digits, bytes) in out.as_chunks_mut().0.iter_mut().zip(digest.as_chunks().0) {
        *digits = eight(u32::from_be_bytes(*bytes));
    }
    out
}

/// A UUID as RFC 9562 section 4 writes it.
pub(crate) fn uuid(id: uuid::Uuid) -> [u8; 36] {
    let id = id.as_u128();
    let [a, b, c, d] = [96, 64, 32, 0].map(|shift| eight((id >> shift) as u32));
    let mut out = [b'-'; 36];
    out[..8].copy_from_slice(&a);
    out[9..13].copy_from_slice(&b[..4]);
    out[14..18].copy_from_slice(&b[4..]);
    out[19..23].copy_from_slice(&c[..4]);
    out[24..28].copy_from_slice(&c[4..]);
    out[28..].copy_from_slice(&d);
    out
}

/// The eight digits of a number: its nibbles spread over the bytes of one word, all turned into
/// letters or digits at once.
#[inline]
const fn eight(number: u32) -> [u8; 8] {
    const ONES: u64 = u64::MAX / 255;
    let mut nibbles = number as u64;
    nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f;
    let is_letter = (nibbles + ONES * 6) >> 4 & ONES;
    (nibbles + ONES * b'0' as u64 + is_letter * (b'a' - b'9' - 1) as u64).to_be_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_written_as_the_standard_library_does() {
        for byte in 0..=255u8 {
            let number = u32::from(byte) << 24 | u32::from(byte ^ 0x5a) << 8 | 7;
            assert_eq!(eight(number), format!("{number:08x}").as_bytes());
        }
        let id = uuid::Uuid::from_u128(0x0193_2c05_aa01_7abc_8def_0123_4567_89fe);
        assert_eq!(uuid(id), *id.to_string().as_bytes());
    }
}

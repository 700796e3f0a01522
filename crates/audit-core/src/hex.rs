//! Lower-case hex: SHA-256 digests, the only binary values in an entry, and UUIDs.
//!
//! What must stay true here: eight digits are made or read at a time, without a table or a branch; every
//! entry has an id and two digests.

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
    let text: &[u8; 64] = text.try_into().ok()?;
    let mut out = [0; 32];
    let mut wrong = 0;
    for (bytes, digits) in out.as_chunks_mut().0.iter_mut().zip(text.as_chunks().0) {
        let number = number(*digits);
        wrong |= mistakes(*digits, number);
        *bytes = number.to_be_bytes();
    }
    (wrong == 0).then_some(out)
}

/// Reads a UUID as RFC 9562 section 4 writes it, in lower case.
pub(crate) fn decode_uuid(text: &[u8; 36]) -> Option<uuid::Uuid> {
    let mut digits = [0; 32];
    for (to, from) in
        [(0..8, 0..8), (8..12, 9..13), (12..16, 14..18), (16..20, 19..23), (20..32, 24..36)]
    {
        digits[to].copy_from_slice(&text[from]);
    }
    let mut wrong = 0;
    let mut id: u128 = 0;
    for digits in digits.as_chunks().0 {
        let number = number(*digits);
        wrong |= mistakes(*digits, number);
        id = id << 32 | u128::from(number);
    }
    for dash in [8, 13, 18, 23] {
        wrong |= u64::from(text[dash] ^ b'-');
    }
    (wrong == 0).then_some(uuid::Uuid::from_u128(id))
}

/// The number that eight digits make, if they are digits.
#[inline]
const fn number(digits: [u8; 8]) -> u32 {
    const ONES: u64 = u64::MAX / 255;
    let word = u64::from_be_bytes(digits);
    // A letter is at or above 64, and its low nibble is nine less than its value.
    let nibbles = ((word & (ONES * 0x0f)) + (word >> 6 & ONES) * 9) & (ONES * 0x0f);
    let bytes = (nibbles >> 4 | nibbles) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes >> 8 | bytes) & 0x0000_ffff_0000_ffff;
    (pairs >> 16 | pairs) as u32
}

/// Not 0 if these are other digits than those that the number is written with: a number has one
/// spelling, so nothing else has to be checked.
#[inline]
const fn mistakes(digits: [u8; 8], number: u32) -> u64 {
    u64::from_be_bytes(digits) ^ u64::from_be_bytes(eight(number))
}

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
        assert_eq!(decode_uuid(&uuid(id)), Some(id));
    }

    #[test]
    fn only_lower_case_digits_are_read() {
        let digest: [u8; 32] = std::array::from_fn(|i| (i * 37) as u8);
        let text = encode(&digest);
        assert_eq!(decode(&text), Some(digest));
        assert_eq!(decode(&text[1..]), None);
        let id = uuid(uuid::Uuid::from_u128(0x0193_2c05_aa01_7abc_8def_0123_4567_89fe));
        for byte in 0..=255u8 {
            let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            for at in 0..64 {
                let mut other = text;
                other[at] = byte;
                assert_eq!(decode(&other).is_some(), is_digit, "{byte} at {at}");
            }
            for at in 0..36 {
                let mut other = id;
                other[at] = byte;
                let fits = if [8, 13, 18, 23].contains(&at) { byte == b'-' } else { is_digit };
                assert_eq!(decode_uuid(&other).is_some(), fits, "{byte} at {at}");
            }
        }
    }
}

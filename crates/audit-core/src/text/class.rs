//! One look-up per byte answers every question the encoder has about a string.
//!
//! What must stay true here: the union of the classes of a string's bytes has [`SUSPECT`] if it
//! holds any forbidden character, [`ESCAPE`] if JSON needs an escape, and the anchor of every
//! secret's shape that it could contain. A clean string is then copied whole.

/// `"` and `\`, the only characters that are still escaped after sanitising.
pub(crate) const ESCAPE: u8 = 1;
/// A control character, or the leading byte of a character that may be forbidden.
pub(crate) const SUSPECT: u8 = 1 << 1;
/// `J`, in the `eyJ` every JWT begins with.
pub(crate) const UPPER_J: u8 = 1 << 2;
/// `I`, in `AKIA`, `ASIA`, `AIza` and `-----BEGIN`.
pub(crate) const UPPER_I: u8 = 1 << 3;
/// `_`, in `ghp_`, `github_pat_` and `sk_live_`.
pub(crate) const UNDERSCORE: u8 = 1 << 4;
/// `x`, in `xoxb-`.
pub(crate) const LOWER_X: u8 = 1 << 5;
/// A space, after `Bearer` and `Basic`.
pub(crate) const SPACE: u8 = 1 << 6;
/// A digit, in payment card numbers.
pub(crate) const DIGIT: u8 = 1 << 7;
/// All anchors of secrets.
pub(crate) const ANCHORS: u8 = UPPER_J | UPPER_I | UNDERSCORE | LOWER_X | SPACE | DIGIT;

pub(crate) static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'"' | b'\\' => ESCAPE,
            // C0, DEL; C1 is c2 xx, U+061C d8 9c, U+2000 and on e2 xx, U+FDD0 and on ef xx,
            // the non-characters and tags beyond the BMP f0 to f4.
            0..=0x1f | 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xef..=0xf4 => SUSPECT,
            b'J' => UPPER_J,
            b'I' => UPPER_I,
            b'_' => UNDERSCORE,
            b'x' => LOWER_X,
            b' ' => SPACE,
            b'0'..=b'9' => DIGIT,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// The union of the classes of all bytes.
#[inline]
pub(crate) fn union(bytes: &[u8]) -> u8 {
    let mut all = 0;
    for byte in bytes {
        all |= CLASS[usize::from(*byte)];
    }
    all
}

/// Where the first byte is that may begin a forbidden character.
#[inline]
pub(crate) fn suspect(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| CLASS[usize::from(*byte)] & SUSPECT != 0)
}

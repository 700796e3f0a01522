//! Strings of an entry as they stand on disk, and their meaning.
//!
//! What must stay true here: a [`RawStr`] is made by the parser alone, so decoding it cannot fail.

use std::borrow::Cow;

/// A string of an entry: the bytes between the quotes, already checked against the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawStr<'a>(pub(super) &'a str);

impl<'a> RawStr<'a> {
    /// As it stands on disk, escapes included.
    #[must_use]
    pub const fn raw(self) -> &'a str {
        self.0
    }

    /// What it says; borrowed unless it holds an escape.
    #[must_use]
    pub fn decode(self) -> Cow<'a, str> {
        if self.0.contains('\\') {
            Cow::Owned(self.chars().collect())
        } else {
            Cow::Borrowed(self.0)
        }
    }

    /// Whether it says exactly this.
    #[must_use]
    pub fn says(self, text: &str) -> bool {
        if self.0.contains('\\') { self.chars().eq(text.chars()) } else { self.0 == text }
    }

    /// The characters of what it says.
    pub fn chars(self) -> impl Iterator<Item = char> + 'a {
        let mut rest = self.0.chars();
        std::iter::from_fn(move || match rest.next()? {
            '\\' => match rest.next()? {
                'u' => {
                    let unit = hex4(rest.as_str().as_bytes())?;
                    rest = rest.as_str().get(4..)?.chars();
                    if !(0xd800..0xdc00).contains(&unit) {
                        return char::from_u32(unit);
                    }
                    let low = hex4(rest.as_str().get(2..)?.as_bytes())?;
                    rest = rest.as_str().get(6..)?.chars();
                    pair(unit, low)
                }
                // The grammar leaves only `\"`, `\\` and `\/`: the others mean control characters.
                plain => Some(plain),
            },
            plain => Some(plain),
        })
    }
}

/// The value of four hex digits at the start of `bytes`, in either case.
pub(super) fn hex4(bytes: &[u8]) -> Option<u32> {
    bytes
        .get(..4)?
        .iter()
        .try_fold(0, |value, &digit| char::from(digit).to_digit(16).map(|digit| value << 4 | digit))
}

/// The character that two UTF-16 surrogates stand for.
pub(super) fn pair(high: u32, low: u32) -> Option<char> {
    let high = high.checked_sub(0xd800).filter(|h| *h < 0x400)?;
    let low = low.checked_sub(0xdc00).filter(|l| *l < 0x400)?;
    char::from_u32(0x1_0000 + (high << 10) + low)
}

//! A position in a line, and the tokens of strict JSON.
//!
//! What must stay true here: nothing panics and nothing recurses, whatever the line holds; every
//! string is checked for forbidden characters in the same pass that finds its end.

use super::error::{EntryError, EntryErrorKind as Kind};
use super::text::{RawStr, hex4, pair};
use crate::text::is_forbidden;

/// Reads a line from left to right.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, pos: 0 }
    }

    pub(super) const fn pos(&self) -> usize {
        self.pos
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.pos..).unwrap_or(&[])
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    pub(super) fn bump(&mut self) {
        self.pos += 1;
    }

    /// The text from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.pos).unwrap_or("")
    }

    #[cold]
    pub(super) fn error(&self, kind: Kind, expected: &'static str) -> EntryError {
        self.error_at(self.pos, kind, expected)
    }

    #[cold]
    pub(super) fn error_at(&self, pos: usize, kind: Kind, expected: &'static str) -> EntryError {
        EntryError::at(kind, self.text.as_bytes(), pos, expected)
    }

    /// Steps over `literal` if it stands here.
    #[inline]
    pub(super) fn eat(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal.as_bytes());
        if found {
            self.pos += literal.len();
        }
        found
    }

    /// Steps over `literal`, which must stand here.
    #[inline]
    pub(super) fn literal(&mut self, literal: &'static str) -> Result<(), EntryError> {
        if self.eat(literal) { Ok(()) } else { Err(self.error(Kind::Structure, literal)) }
    }

    /// Steps over `N` bytes; the caller checks what they are, ASCII above all.
    #[inline]
    pub(super) fn take_array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let taken = self.rest().first_chunk()?;
        self.pos += N;
        Some(taken)
    }

    /// A canonical decimal `u64`: no sign, no leading zero.
    pub(super) fn decimal(&mut self) -> Result<u64, EntryError> {
        let start = self.pos;
        let mut value: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let next = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0')));
            value = next.ok_or_else(|| self.error_at(start, Kind::Value, "a number below 2^64"))?;
            self.pos += 1;
        }
        let len = self.pos - start;
        if len == 0 || (len > 1 && self.text.as_bytes()[start] == b'0') {
            return Err(self.error_at(
                start,
                Kind::Value,
                "a decimal number without leading zeros",
            ));
        }
        Ok(value)
    }

    /// A string, quotes included.
    pub(super) fn string(&mut self) -> Result<RawStr<'a>, EntryError> {
        if self.peek() != Some(b'"') {
            return Err(self.error(Kind::Structure, "a string"));
        }
        self.pos += 1;
        let start = self.pos;
        loop {
            self.pos += plain_len(self.rest());
            match self.peek() {
                Some(b'"') => {
                    let raw = RawStr(self.since(start));
                    self.pos += 1;
                    return Ok(raw);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => {
                    let next = self.text.get(self.pos..).and_then(|rest| rest.chars().next());
                    let c = next.unwrap_or('\0');
                    if is_forbidden(c) {
                        return Err(self.error(Kind::ForbiddenCharacter, "a permitted character"));
                    }
                    self.pos += c.len_utf8();
                }
                None => return Err(self.error(Kind::Structure, "the end of the string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), EntryError> {
        let rest = self.rest();
        let (c, len) = match rest.get(1) {
            Some(b'"' | b'\\' | b'/') => (Some('/'), 2),
            Some(b'b' | b'f' | b'n' | b'r' | b't') => (Some('\0'), 2),
            Some(b'u') => match rest.get(2..).and_then(hex4) {
                Some(unit @ 0xd800..0xdc00) => {
                    let low = rest.get(6..8).filter(|escape| *escape == b"\\u");
                    let low = low.and_then(|_| hex4(rest.get(8..)?));
                    (low.and_then(|low| pair(unit, low)), 12)
                }
                Some(unit) => (char::from_u32(unit), 6),
                None => (None, 0),
            },
            _ => (None, 0),
        };
        match c {
            Some(c) if is_forbidden(c) => {
                Err(self.error(Kind::ForbiddenCharacter, "the escape of a permitted character"))
            }
            Some(_) => {
                self.pos += len;
                Ok(())
            }
            None => Err(self.error(Kind::Structure, "an escape of JSON")),
        }
    }

    /// A number of JSON.
    pub(super) fn number(&mut self) -> Result<(), EntryError> {
        self.eat("-");
        match self.peek() {
            Some(b'0') => self.pos += 1,
            _ => self.digits()?,
        }
        if self.eat(".") {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), EntryError> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.error(Kind::Structure, "a digit"));
        }
        self.pos += count;
        Ok(())
    }
}

/// How many bytes from the start are printable ASCII other than `"` and `\`: eight at a time,
/// because this is where a verifier spends its time outside SHA-256.
#[inline]
fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // The high bit of each byte of `word` that is less than `limit`; exact for the lowest such byte.
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let mut len = 0;
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * b'"' as u64), 1);
        let backslash = below(word ^ (ONES * b'\\' as u64), 1);
        let delete = below(word ^ (ONES * 0x7f), 1);
        let stop = (below(word, 0x20) | quote | backslash | delete | word) & HIGH;
        if stop != 0 {
            return len + (stop.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    let plain = |byte: &&u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    len + tail.iter().take_while(plain).count()
}

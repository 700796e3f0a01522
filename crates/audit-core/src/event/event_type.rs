//! The grammar of `event_type` (FORMAT section 3).
//!
//! What must stay true here: only the library itself writes `audit.*` (FORMAT section 9), and no
//! type outside the grammar ever reaches a line.

use std::borrow::Cow;

use thiserror::Error;

/// The longest event type.
pub const MAX_LEN: usize = 128;

/// Why an event type cannot be used by a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EventTypeError {
    /// Not of the grammar.
    #[error("an event type is `category.action`: words of a-z, 0-9 and _, joined by dots")]
    Malformed,
    /// Longer than [`MAX_LEN`].
    #[error("an event type has at most {MAX_LEN} bytes")]
    TooLong,
    /// In `audit.*`.
    #[error("event types in `audit.*` are kept for the audit trail's own entries")]
    Reserved,
}

/// Checks that a caller may use an event type.
pub fn check(event_type: &str) -> Result<(), EventTypeError> {
    if event_type.len() > MAX_LEN {
        Err(EventTypeError::TooLong)
    } else if !is_well_formed(event_type) {
        Err(EventTypeError::Malformed)
    } else if is_reserved(event_type) {
        Err(EventTypeError::Reserved)
    } else {
        Ok(())
    }
}

/// True for the types of the trail's own entries.
#[must_use]
pub fn is_reserved(event_type: &str) -> bool {
    event_type.starts_with("audit.")
}

/// `[a-z0-9_]+(\.[a-z0-9_]+)+`, at most [`MAX_LEN`] bytes.
#[must_use]
pub fn is_well_formed(event_type: &str) -> bool {
    let (mut any, mut twice, mut previous) = (0, 0, DOT);
    for byte in event_type.bytes() {
        let class = CLASS[usize::from(byte)];
        any |= class;
        twice |= class & previous;
        previous = class;
    }
    any == DOT | WORD && twice & DOT == 0 && previous == WORD && event_type.len() <= MAX_LEN
}

/// A letter, a digit or `_`.
const WORD: u8 = 1;
const DOT: u8 = 2;
/// What no type contains.
const OTHER: u8 = 4;

static CLASS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => table[byte] = WORD,
            b'.' => table[byte] = DOT,
            _ => {}
        }
        byte += 1;
    }
    table
};

/// The type itself if it is well formed; otherwise one that resembles it and is: an event whose
/// author got its type wrong is still recorded.
pub(crate) fn normal_form(event_type: &str) -> Cow<'_, str> {
    if is_well_formed(event_type) {
        return Cow::Borrowed(event_type);
    }
    let mut out = String::from("malformed.");
    for c in event_type.chars().take(MAX_LEN - out.len()) {
        out.push(match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => c,
            _ => '_',
        });
    }
    if event_type.is_empty() {
        out.push('_');
    }
    Cow::Owned(out)
}

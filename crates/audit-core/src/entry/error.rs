//! Why a line is not an entry.
//!
//! What must stay true here: an error is safe to print. Whatever the line holds, `found` is short
//! and plain ASCII.

use thiserror::Error;

/// How much of the line an error quotes.
const EXCERPT: usize = 32;

/// The rule of FORMAT section 3 that a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryErrorKind {
    /// Longer than any valid line.
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// Not the members of an entry in their order, or not JSON, or white space between tokens.
    Structure,
    /// A member whose value is not of its form.
    Value,
    /// A string holds a character no entry may contain, written out or escaped.
    ForbiddenCharacter,
    /// An object has two members of one name.
    RepeatedMember,
    /// `details` nests deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
}

/// A line that is not an entry: damaged, tampered with, or written by faulty software. The line
/// stays as it is; readers report it, and nothing ever repairs it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("byte {offset}: expected {expected}, found {found}")]
pub struct EntryError {
    /// The rule that is broken.
    pub kind: EntryErrorKind,
    /// Where in the line, in bytes.
    pub offset: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there: an excerpt, everything but printable ASCII escaped.
    pub found: String,
}

impl EntryError {
    #[cold]
    pub(super) fn at(
        kind: EntryErrorKind,
        line: &[u8],
        offset: usize,
        expected: &'static str,
    ) -> EntryError {
        EntryError { kind, offset, expected, found: excerpt(line.get(offset..).unwrap_or(&[])) }
    }
}

/// The beginning of some bytes as printable ASCII: anything else stands as `\xNN`.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "the end of the line".to_owned();
    }
    let shown = &bytes[..bytes.len().min(EXCERPT)];
    let ellipsis = if bytes.len() > EXCERPT { "..." } else { "" };
    let mut text = String::with_capacity(shown.len());
    for byte in shown {
        match byte {
            b'"' | b'\'' => text.push(char::from(*byte)),
            _ => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    text + ellipsis
}

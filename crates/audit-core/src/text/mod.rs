//! What a string of the trail may not contain, and how it is made visible (FORMAT section 3).
//!
//! What must stay true here: one definition of the forbidden characters serves the writer, which
//! replaces them, and the strict reader, which rejects them. Every forbidden character starts with
//! a byte that `class` marks, so text without such a byte is clean and is never looked at twice.

pub(crate) mod class;
pub mod fingerprint;
pub mod redact;

use std::borrow::Cow;

/// True for the characters that no string of a trail contains: controls, line and paragraph
/// separators, bidirectional controls, invisible characters and non-characters.
#[must_use]
pub const fn is_forbidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}'
    ) || (c as u32) & 0xfffe == 0xfffe
}

/// True for a trace or span id of W3C trace context as it may stand in `context`: lower-case hex of a
/// given length. One definition for the writer and the strict reader.
pub(crate) fn is_w3c_id(id: &str, length: usize) -> bool {
    id.len() == length && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Replaces every forbidden character by the visible text `\u{hex}`; borrows when there is none.
///
/// ```
/// use audit_core::text::sanitize;
/// assert_eq!(sanitize("bob\u{1b}[2J"), r"bob\u{1b}[2J");
/// assert!(matches!(sanitize("bob"), std::borrow::Cow::Borrowed("bob")));
/// ```
#[must_use]
pub fn sanitize(text: &str) -> Cow<'_, str> {
    let mut clean = 0;
    let mut out = String::new();
    while let Some((at, c)) = next_forbidden(text, clean) {
        out.push_str(&text[clean..at]);
        out.extend(c.escape_unicode());
        clean = at + c.len_utf8();
    }
    if clean == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[clean..]);
    Cow::Owned(out)
}

/// The first forbidden character at or after `from`, which must be a character boundary.
fn next_forbidden(text: &str, from: usize) -> Option<(usize, char)> {
    let mut at = from;
    loop {
        at += class::suspect(&text.as_bytes()[at..])?;
        // Only leading bytes and single-byte controls are marked, so `at` is a boundary.
        let c = text[at..].chars().next()?;
        if is_forbidden(c) {
            return Some((at, c));
        }
        at += c.len_utf8();
    }
}

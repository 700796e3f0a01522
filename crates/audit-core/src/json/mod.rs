//! JSON text as callers hand it in: any white space, any depth, any repetition (RFC 8259), and
//! control characters in strings, escaped or not (decision 0006).
//!
//! What must stay true here: time is linear and the stack bounded whatever the text, and numbers
//! and names are never turned into values and back, so nothing is lost on the way.

mod cursor;
mod text;
mod transcode;

pub(crate) use cursor::{Cursor, RawString};
pub use text::JsonObject;

use thiserror::Error;

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not JSON at byte {offset}: expected {expected}")]
pub struct SyntaxError {
    /// Where, in bytes from the start.
    pub offset: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

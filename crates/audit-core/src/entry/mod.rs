//! The strict grammar of a line as it stands on disk (FORMAT section 3).
//!
//! What must stay true here: a line has one reading. Members stand in their order, nothing is
//! repeated, no white space, no character that could fool a terminal or another parser; anything
//! else is refused with the place and the reason. No line, however hostile, makes this panic,
//! recurse or take more than a moment. Nothing is ever serialised again: an [`Entry`] borrows the
//! bytes that were hashed.
//!
//! ```
//! use audit_core::entry::Entry;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let segment = include_bytes!("../../../../fixtures/vectors/healthy-small/2026-11-23.audit");
//! let line = segment.split(|byte| *byte == b'\n').nth(1).ok_or("no second line")?;
//! let entry = Entry::parse(line)?;
//! assert_eq!(entry.seq(), 1);
//! assert_eq!(entry.event_type(), "auth.failure");
//! assert!(entry.hash_matches());
//! # Ok(()) }
//! ```

mod cursor;
mod details;
mod error;
mod parse;
mod scalar;
mod text;

#[cfg(test)]
mod tests;

pub use details::MAX_DEPTH;
pub use error::{EntryError, EntryErrorKind, excerpt};
pub use parse::Parser;
pub use scalar::{Scalar, Scalars};
pub use text::RawStr;

use uuid::Uuid;

use crate::chain::{Hash, body, leaf_hash};
use crate::event::Outcome;

/// One entry: a view of a line that keeps the grammar. Whether its `hash` is right is another
/// question, asked with [`Entry::hash_matches`].
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    line: &'a str,
    seq: u64,
    audit_id: Uuid,
    timestamp: &'a str,
    service_id: RawStr<'a>,
    event_type: &'a str,
    critical: bool,
    actor: Option<Actor<'a>>,
    resource: Option<Resource<'a>>,
    result: Outcome,
    reason: Option<RawStr<'a>>,
    context: Option<Context<'a>>,
    details: Option<&'a str>,
    prev_hash: Hash,
    hash: Hash,
}

/// The member `actor` of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor<'a> {
    /// The whole object as it stands on disk.
    pub raw: &'a str,
    /// The acting user.
    pub user_id: RawStr<'a>,
    /// Where from.
    pub ip: Option<RawStr<'a>>,
    /// How the actor proved who they are.
    pub auth_method: Option<RawStr<'a>>,
    /// The session it happened in.
    pub session_id: Option<RawStr<'a>>,
}

/// The member `resource` of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The whole object as it stands on disk.
    pub raw: &'a str,
    /// The kind of thing.
    pub resource_type: RawStr<'a>,
    /// Which one.
    pub resource_id: RawStr<'a>,
    /// What it belongs to.
    pub parent_id: Option<RawStr<'a>>,
}

/// The member `context` of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// The whole object as it stands on disk.
    pub raw: &'a str,
    /// W3C trace id.
    pub trace_id: Option<RawStr<'a>>,
    /// W3C span id.
    pub span_id: Option<RawStr<'a>>,
    /// The request's own id.
    pub request_id: Option<RawStr<'a>>,
}

impl<'a> Entry<'a> {
    /// Reads one line, LF not included. To read many, keep a [`Parser`].
    ///
    /// # Errors
    /// When the line is not exactly what FORMAT section 3 allows.
    pub fn parse(line: &'a [u8]) -> Result<Entry<'a>, EntryError> {
        Parser::default().parse(line)
    }

    /// The line as it stands on disk, without LF.
    #[must_use]
    pub const fn line(&self) -> &'a str {
        self.line
    }

    /// Index of the entry in the trail.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// UUID version 7.
    #[must_use]
    pub const fn audit_id(&self) -> Uuid {
        self.audit_id
    }

    /// Time of `emit`: RFC 3339, UTC, nine fraction digits. Such texts sort like the times they mean.
    #[must_use]
    pub const fn timestamp(&self) -> &'a str {
        self.timestamp
    }

    /// Who wrote it.
    #[must_use]
    pub const fn service_id(&self) -> RawStr<'a> {
        self.service_id
    }

    /// `category.action`.
    #[must_use]
    pub const fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// Whether it is marked critical.
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        self.critical
    }

    /// Who acted.
    #[must_use]
    pub const fn actor(&self) -> Option<&Actor<'a>> {
        self.actor.as_ref()
    }

    /// What was acted upon.
    #[must_use]
    pub const fn resource(&self) -> Option<&Resource<'a>> {
        self.resource.as_ref()
    }

    /// How it ended.
    #[must_use]
    pub const fn result(&self) -> Outcome {
        self.result
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Option<RawStr<'a>> {
        self.reason
    }

    /// Correlation ids.
    #[must_use]
    pub const fn context(&self) -> Option<&Context<'a>> {
        self.context.as_ref()
    }

    /// The object `details` as it stands on disk: JSON without repeated members.
    #[must_use]
    pub const fn details(&self) -> Option<&'a str> {
        self.details
    }

    /// Every name and every value in `details`, at any depth, in the order in which they stand.
    #[must_use]
    pub fn scalars(&self) -> Scalars<'a> {
        Scalars::new(self.details.unwrap_or(""))
    }

    /// `hash` of the entry before.
    #[must_use]
    pub const fn prev_hash(&self) -> Hash {
        self.prev_hash
    }

    /// `hash` as the line states it.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The line without its `hash` member: with a closing brace, this is the leaf.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        body(self.line.as_bytes())
    }

    /// The hash that [`Entry::body`] has.
    #[must_use]
    pub fn computed_hash(&self) -> Hash {
        leaf_hash(self.body())
    }

    /// Whether the stated hash is the computed one.
    #[must_use]
    pub fn hash_matches(&self) -> bool {
        self.computed_hash() == self.hash
    }
}

//! What is known of an event type before any event of it exists.
//!
//! What must stay true here: descriptions come from the same derive as the encoding, so the
//! catalogue and the schema cannot tell another story than the entries.

use super::Outcome;

/// A type of event as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventDescription {
    /// `category.action`.
    pub event_type: &'static str,
    /// What it means: the doc comment of its declaration.
    pub summary: &'static str,
    /// True if `FlushMode::Hybrid` makes it durable at once.
    pub critical: bool,
    /// Its result; `None` if every event says so itself.
    pub result: Option<Outcome>,
    /// Whether it names an actor.
    pub actor: Presence,
    /// Whether it names a resource.
    pub resource: Presence,
    /// The kind of its resource, if always the same.
    pub resource_type: Option<&'static str>,
    /// Whether its resource belongs to another.
    pub parent: Presence,
    /// Whether it gives a reason.
    pub reason: Presence,
    /// Whether it carries correlation ids.
    pub context: Presence,
    /// The members of `details`.
    pub details: &'static [DetailDescription],
}

/// One member of `details`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetailDescription {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub json: JsonType,
    /// True if it may be left out.
    pub optional: bool,
}

/// Whether a member is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Never.
    Never,
    /// Sometimes.
    Optional,
    /// Always.
    Always,
}

/// The JSON type of a detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// Anything.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An object.
    Object,
    /// An array of something.
    Array(&'static JsonType),
}

/// Types of events that describe themselves: a user's events join the catalogue this way.
pub trait Describe {
    /// One per event type.
    const EVENTS: &'static [EventDescription];
}

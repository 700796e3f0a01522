//! The catalogue as a list, for whoever asks about a type by its name.
//!
//! What must stay true here: nothing is said of an event but what its declaration says.

use super::{AuditEvent, Describe, Event, EventDescription};

impl AuditEvent {
    /// The event's type.
    #[must_use]
    pub fn event_type(&self) -> &str {
        Event::event_type(self)
    }

    /// True for the ten of [`CRITICAL_EVENT_TYPES`](super::CRITICAL_EVENT_TYPES).
    #[must_use]
    pub fn is_critical(&self) -> bool {
        Event::is_critical(self)
    }
}

/// All built-in events, in the order of the catalogue.
#[must_use]
pub const fn catalogue() -> &'static [EventDescription] {
    AuditEvent::EVENTS
}

/// The built-in event of a type.
#[must_use]
pub fn describe_built_in(event_type: &str) -> Option<&'static EventDescription> {
    catalogue().iter().find(|description| description.event_type == event_type)
}

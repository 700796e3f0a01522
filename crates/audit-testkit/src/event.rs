//! An event that carries a label, so that a test finds it again.
//!
//! What must stay true here: the label stands in `details.label`, as given.

use audit_core::encode::Details;
use audit_core::event::Event;

/// An event of any type, critical or not.
#[derive(Debug, Clone)]
pub struct TestEvent {
    /// `category.action`.
    pub event_type: String,
    /// For `FlushMode::Hybrid`.
    pub critical: bool,
    /// Found again by [`crate::Line::label`].
    pub label: String,
    /// Bytes added to the details.
    pub padding: usize,
}

impl TestEvent {
    /// `data.read`, not critical.
    #[must_use]
    pub fn routine(label: impl Into<String>) -> TestEvent {
        TestEvent {
            event_type: "data.read".to_owned(),
            critical: false,
            label: label.into(),
            padding: 0,
        }
    }

    /// `auth.failure`, critical.
    #[must_use]
    pub fn critical(label: impl Into<String>) -> TestEvent {
        TestEvent {
            event_type: "auth.failure".to_owned(),
            critical: true,
            ..TestEvent::routine(label)
        }
    }

    /// With this many more bytes.
    #[must_use]
    pub const fn padded(mut self, padding: usize) -> TestEvent {
        self.padding = padding;
        self
    }

    /// Of this type.
    #[must_use]
    pub fn typed(mut self, event_type: &str) -> TestEvent {
        event_type.clone_into(&mut self.event_type);
        self
    }
}

impl Event for TestEvent {
    fn event_type(&self) -> &str {
        &self.event_type
    }

    fn is_critical(&self) -> bool {
        self.critical
    }

    fn details(&self, details: &mut Details<'_>) {
        details.field("label", &self.label);
        // Strings have a limit in characters, so the padding comes in pieces.
        for piece in 0..self.padding.div_ceil(500) {
            let len = (self.padding - piece * 500).min(500);
            details.field(&format!("pad{piece}"), &".".repeat(len));
        }
    }
}

//! What an operator decides about encoding: how long strings may be, and what is redacted.
//!
//! What must stay true here: no setting can make an entry invalid, only shorter.

use std::sync::Arc;

use crate::text::redact::{Redaction, RedactionConfig, RedactionRule};

/// How strings are limited and redacted. Shared by `Arc`, made once.
#[derive(Debug, Clone)]
pub struct EncodePolicy {
    pub(crate) redaction: Redaction,
    pub(super) string_limit: usize,
}

impl Default for EncodePolicy {
    fn default() -> EncodePolicy {
        EncodePolicy {
            redaction: Redaction::default(),
            string_limit: EncodePolicy::DEFAULT_STRING_LIMIT,
        }
    }
}

impl EncodePolicy {
    /// How many characters a string keeps unless configured otherwise.
    pub const DEFAULT_STRING_LIMIT: usize = 1024;

    /// How many characters a string keeps, between 16 and 65,535; values outside are moved to the
    /// nearer bound. A longer string keeps that many and then reads `…[+N bytes sha256:<16 hex>]`:
    /// N bytes of it were cut off, and the SHA-256 (its first 16 hex digits) is over the whole of
    /// it as it was after redaction and before replacement of characters.
    #[must_use]
    pub fn with_string_limit(mut self, characters: usize) -> EncodePolicy {
        self.string_limit = characters.clamp(16, 65_535);
        self
    }

    /// Which of the built-in rules redact.
    #[must_use]
    pub fn with_redaction(mut self, config: &RedactionConfig) -> EncodePolicy {
        self.redaction.configure(config);
        self
    }

    /// Adds a rule of the user's own, after the built-in ones.
    #[must_use]
    pub fn with_rule(mut self, rule: Arc<dyn RedactionRule>) -> EncodePolicy {
        self.redaction.add(rule);
        self
    }
}

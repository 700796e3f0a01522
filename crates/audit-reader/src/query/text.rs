//! Text in any field of an entry.
//!
//! What must stay true here: what is searched is what the fields say, not how JSON writes it, and
//! never across two of them. What the trail adds (`seq`, `audit_id`, `timestamp`, hashes) is no
//! text: else every short number would be found in some hash.

use audit_core::entry::{Entry, RawStr, Scalar};
use memchr::memmem::Finder;

/// A text to search for.
#[derive(Debug, Clone)]
pub(super) struct Text {
    finder: Finder<'static>,
}

impl Text {
    pub(super) fn new(text: &str) -> Text {
        Text { finder: Finder::new(text).into_owned() }
    }

    /// Whether some field says it.
    pub(super) fn is_in(&self, entry: &Entry<'_>) -> bool {
        let raw = |text: RawStr<'_>| self.is_in_text(text);
        let some = |text: Option<RawStr<'_>>| text.is_some_and(raw);
        let plain = |text: &str| self.finder.find(text.as_bytes()).is_some();
        raw(entry.service_id())
            || plain(entry.event_type())
            || entry.actor().is_some_and(|actor| {
                raw(actor.user_id)
                    || [actor.ip, actor.auth_method, actor.session_id].into_iter().any(some)
            })
            || entry.resource().is_some_and(|resource| {
                raw(resource.resource_type) || raw(resource.resource_id) || some(resource.parent_id)
            })
            || plain(entry.result().as_str())
            || some(entry.reason())
            || entry.context().is_some_and(|context| {
                [context.trace_id, context.span_id, context.request_id].into_iter().any(some)
            })
            || entry.scalars().any(|scalar| match scalar {
                Scalar::Name(text) | Scalar::Text(text) => raw(text),
                Scalar::Word(word) => plain(word),
                _ => false,
            })
    }

    fn is_in_text(&self, text: RawStr<'_>) -> bool {
        self.finder.find(text.decode().as_bytes()).is_some()
    }
}

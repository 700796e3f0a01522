//! Whether an entry concerns a person.
//!
//! What must stay true here: a field must say exactly the name; an entry that has it only within a
//! longer text is counted and told of, for it may concern the person all the same.

use audit_core::entry::{Entry, Scalar};
use serde::Serialize;

/// The person a report is about, and where they were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Subject {
    /// The name or id that was asked for.
    pub name: String,
    /// Entries in which they act.
    pub as_actor: u64,
    /// Entries in which they are acted upon, and do not act.
    pub as_resource: u64,
    /// Entries whose details name them, and nothing else does.
    pub in_details: u64,
    /// Entries that are not in this report: the name is a part of a longer text there.
    pub only_within_text: u64,
}

/// Looks for a person.
#[derive(Debug)]
pub(super) struct Concern(Subject);

impl Concern {
    pub(super) fn new(name: &str) -> Concern {
        Concern(Subject {
            name: name.to_owned(),
            as_actor: 0,
            as_resource: 0,
            in_details: 0,
            only_within_text: 0,
        })
    }

    /// Whether it concerns them. The entry has the name somewhere.
    pub(super) fn has(&mut self, entry: &Entry<'_>) -> bool {
        let subject = &mut self.0;
        let name = subject.name.as_str();
        let acts = entry.actor().is_some_and(|actor| actor.user_id.says(name));
        let is_acted_upon = entry.resource().is_some_and(|resource| {
            resource.resource_id.says(name) || resource.parent_id.is_some_and(|id| id.says(name))
        });
        let details = || {
            entry.scalars().any(|scalar| match scalar {
                Scalar::Name(text) | Scalar::Text(text) => text.says(name),
                Scalar::Word(word) => word == name,
                _ => false,
            })
        };
        let (place, concerns) = match (acts, is_acted_upon) {
            (true, _) => (&mut subject.as_actor, true),
            (false, true) => (&mut subject.as_resource, true),
            _ if details() => (&mut subject.in_details, true),
            _ => (&mut subject.only_within_text, false),
        };
        *place += 1;
        concerns
    }

    pub(super) fn end(self) -> Subject {
        self.0
    }
}

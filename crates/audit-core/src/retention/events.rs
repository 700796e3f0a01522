//! What operators do to a trail, as its writer records it (FORMAT section 9).
//!
//! What must stay true here: only the writer makes these. An entry that says what was deleted names
//! all of it, and is never so long that its details would be replaced.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize};

use super::HoldScope;
use crate::chain::Hash;
use crate::encode::Details;
use crate::event::{ActorInfo, ActorRef, Event, Text};

/// How long segments are kept, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Nothing younger is ever deleted.
    pub min_retention_days: u32,
    /// Closed segments of this age are compressed.
    pub archive_after_days: u32,
    /// Segments older than this are deleted.
    pub delete_after_days: u32,
}

/// A segment that is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Its name, without what an archive adds.
    pub filename: String,
    /// `seq` of its first entry.
    pub first_seq: u64,
    /// `seq` of its last entry.
    pub last_seq: u64,
    /// SHA-256 of its bytes, uncompressed.
    pub sha256: String,
    /// How many those are.
    pub bytes: u64,
}

/// `audit.retention_applied`: what is about to be deleted.
#[derive(Debug, Clone, Copy)]
pub struct Applied<'a> {
    /// The segments, from the front of the trail on.
    pub segments: &'a [Deleted],
    /// The rules it is done by.
    pub rules: Rules,
    /// Where the trail begins from then on.
    pub front: Front<'a>,
}

/// What must be known of everything before the first entry that stays.
#[derive(Debug, Clone, Copy)]
pub struct Front<'a> {
    /// `seq` of that entry.
    pub seq: u64,
    /// The key in force there, as a vkey, if it is known: what a verifier pins from then on.
    pub key: Option<&'a str>,
    /// The tree over everything that is deleted: its perfect subtrees, from the left. With the
    /// entries that stay they lead to every root that was signed from there on.
    pub tree: &'a [Hash],
}

impl Serialize for Front<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tree: Vec<String> = self.tree.iter().map(Hash::to_string).collect();
        let mut front = serializer.serialize_struct("Front", 3)?;
        front.serialize_field("seq", &self.seq)?;
        match self.key {
            Some(key) => front.serialize_field("key", key)?,
            None => front.skip_field("key")?,
        }
        front.serialize_field("tree", &tree)?;
        front.end()
    }
}

impl Applied<'_> {
    /// So many segments fit into one entry, with room to spare.
    pub const MOST: usize = 128;
}

impl Event for Applied<'_> {
    fn event_type(&self) -> &str {
        "audit.retention_applied"
    }

    fn details(&self, d: &mut Details<'_>) {
        d.field("segments", self.segments);
        d.field("rules", &self.rules);
        d.field("front", &self.front);
    }
}

/// `audit.hold_added`: from now on nothing in its scope is deleted.
#[derive(Debug, Clone, Copy)]
pub struct HoldAdded<'a> {
    /// Who adds it.
    pub by: &'a ActorInfo,
    /// Its id.
    pub hold: &'a str,
    /// What it covers.
    pub scope: HoldScope,
    /// Why.
    pub reason: Option<&'a str>,
}

impl Event for HoldAdded<'_> {
    fn event_type(&self) -> &str {
        "audit.hold_added"
    }

    fn actor(&self) -> Option<ActorRef<'_>> {
        Some(self.by.as_ref())
    }

    fn reason(&self) -> Option<Text<'_>> {
        self.reason.map(Text::Str)
    }

    fn details(&self, d: &mut Details<'_>) {
        d.field("hold", self.hold);
        if !self.scope.is_everything() {
            d.field("scope", &self.scope);
        }
    }
}

/// `audit.hold_released`: the hold of this id is over.
#[derive(Debug, Clone, Copy)]
pub struct HoldReleased<'a> {
    /// Who releases it.
    pub by: &'a ActorInfo,
    /// Its id.
    pub hold: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
}

impl Event for HoldReleased<'_> {
    fn event_type(&self) -> &str {
        "audit.hold_released"
    }

    fn actor(&self) -> Option<ActorRef<'_>> {
        Some(self.by.as_ref())
    }

    fn reason(&self) -> Option<Text<'_>> {
        self.reason.map(Text::Str)
    }

    fn details(&self, d: &mut Details<'_>) {
        d.field("hold", self.hold);
    }
}

/// `audit.accessed`: somebody reads the trail, and what they asked for.
#[derive(Debug, Clone, Copy)]
pub struct Accessed<'a> {
    /// Who.
    pub by: &'a ActorInfo,
    /// With what: `query`, `export`, `report`, `sql`, …
    pub command: &'a str,
    /// What was asked, argument by argument.
    pub arguments: &'a [String],
    /// Origin of the trail that is read, where this stands in another one.
    pub origin: Option<&'a str>,
}

impl Event for Accessed<'_> {
    fn event_type(&self) -> &str {
        "audit.accessed"
    }

    fn actor(&self) -> Option<ActorRef<'_>> {
        Some(self.by.as_ref())
    }

    fn details(&self, d: &mut Details<'_>) {
        d.field("command", self.command);
        d.field("arguments", self.arguments);
        if let Some(origin) = self.origin {
            d.field("origin", origin);
        }
    }
}

//! Retention: old segments are compressed, expired ones deleted, held ones kept (FORMAT section 5).
//!
//! What must stay true here: the trail names what is deleted, durably and signed, before anything goes;
//! from the front only, whole segments only, never one that is not what its checksum says. A crash
//! anywhere leaves a trail that verifies; running again does the rest. None of it is in the writer's way.

mod api;
mod archive;
mod delete;
mod error;
mod keeper;
mod mailbox;
mod settings;
mod survey;

use audit_core::retention::{Decision, Deleted, Fate};
use jiff::civil::Date;
use serde::Serialize;

pub use archive::Archived;
pub use audit_core::retention::{Hold, HoldError, HoldScope, Holds, Rules, Why};
pub use error::RetentionError;
pub(crate) use keeper::{Keeper, KeeperParts};
pub use mailbox::{Ask, AskError, Reply, ask};
pub(crate) use settings::write_settings;
pub use settings::{Settings, settings};

/// What retention would do, segment by segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionPlan {
    /// The UTC date that ages are counted to. Behind the clock's where that runs far ahead of the trail.
    pub as_of: Date,
    /// By these rules.
    pub rules: Rules,
    /// The segments, in order.
    pub decisions: Vec<Decision>,
    /// The holds in force.
    pub holds: Vec<Hold>,
}

impl RetentionPlan {
    /// For machines.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        mailbox::plan_json(self)
    }

    /// The segments that are to be deleted, which are the first ones.
    fn expired(&self) -> &[Decision] {
        let count = self.decisions.iter().take_while(|one| one.fate == Fate::Delete).count();
        &self.decisions[..count]
    }
}

/// What retention did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetentionReport {
    /// The UTC date that ages were counted to.
    pub as_of: Date,
    /// Segments that were compressed.
    pub archived: Vec<Archived>,
    /// Segments that were deleted, named in the trail before.
    pub deleted: Vec<Deleted>,
    /// Bytes of disk space that came free.
    pub freed_bytes: u64,
    /// What could not be done, and why. It is tried again the next time.
    pub problems: Vec<String>,
}

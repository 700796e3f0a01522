//! Retention: old segments are compressed, expired ones deleted, held ones kept (FORMAT section 5).
//!
//! What must stay true here: the trail names what is deleted, durably and signed, before anything goes;
//! from the front only, whole segments only, never one that is not what its checksum says. A crash
//! anywhere leaves a trail that verifies; running again does the rest. None of it is in the writer's way.

mod api;
mod archive;
mod chain;
mod delete;
mod error;
mod holds;
mod keeper;
mod mailbox;
mod plan;
mod settings;
mod signed;
mod survey;
mod times;

use audit_core::retention::Deleted;
use jiff::civil::Date;
use serde::Serialize;

pub use archive::Archived;
pub use audit_core::retention::{Hold, HoldError, HoldScope, Holds, Rules, Why};
pub use error::RetentionError;
pub(crate) use keeper::{Keeper, KeeperParts};
pub use mailbox::{Ask, AskError, Reply, ask};
pub use plan::{RetentionPlan, plan_dir};
pub(crate) use settings::write_settings;
pub use settings::{Settings, settings};

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

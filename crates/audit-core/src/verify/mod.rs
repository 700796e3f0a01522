//! Incremental verification: lines in, findings out. No files, so that directories, archives and
//! object stores are all verified by this code.
//!
//! What must stay true here: no change to a trail goes without a finding, and an honest trail has
//! none but notices. Memory does not grow with the trail. A [`Scanner`] reads lines, of several
//! segments side by side where wished; the [`TrailVerifier`] takes what the scans tell, in order.

mod chain;
mod control;
mod deletion;
mod finding;
mod forest;
mod front;
mod item;
mod keys;
mod scan;
mod seals;
mod summary;
mod trail;
mod tree;
mod verified;

pub(crate) use control::KeyRotated;
pub use finding::{Finding, FindingKind, Findings, Severity};
pub use front::{FrontSaid, FrontWords};
pub use item::{Item, Unended};
pub use keys::{EpochKey, Rotation};
pub use scan::{Scanner, StoredHashes};
pub use seals::{Bound, Read, Seal, Seals};
pub use summary::{FirstKey, Summary};
pub use trail::TrailVerifier;
pub use verified::{Place, Verified};

#[cfg(test)]
mod tests;

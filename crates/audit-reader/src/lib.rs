//! Everything that reads an audit trail: verification, queries, the last entries, one entry,
//! following.
//!
//! What must stay true here: nothing is ever written, repaired or locked for longer than a look.
//! Memory stays bounded whatever a trail holds, and a trail that is being written while it is read
//! gives no false alarm.
//!
//! ```
//! use audit_reader::{Verdict, VerifyOptions, verify_dir};
//!
//! # fn main() -> Result<(), audit_reader::ReadError> {
//! # let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/healthy");
//! let report = verify_dir(dir.as_ref(), VerifyOptions::default())?;
//! assert_eq!(report.entries, 300);
//! assert_eq!(report.verdict, Verdict::Proven);
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod error;
pub mod export;
mod find;
mod holds;
#[cfg(feature = "index")]
pub mod index;
mod info;
mod keys;
mod line;
mod prove;
mod query;
mod reconcile;
pub mod report;
mod rotations;
mod scan;
mod source;
#[cfg(feature = "sql")]
pub mod sql;
mod stored;
#[cfg(feature = "index")]
mod table;
mod tail;
mod trail;
mod verify;

pub use audit_core::verify::{Finding, FindingKind, Findings, Severity};
pub use error::ReadError;
pub use find::{Found, find_by_audit_id, find_by_seq};
pub use holds::holds;
pub use info::trail_info;
pub use keys::{KeyEpoch, KeyHistory, Vouched, key_history};
pub use line::{Line, LineKind};
pub use prove::{Evidence, ProveError, prove, prove_consistency};
pub use query::{
    Cursor, CursorError, Edge, Hit, Order, Query, QueryError, QueryOptions, Render, Searched,
    Standing, TimeError, TypeGlob, time_bound,
};
pub use reconcile::{ReconcileError, Reconciled, Reconciler, RecordReader};
pub use rotations::signer_of;
pub use source::{
    ArchiveSource, DirSource, LogFile, LogSource, MemorySource, Segment, Source, archive_damage,
    temporary_room,
};
pub use tail::{follow, tail};
pub use trail::{SegmentEnd, Step, TrailReader};
pub use verify::{
    Freshness, KeyTrust, Progress, Report, StateError, Verdict, VerifiedState, VerifyOptions,
    verify, verify_dir,
};

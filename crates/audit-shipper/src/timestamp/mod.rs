//! Time stamps of RFC 3161 on a trail's checkpoints: asked for, kept in `timestamps/`, verified.
//!
//! What must stay true here: nothing is kept that does not hold, so that what is kept and does not hold
//! was changed. A stamped checkpoint is stamped once. The writer is neither asked nor told.

mod ask;
mod asn1;
mod check;
mod error;
mod roots;
mod signer;
mod store;
mod token;

use std::path::Path;

use audit_core::checkpoint::SignedCheckpoint;
use audit_reader::{DirSource, Verdict, signer_of};
use serde::Serialize;

pub use ask::Authority;
pub use check::{CheckReport, Judged, check};
pub use error::{TimestampError, TokenError};
pub use roots::Roots;
pub use token::Stamp;

use crate::claim::read_note;
use store::Store;

/// What came of stamping a trail's checkpoint.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Stamped {
    /// The log.
    pub origin: String,
    /// Whether it was stamped now. If not, it was before, and nobody was asked.
    pub written: bool,
    /// The time stamp that is kept.
    #[serde(flatten)]
    pub timestamp: Judged,
}

/// Verifies a `TimeStampResp` in DER over `stamped`, whoever asked for it.
///
/// # Errors
/// [`TokenError`] for anything that does not hold.
pub fn verify_response(
    response: &[u8],
    stamped: &[u8],
    roots: &Roots,
) -> Result<Stamp, TokenError> {
    token::verify(response, stamped, None, roots)
}

/// Has the trail's checkpoint, as it stands, time-stamped, and keeps the answer if it holds. A size that
/// is stamped already is not stamped again; what is kept of it is judged instead.
///
/// # Errors
/// [`TimestampError`] if nothing was kept.
pub fn stamp(dir: &Path, by: &Authority, roots: &Roots) -> Result<Stamped, TimestampError> {
    let source = DirSource::open(dir)?;
    let read = read_note(dir, "checkpoint");
    let read = read.map_err(|source| TimestampError::Io {
        what: "read `checkpoint`",
        dir: dir.to_owned(),
        source,
    });
    let bytes = read?.ok_or(TimestampError::NoCheckpoint)?;
    let checkpoint = SignedCheckpoint::parse(&bytes).map_err(TimestampError::Checkpoint)?;
    let stated = checkpoint.unverified();
    let (origin, size) = (stated.origin.clone(), stated.size);

    let store = Store::of(dir);
    let keeper = store.keeper(dir)?;
    if let Some(kept) = store.read(size)? {
        let (mut timestamp, note) = check::judge(size, &kept, roots);
        if note.is_some_and(|note| note.unverified() != stated) {
            let problem = "the checkpoint that was stamped is of another history of this size";
            timestamp.find(Verdict::Violated, problem);
        }
        return Ok(Stamped { origin, written: false, timestamp });
    }
    // What is stamped once is stamped for good: never bytes that no key signed which the trail names.
    if signer_of(source, &checkpoint)?.is_none() {
        return Err(TimestampError::NotSigned);
    }
    let (response, stamp) = by.ask(&bytes, roots)?;
    store.keep(&keeper, size, &bytes, &response)?;
    let verdict = Verdict::Proven;
    let timestamp = Judged { size, verdict, stamp: Some(stamp), problem: None };
    Ok(Stamped { origin, written: true, timestamp })
}

//! `trail.json`: what a trail says it is.

use audit_core::meta::TrailInfo;

use crate::{ReadError, Source};

/// The largest `trail.json` that is read.
const MAX_INFO: u64 = 64 * 1024;

/// What a trail says it is: a signpost, not evidence. `None` if `trail.json` is missing or is not
/// what it should be; `verify` says which.
///
/// # Errors
/// When it is there and cannot be read.
pub fn trail_info(source: impl Into<Source>) -> Result<Option<TrailInfo>, ReadError> {
    let info = source.into().small_file("trail.json", MAX_INFO)?;
    Ok(info.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

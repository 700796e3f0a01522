//! What of the trail is still there.
//!
//! What must stay true here: what the segments say, not what is configured: a policy is not in the
//! trail, its effects are.

use serde::Serialize;

use super::integrity::oldest;
use crate::{ReadError, Source};

/// The state of the trail's keeping.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Retention {
    /// `seq` of the first entry that is there; not 0 if retention removed some.
    pub first_seq: Option<u64>,
    /// When it was recorded.
    pub oldest: Option<String>,
    /// Segments that are there.
    pub segments: u64,
    /// Their bytes, those of archived ones before they were compressed.
    pub bytes: u64,
}

impl Retention {
    pub(super) fn of(source: &Source) -> Result<Retention, ReadError> {
        let (first_seq, time) = oldest(source)?.unzip();
        let names = source.segments()?;
        let mut bytes = 0;
        for name in &names {
            // One that retention removed since the listing takes no room.
            let segment = source.open_segment(*name)?;
            bytes += segment.map_or(Ok(0), |segment| segment.size(source))?;
        }
        Ok(Retention { first_seq, oldest: time, segments: names.len() as u64, bytes })
    }
}

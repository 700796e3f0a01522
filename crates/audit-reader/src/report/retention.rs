//! What of the trail is still there, in which form, and what must stay.
//!
//! What must stay true here: what the segments and the entries say, not what is configured: a policy is
//! not in the trail, its effects are. Holds are looked for in all of the trail, whatever the period.

use audit_core::retention::Hold;
use serde::Serialize;

use super::integrity::oldest;
use crate::{QueryError, ReadError, Segment, Source, holds};

/// Holds that are named.
const NAMED: usize = 100;

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
    /// Those of them that are archived: there compressed only.
    pub archived: u64,
    /// Bytes of all segments, those of archived ones before they were compressed.
    pub bytes: u64,
    /// Bytes that they have on disk.
    pub bytes_stored: u64,
    /// Legal holds that are in force now.
    pub holds_in_force: u64,
    /// The newest of them.
    pub holds: Vec<Hold>,
}

impl Retention {
    pub(super) fn of(source: &Source, jobs: usize) -> Result<Retention, QueryError> {
        let (first_seq, time) = oldest(source)?.unzip();
        let mut state = Retention { first_seq, oldest: time, ..Retention::default() };
        for name in source.segments()? {
            // One that retention removed since the listing takes no room.
            if let Some(segment) = source.open_segment(name)? {
                state.add(source, &segment)?;
            }
        }
        let holds = holds(source, jobs)?;
        let all = holds.in_force();
        state.holds_in_force = all.len() as u64;
        state.holds = all[all.len().saturating_sub(NAMED)..].to_vec();
        Ok(state)
    }

    fn add(&mut self, source: &Source, segment: &Segment) -> Result<(), ReadError> {
        let size = segment.size(source)?;
        self.segments += 1;
        self.bytes += size;
        if !segment.archived {
            self.bytes_stored += size;
            return Ok(());
        }
        self.archived += 1;
        let name = segment.file_name();
        if let Some(packed) = source.open_file(&name)? {
            self.bytes_stored += packed.size().map_err(ReadError::io(&source.place_of(&name)))?;
        }
        Ok(())
    }
}

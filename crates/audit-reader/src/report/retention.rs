//! What of the trail is still there, in which form, and what must stay.
//!
//! What must stay true here: what the segments and the entries say, not what is configured: a policy is
//! not in the trail, its effects are. Holds are looked for in all of the trail, whatever the period, and an
//! archive that does not unpack is there all the same.

use audit_core::retention::{Hold, Holds};
use serde::Serialize;

use super::integrity::oldest;
use crate::{QueryError, ReadError, Searched, Segment, Source, archive_damage};

/// Holds that are named.
const NAMED: usize = 100;

/// The state of the trail's keeping.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Retention {
    /// `seq` of the first entry that is there; not 0 if retention removed some. None if there is no entry,
    /// or if it cannot be read.
    pub first_seq: Option<u64>,
    /// When it was recorded.
    pub oldest: Option<String>,
    /// There are segments, and what the first one begins with is no entry, or in an archive that does not
    /// unpack.
    pub first_unreadable: bool,
    /// Segments that are there.
    pub segments: u64,
    /// Those of them that are archived: there compressed only.
    pub archived: u64,
    /// Bytes of all segments, those of archived ones before they were compressed; without an archive that
    /// does not unpack and does not say how long it was.
    pub bytes: u64,
    /// Bytes that they have on disk.
    pub bytes_stored: u64,
    /// Legal holds that are in force now.
    pub holds_in_force: u64,
    /// The newest of them.
    pub holds: Vec<Hold>,
    /// What may hide other holds: lines that are no entries, entries that are not what was written,
    /// segments that went away meanwhile, and archives that do not unpack.
    pub holds_uncertain: u64,
}

impl Retention {
    /// Of the whole trail, and of the holds that were found in what of it can be read.
    pub(super) fn of(
        whole: &Source,
        (holds, searched): (&Holds, &Searched),
        archives_unreadable: u64,
    ) -> Result<Retention, QueryError> {
        let mut state = Retention::default();
        for name in whole.segments()? {
            // One that retention removed since the listing takes no room.
            if let Some(segment) = whole.open_segment(name)? {
                state.add(whole, &segment)?;
            }
        }
        let first = undamaged(oldest(whole))?.flatten();
        (state.first_seq, state.oldest) = first.unzip();
        state.first_unreadable = state.bytes_stored > 0 && state.first_seq.is_none();
        let all = holds.in_force();
        state.holds_in_force = all.len() as u64;
        state.holds = all[all.len().saturating_sub(NAMED)..].to_vec();
        let Searched { malformed, hash_mismatches, segments_gone, .. } = searched;
        state.holds_uncertain = malformed + hash_mismatches + segments_gone + archives_unreadable;
        Ok(state)
    }

    /// Why there is no oldest entry, where there is none.
    pub(super) const fn no_first(&self) -> &'static str {
        if self.first_unreadable { "what it begins with cannot be read" } else { "it has no entry" }
    }

    fn add(&mut self, source: &Source, segment: &Segment) -> Result<(), ReadError> {
        let size = undamaged(segment.size(source))?.unwrap_or(0);
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

/// What was read, or none if an archive does not unpack.
fn undamaged<T>(read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match read {
        Err(ReadError::Io { source, .. }) if archive_damage(&source).is_some() => Ok(None),
        read => read.map(Some),
    }
}

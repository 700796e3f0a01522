//! Making a trail, and finding where an existing one goes on.
//!
//! What must stay true here: opening twice, or crashing while opening, gives the same result as
//! opening once; bytes are moved aside, never deleted; nothing is taken from derived files that the
//! segments could contradict.

mod compare;
mod content;
mod create;
mod dead;
mod entries;
mod finish;
mod host;
mod mend;
mod open;
mod rings;
mod rows;
mod scan;
mod segment;
mod signpost;

use audit_core::chain::{Hash, Head};
use audit_core::meta::{ManifestFile, TrailInfo};
use audit_core::segment::SegmentName;
use jiff::Timestamp;
use uuid::Uuid;

use crate::ring::Refusals;
use crate::seal::Rotation;
use crate::storage::SegmentFile;

pub(crate) use content::{is_archived, read_content, segments_in, unpack};
pub(crate) use dead::id_of;
pub(crate) use entries::{read_front, read_hashes, read_rotation, unsigned_deletion};
pub(crate) use finish::{finish_segment, set_tail_aside, write_manifest};
use host::this_boot;
pub(crate) use host::{boot_id, boot_of, lock_text, ring_of};
pub(crate) use open::{OpenContext, io_error, key_error, open, peek, refuse_foreign, resume_error};
pub(crate) use rings::{RingFile, RingHome, Rings};
pub(crate) use segment::{SegmentState, checksum_name};

/// A segment being written.
pub(crate) struct Active {
    pub(crate) file: Box<dyn SegmentFile>,
    pub(crate) state: SegmentState,
}

/// What recovery did, for `audit.recovered`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Entries that the last checkpoint covered.
    pub(crate) signed: u64,
    pub(crate) entries_kept: u64,
    pub(crate) quarantined_bytes: u64,
    pub(crate) quarantined_sha256: Option<String>,
    pub(crate) quarantine_file: Option<String>,
    pub(crate) same_boot: bool,
    pub(crate) damaged_at: Option<String>,
    pub(crate) checkpoint_missing: bool,
    /// Events, routine and critical ones, that were refused by a killed writer and may not have been
    /// told of.
    pub(crate) refused: Refusals,
    /// Bytes in rings that were reserved and hold no event.
    pub(crate) ring_unfinished_bytes: u64,
    /// Rings that are gone, could not be read or were changed, and how.
    pub(crate) ring_problem: Option<String>,
}

/// A trail that can be written.
pub(crate) struct Trail {
    pub(crate) info: TrailInfo,
    pub(crate) head: Head,
    /// The newest segment, if it is not closed.
    pub(crate) active: Option<Active>,
    /// Name of the newest segment, closed or not.
    pub(crate) newest: Option<SegmentName>,
    pub(crate) closed: Vec<ManifestFile>,
    /// The last entry is `audit.closed`.
    pub(crate) closed_in_order: bool,
    /// Set when the last writer did not leave in order.
    pub(crate) recovered: Option<Recovered>,
    /// Time of the last control entry found.
    pub(crate) last_control: Option<Timestamp>,
    /// Id of the last event found that is not the trail's own, as far as the newest entries show.
    pub(crate) last_event: Option<Uuid>,
    /// Since when the signing key is in force, as far as the newest segment shows.
    pub(crate) key_since: Option<Timestamp>,
    /// Numbers and hashes of the newest entries.
    pub(crate) newest_hashes: Vec<(u64, Hash)>,
    /// What the newest entries say of the signing keys.
    pub(crate) rotation: Rotation,
}

impl Trail {
    /// A trail that is described and has no entries yet.
    fn without_entries(info: TrailInfo) -> Trail {
        Trail {
            info,
            head: Head::EMPTY,
            active: None,
            newest: None,
            closed: Vec::new(),
            closed_in_order: false,
            recovered: None,
            last_control: None,
            last_event: None,
            key_since: None,
            newest_hashes: Vec::new(),
            rotation: Rotation::default(),
        }
    }
}

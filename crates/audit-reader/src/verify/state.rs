//! What a verification leaves for the next one, as a file of JSON.
//!
//! What must stay true here: a file that somebody made up or altered is refused, unless it says what a
//! key of the log signed. What it says about places in the trail is held against the trail, but for what
//! was deleted. Of what was verified no file may be missing without an announcement, wherever it stood.

use std::collections::{BTreeMap, BTreeSet};

use audit_core::chain::{Hash, Head, MAX_LINE};
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::entry::Parser;
use audit_core::note::VerifierKey;
use audit_core::proof::TlogProof;
use audit_core::segment::SegmentName;
use audit_core::verify::{EpochKey, Place, Rotation, Verified};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::source::read_full;
use crate::{ReadError, Source};

const FORMAT: &str = "audit-verified/4";

/// Why a state cannot be gone on from.
#[derive(Debug, Error)]
#[error(
    "this is no state of a verification that can be believed: {0}; remove it to verify in full"
)]
pub struct StateError(String);

/// Where a verification ended, and everything was proven.
#[derive(Debug, Clone)]
pub struct VerifiedState {
    verified: Verified,
    segments: Segments,
}

/// The segments up to the last entry that was verified, and the `seq` that each begins with; `None` of one
/// without an entry.
pub(super) type Segments = BTreeMap<SegmentName, Option<u64>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    /// The first key, a vkey.
    first_key: String,
    rotations: Vec<FileRotation>,
    /// The signed note.
    checkpoint: String,
    epoch: Option<u64>,
    key: String,
    first_seq: Option<u64>,
    /// Where the trail may begin when retention has deleted what it said it would.
    fronts: BTreeSet<u64>,
    last_hash: String,
    /// The perfect subtrees from the tree of the last rotation to that of the checkpoint.
    since: Vec<String>,
    segment: String,
    /// Where the last entry begins and ends in the segment.
    last: (u64, u64),
    /// The segments that were there, up to this one, and the `seq` that each begins with.
    segments: BTreeMap<String, Option<u64>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRotation {
    entry: String,
    /// A C2SP tlog-proof.
    proof: String,
    /// The perfect subtrees from the tree of the rotation before to that of this one.
    since: Vec<String>,
}

impl VerifiedState {
    /// The state of a verification that had these segments; `None` where that it ended in is none of them.
    pub(super) fn new(verified: Verified, mut segments: Segments) -> Option<VerifiedState> {
        let last = SegmentName::parse(&verified.place.segment)?;
        segments.retain(|name, _| *name <= last);
        segments.contains_key(&last).then_some(VerifiedState { verified, segments })
    }

    /// Reads what [`VerifiedState::to_json`] wrote.
    ///
    /// # Errors
    /// When it is something else, or does not hold together: the keys, the signature, the tree.
    pub fn parse(bytes: &[u8]) -> Result<VerifiedState, StateError> {
        let file: File = serde_json::from_slice(bytes).map_err(wrong)?;
        if file.format != FORMAT {
            return Err(StateError(format!("its format is {}", file.format.escape_debug())));
        }
        let hash = |text: &String| {
            Hash::from_hex(text.as_bytes()).ok_or_else(|| StateError("a hash is none".to_owned()))
        };
        let hashes = |texts: &[String]| texts.iter().map(hash).collect::<Result<Vec<_>, _>>();
        let mut rotations = Vec::with_capacity(file.rotations.len());
        for rotation in file.rotations {
            let proof = TlogProof::parse(rotation.proof.as_bytes()).map_err(wrong)?;
            let since = hashes(&rotation.since)?;
            rotations.push(Rotation::new(rotation.entry.into_bytes(), proof, since));
        }
        let checkpoint = SignedCheckpoint::parse(file.checkpoint.as_bytes()).map_err(wrong)?;
        let next_seq = checkpoint.unverified().size;
        let place = Place {
            head: Head { next_seq, last_hash: hash(&file.last_hash)? },
            first_seq: file.first_seq,
            fronts: file.fronts,
            subtrees: Vec::new(),
            key: EpochKey { epoch: file.epoch, key: VerifierKey::parse(&file.key).map_err(wrong)? },
            rotations,
            since: hashes(&file.since)?,
            segment: file.segment,
            last: file.last,
        };
        let named =
            |(name, first): (String, Option<u64>)| Some((SegmentName::parse(&name)?, first));
        let segments: Option<Segments> = file.segments.into_iter().map(named).collect();
        let segments = segments.ok_or_else(|| StateError("a segment's name is none".to_owned()))?;
        let first = VerifierKey::parse(&file.first_key).map_err(wrong)?;
        let verified = Verified::new(first, checkpoint, place).map_err(StateError)?;
        let state = VerifiedState::new(verified, segments);
        state.ok_or_else(|| StateError("it ends in none of its segments".to_owned()))
    }

    /// To be kept for the next verification, where only whoever verifies can write.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Verified { first_key, checkpoint, place, .. } = &self.verified;
        let hashes = |hashes: &[Hash]| hashes.iter().map(ToString::to_string).collect();
        let rotation = |rotation: &Rotation| FileRotation {
            entry: String::from_utf8_lossy(&rotation.line).into_owned(),
            proof: rotation.proof.to_string(),
            since: hashes(&rotation.since),
        };
        let file = File {
            format: FORMAT.to_owned(),
            first_key: first_key.to_string(),
            rotations: place.rotations.iter().map(rotation).collect(),
            checkpoint: checkpoint.to_string(),
            epoch: place.key.epoch,
            key: place.key.key.to_string(),
            first_seq: place.first_seq,
            fronts: place.fronts.clone(),
            last_hash: place.head.last_hash.to_string(),
            since: hashes(&place.since),
            segment: place.segment.clone(),
            last: place.last,
            segments: self.segments.iter().map(|(name, at)| (name.to_string(), *at)).collect(),
        };
        // Strings and numbers: there is nothing in it that cannot be written.
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// How many entries were verified and signed.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.verified.size()
    }

    /// The key that the verification began with.
    #[must_use]
    pub const fn first_key(&self) -> &VerifierKey {
        &self.verified.first_key
    }

    pub(super) const fn verified(&self) -> &Verified {
        &self.verified
    }

    pub(super) const fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The first of the segments that are left, and the `seq` that it begins with. `None` if others than the
    /// first ones are gone, or there are some that were not there: only deletion from the front on is
    /// anything that can be gone on from.
    pub(super) fn front_now(
        &self,
        source: &Source,
    ) -> Result<Option<(SegmentName, u64)>, ReadError> {
        let Some((last, _)) = self.segments.last_key_value() else { return Ok(None) };
        let mut there = source.segments()?;
        there.retain(|name| name <= last);
        let Some(first) = there.first().copied() else { return Ok(None) };
        if !self.segments.range(first..).map(|(name, _)| name).eq(&there) {
            return Ok(None);
        }
        Ok(self.segments.get(&first).copied().flatten().map(|seq| (first, seq)))
    }

    /// Where the trail goes on, if the last entry that was verified still stands where it stood.
    pub(super) fn holds(&self, source: &Source) -> Result<Option<(SegmentName, u64)>, ReadError> {
        let Place { head, segment, last: (from, to), .. } = &self.verified.place;
        let Some(name) = SegmentName::parse(segment) else { return Ok(None) };
        let len = to.checked_sub(*from).and_then(|len| usize::try_from(len).ok());
        let Some(len) = len.filter(|len| (1..=MAX_LINE + 1).contains(len)) else { return Ok(None) };
        let Some(open) = source.open_segment(name)? else { return Ok(None) };
        let mut line = vec![0; len];
        let count = match read_full(&*open.file, &mut line, *from) {
            Ok(count) => count,
            // An archive that does not unpack: the whole verification says so.
            Err(error) if crate::archive_damage(&error).is_some() => return Ok(None),
            Err(error) => return Err(ReadError::io(&source.place_of(&open.file_name()))(error)),
        };
        let stands = count == len
            && line.strip_suffix(b"\n").is_some_and(|line| {
                Parser::default().parse(line).is_ok_and(|entry| {
                    entry.seq().checked_add(1) == Some(head.next_seq)
                        && entry.hash() == head.last_hash
                        && entry.computed_hash() == head.last_hash
                })
            });
        Ok(stands.then_some((name, *to)))
    }
}

fn wrong(error: impl std::fmt::Display) -> StateError {
    StateError(error.to_string())
}

//! The keys of a trail that lead to the one that signed, without reading all of the trail.
//!
//! What must stay true here: keys change where segments begin, as a rule, so only there is looked
//! first; where an epoch is missing, and nowhere else, all lines are. What is found is a claim:
//! whoever uses it proves it.

use audit_core::chain::Hash;
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::entry::Entry;
use audit_core::note::VerifierKey;
use audit_core::proof::rotated_key;
use audit_core::segment::SegmentName;
use memchr::memmem;
use serde_json::Value;

use crate::source::read_full;
use crate::{ReadError, Source, Step, TrailReader, trail_info};

/// What a line must hold to be parsed.
const ROTATED: &[u8] = br#""event_type":"audit.key_rotated""#;
/// Bytes within which two entries of the writer end, as a rule.
const USUAL: usize = 4 * 1_024;

/// One rotation as it stands in the trail.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// The line of `audit.key_rotated`.
    pub(crate) line: Vec<u8>,
    /// Its `seq`.
    pub(crate) seq: u64,
    /// Its hash.
    pub(crate) leaf: Hash,
    /// The key it names.
    pub(crate) key: VerifierKey,
    /// The tree of `seq + 1` entries, as the key before signed it.
    pub(crate) checkpoint: SignedCheckpoint,
    /// The epoch that begins.
    epoch: u64,
}

/// The keys of a trail, up to the one that signed a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The first one, as `trail.json` says.
    pub(crate) first: Option<VerifierKey>,
    /// The rotations, as far as they are here; the last one names the signer.
    pub(crate) rotations: Vec<Rotation>,
    /// The key that signed.
    pub(crate) signer: Option<VerifierKey>,
}

/// The key that signed a checkpoint, if it is one that the trail names. That it follows from the first key
/// is for [`verify`](crate::verify) to say.
///
/// # Errors
/// When the trail cannot be read.
pub fn signer_of(
    source: impl Into<Source>,
    signed: &SignedCheckpoint,
) -> Result<Option<VerifierKey>, ReadError> {
    Ok(keys_to(&source.into(), signed)?.signer)
}

/// The keys up to the one that signed.
pub(crate) fn keys_to(source: &Source, signed: &SignedCheckpoint) -> Result<Keys, ReadError> {
    let signs = |key: &VerifierKey| signed.verify(key).is_ok();
    let first = trail_info(source)?.and_then(|info| VerifierKey::parse(&info.initial_key).ok());
    if let Some(first) = first.as_ref().filter(|first| signs(first)) {
        return Ok(Keys { signer: Some(first.clone()), ..Keys::default() });
    }
    let origin = &signed.unverified().origin;
    let segments = source.segments()?;
    let mut found = Vec::new();
    for &name in &segments {
        found.push(at_the_beginning(source, name, origin)?);
    }
    // Which segments must be read whole: from the rotation before an epoch that is missing.
    let (mut epoch, mut from, mut whole) = (0_u64, 0, vec![false; segments.len()]);
    let mut is_there = false;
    for (at, first) in found.iter().enumerate() {
        let Some(first) = first else { continue };
        if epoch.checked_add(1) != Some(first.epoch) {
            whole[from..at].fill(true);
        }
        (epoch, from) = (first.epoch, at);
        is_there |= signs(&first.key);
    }
    if !is_there {
        whole[from..].fill(true);
    }
    let mut rotations = Vec::new();
    for ((&name, first), whole) in segments.iter().zip(found).zip(whole) {
        if whole {
            rotations.extend(in_segment(source, name, origin)?);
        } else {
            rotations.extend(first);
        }
    }
    let end = rotations.iter().rposition(|rotation| signs(&rotation.key));
    rotations.truncate(end.map_or(0, |at| at + 1));
    let signer = rotations.last().map(|rotation| rotation.key.clone());
    Ok(Keys { first, rotations, signer })
}

/// The rotation that a segment begins with.
fn at_the_beginning(
    source: &Source,
    name: SegmentName,
    origin: &str,
) -> Result<Option<Rotation>, ReadError> {
    let Some(segment) = source.open_segment(name)? else { return Ok(None) };
    let path = source.place_of(&segment.file_name());
    let mut bytes = vec![0; USUAL];
    let count = read_full(&*segment.file, &mut bytes, 0).map_err(ReadError::io(&path))?;
    bytes.truncate(count);
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if lines.next().is_none() && count == USUAL && memmem::find(first, ROTATED).is_some() {
        // A very long name of the log, perhaps.
        return Ok(in_segment(source, name, origin)?.into_iter().next());
    }
    Ok(Named::read(first, origin).and_then(|named| named.sealed_by(second)))
}

/// All rotations in a segment.
fn in_segment(
    source: &Source,
    name: SegmentName,
    origin: &str,
) -> Result<Vec<Rotation>, ReadError> {
    let mut reader = TrailReader::starting_at(source.clone(), name, 0)?;
    let rotated = memmem::Finder::new(ROTATED);
    let (mut all, mut named): (Vec<Rotation>, Option<Named>) = (Vec::new(), None);
    while let Step::Line(segment, line) = reader.step()?
        && segment == name
    {
        all.extend(named.take().and_then(|named: Named| named.sealed_by(line.bytes)));
        if rotated.find(line.bytes).is_some() {
            named = Named::read(line.bytes, origin);
        }
    }
    Ok(all)
}

/// An `audit.key_rotated` whose `audit.epoch_sealed` must follow.
struct Named {
    line: Vec<u8>,
    seq: u64,
    leaf: Hash,
    key: VerifierKey,
}

impl Named {
    fn read(line: &[u8], origin: &str) -> Option<Named> {
        let entry = Entry::parse(line).ok()?;
        let key = rotated_key(&entry, origin)?;
        Some(Named { line: line.to_vec(), seq: entry.seq(), leaf: entry.computed_hash(), key })
    }

    /// With the line that follows it.
    fn sealed_by(self, next: &[u8]) -> Option<Rotation> {
        let entry = Entry::parse(next).ok()?;
        if entry.event_type() != "audit.epoch_sealed" {
            return None;
        }
        let details: Value = serde_json::from_str(entry.details()?).ok()?;
        let lines = details.get("checkpoint")?.as_array()?;
        let lines = lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
        let checkpoint = SignedCheckpoint::parse((lines.join("\n") + "\n").as_bytes()).ok()?;
        let epoch = details.get("epoch")?.as_u64()?.checked_add(1)?;
        let Named { line, seq, leaf, key } = self;
        (checkpoint.unverified().size == seq + 1).then_some(Rotation {
            line,
            seq,
            leaf,
            key,
            checkpoint,
            epoch,
        })
    }
}

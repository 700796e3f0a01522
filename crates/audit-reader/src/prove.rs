//! Proofs out of a trail: that an entry is in it, and that one checkpoint extends another.
//!
//! What must stay true here: no proof is handed out that does not verify. Stored hashes are a
//! shortcut, O(log n) reads; where they are absent or lead to another root, the entries decide.

use std::collections::BTreeMap;

use audit_core::chain::Hash;
use audit_core::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use audit_core::entry::{Entry, EntryError, Parser};
use audit_core::note::{MAX_NOTE, VerifierKey};
use audit_core::proof::{ProofError, TlogProof};
use audit_core::segment::SegmentName;
use audit_core::tree::{
    Frontier, MAX_SIZE, ProveError as TreeProveError, consistency_proof, inclusion_proof,
    verify_consistency, verify_inclusion,
};
use audit_core::verify::StoredHashes;
use memchr::memmem;
use thiserror::Error;

use crate::stored::StoredFile;
use crate::{LineKind, ReadError, Source, Step, TrailReader, find_by_seq};

/// An entry with the proof that it is in the trail.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Evidence {
    /// The proof, which has been verified.
    pub proof: TlogProof,
    /// The line as it stands on disk, without LF.
    pub line: Vec<u8>,
    /// The key of the epoch that the checkpoint is of.
    pub key: VerifierKey,
}

/// Why there is no proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no file `checkpoint`.
    #[error("there is no checkpoint to prove anything by")]
    NoCheckpoint,
    /// The file `checkpoint` is not one.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The trail has no such entry.
    #[error("there is no entry {seq}")]
    NoSuchEntry {
        /// Its `seq`.
        seq: u64,
    },
    /// The entry is newer than the checkpoint.
    #[error("entry {seq} is not covered by the checkpoint yet, which covers {size} entries")]
    NotSealed {
        /// Its `seq`.
        seq: u64,
        /// The size of the checkpoint.
        size: u64,
    },
    /// The line is not an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// No key that the trail names has signed the checkpoint.
    #[error("the checkpoint is signed by no key that the trail names")]
    UnknownKey,
    /// The trail does not lead to what was signed.
    #[error("the entries do not lead to the root of the first {size} that was signed")]
    NotThisTree {
        /// The size of the tree.
        size: u64,
    },
    /// The proof does not verify.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// A stored hash that is not to be had.
#[derive(Debug, Clone, Copy)]
struct Missing;

type HashReader<'a> = dyn FnMut(u64) -> Result<Hash, Missing> + 'a;
type Made = Result<Vec<Hash>, TreeProveError<Missing>>;

/// Proves that an entry is in the trail, by the newest checkpoint.
///
/// # Errors
/// [`ProveError`] if there is nothing to prove, or nothing to prove it by.
pub fn prove(source: impl Into<Source>, seq: u64) -> Result<Evidence, ProveError> {
    let source = &source.into();
    let bytes = source.small_file("checkpoint", MAX_NOTE as u64 + 1)?;
    let checkpoint = SignedCheckpoint::parse(&bytes.ok_or(ProveError::NoCheckpoint)?)?;
    let Checkpoint { size, root, .. } = *checkpoint.unverified();
    let found = find_by_seq(source, seq)?.ok_or(ProveError::NoSuchEntry { seq })?;
    if seq >= size {
        return Err(ProveError::NotSealed { seq, size });
    }
    let key = signing_key(source, &checkpoint)?.ok_or(ProveError::UnknownKey)?;
    let leaf = Entry::parse(&found.line)?.computed_hash();
    let make = |read: &mut HashReader<'_>| inclusion_proof(seq, size, read);
    let holds = |hashes: &[Hash]| verify_inclusion(&leaf, seq, size, &root, hashes).is_ok();
    let hashes = hashes(source, &make, &holds)?.ok_or(ProveError::NotThisTree { size })?;
    let proof = TlogProof { extra: None, index: seq, hashes, checkpoint };
    proof.verify_entry(&found.line, &key)?;
    Ok(Evidence { proof, line: found.line, key })
}

/// Proves that `new` extends `old`, from the trail: the hashes of an RFC 6962 consistency proof.
/// Signatures are another matter.
///
/// # Errors
/// [`ProveError`] if the trail cannot be read, or does not lead to both roots.
pub fn prove_consistency(
    source: impl Into<Source>,
    old: &Checkpoint,
    new: &Checkpoint,
) -> Result<Vec<Hash>, ProveError> {
    let source = &source.into();
    let make = |read: &mut HashReader<'_>| consistency_proof(old.size, new.size, read);
    let holds = |hashes: &[Hash]| {
        verify_consistency(old.size, &old.root, new.size, &new.root, hashes).is_ok()
    };
    hashes(source, &make, &holds)?.ok_or(ProveError::NotThisTree { size: new.size })
}

/// The hashes of a proof that holds: from the stored ones, else from the entries.
fn hashes(
    source: &Source,
    make: &dyn Fn(&mut HashReader<'_>) -> Made,
    holds: &dyn Fn(&[Hash]) -> bool,
) -> Result<Option<Vec<Hash>>, ReadError> {
    let mut stored = StoredFile::open(source, MAX_SIZE)?;
    let shortcut = make(&mut |index| stored.stored(index).ok_or(Missing)).ok();
    if let Some(hashes) = shortcut.filter(|hashes| holds(hashes)) {
        return Ok(Some(hashes));
    }
    // Which hashes the proof takes depends on the sizes only.
    let mut wanted = BTreeMap::new();
    let asked = make(&mut |index| {
        wanted.insert(index, None);
        Ok(Hash::ZERO)
    });
    if asked.is_err() {
        return Ok(None);
    }
    recompute(source, &mut wanted)?;
    let hashes = make(&mut |index| wanted.get(&index).copied().flatten().ok_or(Missing)).ok();
    Ok(hashes.filter(|hashes| holds(hashes)))
}

/// Fills in the wanted stored hashes by reading the entries, as far as they are whole.
fn recompute(source: &Source, wanted: &mut BTreeMap<u64, Option<Hash>>) -> Result<(), ReadError> {
    let Some(&last) = wanted.keys().next_back() else { return Ok(()) };
    let (mut tree, mut parser, mut index) = (Frontier::new(), Parser::default(), 0);
    let mut reader = TrailReader::new(source.clone());
    while index <= last {
        let line = match reader.step()? {
            Step::Line(_, line) if line.kind == LineKind::Complete => line,
            Step::SegmentEnd(_) => continue,
            _ => break,
        };
        let Ok(entry) = parser.parse(line.bytes) else { break };
        if entry.seq() != tree.size() {
            break;
        }
        tree.push_with(entry.computed_hash(), |hash| {
            if let Some(wanted) = wanted.get_mut(&index) {
                *wanted = Some(hash);
            }
            index += 1;
        });
    }
    Ok(())
}

/// The key that signed a checkpoint: the first one, or that of the newest rotation that fits.
fn signing_key(
    source: &Source,
    signed: &SignedCheckpoint,
) -> Result<Option<VerifierKey>, ReadError> {
    let fits = |vkey: &str| VerifierKey::parse(vkey).ok().filter(|key| signed.verify(key).is_ok());
    let said = |json: &[u8], member: &str| {
        let value: serde_json::Value = serde_json::from_slice(json).ok()?;
        fits(value.get(member)?.as_str()?)
    };
    let info = source.small_file("trail.json", 64 * 1024)?;
    if let Some(key) = info.and_then(|json| said(&json, "initial_key")) {
        return Ok(Some(key));
    }
    // Keys change where segments begin, as a rule; elsewhere, all lines must be looked at.
    let segments = source.segments()?;
    for only_first in [true, false] {
        for &name in segments.iter().rev() {
            let key = rotation_in(source, name, only_first, &|details| said(details, "new_key"))?;
            if key.is_some() {
                return Ok(key);
            }
        }
    }
    Ok(None)
}

/// The last key that a segment, or its first line, names and that `fits`.
fn rotation_in(
    source: &Source,
    name: SegmentName,
    only_first: bool,
    fits: &dyn Fn(&[u8]) -> Option<VerifierKey>,
) -> Result<Option<VerifierKey>, ReadError> {
    let rotated = memmem::Finder::new(r#""event_type":"audit.key_rotated""#);
    let (mut parser, mut key) = (Parser::default(), None);
    let mut reader = TrailReader::starting_at(source.clone(), name, 0)?;
    while let Step::Line(segment, line) = reader.step()?
        && segment == name
    {
        if rotated.find(line.bytes).is_some()
            && let Ok(entry) = parser.parse(line.bytes)
            && entry.event_type() == "audit.key_rotated"
        {
            key = fits(entry.details().unwrap_or_default().as_bytes()).or(key);
        }
        if only_first {
            break;
        }
    }
    Ok(key)
}

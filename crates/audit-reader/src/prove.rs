//! Proofs out of a trail: that an entry is in it, and that one checkpoint extends another.
//!
//! What must stay true here: no proof is handed out that does not verify. Stored hashes are a
//! shortcut, O(log n) reads; where they are absent or lead to another root, the entries decide.

use std::collections::{BTreeMap, HashMap};

use audit_core::chain::Hash;
use audit_core::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use audit_core::entry::{Entry, EntryError, Parser};
use audit_core::note::{MAX_NOTE, VerifierKey};
use audit_core::proof::{KeyHistory, KeyStep, MAX_PROOF, ProofError, RotationProof, TlogProof};
use audit_core::tree::{
    Frontier, MAX_SIZE, ProveError as TreeProveError, consistency_proof, inclusion_proof,
    verify_consistency, verify_inclusion,
};
use audit_core::verify::StoredHashes;
use thiserror::Error;

use crate::rotations::{Keys, Rotation, keys_to};
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
    /// The oldest key from which the rotations in the proof lead to `key`, if not `key` itself: the
    /// trail's first one, unless its front is not here.
    pub from_key: Option<VerifierKey>,
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
    let Keys { first, rotations, signer } = keys_to(source, &checkpoint)?;
    let key = signer.ok_or(ProveError::UnknownKey)?;
    let leaf = Entry::parse(&found.line)?.computed_hash();
    let entry = Inclusion { leaf, index: seq, size, root };
    let (hashes, steps) = made(source, &entry, checkpoint.unverified(), &rotations)?;
    let hashes = hashes.ok_or(ProveError::NotThisTree { size })?;
    let mut proof = TlogProof { extra: None, index: seq, hashes, checkpoint };
    proof.verify_entry(&found.line, &key)?;
    let history = KeyHistory { steps };
    let known = first.iter().chain(rotations.first().map(|rotation| &rotation.key));
    let known: Vec<&VerifierKey> = known.filter(|known| **known != key).collect();
    proof.extra = Some(&history).filter(|h| !h.steps.is_empty()).and_then(KeyHistory::to_extra);
    let leads = |from: &&&VerifierKey| proof.verify_from(&found.line, from).is_ok();
    let from_key = known.iter().find(leads).map(|key| (*key).clone());
    if from_key.is_none() || proof.to_string().len() > MAX_PROOF {
        proof.extra = None;
        return Ok(Evidence { proof, line: found.line, key, from_key: None });
    }
    Ok(Evidence { proof, line: found.line, key, from_key })
}

/// The inclusion proof of an entry in the tree `last`, and the key history that leads to it, made in
/// one reading of the hashes.
fn made(
    source: &Source,
    entry: &Inclusion,
    last: &Checkpoint,
    rotations: &[Rotation],
) -> Result<(Option<Vec<Hash>>, Vec<KeyStep>), ReadError> {
    let trees = rotations.iter().map(|rotation| rotation.checkpoint.unverified());
    let next = trees.clone().skip(1).chain([last]);
    let ties: Vec<_> = trees.zip(next).map(|(old, new)| Consistency { old, new }).collect();
    let rotated: Vec<_> = rotations.iter().map(Inclusion::of).collect();
    let mut claims: Vec<&dyn Claim> = vec![entry];
    for (rotated, tie) in rotated.iter().zip(&ties) {
        claims.extend([rotated as &dyn Claim, tie]);
    }
    let mut proven = hashes(source, &claims)?.into_iter();
    let of_entry = proven.next().flatten();
    let mut steps = Vec::new();
    for rotation in rotations {
        let (included, consistency) = (proven.next().flatten(), proven.next().flatten());
        // What leads to no root that was signed, in a trail that was tampered with, proves no key.
        let Some(hashes) = included else { break };
        let checkpoint = rotation.checkpoint.clone();
        let proof = TlogProof { extra: None, index: rotation.seq, hashes, checkpoint };
        let rotation = RotationProof { line: rotation.line.clone(), proof };
        steps.push(KeyStep { rotation, consistency });
    }
    Ok((of_entry, steps))
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
    let made = hashes(&source.into(), &[&Consistency { old, new }])?;
    made.into_iter().next().flatten().ok_or(ProveError::NotThisTree { size: new.size })
}

/// Something that is to be proven.
trait Claim {
    /// Makes the proof.
    fn make(&self, read: &mut HashReader<'_>) -> Made;

    /// Whether a proof proves it.
    fn holds(&self, hashes: &[Hash]) -> bool;
}

/// An entry said to be in a tree.
struct Inclusion {
    leaf: Hash,
    index: u64,
    size: u64,
    root: Hash,
}

impl Inclusion {
    fn of(rotation: &Rotation) -> Inclusion {
        let Checkpoint { size, root, .. } = *rotation.checkpoint.unverified();
        Inclusion { leaf: rotation.leaf, index: rotation.seq, size, root }
    }
}

impl Claim for Inclusion {
    fn make(&self, read: &mut HashReader<'_>) -> Made {
        inclusion_proof(self.index, self.size, read)
    }

    fn holds(&self, hashes: &[Hash]) -> bool {
        verify_inclusion(&self.leaf, self.index, self.size, &self.root, hashes).is_ok()
    }
}

/// A tree said to extend another.
struct Consistency<'a> {
    old: &'a Checkpoint,
    new: &'a Checkpoint,
}

impl Claim for Consistency<'_> {
    fn make(&self, read: &mut HashReader<'_>) -> Made {
        consistency_proof(self.old.size, self.new.size, read)
    }

    fn holds(&self, hashes: &[Hash]) -> bool {
        let (old, new) = (self.old, self.new);
        verify_consistency(old.size, &old.root, new.size, &new.root, hashes).is_ok()
    }
}

/// The hashes of each proof that holds: from the stored ones, else, of all that are missing in one
/// reading, from the entries.
fn hashes(source: &Source, claims: &[&dyn Claim]) -> Result<Vec<Option<Vec<Hash>>>, ReadError> {
    let mut stored = StoredFile::open(source, MAX_SIZE)?.map(|stored| stored.scattered());
    // Proofs of one trail share most of their hashes.
    let mut known = HashMap::new();
    let mut read = |index| {
        let read = || stored.as_mut().and_then(|stored| stored.stored(index));
        known.entry(index).or_insert_with(read).ok_or(Missing)
    };
    let mut made: Vec<_> = claims
        .iter()
        .map(|claim| claim.make(&mut read).ok().filter(|hashes| claim.holds(hashes)))
        .collect();
    // Which hashes a proof takes depends on the sizes only.
    let mut asked = BTreeMap::new();
    for (claim, _) in claims.iter().zip(&made).filter(|(_, made)| made.is_none()) {
        let mut of_this = BTreeMap::new();
        let sizes = claim.make(&mut |index| {
            of_this.insert(index, None);
            Ok(Hash::ZERO)
        });
        if sizes.is_ok() {
            asked.append(&mut of_this);
        }
    }
    recompute(source, &mut asked)?;
    let mut read = |index| asked.get(&index).copied().flatten().ok_or(Missing);
    for (claim, made) in claims.iter().zip(&mut made).filter(|(_, made)| made.is_none()) {
        *made = claim.make(&mut read).ok().filter(|hashes| claim.holds(hashes));
    }
    Ok(made)
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

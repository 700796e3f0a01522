//! Taking the tree and the key over from the writer before.
//!
//! What must stay true here: the writer signs nothing that does not extend what was signed last. A
//! trail that is shorter than its checkpoint, or another one, is refused and left as it is.

mod choice;
mod rotation;

use std::io;

use audit_core::chain::{Hash, Head};
use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::note::{SignerError, VerifierKey};

use super::keyring::KeyError;
use super::{CHECKPOINT, Front, TreeFile};
use crate::storage::{Storage, read_to_vec};

pub(crate) use choice::{History, choose_key};
pub(crate) use rotation::{KeyBefore, Rotation};

/// Longer checkpoints are not ours.
const MAX_CHECKPOINT: u64 = 1 << 16;

/// Why the trail cannot be signed on.
#[derive(Debug)]
pub(crate) enum ResumeError {
    Io(&'static str, io::Error),
    Key(u64, KeyError),
    /// The caller's signer is not there.
    Signer(SignerError),
    /// What is wrong, in words, and in which file.
    Refused(&'static str, String),
}

/// Gives number and hash of every entry from a number on.
type ReadHashes<'a> = dyn Fn(u64, &mut dyn FnMut(u64, Hash)) -> io::Result<()> + 'a;

/// Gives the key before the one in force that may have signed a checkpoint.
type KeyBeforeAt<'a> = dyn Fn(&SignedCheckpoint) -> io::Result<Option<KeyBefore>> + 'a;

/// What only the whole trail can tell, read when the newest entries do not.
pub(crate) struct ReadTrail<'a> {
    /// Numbers and hashes of all entries from a number on.
    pub(crate) hashes: &'a ReadHashes<'a>,
    /// Where the entries begin, and the tree over what was before, if it is known.
    pub(crate) front: &'a (dyn Fn() -> io::Result<(Front, Option<Vec<Hash>>)> + 'a),
    /// The size of the checkpoint, by which the opening judged what it found.
    pub(crate) signed: u64,
    /// The entry from a size on that alone announces a deletion which has come about, if there is one.
    pub(crate) unsigned_deletion: &'a (dyn Fn(u64) -> io::Result<Option<u64>> + 'a),
    /// The key before the one in force that may have signed a checkpoint; none where that one alone can.
    pub(crate) key_before: &'a KeyBeforeAt<'a>,
}

/// The tree over all entries up to `head`: stored hashes where they agree with the segments and
/// with the last signed root, made anew from the segments otherwise. `newest` are the newest
/// entries' numbers and hashes; `read` gives what they do not reach back to.
pub(crate) fn resume_tree(
    storage: &dyn Storage,
    key: &VerifierKey,
    head: Head,
    newest: &[(u64, Hash)],
    read: &ReadTrail<'_>,
) -> Result<TreeFile, ResumeError> {
    let failed = |error| ResumeError::Io(super::tree_file::NAME, error);
    let read_all = read.hashes;
    let (signed, words) = last_signed(storage, key, read.key_before)?;
    if let Some(checkpoint) = signed.as_ref().filter(|c| c.size > head.next_seq) {
        return Err(ResumeError::Refused(
            CHECKPOINT,
            format!(
                "{} entries were signed, and {} are here: the trail was cut or rolled back",
                checkpoint.size, head.next_seq
            ),
        ));
    }
    // What the root that was signed vouches for is taken over. The rest is made from the entries:
    // a power cut may have left anything there.
    let size = signed.as_ref().map_or(0, |checkpoint| checkpoint.size);
    if size != read.signed {
        let problem = "it was replaced while the trail was opened: let nobody else write here";
        return Err(ResumeError::Refused(CHECKPOINT, problem.to_owned()));
    }
    if size < head.next_seq {
        refuse_unsigned_deletion(size, read)?;
    }
    let mut tree = TreeFile::open(storage, size).map_err(failed)?;
    let is_taken_over = tree.size() == size
        && agrees(&tree, signed.as_ref()).map_err(failed)?
        && holds(&tree, newest).map_err(failed)?;
    if !is_taken_over || (tree.size() == 0 && head.next_seq > 0) {
        if !is_taken_over {
            tracing::warn!("tree.hashes does not agree with the segments and is made anew");
        }
        begin_again(&mut tree, read)?;
    }
    complete(&mut tree, head, newest, read_all).map_err(failed)?;
    if tree.size() != head.next_seq || !agrees(&tree, signed.as_ref()).map_err(failed)? {
        return Err(ResumeError::Refused(
            CHECKPOINT,
            "the entries are not those that were signed".to_owned(),
        ));
    }
    // What stands between that checkpoint and the key in force was signed too, by each key as it went.
    for word in words {
        if tree.proven_root_at(word.size).map_err(failed)? != word.root {
            return Err(ResumeError::Refused(
                CHECKPOINT,
                format!(
                    "the entries behind it are not those that the keys of later epochs signed: the \
                     first {} are others",
                    word.size
                ),
            ));
        }
    }
    Ok(tree)
}

/// Retention deletes nothing before the entry that announces it is signed. Where it is not, somebody else
/// deleted, and wrote an excuse that our next checkpoint must not make true.
fn refuse_unsigned_deletion(signed: u64, read: &ReadTrail<'_>) -> Result<(), ResumeError> {
    let found = (read.unsigned_deletion)(signed);
    match found.map_err(|error| ResumeError::Io("segments", error))? {
        None => Ok(()),
        Some(seq) => Err(ResumeError::Refused(
            CHECKPOINT,
            format!(
                "entry {seq} says that the entries before the first one were deleted, but {signed} \
                 entries were signed and it is none of them: put the deleted segments back from a copy"
            ),
        )),
    }
}

/// Empties the tree but for what retention left no entries of: that stands in the entry which announced
/// the deletion, and must lead to the signed root like all else.
fn begin_again(tree: &mut TreeFile, read: &ReadTrail<'_>) -> Result<(), ResumeError> {
    let failed = |error| ResumeError::Io(super::tree_file::NAME, error);
    match (read.front)().map_err(failed)? {
        (Front { seq: 0, .. }, _) => tree.reset().map_err(failed),
        (front, Some(subtrees)) => tree.restart(&front, &subtrees).map_err(failed),
        (Front { seq: first, .. }, None) => Err(ResumeError::Refused(
            super::tree_file::NAME,
            format!(
                "it is damaged or missing, the first {first} entries were deleted by retention, and no \
                 entry says what their tree was: put the file back from a copy"
            ),
        )),
    }
}

/// True when the stored leaves are those of the newest entries, as far as both reach.
fn holds(tree: &TreeFile, newest: &[(u64, Hash)]) -> io::Result<bool> {
    let Some(&(first, _)) = newest.first().filter(|(seq, _)| *seq < tree.size()) else {
        return Ok(true);
    };
    let last = newest.last().map_or(first, |(seq, _)| tree.size().min(seq + 1));
    let leaves = tree.leaves(first, last)?;
    Ok(newest.iter().all(|(seq, hash)| {
        let index = seq.checked_sub(first).and_then(|i| usize::try_from(i).ok());
        index.and_then(|index| leaves.get(index)).is_none_or(|leaf| leaf == hash)
    }))
}

/// Brings the tree up to the head, from the newest entries if they reach back far enough.
fn complete(
    tree: &mut TreeFile,
    head: Head,
    newest: &[(u64, Hash)],
    read_all: &ReadHashes<'_>,
) -> io::Result<()> {
    let stored = tree.size();
    if newest.first().is_some_and(|(seq, _)| *seq <= stored) {
        newest.iter().for_each(|&(seq, hash)| push_if_next(tree, seq, hash));
    } else if stored < head.next_seq {
        read_all(stored, &mut |seq, hash| push_if_next(tree, seq, hash))?;
    }
    tree.write()
}

fn push_if_next(tree: &mut TreeFile, seq: u64, hash: Hash) {
    if seq == tree.size() {
        tree.push(hash);
    }
}

fn agrees(tree: &TreeFile, signed: Option<&Checkpoint>) -> io::Result<bool> {
    signed.map_or(Ok(true), |checkpoint| Ok(tree.root_at(checkpoint.size)? == checkpoint.root))
}

/// Size of the last checkpoint; 0 when there is none that can be read, which is the careful answer:
/// what is not known to be signed is written again.
pub(crate) fn signed_size(storage: &dyn Storage) -> u64 {
    signed_note(storage).map_or(0, |signed| signed.unverified().size)
}

/// The last checkpoint, whoever signed it, if there is one that can be read. What is wrong with another
/// [`resume_tree`] says.
pub(crate) fn signed_note(storage: &dyn Storage) -> Option<SignedCheckpoint> {
    let bytes = read_to_vec(storage, CHECKPOINT, MAX_CHECKPOINT).ok()?;
    SignedCheckpoint::parse(&bytes).ok()
}

fn is_signed_by(checkpoint: &SignedCheckpoint, vkey: &str) -> bool {
    VerifierKey::parse(vkey).is_ok_and(|key| checkpoint.verify(&key).is_ok())
}

/// The checkpoint that was signed last; none before the first. Its signature must hold: by the key in
/// force, or, when a crash came between a rotation and the next checkpoint, by one before it; then with
/// what that key and those after it said when their epochs ended. Otherwise whoever can write the files
/// could have us sign whatever they put there.
fn last_signed(
    storage: &dyn Storage,
    key: &VerifierKey,
    key_before: &KeyBeforeAt<'_>,
) -> Result<(Option<Checkpoint>, Vec<Checkpoint>), ResumeError> {
    let bytes = match read_to_vec(storage, CHECKPOINT, MAX_CHECKPOINT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, Vec::new())),
        read => read.map_err(|error| ResumeError::Io(CHECKPOINT, error))?,
    };
    let damaged = |error: String| ResumeError::Refused(CHECKPOINT, error);
    let signed = SignedCheckpoint::parse(&bytes).map_err(|e| damaged(e.to_string()))?;
    let error = match signed.verify(key) {
        Ok(checkpoint) => return Ok((Some(checkpoint.clone()), Vec::new())),
        Err(error) => error,
    };
    let before = key_before(&signed).map_err(|error| ResumeError::Io("segments", error))?;
    match before {
        Some(before) if is_signed_by(&signed, &before.vkey) => {
            Ok((Some(signed.unverified().clone()), before.words))
        }
        _ => Err(damaged(error.to_string())),
    }
}

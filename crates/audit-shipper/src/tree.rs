//! The Merkle tree of a trail directory: from `tree.hashes`, else from the entries.
//!
//! What must stay true here: `tree.hashes` is derived and believed only if what follows from it is
//! the root that was signed; otherwise one pass over the entries, in bounded memory, gives the
//! hashes that are needed and no others. What neither gives is an error, never a guess.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use audit_core::chain::Hash;
use audit_core::entry::Parser;
use audit_core::tree::{
    self, Frontier, ProveError, consistency_proof, inclusion_proof, root_at, stored_hash_index,
    verify_consistency, verify_inclusion,
};
use audit_reader::{DirSource, LineKind, ReadError, Step, TrailReader};
use thiserror::Error;

/// The name of the stored hashes in a trail.
pub const TREE_HASHES: &str = "tree.hashes";

/// Why a hash or a proof could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TreeReadError {
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The entries are fewer than the size: the tail was cut, or old segments are elsewhere.
    #[error(
        "the tree of {size} entries cannot be computed: {found} are here and tree.hashes does not \
         help; run `auditlog verify`"
    )]
    Missing {
        /// Entries asked for.
        size: u64,
        /// Entries found from the first on.
        found: u64,
    },
    /// The entries do not have the root that was signed.
    #[error(
        "the entries do not have the root that was signed for size {size}; run `auditlog verify`"
    )]
    Contradiction {
        /// The size of the tree.
        size: u64,
    },
    /// Asked for something no tree has.
    #[error("there is no proof from {old} to {new}")]
    NoSuchProof {
        /// The older size, or the index of an entry.
        old: u64,
        /// The newer size.
        new: u64,
    },
}

/// The tree of a trail at the size of a checkpoint, with its root as signed.
#[derive(Debug)]
pub struct TrailTree {
    source: DirSource,
    size: u64,
    root: Hash,
    stored: Option<File>,
}

/// A stored hash that is not there.
#[derive(Debug, Clone, Copy)]
struct Absent;

type Read<'a> = dyn FnMut(u64) -> Result<Hash, Absent> + 'a;

impl TrailTree {
    /// The tree of this size and root over a trail. Reads nothing yet.
    #[must_use]
    pub fn new(source: DirSource, size: u64, root: Hash) -> TrailTree {
        let stored = File::open(source.path().join(TREE_HASHES)).ok();
        TrailTree { source, size, root, stored }
    }

    /// The size.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root as signed.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// The root of the first `old` entries, which are proven to be a prefix of the tree.
    ///
    /// # Errors
    /// [`TreeReadError`].
    pub fn root_at(&self, old: u64) -> Result<Hash, TreeReadError> {
        Ok(self.consistency(old)?.0)
    }

    /// The root at `old`, and the proof that the tree extends it: both verified.
    ///
    /// # Errors
    /// [`TreeReadError`].
    pub fn consistency(&self, old: u64) -> Result<(Hash, Vec<Hash>), TreeReadError> {
        let (size, root) = (self.size, self.root);
        let none = TreeReadError::NoSuchProof { old, new: size };
        if old > size || size > tree::MAX_SIZE {
            return Err(none);
        }
        let make = |read: &mut Read<'_>| {
            let then = root_at(old, &mut *read)?;
            Ok((then, consistency_proof(old, size, &mut *read)?))
        };
        // An empty proof binds nothing: then the root itself must be computed.
        let holds = |(then, proof): &(Hash, Vec<Hash>), read: &mut Read<'_>| {
            verify_consistency(old, then, size, &root, proof).is_ok()
                && (old != 0 || root_at(size, read).is_ok_and(|found| found == root))
        };
        self.compute(&make, &holds)
    }

    /// The proof that the entry `index` with this hash is in the tree: verified.
    ///
    /// # Errors
    /// [`TreeReadError`].
    pub fn inclusion(&self, index: u64, leaf: &Hash) -> Result<Vec<Hash>, TreeReadError> {
        if index >= self.size || self.size > tree::MAX_SIZE {
            return Err(TreeReadError::NoSuchProof { old: index, new: self.size });
        }
        let make = |read: &mut Read<'_>| inclusion_proof(index, self.size, read);
        let holds = |proof: &Vec<Hash>, _: &mut Read<'_>| {
            verify_inclusion(leaf, index, self.size, &self.root, proof).is_ok()
        };
        self.compute(&make, &holds)
    }

    /// From the stored hashes if they lead to the root, else from the entries.
    fn compute<T>(
        &self,
        make: &dyn Fn(&mut Read<'_>) -> Result<T, ProveError<Absent>>,
        holds: &dyn Fn(&T, &mut Read<'_>) -> bool,
    ) -> Result<T, TreeReadError> {
        if let Some(file) = &self.stored {
            let mut read = |index: u64| read_stored(file, index).map_err(|_| Absent);
            if let Ok(made) = make(&mut read)
                && holds(&made, &mut read)
            {
                return Ok(made);
            }
        }
        // Which hashes are read does not depend on what they are.
        let mut wanted = HashMap::new();
        let mut note = |index: u64| Ok(*wanted.entry(index).or_insert(Hash::ZERO));
        if let Ok(made) = make(&mut note) {
            holds(&made, &mut note);
        }
        // What `holds` may ask for in addition.
        drop(root_at(self.size, note));
        self.collect(&mut wanted)?;
        let mut read = |index: u64| wanted.get(&index).copied().ok_or(Absent);
        match make(&mut read) {
            Ok(made) if holds(&made, &mut read) => Ok(made),
            _ => Err(TreeReadError::Contradiction { size: self.size }),
        }
    }

    /// Computes the hashes at the indexes that are in `wanted`, from the entries.
    fn collect(&self, wanted: &mut HashMap<u64, Hash>) -> Result<(), TreeReadError> {
        let mut frontier = Frontier::new();
        let (mut index, mut parser) = (0, Parser::default());
        let mut reader = TrailReader::new(self.source.clone());
        while frontier.size() < self.size {
            match reader.step()? {
                Step::Line(_, line) if line.kind == LineKind::Complete => {
                    // Copies and damage, which recovery may leave, are no leaves.
                    let Ok(entry) = parser.parse(line.bytes) else { continue };
                    if entry.seq() != frontier.size() {
                        continue;
                    }
                    frontier.push_with(entry.computed_hash(), |hash| {
                        if let Some(slot) = wanted.get_mut(&index) {
                            *slot = hash;
                        }
                        index += 1;
                    });
                }
                Step::Unfinished(..) | Step::CaughtUp => {
                    let (size, found) = (self.size, frontier.size());
                    return Err(TreeReadError::Missing { size, found });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The stored hash at an index of `tree.hashes`.
///
/// # Errors
/// When the file is too short or cannot be read.
pub fn read_stored(file: &File, index: u64) -> io::Result<Hash> {
    let mut hash = [0; 32];
    let offset = index.checked_mul(32).ok_or(io::ErrorKind::UnexpectedEof)?;
    file.read_exact_at(&mut hash, offset)?;
    Ok(Hash(hash))
}

/// Whether `tree.hashes` in this directory leads to this root.
#[must_use]
pub fn stored_leads_to(dir: &Path, size: u64, root: &Hash) -> bool {
    let Ok(file) = File::open(dir.join(TREE_HASHES)) else { return false };
    if size > tree::MAX_SIZE || size > 0 && stored_hash_index(0, size - 1) == u64::MAX {
        return false;
    }
    root_at(size, |index| read_stored(&file, index)).is_ok_and(|found| found == *root)
}

//! The newest checkpoint, which the entries are held against before anything is deleted on their word.
//!
//! What must stay true here: a chain of hashes is anybody's who can write the files; a signature is not.
//! What the entries say of holds, releases and clocks counts only if they lead to the root that this
//! process signed last; what stands behind that can add a hold, and release none.

use audit_core::chain::Hash;
use audit_core::tree::Frontier;

use super::RetentionError;
use super::keeper::Keeper;
use crate::seal::Sealer;

/// What was signed last.
pub(super) struct Signed<'s> {
    /// Entries that it covers.
    pub(super) size: u64,
    root: Hash,
    sealer: &'s Sealer,
}

impl Keeper {
    /// Signs everything that is durable, and reads the checkpoint back from where it stands.
    pub(super) fn signed(&self) -> Result<Signed<'_>, RetentionError> {
        let (size, root) = self.sealer.publish_now().map_err(RetentionError::NotSigned)?;
        Ok(Signed { size, root, sealer: &self.sealer })
    }
}

/// Follows the entries to the root that was signed.
pub(super) struct Tree {
    size: u64,
    root: Hash,
    frontier: Frontier,
    is_reached: bool,
}

impl Signed<'_> {
    /// From the first entry on that the trail still has. What was there before is taken from the stored
    /// hashes, which are proven to lead to the same tree.
    pub(super) fn from(&self, first: u64) -> Result<Tree, RetentionError> {
        let frontier = match first {
            0 => Frontier::new(),
            first => self
                .sealer
                .subtrees_at(first)
                .and_then(|trees| {
                    Frontier::from_subtrees(first, &trees).map_err(std::io::Error::other)
                })
                .map_err(|_| RetentionError::NoTree { size: first })?,
        };
        Ok(Tree { size: self.size, root: self.root, frontier, is_reached: false })
    }
}

impl Tree {
    /// The next entry.
    pub(super) fn push(&mut self, hash: Hash) {
        self.frontier.push(hash);
        self.is_reached |= self.frontier.size() == self.size && self.frontier.root() == self.root;
    }

    /// All entries were followed.
    pub(super) fn end(&self) -> Result<(), RetentionError> {
        if self.is_reached {
            return Ok(());
        }
        Err(RetentionError::NotWhatWasSigned { size: self.size })
    }
}

//! `tree.hashes`: the stored Merkle hashes, in the order of Go's `tlog` (FORMAT section 6).
//!
//! What must stay true here: derived. What stands in it up to the last checkpoint is durable before
//! that checkpoint is published, so a power cut leaves no gap that would look like tampering; what
//! stands after is made again on opening. It is never believed against the segments.

use std::io;

use audit_core::chain::Hash;
use audit_core::tree::{
    Frontier, ProveError, consistency_proof, root_at, stored_hash_count, stored_hash_index,
    verify_consistency,
};

use crate::storage::{SegmentFile, Storage};

pub(crate) const NAME: &str = "tree.hashes";
const HASH: u64 = 32;

/// Where the entries begin that retention left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Front {
    /// `seq` of the first one.
    pub(crate) seq: u64,
    /// The hash of the last one before, as the first one states.
    pub(crate) prev_hash: Hash,
}

/// The tree over all durable entries, and the file of its hashes.
pub(crate) struct TreeFile {
    file: Box<dyn SegmentFile>,
    frontier: Frontier,
    /// Hashes not handed to the file yet.
    unwritten: Vec<u8>,
    /// Bytes known to be durable.
    durable: u64,
    /// A sync failed: what is not durable must be written again before the next.
    is_suspect: bool,
}

impl TreeFile {
    /// Opens the file, making it if it is missing, with as many leaves as it holds in full, but at
    /// most `limit`.
    pub(crate) fn open(storage: &dyn Storage, limit: u64) -> io::Result<TreeFile> {
        let mut file = match storage.open_segment(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                storage.replace(NAME, &mut io::empty())?;
                storage.open_segment(NAME)?
            }
            opened => opened?,
        };
        let size = leaves_in(file.len() / HASH).min(limit);
        let bytes = stored_hash_count(size) * HASH;
        if file.len() != bytes {
            file.truncate(bytes)?;
        }
        let frontier = match Frontier::from_stored(size, |index| read(&*file, index)) {
            Ok(frontier) => frontier,
            Err(error) => return Err(io_error(error)),
        };
        let durable = file.len();
        Ok(TreeFile { file, frontier, unwritten: Vec::new(), durable, is_suspect: false })
    }

    /// An empty tree in an emptied file.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        self.file.truncate(0)?;
        self.unwritten.clear();
        self.durable = 0;
        self.frontier = Frontier::new();
        Ok(())
    }

    pub(crate) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Adds the hash of the next entry.
    pub(crate) fn push(&mut self, leaf: Hash) {
        let unwritten = &mut self.unwritten;
        self.frontier.push_with(leaf, |hash| unwritten.extend_from_slice(&hash.0));
    }

    /// Hands the new hashes to the file. A failure leaves them for the next time.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        while !self.unwritten.is_empty() {
            let taken = self.file.append(&self.unwritten)?;
            self.unwritten.drain(..taken);
        }
        Ok(())
    }

    /// Makes everything that was written durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let synced =
            if self.is_suspect { self.file.write_again(self.durable) } else { self.file.sync() };
        self.is_suspect = synced.is_err();
        synced?;
        self.durable = self.file.len();
        Ok(())
    }

    /// The hashes of entries `from` to `to`, the latter not included, which must be written.
    pub(crate) fn leaves(&self, from: u64, to: u64) -> io::Result<Vec<Hash>> {
        if from >= to {
            return Ok(Vec::new());
        }
        // They stand close together, with some inner hashes between them: one read.
        let start = stored_hash_index(0, from);
        let count = stored_hash_index(0, to - 1) + 1 - start;
        let mut bytes = vec![0; usize::try_from(count * HASH).map_err(io::Error::other)?];
        self.file.read_at(start * HASH, &mut bytes)?;
        let hash_at = |seq| {
            let at = usize::try_from((stored_hash_index(0, seq) - start) * HASH).ok()?;
            Some(Hash(*bytes.get(at..)?.first_chunk()?))
        };
        let leaves: Option<Vec<Hash>> = (from..to).map(hash_at).collect();
        leaves.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The perfect subtrees over the first `size` entries, from the left, which must be written. They
    /// are proven to lead to the tree as it is now.
    pub(crate) fn subtrees_at(&self, size: u64) -> io::Result<Vec<Hash>> {
        Ok(self.proven_at(size)?.subtrees().to_vec())
    }

    /// Root over the first `size` entries, which must be written: proven to lead to the tree as it is now.
    pub(crate) fn proven_root_at(&self, size: u64) -> io::Result<Hash> {
        Ok(self.proven_at(size)?.root())
    }

    fn proven_at(&self, size: u64) -> io::Result<Frontier> {
        let read = |index| read(&*self.file, index);
        let old = Frontier::from_stored(size, read).map_err(io_error)?;
        let proof = consistency_proof(size, self.size(), read).map_err(io_error)?;
        verify_consistency(size, &old.root(), self.size(), &self.frontier.root(), &proof)
            .map_err(io::Error::other)?;
        Ok(old)
    }

    /// An empty file again, and in it what is known of the tree over the entries that are gone: its
    /// perfect subtrees and its last leaf. Where its other hashes stood there are zeros.
    pub(crate) fn restart(&mut self, front: &Front, subtrees: &[Hash]) -> io::Result<()> {
        let size = front.seq;
        let frontier = Frontier::from_subtrees(size, subtrees).map_err(io::Error::other)?;
        self.reset()?;
        let mut place = vec![(stored_hash_index(0, size.saturating_sub(1)), front.prev_hash)];
        let mut left = subtrees.iter();
        // Asked for in the order of the subtrees.
        Frontier::from_stored(size, |index| {
            let hash = left.next().copied().ok_or(io::ErrorKind::UnexpectedEof)?;
            place.push((index, hash));
            Ok::<_, io::Error>(hash)
        })
        .map_err(io_error)?;
        place.sort_unstable_by_key(|(index, _)| *index);
        // The last leaf of an odd number is a subtree.
        place.dedup_by_key(|(index, _)| *index);
        let mut at = 0;
        for (index, hash) in place {
            self.append_zeros((index - at) * HASH)?;
            self.unwritten.extend_from_slice(&hash.0);
            self.write()?;
            at = index + 1;
        }
        self.append_zeros((stored_hash_count(size) - at) * HASH)?;
        self.frontier = frontier;
        Ok(())
    }

    fn append_zeros(&mut self, mut count: u64) -> io::Result<()> {
        let zeros = [0; 1 << 16];
        while count > 0 {
            let block = &zeros[..usize::try_from(count).unwrap_or(zeros.len()).min(zeros.len())];
            count -= self.file.append(block)? as u64;
        }
        Ok(())
    }

    /// Root over the first `size` entries, which must be written.
    pub(crate) fn root_at(&self, size: u64) -> io::Result<Hash> {
        root_at(size, |index| read(&*self.file, index)).map_err(io_error)
    }
}

fn io_error(error: ProveError<io::Error>) -> io::Error {
    match error {
        ProveError::Read { source, .. } => source,
        other => io::Error::other(other.to_string()),
    }
}

fn read(file: &dyn SegmentFile, index: u64) -> io::Result<Hash> {
    let mut hash = [0; 32];
    file.read_at(index * HASH, &mut hash)?;
    Ok(Hash(hash))
}

/// The largest tree all of whose hashes are among the first `count`.
fn leaves_in(count: u64) -> u64 {
    // A tree of n leaves has between n and 2n stored hashes.
    let (mut low, mut high) = (count / 2, count);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if stored_hash_count(middle) <= count { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_leaves_follows_from_the_number_of_hashes() {
        for size in 0..2_000 {
            let count = stored_hash_count(size);
            assert_eq!(leaves_in(count), size);
            assert_eq!(leaves_in(stored_hash_count(size + 1) - 1), size);
        }
    }
}

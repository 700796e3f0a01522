//! `tree.hashes`, read where it is asked for.
//!
//! What must stay true here: only what was in the file when the reading began counts, and of that
//! only what the checkpoint covers: so much is durable before a checkpoint is published. What is
//! behind it a power cut may have torn, and the writer makes it anew: it contradicts nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit_core::chain::Hash;
use audit_core::tree::{MAX_SIZE, stored_hash_count};
use audit_core::verify::StoredHashes;

use crate::source::{LogFile, read_some};
use crate::{ReadError, Source};

const NAME: &str = "tree.hashes";
const HASH: u64 = 32;
/// Hashes that are read at a time: a scan asks for one after the other.
const BLOCK: usize = 2_048;

/// The file, as it was at the beginning.
#[derive(Debug)]
pub(crate) struct StoredFile {
    /// `None` if there is none.
    file: Option<Arc<dyn LogFile>>,
    /// Hashes in it.
    count: u64,
    /// What the trail says of hashes at its front that the file lacks.
    said: Arc<BTreeMap<u64, Hash>>,
    /// Index of the first hash in the buffer.
    first: u64,
    /// Hashes that are read at a time.
    block: usize,
    buffer: Vec<u8>,
}

impl StoredFile {
    /// Opens the file for the hashes of the first `size` entries; `None` if there is none.
    pub(crate) fn open(source: &Source, size: u64) -> Result<Option<StoredFile>, ReadError> {
        let Some(file) = source.open_file(NAME)? else { return Ok(None) };
        let bytes = file.size().map_err(ReadError::io(&source.place_of(NAME)))?;
        let count = (bytes / HASH).min(stored_hash_count(size.min(MAX_SIZE)));
        Ok(Some(StoredFile::new(Some(file), count, Arc::default())))
    }

    fn new(
        file: Option<Arc<dyn LogFile>>,
        count: u64,
        said: Arc<BTreeMap<u64, Hash>>,
    ) -> StoredFile {
        StoredFile { file, count, said, first: 0, block: BLOCK, buffer: Vec::new() }
    }

    /// The file, if there is one, and these hashes where it has none.
    pub(crate) fn completed(file: Option<StoredFile>, said: BTreeMap<u64, Hash>) -> StoredFile {
        let (count, file) = file.map_or((0, None), |known| (known.count, known.file));
        StoredFile::new(file, count, Arc::new(said))
    }

    /// The same file for another thread.
    pub(crate) fn again(&self) -> StoredFile {
        StoredFile::new(self.file.clone(), self.count, Arc::clone(&self.said))
    }

    /// The same file for somebody who asks here and there.
    pub(crate) fn scattered(&self) -> StoredFile {
        StoredFile { block: 1, ..self.again() }
    }

    /// How many whole hashes it had at the beginning.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    fn buffered(&self, index: u64) -> Option<Hash> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?.checked_mul(32)?;
        let bytes = self.buffer.get(at..at.checked_add(32)?)?;
        bytes.try_into().ok().map(Hash)
    }
}

impl StoredHashes for StoredFile {
    fn stored(&mut self, index: u64) -> Option<Hash> {
        if index >= self.count {
            return self.said.get(&index).copied();
        }
        if let Some(hash) = self.buffered(index) {
            return Some(hash);
        }
        let file = Arc::clone(self.file.as_ref()?);
        self.buffer.resize(self.block * 32, 0);
        self.first = index;
        let mut filled = 0;
        // What cannot be read, or is gone by now, contradicts nothing.
        while filled < self.buffer.len()
            && let Ok(count @ 1..) =
                read_some(&*file, &mut self.buffer[filled..], index * HASH + filled as u64)
        {
            filled += count;
        }
        self.buffer.truncate(filled);
        self.buffered(index)
    }
}

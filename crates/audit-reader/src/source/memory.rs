//! A trail in memory: what a service fetched from an object store, what a browser was given.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{LogFile, LogSource};
use crate::ReadError;

/// A trail as a map of file names to their bytes.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl MemorySource {
    /// No files yet.
    #[must_use]
    pub fn new() -> MemorySource {
        MemorySource::default()
    }

    /// Adds a file, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) {
        self.files.insert(name.into(), bytes.into());
    }
}

impl<N: Into<String>, B: Into<Arc<[u8]>>> FromIterator<(N, B)> for MemorySource {
    fn from_iter<I: IntoIterator<Item = (N, B)>>(files: I) -> MemorySource {
        let files = files.into_iter().map(|(name, bytes)| (name.into(), bytes.into()));
        MemorySource { files: files.collect() }
    }
}

impl LogSource for MemorySource {
    fn place(&self) -> PathBuf {
        PathBuf::from("(memory)")
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        Ok(self.files.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        let file = self.files.get(name).cloned();
        Ok(file.map(|bytes| Arc::new(MemoryFile(bytes)) as Arc<dyn LogFile>))
    }
}

#[derive(Debug)]
struct MemoryFile(Arc<[u8]>);

impl LogFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

//! One open segment of the simulated disk.
//!
//! What must stay true here: each operation is a step at which the power may go, reading excepted.

use std::io::{self, ErrorKind};

use audit_logging::storage::{Identity, SegmentFile};

use crate::sim_disk::SimDisk;

pub(crate) struct SimSegment {
    pub(crate) disk: SimDisk,
    pub(crate) name: String,
    pub(crate) file: usize,
    pub(crate) len: u64,
}

impl SegmentFile for SimSegment {
    fn len(&self) -> u64 {
        self.len
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.disk.lock().write(self.file, bytes)?;
        self.len += taken as u64;
        Ok(taken)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.lock().sync_file(self.file)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step()?;
        let file = &mut state.files[self.file];
        file.cut(usize::try_from(len).unwrap_or(usize::MAX));
        state.sync_file(self.file)?;
        self.len = len;
        Ok(())
    }

    fn write_again(&mut self, from: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.step()?;
        state.files[self.file].write_again(usize::try_from(from).unwrap_or(usize::MAX));
        state.sync_file(self.file)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let state = self.disk.lock();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let content = state.files[self.file].cache.get(from..).and_then(|c| c.get(..buf.len()));
        buf.copy_from_slice(content.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn identity(&self) -> io::Result<Identity> {
        let mut state = self.disk.lock();
        state.step()?;
        Ok(match state.names.get(&self.name) {
            Some(file) if *file == self.file => {
                let len = state.files[self.file].cache.len() as u64;
                if len == self.len { Identity::Intact } else { Identity::Resized }
            }
            _ => Identity::Unlinked,
        })
    }

    fn relink(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let content = state.files[self.file].cache.clone();
        state.replace(&self.name, &content)
    }
}

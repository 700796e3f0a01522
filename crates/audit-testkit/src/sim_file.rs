//! One file of the simulated disk: what the kernel holds, and what the disk has.
//!
//! What must stay true here: a sync that succeeds makes the *dirty* sectors durable; one that
//! fails may or may not, and marks them clean (fsyncgate), so a later sync does not write them.

use std::collections::BTreeSet;
use std::sync::Arc;

use audit_logging::storage::RingMemory;

use crate::rng::Rng;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// What the page cache writes back by itself, whole or not at all.
const PAGE: usize = 4096;

/// A file's content.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimFile {
    /// What readers see as long as the machine runs.
    pub(crate) cache: Vec<u8>,
    disk: Vec<u8>,
    dirty: BTreeSet<usize>,
    ring: Option<SimRing>,
}

/// A file's bytes, shared.
pub(crate) struct Content(Arc<Vec<u8>>);

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What was stored into a mapping: in the page cache, and never synced.
#[derive(Debug, Clone)]
enum SimRing {
    /// Its process lives.
    Mapped(RingMemory),
    /// What a dead process left.
    Left(Arc<Vec<u8>>),
}

impl SimRing {
    fn bytes(&self) -> Arc<Vec<u8>> {
        match self {
            SimRing::Mapped(memory) => Arc::new(memory.snapshot()),
            SimRing::Left(bytes) => Arc::clone(bytes),
        }
    }

    /// Any page may have been written back or not, and the length is metadata like any other.
    fn after_power_cut(&self, rng: &mut Rng) -> SimRing {
        let way = rng.below(5);
        let bytes = match way {
            0 => Vec::new(),
            1 => vec![0; self.bytes().len()],
            2 => return SimRing::Left(self.bytes()),
            _ => {
                let mut bytes = self.bytes().to_vec();
                let lost = [2, 8][rng.between(0, 1)];
                // The header stays in most of them: without it nothing behind it is looked at.
                let from = if way == 3 { PAGE.min(bytes.len()) } else { 0 };
                for page in bytes[from..].chunks_mut(PAGE) {
                    if *page != [0; PAGE] && rng.one_in(lost) {
                        page.fill(0);
                    }
                }
                bytes
            }
        };
        SimRing::Left(Arc::new(bytes))
    }
}

impl SimFile {
    /// A file that is mapped as a ring.
    pub(crate) fn ring(memory: RingMemory) -> SimFile {
        SimFile { ring: Some(SimRing::Mapped(memory)), ..SimFile::default() }
    }

    /// A file in the page cache that nobody has mapped any more.
    pub(crate) fn left(bytes: Vec<u8>) -> SimFile {
        SimFile { ring: Some(SimRing::Left(Arc::new(bytes))), ..SimFile::default() }
    }

    /// What a reader finds.
    pub(crate) fn content(&self) -> Content {
        Content(self.ring.as_ref().map_or_else(|| Arc::new(self.cache.clone()), SimRing::bytes))
    }

    /// The process is gone: what it mapped stays as it stands.
    pub(crate) fn unmap(&mut self) {
        if let Some(ring) = &mut self.ring {
            *ring = SimRing::Left(ring.bytes());
        }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.cache.len();
        self.cache.extend_from_slice(bytes);
        self.dirty.extend(start / SECTOR..=(self.cache.len() - 1) / SECTOR);
    }

    /// Makes everything from `from` on dirty, as writing the same bytes again does.
    pub(crate) fn write_again(&mut self, from: usize) {
        if from < self.cache.len() {
            self.dirty.extend(from / SECTOR..=(self.cache.len() - 1) / SECTOR);
        }
    }

    /// Zeros in place of everything. Not durable before the next sync.
    pub(crate) fn blank(&mut self) {
        self.cache.fill(0);
        self.write_again(0);
    }

    /// Not durable before the next sync.
    pub(crate) fn cut(&mut self, len: usize) {
        self.cache.resize(len, 0);
        self.dirty.retain(|sector| sector * SECTOR < len);
    }

    pub(crate) fn sync(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            write_sector(&mut self.disk, &self.cache, sector);
        }
        self.disk.resize(self.cache.len(), 0);
    }

    /// The sync failed: any of the dirty sectors may be on disk, none is dirty any more.
    pub(crate) fn sync_failed(&mut self, rng: &mut Rng) {
        for sector in std::mem::take(&mut self.dirty) {
            if rng.one_in(2) {
                write_sector(&mut self.disk, &self.cache, sector);
            }
        }
    }

    /// What the file may hold after a power cut.
    pub(crate) fn after_power_cut(&self, rng: &mut Rng) -> SimFile {
        if let Some(ring) = &self.ring {
            return SimFile { ring: Some(ring.after_power_cut(rng)), ..SimFile::default() };
        }
        let mut disk = self.disk.clone();
        if self.cache.len() < disk.len() {
            // A cut that was not synced.
            if rng.one_in(2) {
                disk.truncate(self.cache.len());
            }
        } else {
            let all: Vec<usize> = self.dirty.iter().copied().collect();
            match rng.below(5) {
                0 => {}
                1 => all.iter().for_each(|s| write_sector(&mut disk, &self.cache, *s)),
                2 => {
                    let most = rng.between(0, all.len());
                    all[..most].iter().for_each(|s| write_sector(&mut disk, &self.cache, *s));
                    let end = rng.between(self.disk.len().min(disk.len()), disk.len());
                    disk.truncate(end);
                }
                3 => {
                    for sector in all.iter().filter(|_| rng.one_in(2)) {
                        write_sector(&mut disk, &self.cache, *sector);
                    }
                    if rng.one_in(2) {
                        disk.resize(self.cache.len().max(disk.len()), 0);
                    }
                }
                _ => disk.resize(self.cache.len().max(disk.len()), 0),
            }
        }
        SimFile { cache: disk.clone(), disk, ..SimFile::default() }
    }
}

fn write_sector(disk: &mut Vec<u8>, cache: &[u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(cache.len());
    if start >= end {
        return;
    }
    if disk.len() < end {
        disk.resize(end, 0);
    }
    disk[start..end].copy_from_slice(&cache[start..end]);
}

//! One file of the simulated disk: what the kernel holds, and what the disk has.
//!
//! What must stay true here: a sync that succeeds makes the *dirty* sectors durable; one that
//! fails may or may not, and marks them clean (fsyncgate), so a later sync does not write them.

use std::collections::BTreeSet;

use crate::rng::Rng;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A file's content.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimFile {
    /// What readers see as long as the machine runs.
    pub(crate) cache: Vec<u8>,
    disk: Vec<u8>,
    dirty: BTreeSet<usize>,
}

impl SimFile {
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
        SimFile { cache: disk.clone(), disk, dirty: BTreeSet::new() }
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

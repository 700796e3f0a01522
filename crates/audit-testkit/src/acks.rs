//! What a child has been promised, told in a file that outlives it.
//!
//! What must stay true here: a number is written after the promise was given, never before, so the
//! file may lag behind the truth and is never ahead of it. `pwrite` into the page cache survives
//! the process; against power cuts the file lies on another file system.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Threads a child may have.
pub const MAX_THREADS: usize = 8;
const SLOT: u64 = 64;
const PHASE_AT: u64 = MAX_THREADS as u64 * SLOT;
const LEN: u64 = PHASE_AT + SLOT;

/// What one thread of a child has been promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Promised {
    /// Events that `emit` returned `Ok` for.
    pub emitted: u64,
    /// Events that are durable, by a receipt or a flush.
    pub durable: u64,
    /// Events that are sealed.
    pub sealed: u64,
    /// Refusals for want of room.
    pub refused: u64,
}

/// What the child was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before `AuditLogger::new`.
    Starting,
    /// In `AuditLogger::new`: creating or recovering.
    Opening,
    /// Its threads emit.
    Emitting,
    /// In `shutdown`.
    Leaving,
    /// `shutdown` returned.
    Left,
}

/// One child's file.
#[derive(Debug)]
pub struct Acks(File);

impl Acks {
    /// The parent makes it, all zero.
    ///
    /// # Errors
    /// The operating system's.
    pub fn create(path: &Path) -> io::Result<Acks> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        file.set_len(LEN)?;
        Ok(Acks(file))
    }

    /// The child opens it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(path: &Path) -> io::Result<Acks> {
        Ok(Acks(File::options().read(true).write(true).open(path)?))
    }

    fn put(&self, thread: usize, field: u64, value: u64) -> io::Result<()> {
        self.0.write_all_at(&value.to_le_bytes(), thread as u64 * SLOT + field * 8)
    }

    fn get(&self, at: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Says how far a thread is; only what changed is written.
    ///
    /// # Errors
    /// The operating system's.
    pub fn say(&self, thread: usize, before: &Promised, now: &Promised) -> io::Result<()> {
        let fields = [
            (before.emitted, now.emitted),
            (before.durable, now.durable),
            (before.sealed, now.sealed),
            (before.refused, now.refused),
        ];
        for (field, (_, value)) in (0..).zip(fields).filter(|(_, (old, new))| old != new) {
            self.put(thread, field, value)?;
        }
        Ok(())
    }

    /// Says what the child does.
    ///
    /// # Errors
    /// The operating system's.
    pub fn enter(&self, phase: Phase) -> io::Result<()> {
        self.put(MAX_THREADS, 0, phase as u64)
    }

    /// What the child was doing last.
    ///
    /// # Errors
    /// The operating system's.
    pub fn phase(&self) -> io::Result<Phase> {
        Ok(match self.get(PHASE_AT)? {
            0 => Phase::Starting,
            1 => Phase::Opening,
            2 => Phase::Emitting,
            3 => Phase::Leaving,
            _ => Phase::Left,
        })
    }

    /// What each thread has been promised.
    ///
    /// # Errors
    /// The operating system's.
    pub fn promised(&self) -> io::Result<Vec<Promised>> {
        (0..MAX_THREADS as u64)
            .map(|thread| {
                let get = |field: u64| self.get(thread * SLOT + field * 8);
                let (emitted, durable, sealed) = (get(0)?, get(1)?, get(2)?);
                Ok(Promised { emitted, durable, sealed, refused: get(3)? })
            })
            .collect()
    }
}

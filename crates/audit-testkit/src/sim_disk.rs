//! A disk in memory that can lose what a disk may lose.
//!
//! What must stay true here: synced is kept apart from unsynced, for content and for directory
//! entries; after a power cut any subset of the unsynced may be there, torn at sectors; a killed
//! process loses nothing that was written, and nothing that was stored into a mapped ring. Each
//! system call is a step at which the power may go.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit_logging::storage::{RingMemory, SegmentFile, Space, Storage};

use crate::rng::Rng;
use crate::sim_file::SimFile;
use crate::sim_names::{NameOp, directory_of};
use crate::sim_segment::SimSegment;

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) files: Vec<SimFile>,
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) durable_names: BTreeMap<String, usize>,
    pub(crate) pending: Vec<NameOp>,
    pub(crate) rng: Rng,
    steps: u64,
    dies_at: u64,
    fails_at: Vec<(u64, ErrorKind)>,
    is_dead: bool,
    is_broken: bool,
    failed: u64,
}

/// The disk; clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk(pub(crate) Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk whose choices come from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            rng: Rng::new(seed),
            steps: 0,
            dies_at: u64::MAX,
            fails_at: Vec::new(),
            is_dead: false,
            is_broken: false,
            failed: 0,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes at the `n`-th step from now.
    pub fn die_after(&self, n: u64) {
        let mut state = self.lock();
        state.dies_at = state.steps + n;
    }

    /// The `n`-th step from now fails with `kind`, once.
    pub fn fail_after(&self, n: u64, kind: ErrorKind) {
        let mut state = self.lock();
        let at = state.steps + n;
        state.fails_at.push((at, kind));
    }

    /// From now on every sync fails and every new file, until [`SimDisk::after_kill`] or a crash.
    pub fn break_down(&self) {
        self.lock().is_broken = true;
    }

    /// True when the power went.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.lock().is_dead
    }

    /// Steps that failed by [`SimDisk::fail_after`].
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.lock().failed
    }

    /// Steps made so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// The process was killed and the machine runs on.
    #[must_use]
    pub fn after_kill(&self) -> SimDisk {
        let mut state = self.after_death();
        state.revive();
        SimDisk(Arc::new(Mutex::new(state)))
    }

    /// Gives a file other bytes, as if they had been left so.
    ///
    /// # Panics
    /// There is no such file.
    pub fn overwrite(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.lock();
        let file = state.find(name).expect("a file of this name");
        state.files[file] = SimFile::left(bytes);
    }

    /// The process that used it is gone, so what it mapped stays as it stands.
    pub(crate) fn after_death(&self) -> State {
        let mut state = self.lock();
        state.forget_unreachable();
        state.files.iter_mut().for_each(SimFile::unmap);
        state.clone()
    }
}

impl State {
    /// Drops the content of files that no name leads to, on the disk or on its way there.
    pub(crate) fn forget_unreachable(&mut self) {
        let mut reached = vec![false; self.files.len()];
        let pending = self.pending.iter().filter_map(NameOp::file);
        let named = self.names.values().chain(self.durable_names.values()).copied();
        for file in named.chain(pending) {
            reached[file] = true;
        }
        let lost = self.files.iter_mut().zip(reached).filter(|(_, reached)| !reached);
        lost.for_each(|(file, _)| *file = SimFile::default());
    }

    pub(crate) fn revive(&mut self) {
        self.is_dead = false;
        self.is_broken = false;
        self.dies_at = u64::MAX;
        self.fails_at.clear();
        self.failed = 0;
    }

    pub(crate) fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        if self.is_dead || self.steps >= self.dies_at {
            self.is_dead = true;
            return Err(io::Error::other("the power is gone"));
        }
        if let Some(index) = self.fails_at.iter().position(|(at, _)| *at == self.steps) {
            let (_, kind) = self.fails_at.swap_remove(index);
            self.failed += 1;
            return Err(io::Error::new(kind, "injected"));
        }
        Ok(())
    }

    fn change(&mut self, op: NameOp) {
        op.apply(&mut self.names);
        self.pending.push(op);
    }

    fn sync_directory(&mut self, directory: &str) -> io::Result<()> {
        self.step()?;
        let (now, later) =
            self.pending.drain(..).partition::<Vec<_>, _>(|op| op.directory() == directory);
        for op in now {
            op.apply(&mut self.durable_names);
        }
        self.pending = later;
        Ok(())
    }

    pub(crate) fn sync_file(&mut self, file: usize) -> io::Result<()> {
        let broken = if self.is_broken { Err(io::Error::other("broken")) } else { Ok(()) };
        if let Err(error) = self.step().and(broken) {
            if !self.is_dead {
                self.files[file].sync_failed(&mut self.rng);
            }
            return Err(error);
        }
        self.files[file].sync();
        Ok(())
    }

    pub(crate) fn write(&mut self, file: usize, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.step() {
            // The power may go in the middle of a write.
            let most = self.rng.between(0, bytes.len());
            if self.is_dead && self.steps == self.dies_at {
                self.files[file].append(&bytes[..most]);
            }
            return Err(error);
        }
        let short = bytes.len() > 1 && self.rng.one_in(8);
        let taken = if short { self.rng.between(1, bytes.len()) } else { bytes.len() };
        self.files[file].append(&bytes[..taken]);
        Ok(taken)
    }

    fn new_file(&mut self, file: SimFile) -> usize {
        self.files.push(file);
        self.files.len() - 1
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(crate) fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        let temporary = format!("{name}.tmp");
        let file = self.new_file(SimFile::default());
        self.change(NameOp::Link(temporary.clone(), file));
        let mut written = 0;
        while written < bytes.len() {
            written += self.write(file, &bytes[written..])?;
        }
        self.sync_file(file)?;
        self.step()?;
        self.change(NameOp::Rename(temporary, name.to_owned(), file));
        self.sync_directory(directory_of(name))
    }
}

impl Storage for SimDisk {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut state = self.lock();
        state.step()?;
        let mut names: Vec<String> = state
            .names
            .keys()
            .filter_map(|name| match dir {
                "" => name.split('/').next(),
                dir => name.strip_prefix(dir)?.strip_prefix('/'),
            })
            .map(str::to_owned)
            .collect();
        names.dedup();
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.lock();
        state.step()?;
        let file = state.find(name)?;
        Ok(Box::new(Cursor::new(state.files[file].content())))
    }

    fn create_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let mut state = self.lock();
        state.step()?;
        if state.is_broken {
            return Err(io::Error::other("broken"));
        }
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = state.new_file(SimFile::default());
        state.change(NameOp::Link(name.to_owned(), file));
        state.sync_file(file)?;
        state.sync_directory("")?;
        Ok(Box::new(SimSegment { disk: self.clone(), name: name.to_owned(), file, len: 0 }))
    }

    fn open_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let mut state = self.lock();
        state.step()?;
        let file = state.find(name)?;
        let len = state.files[file].cache.len() as u64;
        Ok(Box::new(SimSegment { disk: self.clone(), name: name.to_owned(), file, len }))
    }

    fn replace(&self, name: &str, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.lock().replace(name, &bytes)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        let mut state = self.lock();
        state.step()?;
        let file = state.find(name)?;
        Ok(state.files[file].cache.len() as u64)
    }

    fn set_read_only(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        let file = state.find(name)?;
        state.sync_file(file)
    }

    fn remove_temporary(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        state.change(NameOp::Unlink(name.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        state.change(NameOp::Unlink(name.to_owned()));
        state.sync_directory(directory_of(name))
    }

    fn destroy(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        let Ok(file) = state.find(name) else { return Ok(()) };
        state.step()?;
        state.files[file].blank();
        state.sync_file(file)?;
        state.step()?;
        state.change(NameOp::Unlink(name.to_owned()));
        state.sync_directory(directory_of(name))
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space { total: 1 << 40, free: 1 << 39 })
    }

    fn create_ring(&self, name: &str, cells: u64) -> io::Result<RingMemory> {
        let mut state = self.lock();
        state.step()?;
        let memory = RingMemory::plain(cells);
        let file = state.new_file(SimFile::ring(memory.clone()));
        state.change(NameOp::Link(format!("{name}.tmp"), file));
        Ok(memory)
    }

    fn publish_ring(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        let temporary = format!("{name}.tmp");
        let file = state.find(&temporary)?;
        state.change(NameOp::Rename(temporary, name.to_owned(), file));
        Ok(())
    }

    fn remove_ring(&self, name: &str) -> io::Result<()> {
        self.remove_temporary(name)
    }
}

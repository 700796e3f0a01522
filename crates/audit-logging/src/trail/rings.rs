//! The rings of a trail: where they lie, and making one. What dead processes left in theirs is in
//! `dead`.
//!
//! What must stay true here: every directory that a ring may lie in is known to the next opening
//! (`signpost`), whatever becomes of this one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_core::chain::Head;
use jiff::Timestamp;
use uuid::Uuid;

use super::open::io_error;
use super::signpost::Signpost;
use super::this_boot;
use crate::clock::nanos;
use crate::config::AuditConfig;
use crate::error::OpenError;
use crate::ring::salvage::Dead;
use crate::ring::{ENDING, Identity, Options, Ring, RingMemory};
use crate::shared::Shared;
use crate::storage::{DirStorage, INSECURE, Storage, TEMPORARY};

/// Directories that are gone and are still looked for. More are not of use to anybody.
const MAX_GONE: usize = 8;

/// Where a trail's rings lie.
pub(crate) struct Rings {
    /// Of new ones.
    home: Place,
    /// The trail's own directory.
    own: Place,
    /// Where old ones may lie besides `home`.
    elsewhere: Vec<Place>,
    /// Named, and not there: it may be back at the next opening.
    gone: Vec<PathBuf>,
    /// Named, not configured any more, and not to be trusted or not to be opened, and why.
    pub(super) closed: Vec<String>,
    signpost: Signpost,
    /// This boot, if the storage is this machine's: a ring of it is as its process left it.
    boot: Option<u128>,
}

#[derive(Clone)]
pub(super) struct Place {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) path: PathBuf,
}

/// A ring of this process.
pub(crate) struct Live {
    pub(crate) ring: Ring,
    /// Its id, for the lock file.
    pub(crate) id: String,
    home: RingHome,
}

/// Where a ring has its name, and how large it is.
#[derive(Clone)]
pub(crate) struct RingHome {
    storage: Arc<dyn Storage>,
    name: String,
    cells: u64,
}

impl RingHome {
    /// Makes memory for the ring, without its name.
    pub(crate) fn make(&self) -> io::Result<RingMemory> {
        self.storage.create_ring(&self.name, self.cells)
    }

    /// Removes what was made and has no name.
    pub(crate) fn discard(&self) {
        if let Err(error) = self.storage.remove_ring(&self.temporary()) {
            tracing::warn!(%error, "an unfinished ring could not be removed; the next opening does");
        }
    }

    /// Moves what a stranger had put in the ring's place into the quarantine.
    pub(crate) fn set_displaced_aside(&self) {
        match self.storage.set_ring_aside(&self.temporary()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(%error, "what stood in the emit ring's place could not be moved");
            }
            _ => {}
        }
    }

    fn temporary(&self) -> String {
        format!("{}{TEMPORARY}", self.name)
    }

    /// Gives what was made its name; what stood there has the temporary one then.
    pub(crate) fn publish(&self) -> io::Result<()> {
        self.storage.publish_ring(&self.name)
    }

    fn remove(&self) {
        if let Err(error) = self.storage.remove_ring(&self.name) {
            tracing::warn!(%error, "an empty ring could not be removed; the next opening does");
        }
    }
}

/// The file of this process's ring. It is removed when this is dropped, if nothing is left in it and
/// nobody would miss it: what a poisoned writer could not write is for the next one, and a ring that
/// the lock file names is missed as long as the trail does not say that it was closed.
pub(crate) struct RingFile {
    shared: Arc<Shared>,
    home: RingHome,
    is_missed: bool,
}

impl RingFile {
    pub(crate) const fn home(&self) -> &RingHome {
        &self.home
    }

    /// Before the lock file names it.
    pub(crate) const fn will_be_named(&mut self) {
        self.is_missed = true;
    }

    /// The trail says durably that this writer closed it.
    pub(crate) const fn closed(&mut self) {
        self.is_missed = false;
    }
}

impl Place {
    /// The rings of a trail here whose names have this ending.
    pub(super) fn rings_of(&self, trail: Uuid, ending: &str) -> Result<Vec<String>, OpenError> {
        let prefix = trail.to_string();
        let mut names =
            self.storage.list("").map_err(|error| io_error(&self.path, "list", error))?;
        names.retain(|name| name.starts_with(&prefix) && name.ends_with(ending));
        Ok(names)
    }
}

impl Live {
    /// Hands the ring over to what callers and writer share.
    pub(crate) fn share(self) -> io::Result<(Arc<Shared>, RingFile)> {
        let Live { ring, home, .. } = self;
        match Shared::new(ring) {
            Ok(shared) => {
                let shared = Arc::new(shared);
                let file = RingFile { shared: Arc::clone(&shared), home, is_missed: false };
                Ok((shared, file))
            }
            Err(error) => {
                home.remove();
                Err(error)
            }
        }
    }
}

impl Drop for RingFile {
    fn drop(&mut self) {
        if let Err(error) = self.shared.ring.let_go() {
            tracing::warn!(%error, "the emit ring's lock could not be released");
        }
        if !self.is_missed && self.shared.ring.is_drained() {
            self.home.remove();
        }
    }
}

impl Rings {
    /// Finds the directories: the trail's own, the configured one, and those before it.
    pub(crate) fn locate(
        storage: &Arc<dyn Storage>,
        path: &Path,
        config: &AuditConfig,
        is_machines: bool,
    ) -> Result<Rings, OpenError> {
        let own = Place { storage: Arc::clone(storage), path: path.to_owned() };
        let signpost = Signpost::read(&**storage, path)?;
        let home = match &config.ring_dir {
            Some(dir) if !is_same(dir, path) => {
                let dir = std::path::absolute(dir).map_err(|e| io_error(dir, "find", e))?;
                Place { storage: Arc::new(DirStorage::open(&dir, true)?), path: dir }
            }
            _ => own.clone(),
        };
        let mut elsewhere: Vec<Place> = Vec::new();
        let mut gone = Vec::new();
        let mut closed = Vec::new();
        if home.path != own.path {
            elsewhere.push(own.clone());
        }
        for dir in &signpost.dirs {
            let is_known = |place: &Place| is_same(&place.path, dir);
            if is_known(&home) || elsewhere.iter().any(is_known) {
                continue;
            }
            match DirStorage::open(dir, false) {
                Ok(there) => {
                    elsewhere.push(Place { storage: Arc::new(there), path: dir.clone() });
                }
                Err(OpenError::NoTrail { .. }) => {
                    let dir_name = dir.display();
                    tracing::warn!(dir = %dir_name, "a directory that rings were in is gone");
                    gone.push(dir.clone());
                }
                // Nobody asked for it in the configuration: no reason to record nothing.
                Err(error) => {
                    tracing::error!(%error, "a directory that rings were in cannot be used");
                    closed.push(format!("{error}; rings there were left as they are"));
                }
            }
        }
        // Without an id, two boots are not told apart, and the machine may have lost its power between.
        let boot = is_machines.then(this_boot).filter(|boot| *boot != 0);
        gone.drain(..gone.len().saturating_sub(MAX_GONE));
        Ok(Rings { home, own, elsewhere, gone, closed, signpost, boot })
    }

    /// Refuses a trail whose ring is used: this directory is a copy of one that is being written, or
    /// its lock file was taken away. Before anything is changed in the trail.
    pub(crate) fn refuse_used(&self, trail: Uuid) -> Result<(), OpenError> {
        for place in self.places() {
            for name in place.rings_of(trail, ENDING)? {
                let path = place.path.join(&name);
                let is_used = match place.storage.is_ring_used(&name) {
                    // What is no file of ours has no lock of ours; it is set aside later.
                    Err(error) if error.kind() == INSECURE => Ok(false),
                    looked => looked,
                };
                if is_used.map_err(|error| io_error(&path, "look at the lock of", error))? {
                    let holder = "it uses this emit ring; is this a copy of its trail, or was its \
                                  lock file deleted?";
                    return Err(OpenError::Locked { path, holder: holder.to_owned() });
                }
            }
        }
        Ok(())
    }

    /// True for a ring that no power failure has been over: all in it is as its process left it.
    pub(super) fn is_of_this_boot(&self, ring: &Dead) -> bool {
        self.boot == Some(ring.identity.boot_id)
    }

    /// Every directory that a ring may lie in.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.home).chain(&self.elsewhere)
    }

    /// The trail's own directory.
    pub(super) const fn own(&self) -> &Place {
        &self.own
    }

    /// All that dead rings held is durable in the trail: only the directory of this process's ring
    /// is of interest from now on.
    pub(crate) fn forget_old(&mut self) -> Result<(), OpenError> {
        let mut dirs = std::mem::take(&mut self.gone);
        dirs.extend((self.home.path != self.own.path).then(|| self.home.path.clone()));
        self.signpost.write(&*self.own.storage, &self.own.path, dirs)
    }

    /// Names the directory of new rings beside those before it.
    fn announce(&mut self) -> Result<(), OpenError> {
        let mut dirs = self.signpost.dirs.clone();
        if self.home.path != self.own.path && !dirs.contains(&self.home.path) {
            dirs.push(self.home.path.clone());
        }
        self.signpost.write(&*self.own.storage, &self.own.path, dirs)
    }

    /// Makes this process's ring.
    pub(crate) fn create(
        &mut self,
        config: &AuditConfig,
        trail: Uuid,
        head: Head,
        now: Timestamp,
    ) -> Result<Live, OpenError> {
        self.announce()?;
        let mut random = [0; 24];
        getrandom::fill(&mut random)?;
        let [id, salt] = [&random[..16], &random[16..]]
            .map(|bytes| bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte)));
        let options = Options {
            bytes: config.queue_bytes,
            reserve_percent: config.critical_reserve_percent,
            critical_is_urgent: config.flush_mode.is_urgent_if_critical(),
        };
        let hex = format!("{id:032x}");
        let name = format!("{trail}-{hex}{ENDING}");
        let Place { storage, path } = &self.home;
        let home = RingHome { storage: Arc::clone(storage), name, cells: options.cells() };
        let refuse =
            |source| OpenError::Ring { path: path.clone(), bytes: home.cells * 64, source };
        let memory = home.make().map_err(refuse)?;
        let identity = Identity {
            ring_id: id,
            trail_id: trail.as_u128(),
            boot_id: this_boot(),
            pid: u64::from(std::process::id()),
            started: nanos(now),
        };
        let ring = Ring::new(memory, identity, salt as u64, head.next_seq, options);
        home.publish().map_err(refuse)?;
        Ok(Live { ring, id: hex, home })
    }
}

/// True for two names of one directory. One that is not there is only its name.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    one == other || real(one) == real(other)
}

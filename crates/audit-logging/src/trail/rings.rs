//! The rings of a trail: making one, and taking in what a dead process left in its own.
//!
//! What must stay true here: exactly once. What a ring holds is compared, by `audit_id`, with every
//! entry that can be of it; a ring is removed only when all it held is durable in the trail, so an
//! opening that is killed in the middle loses and repeats nothing. What cannot be read is kept in
//! the quarantine, and the trail says so.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_core::chain::Head;
use audit_core::plan::append_line;
use jiff::Timestamp;
use uuid::Uuid;

use super::entries::read_ids;
use super::open::io_error;
use super::{Recovered, Trail, boot_id};
use crate::clock::nanos;
use crate::config::{AuditConfig, MAX_QUEUE_BYTES};
use crate::error::OpenError;
use crate::ring::salvage::{Dead, salvage};
use crate::ring::{ENDING, Identity, Options, Ring};
use crate::shared::Shared;
use crate::storage::{DirStorage, QUARANTINE, Storage, TEMPORARY, read_to_vec};

/// Names the directory of the ring when it is not the trail's own, for the next writer.
const SIGNPOST: &str = "ring.dir";
/// Longer files are no rings.
const MAX_RING_FILE: u64 = (MAX_QUEUE_BYTES as u64) * 2 + (1 << 20);

/// Where a trail's rings lie.
pub(crate) struct Rings {
    /// Of new ones.
    home: Place,
    /// Of old ones besides.
    elsewhere: Vec<Place>,
    trail: Uuid,
}

#[derive(Clone)]
struct Place {
    storage: Arc<dyn Storage>,
    path: PathBuf,
}

/// What dead processes left.
#[derive(Default)]
pub(crate) struct Salvage {
    /// Bodies that are in no entry of the trail, in the order of acceptance.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Rings that may go when all that is durable.
    done: Vec<(Arc<dyn Storage>, String)>,
    /// Rings that are gone or could not be read, and why.
    problems: Vec<String>,
    holes: bool,
}

/// A ring of this process.
pub(crate) struct Live {
    pub(crate) ring: Ring,
    /// Its id, for the lock file.
    pub(crate) id: String,
    storage: Arc<dyn Storage>,
    name: String,
}

/// The file of this process's ring. When this is dropped, also by an opening that fails, the file is
/// removed if nothing is left in it; what a poisoned writer could not write is for the next one.
pub(crate) struct RingFile {
    shared: Arc<Shared>,
    storage: Arc<dyn Storage>,
    name: String,
}

impl Live {
    /// Hands the ring over to what callers and writer share.
    pub(crate) fn share(self) -> io::Result<(Arc<Shared>, RingFile)> {
        let Live { ring, storage, name, .. } = self;
        match Shared::new(ring) {
            Ok(shared) => {
                let shared = Arc::new(shared);
                Ok((Arc::clone(&shared), RingFile { shared, storage, name }))
            }
            Err(error) => {
                remove(&*storage, &name);
                Err(error)
            }
        }
    }
}

impl Drop for RingFile {
    fn drop(&mut self) {
        if self.shared.ring.is_drained() {
            remove(&*self.storage, &self.name);
        }
    }
}

fn remove(storage: &dyn Storage, name: &str) {
    if let Err(error) = storage.remove_ring(name) {
        tracing::warn!(%error, "an empty ring could not be removed; the next opening does");
    }
}

impl Rings {
    /// Finds the directories: the trail's own, the configured one, and the one before it.
    pub(crate) fn locate(
        storage: &Arc<dyn Storage>,
        path: &Path,
        config: &AuditConfig,
        trail: Uuid,
    ) -> Result<Rings, OpenError> {
        let own = Place { storage: Arc::clone(storage), path: path.to_owned() };
        let mut elsewhere = Vec::new();
        let before = read_signpost(&own)?;
        if let Some(before) = before.as_ref().filter(|dir| config.ring_dir.as_ref() != Some(dir)) {
            match DirStorage::open(before, false) {
                Ok(dir) => elsewhere.push(Place { storage: Arc::new(dir), path: before.clone() }),
                Err(OpenError::NoTrail { .. }) => {
                    let dir = before.display();
                    tracing::warn!(%dir, "the directory of the last ring is gone");
                }
                Err(error) => return Err(error),
            }
        }
        let home = match &config.ring_dir {
            None => own,
            Some(dir) => {
                let home =
                    Place { storage: Arc::new(DirStorage::open(dir, true)?), path: dir.clone() };
                if before.as_ref() != Some(dir) {
                    let text = dir.to_string_lossy().into_owned();
                    let written = storage.replace(SIGNPOST, &mut text.as_bytes());
                    written.map_err(|error| io_error(&path.join(SIGNPOST), "write", error))?;
                }
                elsewhere.push(own);
                home
            }
        };
        Ok(Rings { home, elsewhere, trail })
    }

    /// Makes this process's ring.
    pub(crate) fn create(
        &self,
        config: &AuditConfig,
        head: Head,
        now: Timestamp,
    ) -> Result<Live, OpenError> {
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
        let name = format!("{}-{hex}{ENDING}", self.trail);
        let Place { storage, path } = &self.home;
        let refuse =
            |source| OpenError::Ring { path: path.clone(), bytes: options.cells() * 64, source };
        let memory = storage.create_ring(&name, options.cells()).map_err(refuse)?;
        let identity = Identity {
            ring_id: id,
            trail_id: self.trail.as_u128(),
            boot_id: boot_id().parse::<Uuid>().map_or(0, |id| id.as_u128()),
            pid: u64::from(std::process::id()),
            started: nanos(now),
        };
        let ring = Ring::new(memory, identity, salt as u64, head.next_seq, options);
        storage.publish_ring(&name).map_err(refuse)?;
        Ok(Live { ring, id: hex, storage: Arc::clone(storage), name })
    }

    /// Reads the rings of dead processes and compares them with the trail.
    pub(crate) fn salvage(
        &self,
        trail: &Arc<dyn Storage>,
        same_boot: bool,
    ) -> Result<Salvage, OpenError> {
        let mut found = Salvage::default();
        let mut dead = Vec::new();
        for place in std::iter::once(&self.home).chain(&self.elsewhere) {
            let names = place.storage.list("");
            let names = names.map_err(|error| io_error(&place.path, "list", error))?;
            let prefix = self.trail.to_string();
            for name in names.iter().filter(|name| name.starts_with(&prefix)) {
                if name.ends_with(ENDING) {
                    dead.extend(self.open_dead(place, name, &**trail, same_boot, &mut found)?);
                } else if name.ends_with(&format!("{ENDING}{TEMPORARY}")) {
                    let removed = place.storage.remove_ring(name);
                    removed.map_err(|e| io_error(&place.path.join(name), "remove", e))?;
                }
            }
        }
        dead.sort_by_key(|ring: &Dead| ring.identity.started);
        found.holes = dead.iter().any(|ring| ring.hole_cells > 0);
        found.bodies = missing(&**trail, dead)
            .map_err(|error| io_error(&self.home.path, "compare the ring with", error))?;
        Ok(found)
    }

    /// One dead ring; `None` when it holds nothing that can be read, which is then kept.
    fn open_dead(
        &self,
        place: &Place,
        name: &str,
        trail: &dyn Storage,
        same_boot: bool,
        found: &mut Salvage,
    ) -> Result<Option<Dead>, OpenError> {
        let path = place.path.join(name);
        let mut bytes = Vec::new();
        let read = place
            .storage
            .read(name)
            .and_then(|file| file.take(MAX_RING_FILE + 1).read_to_end(&mut bytes));
        read.map_err(|error| io_error(&path, "read", error))?;
        found.done.push((Arc::clone(&place.storage), name.to_owned()));
        let problem = match salvage(&bytes) {
            Ok(dead) if dead.identity.trail_id != self.trail.as_u128() => {
                "the ring of another trail".to_owned()
            }
            Ok(dead) if !dead.records.iter().all(|record| is_entry(&record.body)) => {
                "a record that is no entry".to_owned()
            }
            Ok(dead) => return Ok(Some(dead)),
            Err(problem @ crate::ring::NotARing::OtherVersion(_)) => {
                return Err(OpenError::Damaged {
                    path,
                    problem: format!(
                        "{problem}: open the trail once with that version, which takes the events \
                         in the ring into the trail"
                    ),
                });
            }
            // A file that was never synced may be empty after a power failure.
            Err(_) if !same_boot && bytes.iter().all(|byte| *byte == 0) => return Ok(None),
            Err(problem) => problem.to_string(),
        };
        // The same name again if this opening is killed: nothing piles up.
        let kept = trail.replace(&format!("{QUARANTINE}/{name}"), &mut bytes.as_slice());
        kept.map_err(|error| io_error(&path, "quarantine", error))?;
        tracing::error!(ring = name, %problem, "a ring could not be read and is in the quarantine");
        found.problems.push(format!("{name}: {problem}"));
        Ok(None)
    }
}

impl Salvage {
    /// Adds what was found to what recovery did to the segments. `last` is the id of the last
    /// writer's ring: a killed writer leaves it, so in the same boot it must be here; one that closed
    /// has removed it.
    pub(crate) fn tell(&mut self, trail: &mut Trail, last: Option<&str>, same_boot: bool) {
        let is_here = |id: &str| {
            let ending = format!("-{id}{ENDING}");
            self.done.iter().any(|(_, name)| name.ends_with(&ending))
        };
        if let Some(last) = last
            && same_boot
            && trail.recovered.is_some()
            && !trail.closed_in_order
            && !is_here(last)
        {
            tracing::error!(ring = last, "the ring of a killed writer is gone");
            self.problems.push(format!("{last}: missing, and what was in it"));
        }
        if self.bodies.is_empty() && self.problems.is_empty() {
            return;
        }
        if self.holes {
            tracing::info!(
                "producers were killed in the middle of an emit: those were not accepted"
            );
        }
        let recovered =
            trail.recovered.get_or_insert_with(|| Recovered { same_boot, ..Recovered::default() });
        recovered.ring_problem = (!self.problems.is_empty()).then(|| self.problems.join("; "));
    }

    /// Removes the rings: all they held is durable in the trail.
    pub(crate) fn finish(&self) -> Result<(), OpenError> {
        for (storage, name) in &self.done {
            let removed = storage.remove_ring(name);
            removed.map_err(|error| io_error(Path::new(name), "remove", error))?;
        }
        Ok(())
    }
}

fn read_signpost(own: &Place) -> Result<Option<PathBuf>, OpenError> {
    match read_to_vec(&*own.storage, SIGNPOST, 4_096) {
        Ok(bytes) => Ok(Some(PathBuf::from(String::from_utf8_lossy(&bytes).into_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&own.path.join(SIGNPOST), "read", error)),
    }
}

/// True for a body that makes a valid entry.
fn is_entry(body: &[u8]) -> bool {
    id_of(body).is_some() && {
        let mut line = Vec::new();
        append_line(&mut line, &mut { Head::EMPTY }, body);
        line.pop();
        audit_core::entry::Entry::parse(&line).is_ok()
    }
}

/// The `audit_id` in a body, which begins with it.
pub(crate) fn id_of(body: &[u8]) -> Option<Uuid> {
    body.get(12..48).and_then(|text| Uuid::try_parse_ascii(text).ok())
}

/// The bodies that are in no entry, in order.
fn missing(trail: &dyn Storage, dead: Vec<Dead>) -> io::Result<Vec<Vec<u8>>> {
    let Some(first) =
        dead.iter().filter(|ring| !ring.records.is_empty()).map(|ring| ring.next_seq).min()
    else {
        return Ok(Vec::new());
    };
    let mut bodies: Vec<Option<Vec<u8>>> =
        dead.into_iter().flat_map(|ring| ring.records).map(|record| Some(record.body)).collect();
    let mut places: HashMap<Uuid, usize> = HashMap::with_capacity(bodies.len());
    for (place, body) in bodies.iter_mut().enumerate() {
        let Some(id) = body.as_deref().and_then(id_of) else { continue };
        match places.entry(id) {
            Entry::Vacant(free) => drop(free.insert(place)),
            // A ring that was copied gives everything twice.
            Entry::Occupied(_) => *body = None,
        }
    }
    read_ids(trail, first, &mut |id| {
        if let Some(body) = places.get(&id).and_then(|place| bodies.get_mut(*place)) {
            *body = None;
        }
    })?;
    Ok(bodies.into_iter().flatten().collect())
}

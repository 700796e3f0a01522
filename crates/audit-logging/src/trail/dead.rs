//! What dead processes left in their rings, and how it comes into the trail.
//!
//! What must stay true here: exactly once. What a ring holds is compared, by `audit_id`, with every
//! entry that can be of it; a ring is removed only when all it held is durable in the trail, so an
//! opening that is killed in the middle loses and repeats nothing. What cannot be read is kept in
//! the quarantine, and the trail says so.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use audit_core::chain::Head;
use audit_core::event::event_type::is_reserved;
use audit_core::plan::append_line;
use uuid::Uuid;

use super::entries::read_ids;
use super::open::io_error;
use super::rings::{Place, Rings};
use super::{Recovered, Trail};
use crate::config::MAX_QUEUE_BYTES;
use crate::error::OpenError;
use crate::ring::salvage::{Dead, salvage};
use crate::ring::{CELL_BYTES, ENDING, Refusals};
use crate::storage::{INSECURE, QUARANTINE, Storage};

/// Longer files are no rings.
const MAX_RING_FILE: u64 = (MAX_QUEUE_BYTES as u64) * 2 + (1 << 20);

/// Ending of a ring that was being made.
const UNFINISHED: &str = ".ring.tmp";

/// What dead processes left.
#[derive(Default)]
pub(crate) struct Salvage {
    /// Bodies that are in no entry of the trail, in the order of acceptance.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Rings that may go when all that is durable.
    done: Vec<(Arc<dyn Storage>, String)>,
    /// Rings that are gone or could not be read, and why.
    problems: Vec<String>,
    /// Bytes that were reserved and hold no event.
    unfinished_bytes: u64,
    /// Events that were refused and may not have been told of.
    refused: Refusals,
    /// Entries of the keeper's that are not brought back.
    withdrawn: u64,
}

impl Rings {
    /// Reads the rings of dead processes and compares them with the trail.
    pub(crate) fn salvage(
        &self,
        trail: Uuid,
        head: Head,
        same_boot: bool,
    ) -> Result<Salvage, OpenError> {
        let mut found = Salvage { problems: self.closed.clone(), ..Salvage::default() };
        let mut dead = Vec::new();
        for place in self.places() {
            for name in &place.rings_of(trail, ENDING)? {
                let ring = self.open_dead(place, name, trail, same_boot, &mut found)?;
                dead.extend(ring.inspect(|ring| {
                    found.judge(name, ring, head, self.is_of_this_boot(ring));
                }));
            }
            for name in &place.rings_of(trail, UNFINISHED)? {
                // One that is used is just being made, for a copy of this trail.
                let removed = place.storage.is_ring_used(name).and_then(|is_used| {
                    if is_used { Ok(()) } else { place.storage.remove_ring(name) }
                });
                removed.map_err(|e| io_error(&place.path.join(name), "remove", e))?;
            }
        }
        dead.sort_by_key(|ring: &Dead| ring.identity.started);
        let own = self.own();
        found.bodies = missing(&*own.storage, head, dead)
            .map_err(|error| io_error(&own.path, "compare the ring with", error))?;
        let all = found.bodies.len();
        found.bodies.retain(|body| kind_of(body) != Kind::Withdrawn);
        found.withdrawn = (all - found.bodies.len()) as u64;
        Ok(found)
    }

    /// What can be read of one dead ring, which is kept if that is not all.
    fn open_dead(
        &self,
        place: &Place,
        name: &str,
        trail: Uuid,
        same_boot: bool,
        found: &mut Salvage,
    ) -> Result<Option<Dead>, OpenError> {
        let path = place.path.join(name);
        let mut bytes = Vec::new();
        let read = place
            .storage
            .read(name)
            .and_then(|file| file.take(MAX_RING_FILE + 1).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() == INSECURE => {
                found.set_aside(place, name, &error);
                return Ok(None);
            }
            read => read.map_err(|error| io_error(&path, "read", error))?,
        };
        found.done.push((Arc::clone(&place.storage), name.to_owned()));
        let (problem, rest) = match salvage(&bytes) {
            Ok(dead) if dead.identity.trail_id != trail.as_u128() => {
                ("the ring of another trail".to_owned(), None)
            }
            Ok(mut dead) => {
                let all = dead.records.len();
                dead.records.retain(|record| kind_of(&record.body) != Kind::Strange);
                match all - dead.records.len() {
                    0 => return Ok(Some(dead)),
                    strange => (format!("records that are no events: {strange}"), Some(dead)),
                }
            }
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
            Err(problem) => (problem.to_string(), None),
        };
        // The same name again if this opening is killed: nothing piles up.
        let quarantined = format!("{QUARANTINE}/{name}");
        let kept = self.own().storage.replace(&quarantined, &mut bytes.as_slice());
        kept.map_err(|error| io_error(&path, "quarantine", error))?;
        tracing::error!(ring = name, %problem, "a ring is strange and is in the quarantine");
        found.problems.push(format!("{name}: {problem}"));
        Ok(rest)
    }
}

impl Salvage {
    /// What stands under a ring's name is no file of ours: no reason to record nothing.
    fn set_aside(&mut self, place: &Place, name: &str, error: &io::Error) {
        let whereto = match place.storage.set_ring_aside(name) {
            Ok(()) => "it is in the quarantine beside it".to_owned(),
            Err(error) => format!("it could not be moved ({error})"),
        };
        tracing::error!(ring = name, %error, whereto, "what has a ring's name is no ring");
        self.problems.push(format!("{name}: {error}; {whereto}"));
    }

    /// What a ring that can be read shows to be wrong, with itself or with the trail.
    fn judge(&mut self, name: &str, ring: &Dead, head: Head, is_of_this_boot: bool) {
        let mut say = |problem: String| {
            tracing::error!(ring = name, %problem, "a ring of a dead writer is not as it was left");
            self.problems.push(format!("{name}: {problem}"));
        };
        // Set only when that many entries were durable: no crash takes them away.
        if ring.next_seq > head.next_seq {
            let (was, is) = (ring.next_seq, head.next_seq);
            say(format!("the trail was cut: it had {was} entries, and has {is}"));
        }
        // A power failure leaves any mixture of old and new pages.
        if !is_of_this_boot {
            return;
        }
        if ring.bad_header || ring.beyond_tail {
            say("head and tail were changed; all that is whole in it was taken".to_owned());
        }
        if ring.overwritten > 0 {
            say(format!(
                "accepted events that were overwritten, and are lost: {}",
                ring.overwritten
            ));
        }
        self.unfinished_bytes += ring.hole_cells * CELL_BYTES as u64;
        for (sum, count) in self.refused.iter_mut().zip(ring.refused) {
            *sum = sum.saturating_add(count);
        }
    }

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
        let is_clean =
            self.problems.is_empty() && self.unfinished_bytes == 0 && self.withdrawn == 0;
        if self.bodies.is_empty() && is_clean && self.refused == [0; 2] {
            return;
        }
        // Where nothing else is to be told, all entries are signed.
        let signed = trail.head.next_seq;
        let recovered = trail.recovered.get_or_insert_with(|| Recovered {
            signed,
            same_boot,
            ..Recovered::default()
        });
        recovered.withdrawn = self.withdrawn;
        recovered.refused = self.refused;
        recovered.ring_unfinished_bytes = self.unfinished_bytes;
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

/// What a record of a ring is.
#[derive(PartialEq, Eq)]
enum Kind {
    /// What `emit` put there, or the keeper, and may come into the trail whoever put it there.
    Event,
    /// What the keeper put there, and must not come into the trail as anybody's word but its own: it takes
    /// protection away from entries.
    Withdrawn,
    /// No entry, or one that never passes through a ring.
    Strange,
}

fn kind_of(body: &[u8]) -> Kind {
    let mut line = Vec::new();
    append_line(&mut line, &mut { Head::EMPTY }, body);
    line.pop();
    let Some(entry) = id_of(body).and_then(|_| audit_core::entry::Entry::parse(&line).ok()) else {
        return Kind::Strange;
    };
    match entry.event_type() {
        "audit.hold_added" | "audit.accessed" => Kind::Event,
        "audit.retention_applied" | "audit.hold_released" => Kind::Withdrawn,
        own if is_reserved(own) => Kind::Strange,
        _ => Kind::Event,
    }
}

/// The `audit_id` in a body, which begins with it.
pub(crate) fn id_of(body: &[u8]) -> Option<Uuid> {
    body.get(12..48).and_then(|text| Uuid::try_parse_ascii(text).ok())
}

/// The bodies that are in no entry, in order.
fn missing(trail: &dyn Storage, head: Head, dead: Vec<Dead>) -> io::Result<Vec<Vec<u8>>> {
    // A number that cannot be is not believed.
    let from = |ring: &Dead| if ring.next_seq > head.next_seq { 0 } else { ring.next_seq };
    let Some(first) = dead.iter().filter(|ring| !ring.records.is_empty()).map(from).min() else {
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

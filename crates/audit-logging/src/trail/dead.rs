//! What dead processes left in their rings, and how it comes into the trail.
//!
//! What must stay true here: exactly once. What a ring holds is compared, by `audit_id`, with every
//! entry that can be of it; a ring is removed only when all it held is durable in the trail, so an
//! opening that is killed in the middle loses and repeats nothing. What cannot be read is kept in
//! the quarantine, and the trail says so.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use audit_core::chain::Head;
use audit_core::event::event_type::is_reserved;
use audit_core::plan::append_line;
use uuid::Uuid;

use super::compare::compare;
use super::open::io_error;
use super::rings::{Place, Rings};
use super::{Recovered, Trail};
use crate::config::MAX_QUEUE_BYTES;
use crate::error::OpenError;
use crate::ring::salvage::{Dead, salvage};
use crate::ring::{CELL_BYTES, ENDING, Refusals};
use crate::storage::{INSECURE, QUARANTINE, Storage, read_to_vec};

/// Longer files are no rings.
const MAX_RING_FILE: u64 = (MAX_QUEUE_BYTES as u64) * 2 + (1 << 20);

/// Ending of a ring that was being made.
pub(super) const UNFINISHED: &str = ".ring.tmp";

/// What is wrong with a ring whose head hides something, or shows what is in the trail.
const DOUBTFUL: &str = "its head does not fit the trail; all that is whole in it was taken";

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
}

impl Rings {
    /// Reads the rings of dead processes and compares them with the trail.
    pub(crate) fn salvage(&self, trail: &Trail, same_boot: bool) -> Result<Salvage, OpenError> {
        let (head, last_event, trail) = (trail.head, trail.last_event, trail.info.trail_id);
        let mut found = Salvage { problems: self.closed.clone(), ..Salvage::default() };
        let mut dead = Vec::new();
        for place in self.places() {
            for name in &place.rings_of(trail, ENDING)? {
                let Some(mut ring) = self.open_dead(place, name, trail, same_boot, &mut found)?
                else {
                    continue;
                };
                let is_of_this_boot = self.is_of_this_boot(&ring);
                found.judge(name, &ring, head, is_of_this_boot);
                // A power failure leaves any mixture of old and new pages.
                ring.before = ring.before.filter(|_| is_of_this_boot);
                ring.before_broken &= is_of_this_boot;
                dead.push((place, name.clone(), ring));
            }
            for name in &place.rings_of(trail, UNFINISHED)? {
                // One that is used is just being made, for a copy of this trail.
                let removed = place.storage.is_ring_used(name).and_then(|is_used| {
                    if is_used { Ok(()) } else { place.storage.remove_ring(name) }
                });
                // What a stranger had put in a ring's place, whose writer was killed as it took it back.
                if let Err(error) = &removed
                    && error.kind() == INSECURE
                {
                    found.set_aside(place, name, error);
                    continue;
                }
                removed.map_err(|e| io_error(&place.path.join(name), "remove", e))?;
            }
        }
        dead.sort_by_key(|(_, _, ring): &(&Place, String, Dead)| ring.identity.started);
        let own = self.own();
        let compare = |dead: &[(&Place, String, Dead)]| {
            let rings: Vec<&Dead> = dead.iter().map(|(_, _, ring)| ring).collect();
            compare(&*own.storage, head, last_event, &rings)
                .map_err(|error| io_error(&own.path, "compare the ring with", error))
        };
        let mut compared = compare(&dead)?;
        if !compared.doubtful.is_empty() {
            for doubtful in compared.doubtful {
                let Some((place, name, ring)) = dead.get_mut(doubtful) else { continue };
                found.say(name, DOUBTFUL);
                *ring = read_unbelieved(place, name)?;
            }
            // Now with all of the trail: there is no second doubt.
            compared = compare(&dead)?;
        }
        for segment in &compared.unread {
            let problem = "cannot be read: what of a ring is in it may stand in the trail twice";
            found.problems.push(format!("{segment}: {problem}"));
        }
        let records = dead.into_iter().flat_map(|(_, _, ring)| ring.records);
        // A ring that was copied gives everything twice.
        found.bodies = records
            .map(|record| record.body)
            .filter(|body| id_of(body).is_some_and(|id| compared.held.insert(id)))
            .collect();
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
        let (problem, rest) = match salvage(&bytes, true) {
            Ok(dead) if dead.identity.trail_id != trail.as_u128() => {
                ("the ring of another trail".to_owned(), None)
            }
            Ok(mut dead) => {
                let is_strange = |body: &[u8]| !is_event(body) && !is_entry(body, is_noted);
                let strange = dead.records.iter().filter(|record| is_strange(&record.body)).count();
                dead.records.retain(|record| is_event(&record.body));
                match strange {
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

    /// A ring that can be read is not as its writer left it.
    fn say(&mut self, name: &str, problem: &str) {
        tracing::error!(ring = name, %problem, "a ring of a dead writer is not as it was left");
        self.problems.push(format!("{name}: {problem}"));
    }

    /// What a ring that can be read shows to be wrong, with itself or with the trail.
    fn judge(&mut self, name: &str, ring: &Dead, head: Head, is_of_this_boot: bool) {
        // Set only when that many entries were durable: no crash takes them away.
        if ring.next_seq > head.next_seq {
            let (was, is) = (ring.next_seq, head.next_seq);
            self.say(name, &format!("the trail was cut: it had {was} entries, and has {is}"));
        }
        // A power failure leaves any mixture of old and new pages.
        if !is_of_this_boot {
            return;
        }
        if ring.bad_header || ring.beyond_tail {
            self.say(name, "head and tail were changed; all that is whole in it was taken");
        }
        if ring.overwritten > 0 {
            let lost = ring.overwritten;
            self.say(name, &format!("accepted events that were overwritten, and are lost: {lost}"));
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
        let is_clean = self.problems.is_empty() && self.unfinished_bytes == 0;
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

/// All that is whole in a ring whose head is not to be believed.
fn read_unbelieved(place: &Place, name: &str) -> Result<Dead, OpenError> {
    let refuse = |error| io_error(&place.path.join(name), "read", error);
    let bytes = read_to_vec(&*place.storage, name, MAX_RING_FILE).map_err(refuse)?;
    let mut dead = salvage(&bytes, false).map_err(|error| refuse(io::Error::other(error)))?;
    dead.records.retain(|record| is_event(&record.body));
    Ok(dead)
}

/// True for what the keeper says in the trail. Who asked it to is answered when that is durable: a kill
/// before takes nothing from anybody.
fn is_noted(event_type: &str) -> bool {
    const TYPES: [&str; 4] =
        ["audit.accessed", "audit.hold_added", "audit.hold_released", "audit.retention_applied"];
    TYPES.contains(&event_type)
}

/// True for a body that makes a valid entry, and one that `emit` may have put there.
pub(super) fn is_event(body: &[u8]) -> bool {
    is_entry(body, |event_type| !is_reserved(event_type))
}

/// True for a body that makes a valid entry of a type that pleases.
fn is_entry(body: &[u8], pleases: impl FnOnce(&str) -> bool) -> bool {
    id_of(body).is_some() && {
        let mut line = Vec::new();
        append_line(&mut line, &mut { Head::EMPTY }, body);
        line.pop();
        audit_core::entry::Entry::parse(&line).is_ok_and(|entry| pleases(entry.event_type()))
    }
}

/// The `audit_id` in a body, which begins with it.
pub(crate) fn id_of(body: &[u8]) -> Option<Uuid> {
    body.get(12..48).and_then(|text| Uuid::try_parse_ascii(text).ok())
}

//! What of a dead ring is in the trail already.
//!
//! What must stay true here: every entry that can be of a record is looked at. Which those are, the ring
//! says by its head and the `seq` beside it. No checksum covers these two, so they are held against the
//! trail: no entry from before that `seq` may be of a record from the head on, and the last record
//! before the head must be whole, and in an entry.

use std::collections::{HashMap, HashSet};
use std::io;

use audit_core::chain::Head;
use audit_core::entry::Entry;
use audit_core::event::event_type::is_reserved;
use uuid::Uuid;

use super::content::segments_in;
use super::dead::{id_of, is_event};
use super::entries::read_segment;
use crate::ring::salvage::Dead;
use crate::storage::Storage;

/// What the trail says of dead rings.
#[derive(Default)]
pub(super) struct Compared {
    /// Ids of records that are in an entry.
    pub(super) held: HashSet<Uuid>,
    /// Rings, by number, whose head does not fit.
    pub(super) doubtful: Vec<usize>,
    /// Segments that are damaged: which records they hold is not known.
    pub(super) unread: Vec<String>,
}

/// What is looked for, and what was found of it.
#[derive(Default)]
struct Search {
    /// Records: the ring's number, and the `seq` before which no entry is of them.
    records: HashMap<Uuid, (usize, u64)>,
    /// Records before a ring's head, and the ring's number.
    before: HashMap<Uuid, usize>,
    /// The least `seq` from which on any ring asks for entries.
    from: u64,
    /// An event from before was seen: what is in `before` would have come after it.
    saw_older: bool,
    found: Compared,
}

/// Reads the trail from its end back, as far as any of the rings asks for. `last_event` is known to be
/// in it.
pub(super) fn compare(
    trail: &dyn Storage,
    head: Head,
    last_event: Option<Uuid>,
    dead: &[&Dead],
) -> io::Result<Compared> {
    let mut search = Search { from: u64::MAX, ..Search::default() };
    for (number, ring) in dead.iter().enumerate() {
        search.ask(number, ring, head);
    }
    // A ring that was drained, of the writer before: nothing needs to be read.
    if let Some(id) = last_event {
        search.before.remove(&id);
    }
    if search.records.is_empty() && search.before.is_empty() {
        return Ok(search.found);
    }
    let mut oldest = u64::MAX;
    for name in segments_in(&trail.list("")?).into_iter().rev() {
        let mut first = None;
        let read = read_segment(trail, name, &mut |entry| {
            first.get_or_insert(entry.seq());
            search.see(entry);
        });
        match read {
            // No reason to record nothing: it is told, and what was read of it counts.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(segment = %name, %error, "a segment that may hold what a ring holds is damaged");
                search.found.unread.push(name.to_string());
            }
            read => read?,
        }
        oldest = first.unwrap_or(oldest);
        // Everything in the segments before is older. Only behind an event from before that `seq` is it
        // known that none is of a record from the head on: they come into the trail in their order.
        if oldest <= search.from && search.saw_older {
            break;
        }
    }
    // Where retention deleted what was before, or it cannot be read, nobody knows.
    if (search.saw_older || oldest == 0) && search.found.unread.is_empty() {
        search.found.doubtful.extend(search.before.values());
    }
    Ok(search.found)
}

impl Search {
    fn ask(&mut self, number: usize, ring: &Dead, head: Head) {
        if ring.before_broken {
            self.found.doubtful.push(number);
        }
        // A number that cannot be is not believed.
        let from = if ring.next_seq > head.next_seq { 0 } else { ring.next_seq };
        for id in ring.records.iter().filter_map(|record| id_of(&record.body)) {
            self.records.entry(id).or_insert((number, from));
            self.from = self.from.min(from);
        }
        if let Some(id) = ring.before.as_deref().filter(|body| is_event(body)).and_then(id_of) {
            self.before.insert(id, number);
            self.from = self.from.min(from);
        }
    }

    fn see(&mut self, entry: &Entry<'_>) {
        let id = entry.audit_id();
        if let Some((ring, from)) = self.records.get(&id) {
            self.found.held.insert(id);
            if entry.seq() < *from && !self.found.doubtful.contains(ring) {
                self.found.doubtful.push(*ring);
            }
        }
        self.before.remove(&id);
        self.saw_older |= entry.seq() < self.from && !is_reserved(entry.event_type());
    }
}

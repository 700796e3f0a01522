//! From records to bytes in the segment.
//!
//! What must stay true here: entries are planned in the order they were accepted; a segment never
//! grows past its limit unless one entry alone does; what the segment took and what is planned are
//! never confused.

use audit_core::chain::Head;
use audit_core::event::Event;
use audit_core::plan::{append_line, line_len};

use super::Writer;
use super::ring::{DEAD_THREAD, OVERWRITTEN, ring_fault};
use crate::error::Fault;
use crate::ring::Look;
use crate::storage::{Identity, is_no_space};
use crate::trail::id_of;

/// Planned bytes after which a batch is written although more was accepted: waiters of its first
/// entries should not wait for all of a full ring.
const BATCH_BYTES: usize = 4 << 20;
/// Planned bytes after which they are written, and the disk begins with them, while the rest of a
/// large batch is planned: hashing and the disk's work then take the longer of the two, not the sum.
const WRITE_BYTES: usize = 256 << 10;

impl Writer {
    /// Plans and writes what was accepted: everything up to the first record that its producer is
    /// still copying, or, when `closing`, everything.
    pub(super) fn append_accepted(&mut self, closing: bool) -> Result<(), Fault> {
        let end = self.shared.ring.tail();
        if self.position == end {
            return Ok(());
        }
        let (occupied, capacity) = self.shared.ring.occupancy();
        self.shared.meters.ring(occupied, capacity);
        let mut body = std::mem::take(&mut self.body);
        let planned = self.plan_accepted(end, closing, &mut body);
        self.body = body;
        planned?;
        self.write_out()
    }

    fn plan_accepted(&mut self, end: u64, closing: bool, body: &mut Vec<u8>) -> Result<(), Fault> {
        let mut patient = true;
        while self.position < end {
            let ring = &self.shared.ring;
            let look = if patient {
                ring.read_patiently(self.position, body)
            } else {
                ring.read(self.position, body)
            };
            let record = match look {
                Look::Record(record) => record,
                Look::Uncommitted if !patient => return Ok(()),
                Look::Uncommitted => return Err(ring_fault(DEAD_THREAD)),
                Look::Overwritten => return Err(ring_fault(OVERWRITTEN)),
            };
            patient = closing;
            self.plan(body)?;
            self.position = record.end;
            self.unsynced.events += 1;
            self.unsynced.critical |= record.critical;
            self.unsynced.times.push(record.time);
            self.shared.meters.accepted(body, record.critical);
            if self.unsynced.lines.len() - self.unsynced.written >= WRITE_BYTES {
                self.write_out()?;
                self.active.file.begin_sync();
            }
            if self.unsynced.lines.len() >= BATCH_BYTES && !closing {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Plans and writes what a writer before accepted and did not write.
    pub(super) fn append_salvaged(&mut self, bodies: &[Vec<u8>]) -> Result<(), Fault> {
        for body in bodies {
            self.plan(body)?;
            self.unsynced.events += 1;
            if self.unsynced.lines.len() - self.unsynced.written >= BATCH_BYTES {
                self.write_out()?;
            }
        }
        self.write_out()
    }

    /// Plans and writes one entry of the writer's own.
    pub(super) fn append_control(&mut self, event: &impl Event) -> Result<(), Fault> {
        let now = self.clock.now();
        let audit_id = crate::ids::next(now).map_err(|error| {
            Fault::new("make an id in", &self.segment_name(), &std::io::Error::other(error))
        })?;
        let mut encoder = std::mem::take(&mut self.encoder);
        let stamp = audit_core::encode::Stamp { audit_id, now, service_id: &self.info.service_id };
        let planned = self.plan(encoder.encode(&self.policy, &stamp, event));
        self.encoder = encoder;
        planned?;
        self.write_out()
    }

    fn plan(&mut self, body: &[u8]) -> Result<(), Fault> {
        self.rotate_if_due(line_len(&self.head, body))?;
        let start = self.unsynced.lines.len();
        let hash = append_line(&mut self.unsynced.lines, &mut self.head, body);
        debug_assert_eq!(self.head, Head { next_seq: self.head.next_seq, last_hash: hash });
        self.active.state.add(&self.unsynced.lines[start..], self.head, id_of(body));
        self.unsynced.hashes.push(hash);
        self.unsynced.entries += 1;
        let now = self.clock.monotonic();
        self.unsynced.since.get_or_insert(now);
        self.last_entry = now;
        Ok(())
    }

    /// Hands every planned line to the segment. Not durable.
    pub(super) fn write_out(&mut self) -> Result<(), Fault> {
        // Looked at before each write too: writing would fill what a stranger cut off with zeros, or
        // cover what a stranger added.
        if self.unsynced.written < self.unsynced.lines.len()
            && matches!(self.active.file.identity(), Ok(Identity::Resized))
        {
            return self.abandon_resized();
        }
        while self.unsynced.written < self.unsynced.lines.len() {
            match self.active.file.append(&self.unsynced.lines[self.unsynced.written..]) {
                Ok(taken) => self.unsynced.written += taken,
                Err(error) if is_no_space(&error) => self.wait_for_space("append to", &error)?,
                Err(error) => return self.abandon("append to", &error),
            }
        }
        Ok(())
    }

    pub(super) fn segment_name(&self) -> String {
        self.active.state.name.to_string()
    }
}

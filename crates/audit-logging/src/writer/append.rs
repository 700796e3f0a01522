//! From records to bytes in the segment.
//!
//! What must stay true here: entries are planned in the order they were accepted; a segment never
//! grows past its limit unless one entry alone does; what the segment took and what is planned are
//! never confused.

use audit_core::chain::Head;
use audit_core::event::Event;
use audit_core::plan::{append_line, line_len};
use uuid::Uuid;

use super::{Batch, Writer};
use crate::error::Fault;
use crate::queue::weight_of;
use crate::storage::{Identity, is_no_space};

/// Where the `audit_id` stands in a body: after `"audit_id":"`.
const ID_IN_BODY: std::ops::Range<usize> = 12..48;

impl Writer {
    /// Plans and writes every record of a batch.
    pub(super) fn append_batch(&mut self, batch: &Batch) -> Result<(), Fault> {
        if batch.count == 0 {
            return Ok(());
        }
        for (critical, body) in batch.records() {
            self.plan(body)?;
            self.position += 1;
            self.unsynced.events += 1;
            self.unsynced.critical |= critical;
            self.unsynced.weight += weight_of(body);
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
        let id = body.get(ID_IN_BODY).and_then(|text| Uuid::try_parse_ascii(text).ok());
        self.active.state.add(&self.unsynced.lines[start..], self.head, id);
        self.unsynced.hashes.push(hash);
        self.unsynced.entries += 1;
        let now = self.clock.monotonic();
        self.unsynced.since.get_or_insert(now);
        self.last_entry = now;
        Ok(())
    }

    /// Hands every planned line to the segment. Not durable.
    pub(super) fn write_out(&mut self) -> Result<(), Fault> {
        // Looked at before the first write too: writing would fill what a stranger cut off, or
        // cover what a stranger added.
        if self.unsynced.written == 0
            && !self.unsynced.lines.is_empty()
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

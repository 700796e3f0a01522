//! The ring's own files, compiled with the checker's atomics in place of the machine's.
//!
//! What must stay true here: nothing is written again; what is checked is what runs.

#[path = "../../../crates/audit-logging/src/ring/cells.rs"]
pub(crate) mod cells;
#[path = "../../../crates/audit-logging/src/ring/doze.rs"]
pub(crate) mod doze;
#[path = "../../../crates/audit-logging/src/ring/layout.rs"]
pub(crate) mod layout;
#[path = "../../../crates/audit-logging/src/ring/memory.rs"]
pub(crate) mod memory;
#[path = "../../../crates/audit-logging/src/ring/sync.rs"]
mod sync;

use std::sync::Arc;

use cells::{Cells, Look, Position, Refusal};
use doze::Doze;
use layout::Identity;
use memory::RingMemory;

#[cfg(loom)]
use loom::thread::yield_now;
#[cfg(shuttle)]
use shuttle::thread::yield_now;

pub(crate) struct Model {
    pub(crate) cells: Cells,
    pub(crate) doze: Doze,
    limit: u64,
}

impl Model {
    pub(crate) fn new(cells: u64) -> Arc<Model> {
        let identity = Identity { ring_id: 1, trail_id: 2, boot_id: 3, pid: 4, started: 5 };
        let ring = Cells::new(RingMemory::plain(cells), identity, 0x5bd1_e995, cells);
        Arc::new(Model { cells: ring, doze: Doze::new(), limit: cells })
    }

    pub(crate) fn push(&self, body: &[u8]) -> Result<Position, Refusal> {
        let room = self.cells.reserve(body.len(), self.limit)?;
        self.cells.fill(room, false, 0, body, crc32c::crc32c(body));
        self.doze.brought(room.end);
        Ok(room.end)
    }

    /// The consumer: sleeps until a record is there, and waits out an unfinished one.
    pub(crate) fn next(&self, at: &mut Position) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            if self.cells.tail() == *at {
                self.doze.sleep(*at + 1, None, || self.cells.tail() > *at);
                continue;
            }
            match self.cells.read(*at, &mut body) {
                Look::Record(record) => {
                    *at = record.end;
                    return body;
                }
                Look::Uncommitted => yield_now(),
                Look::Overwritten => panic!("overwritten"),
            }
        }
    }
}

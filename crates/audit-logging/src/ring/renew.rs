//! A new file for a living ring, when a stranger took the old one away.
//!
//! What must stay true here: the memory changes only while nobody has room reserved that is not
//! committed and nobody can reserve any, and everything that is not durable is in the new file before
//! that has its name; so at no moment does a kill find less than without the change. Producers find out on
//! the path of those who found no room: the others pay nothing.

use std::io;
use std::time::Duration;

use super::cells::{Refusal, Reservation};
use super::memory::RingMemory;
use super::{Ring, lock};

/// How long a producer waits for a ring that is held, also one that waits for no room: it is held
/// for about as long as a copy of what is in it takes.
const HELD_PATIENCE: Duration = Duration::from_secs(1);

impl Ring {
    /// Writer only. Nobody gets room until [`Ring::go_on`]; in a ring that is closed, nobody anyway.
    pub(crate) fn hold(&self) {
        let _gate = lock(&self.gate);
        self.cells.close();
    }

    /// Writer only, while the ring is held and everything reserved is committed. Copies what is in it into
    /// `fresh`, gives that its name, and goes over to it. On an error nothing has changed.
    pub(crate) fn move_to(
        &self,
        fresh: RingMemory,
        publish: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        // Refusals are counted, and the ring is closed, under this lock: neither is lost in the copy.
        let _gate = lock(&self.gate);
        self.cells.copy_to(&fresh)?;
        publish()?;
        self.cells.memory().adopt(fresh)
    }

    /// Writer only. The end of [`Ring::hold`].
    pub(crate) fn go_on(&self) {
        let closed = lock(&self.gate);
        if !*closed {
            self.cells.open_again();
        }
        drop(closed);
        // Under the lock: nobody is between its look at the room and its wait.
        let guard = lock(&self.room);
        self.room_freed.notify_all();
        drop(guard);
    }

    /// Writer only, after [`Ring::move_to`]: the file before is nobody's any more.
    pub(crate) fn let_go_of_replaced(&self) -> io::Result<()> {
        self.cells.memory().let_go_of_replaced()
    }

    /// True after [`Ring::close`].
    pub(crate) fn is_closed(&self) -> bool {
        // The lock is taken only when the ring is closed or held.
        self.cells.is_closed() && *lock(&self.gate)
    }

    /// As the cells do; a ring that is held has no room now.
    pub(super) fn reserve(&self, len: usize, limit: u64) -> Result<Reservation, Refusal> {
        match self.cells.reserve(len, limit) {
            Err(Refusal::Closed) if !*lock(&self.gate) => Err(Refusal::Full),
            decided => decided,
        }
    }

    /// How long one who is ready to wait for so long waits now.
    pub(super) fn patience(&self, patience: Duration) -> Duration {
        let is_held = self.cells.is_closed() && !self.is_closed();
        if is_held { patience.max(HELD_PATIENCE) } else { patience }
    }
}

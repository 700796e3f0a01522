//! Watching over the file of this process's own ring.
//!
//! What must stay true here: a file that was taken away is noticed at the next commit, and another takes
//! its place; the trail tells of both, and whether it could be done.

use std::io;

use super::Writer;
use super::abandon::StorageFailure;
use crate::error::Fault;
use crate::ring::{Damage, Look};
use crate::trail::RingHome;

/// How often a ring is made anew. The old ones take memory and room until the logger is gone.
const MAX_RENEWALS: u32 = 8;

/// What poisons a writer: a producer that got room and never used it.
pub(super) const DEAD_THREAD: &str = "a thread died inside emit";
/// What poisons a writer: cells that are not what a producer stored in them.
pub(super) const OVERWRITTEN: &str = "its memory was overwritten by something else";

/// The ring's file, as the writer knows it.
pub(super) struct RingWatch {
    home: RingHome,
    renewals: u32,
    /// The file is gone, no other could be made, and the trail says so.
    is_lost: bool,
}

impl RingWatch {
    pub(super) const fn new(home: RingHome) -> RingWatch {
        RingWatch { home, renewals: 0, is_lost: false }
    }
}

impl Writer {
    /// Looks whether the ring's file is still there: without it, a killed process loses what is not
    /// durable.
    pub(super) fn watch_ring(&mut self) -> Result<(), Fault> {
        if self.ring_watch.is_lost {
            return Ok(());
        }
        let damage = self.shared.ring.damage();
        match damage.map_err(|error| Fault::new("look at", "the emit ring", &error))? {
            None => Ok(()),
            Some(Damage::Resized) => Err(ring_fault("another process changed its length")),
            Some(Damage::Unlinked) => self.replace_ring(),
        }
    }

    fn replace_ring(&mut self) -> Result<(), Fault> {
        const WHAT: &str = "the emit ring was deleted, moved or replaced by another process";
        self.shared.meters.storage_failed();
        let outcome = match self.renew_ring()? {
            Ok(()) => {
                "another has taken its place; a kill before that would have lost events that were \
                 not durable"
                    .to_owned()
            }
            Err(error) => {
                self.ring_watch.is_lost = true;
                format!(
                    "another could not be made ({error}): until the logger is opened again, a \
                     killed process loses events that are not durable"
                )
            }
        };
        let problem = format!("{WHAT}; {outcome}");
        tracing::error!("{problem}");
        self.failures.push(StorageFailure::of_ring(&problem));
        self.report_failures()
    }

    /// Goes over to another file under the ring's name. What takes long is done before producers are held
    /// up: they wait for the copy of what is in the ring, and for a rename.
    fn renew_ring(&mut self) -> Result<io::Result<()>, Fault> {
        if self.ring_watch.renewals == MAX_RENEWALS {
            let error = format!("it was taken away {MAX_RENEWALS} times before");
            return Ok(Err(io::Error::other(error)));
        }
        self.ring_watch.renewals += 1;
        let home = &self.ring_watch.home;
        let fresh = match home.make().and_then(|fresh| home.clear().map(|()| fresh)) {
            Ok(fresh) => fresh,
            Err(error) => return Ok(Err(error)),
        };
        let ring = &self.shared.ring;
        if !ring.hold() {
            return Ok(Err(io::Error::other("the logger is being closed")));
        }
        let moved = self.await_commits().map(|()| ring.move_to(fresh, || home.publish()));
        ring.go_on();
        moved
    }

    /// Waits until everything that was reserved in a ring that is held is committed.
    fn await_commits(&self) -> Result<(), Fault> {
        let (mut at, end) = (self.position, self.shared.ring.tail());
        let mut body = Vec::new();
        while at < end {
            at = match self.shared.ring.read_patiently(at, &mut body) {
                Look::Record(record) => record.end,
                Look::Uncommitted => return Err(ring_fault(DEAD_THREAD)),
                Look::Overwritten => return Err(ring_fault(OVERWRITTEN)),
            };
        }
        Ok(())
    }
}

/// What is in the ring is lost to this process, not to the next one: it salvages what is whole.
pub(super) fn ring_fault(problem: &'static str) -> Fault {
    Fault::new("read", "the emit ring", &io::Error::other(problem))
}

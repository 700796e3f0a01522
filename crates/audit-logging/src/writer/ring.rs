//! Watching over the file of this process's own ring.
//!
//! What must stay true here: a file that was taken away is noticed at the next commit, and another takes
//! its place, at once or as soon as one can be made; the trail tells of both, and whether it could be
//! done. Producers are held up for a copy and a rename, not for each other.

use std::io;
use std::time::Duration;

use super::Writer;
use super::abandon::StorageFailure;
use crate::error::Fault;
use crate::ring::{Damage, Look, Position, RingMemory};
use crate::trail::RingHome;

/// How often a ring is made anew. The old ones take memory and room until the logger is gone.
const MAX_RENEWALS: u32 = 8;
/// How long no other is made after it could not be done the first time; each time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(256);
/// Short sleeps in which a producer that is in the middle of a copy may end it while all are held up:
/// some tens of milliseconds.
const HELD_SLEEPS: u32 = 500;

/// What poisons a writer: a producer that got room and never used it.
pub(super) const DEAD_THREAD: &str = "a thread died inside emit";
/// What poisons a writer: cells that are not what a producer stored in them.
pub(super) const OVERWRITTEN: &str = "its memory was overwritten by something else";

/// The ring's file, as the writer knows it.
pub(super) struct RingWatch {
    home: RingHome,
    renewals: u32,
    /// Monotonic time before which no other is made: none could be.
    not_before: Duration,
    pause: Duration,
    /// The file is gone, no other could be made, and the trail says so.
    is_lost: bool,
}

/// How going over to another file ended.
enum Renewal {
    Done,
    /// The file is there again.
    NotNeeded,
    /// A producer stood still in the middle of a copy: once more, at the next commit.
    Later,
    Failed(io::Error),
}

impl RingWatch {
    pub(super) const fn new(home: RingHome) -> RingWatch {
        let (not_before, pause) = (Duration::ZERO, FIRST_PAUSE);
        RingWatch { home, renewals: 0, not_before, pause, is_lost: false }
    }

    const fn is_enough(&self) -> bool {
        self.renewals == MAX_RENEWALS
    }

    fn wait_longer(&mut self, now: Duration) {
        self.not_before = now.saturating_add(self.pause);
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }

    const fn reset(&mut self) {
        (self.not_before, self.pause, self.is_lost) = (Duration::ZERO, FIRST_PAUSE, false);
    }
}

impl Writer {
    /// Looks whether the ring's file is still there: without it, a killed process loses what is not
    /// durable.
    pub(super) fn watch_ring(&mut self) -> Result<(), Fault> {
        let is_over = self.ring_watch.is_lost && self.ring_watch.is_enough();
        if is_over || self.clock.monotonic() < self.ring_watch.not_before {
            return Ok(());
        }
        if self.is_ring_gone()? {
            return self.replace_ring();
        }
        self.ring_watch.reset();
        Ok(())
    }

    fn is_ring_gone(&self) -> Result<bool, Fault> {
        let damage = self.shared.ring.damage();
        match damage.map_err(|error| Fault::new("look at", "the emit ring", &error))? {
            None => Ok(false),
            Some(Damage::Resized) => Err(ring_fault("another process changed its length")),
            Some(Damage::Unlinked) => Ok(true),
        }
    }

    fn replace_ring(&mut self) -> Result<(), Fault> {
        const WHAT: &str = "the emit ring was deleted, moved or replaced by another process";
        let renewal = self.renew_ring()?;
        let outcome = match renewal {
            Renewal::NotNeeded | Renewal::Later => return Ok(()),
            Renewal::Done => {
                self.ring_watch.renewals += 1;
                self.ring_watch.reset();
                "another has taken its place; a kill before that would have lost events that were \
                 not durable"
                    .to_owned()
            }
            Renewal::Failed(error) => {
                self.ring_watch.wait_longer(self.clock.monotonic());
                if std::mem::replace(&mut self.ring_watch.is_lost, true) {
                    tracing::warn!(%error, "still no other emit ring could be made");
                    return Ok(());
                }
                let until = if self.ring_watch.is_enough() {
                    "the logger is opened again"
                } else {
                    "one can be, which is tried again, or the logger is opened again"
                };
                format!(
                    "another could not be made ({error}): until {until}, a killed process loses \
                     events that are not durable"
                )
            }
        };
        let problem = format!("{WHAT}; {outcome}");
        self.shared.meters.storage_failed();
        tracing::error!("{problem}");
        self.failures.push(StorageFailure::of_ring(&problem));
        self.write_failures()?;
        // As any commit: the segment may have been taken away with the ring, and a sync may fail.
        self.sync()
    }

    /// Goes over to another file under the ring's name.
    fn renew_ring(&self) -> Result<Renewal, Fault> {
        if self.ring_watch.is_enough() {
            let error = format!("it was taken away {MAX_RENEWALS} times before");
            return Ok(Renewal::Failed(io::Error::other(error)));
        }
        let home = &self.ring_watch.home;
        let renewal = match home.make() {
            Ok(fresh) => self.go_over_to(fresh),
            Err(error) => return Ok(Renewal::Failed(error)),
        };
        if matches!(renewal, Ok(Renewal::Done)) {
            home.set_displaced_aside();
        } else {
            home.discard();
        }
        renewal
    }

    /// What takes long is done before producers are held up: they wait for the copy of what is in the
    /// ring, and for a rename.
    fn go_over_to(&self, fresh: RingMemory) -> Result<Renewal, Fault> {
        // Making the other one took a while.
        if !self.is_ring_gone()? {
            return Ok(Renewal::NotNeeded);
        }
        let ring = &self.shared.ring;
        let Some(whole) = self.await_commits(self.position, None)? else {
            return Err(ring_fault(DEAD_THREAD));
        };
        ring.hold();
        let renewal = self.await_commits(whole, Some(HELD_SLEEPS)).map(|whole| {
            if whole.is_none() {
                return Renewal::Later;
            }
            let moved = ring.move_to(fresh, || self.ring_watch.home.publish());
            moved.map_or_else(Renewal::Failed, |()| Renewal::Done)
        });
        ring.go_on();
        if matches!(renewal, Ok(Renewal::Done))
            && let Err(error) = ring.let_go_of_replaced()
        {
            tracing::warn!(%error, "the lock of a ring that was taken away could not be released");
        }
        renewal
    }

    /// Waits until everything from `at` on that is reserved now is committed, and says up to where. None
    /// when that takes longer than so many short sleeps, or than any producer that lives.
    fn await_commits(
        &self,
        mut at: Position,
        sleeps: Option<u32>,
    ) -> Result<Option<Position>, Fault> {
        let end = self.shared.ring.tail();
        let mut body = Vec::new();
        let mut left = sleeps;
        while at < end {
            let look = match &mut left {
                None => self.shared.ring.read_patiently(at, &mut body),
                Some(left) => self.shared.ring.read_within(at, &mut body, left),
            };
            at = match look {
                Look::Record(record) => record.end,
                Look::Uncommitted => return Ok(None),
                Look::Overwritten => return Err(ring_fault(OVERWRITTEN)),
            };
        }
        Ok(Some(at))
    }
}

/// What is in the ring is lost to this process, not to the next one: it salvages what is whole.
pub(super) fn ring_fault(problem: &'static str) -> Fault {
    Fault::new("read", "the emit ring", &io::Error::other(problem))
}

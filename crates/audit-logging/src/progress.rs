//! How far the trail is durable, sealed and witnessed, and who waits for it.
//!
//! What must stay true here: the durable mark only moves after a sync returned, the sealed mark
//! only after a checkpoint was published, the witnessed mark only when a follower says so; a waiter is
//! woken when its goal is reached or when it never will be, and whoever asked for a checkpoint at once
//! also when the attempt failed. One notification per batch, not per event.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::{Fault, WaitError};
use crate::ring::Position;

/// What may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Everything up to here survives a power failure.
    Durable(Position),
    /// Everything up to here is covered by a signed checkpoint.
    Sealed(Position),
    /// As [`Goal::Sealed`], asked for when so many attempts at a checkpoint had failed: the next
    /// attempt over it decides.
    SealedNow(Position, u64),
    /// Everything up to here is covered by a checkpoint that witnesses cosigned.
    Witnessed(Position),
    /// The writer has left, everything durable and sealed.
    Finished,
}

#[derive(Debug, Default)]
struct Waiters {
    wakers: Vec<(Goal, Waker)>,
    blocked: usize,
    fault: Option<Fault>,
    seal_fault: Option<Fault>,
    /// The last attempt at a checkpoint that failed: what it would have covered, and why.
    failed_attempt: Option<(Position, Fault)>,
    failed_attempts: u64,
    /// Followers that may still report what witnesses cosigned.
    followers: usize,
    finished: bool,
}

/// The marks.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    durable: AtomicU64,
    sealed: AtomicU64,
    witnessed: AtomicU64,
    waiters: Mutex<Waiters>,
    changed: Condvar,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Waiters> {
        // Changed only in steps that cannot panic.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to here is durable.
    pub(crate) fn durable(&self) -> Position {
        self.durable.load(Ordering::Acquire)
    }

    /// Everything up to here is covered by a published checkpoint.
    pub(crate) fn sealed(&self) -> Position {
        self.sealed.load(Ordering::Acquire)
    }

    /// Everything up to here is covered by a checkpoint that witnesses cosigned.
    pub(crate) fn witnessed(&self) -> Position {
        self.witnessed.load(Ordering::Acquire)
    }

    /// Writer only: everything up to `position` is durable now. Returns how many were waiting.
    pub(crate) fn advance(&self, position: Position) -> usize {
        let waiters = self.lock();
        self.durable.store(position, Ordering::Release);
        self.notify(waiters)
    }

    /// Sealer only: everything up to `position` is in a published checkpoint now.
    pub(crate) fn seal(&self, position: Position) {
        let waiters = self.lock();
        self.sealed.store(position, Ordering::Release);
        self.notify(waiters);
    }

    /// Followers only: everything up to `position` is in a cosigned checkpoint now.
    pub(crate) fn witness(&self, position: Position) {
        let waiters = self.lock();
        self.witnessed.fetch_max(position, Ordering::AcqRel);
        self.notify(waiters);
    }

    /// One more follower may report.
    pub(crate) fn attach_follower(&self) {
        self.lock().followers += 1;
    }

    /// One follower fewer; after the last one nobody waits for witnesses any more.
    pub(crate) fn detach_follower(&self) {
        let mut waiters = self.lock();
        waiters.followers = waiters.followers.saturating_sub(1);
        self.notify(waiters);
    }

    /// Writer only: the durable mark will never move again. `announce` runs when the cause is
    /// known and before anybody is woken, so whoever sees its effect finds the cause.
    pub(crate) fn fail(&self, fault: Fault, announce: impl FnOnce()) {
        let mut waiters = self.lock();
        waiters.fault.get_or_insert(fault);
        announce();
        self.notify(waiters);
    }

    /// Sealer only: no checkpoint up to `position` this time; it will be tried again.
    pub(crate) fn fail_seal_attempt(&self, position: Position, fault: Fault) {
        let mut waiters = self.lock();
        waiters.failed_attempt = Some((position, fault));
        waiters.failed_attempts += 1;
        self.notify(waiters);
    }

    /// How many attempts at a checkpoint failed.
    pub(crate) fn failed_seal_attempts(&self) -> u64 {
        self.lock().failed_attempts
    }

    /// Sealer only: the last checkpoint could not be published.
    pub(crate) fn fail_seal(&self, fault: Fault) {
        let mut waiters = self.lock();
        waiters.seal_fault.get_or_insert(fault);
        self.notify(waiters);
    }

    /// Writer only: the thread is leaving; the lock on the trail is released.
    pub(crate) fn finish(&self) {
        let mut waiters = self.lock();
        waiters.finished = true;
        self.notify(waiters);
    }

    /// Wakes those whose goal is decided, outside the lock: a waker may run anything.
    fn notify(&self, mut waiters: MutexGuard<'_, Waiters>) -> usize {
        let mut wakers = std::mem::take(&mut waiters.wakers);
        let woken: Vec<Waker> = wakers
            .extract_if(.., |(goal, _)| self.outcome(&waiters, *goal).is_some())
            .map(|(_, waker)| waker)
            .collect();
        waiters.wakers = wakers;
        let blocked = waiters.blocked;
        drop(waiters);
        if blocked > 0 {
            self.changed.notify_all();
        }
        let count = woken.len() + blocked;
        woken.into_iter().for_each(Waker::wake);
        count
    }

    /// The fault that ended writing, if any.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.lock().fault.clone()
    }

    /// Blocks until the goal is reached, at most for `limit`; a limit beyond the clock is none.
    pub(crate) fn wait(&self, goal: Goal, limit: Option<Duration>) -> Result<(), WaitError> {
        if self.is_reached(goal) {
            return Ok(());
        }
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut waiters = self.lock();
        loop {
            if let Some(outcome) = self.outcome(&waiters, goal) {
                return outcome;
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(WaitError::TimedOut);
            }
            waiters.blocked += 1;
            waiters = match left {
                None => self.changed.wait(waiters).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self
                    .changed
                    .wait_timeout(waiters, left)
                    .map_or_else(|e| e.into_inner().0, |(guard, _)| guard),
            };
            waiters.blocked -= 1;
        }
    }

    /// As [`Progress::wait`], for a task. `known` remembers the waker that is registered already:
    /// it stays registered until it is woken, so polling again costs nothing.
    pub(crate) fn poll(
        &self,
        goal: Goal,
        waker: &Waker,
        known: &mut Option<Waker>,
    ) -> Poll<Result<(), WaitError>> {
        if self.is_reached(goal) {
            return Poll::Ready(Ok(()));
        }
        let mut waiters = self.lock();
        if let Some(outcome) = self.outcome(&waiters, goal) {
            return Poll::Ready(outcome);
        }
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiters.wakers.push((goal, waker.clone()));
            *known = Some(waker.clone());
        }
        Poll::Pending
    }

    /// Without the lock.
    fn is_reached(&self, goal: Goal) -> bool {
        match goal {
            Goal::Durable(position) => self.durable() >= position,
            Goal::Sealed(position) | Goal::SealedNow(position, _) => self.sealed() >= position,
            Goal::Witnessed(position) => self.witnessed() >= position,
            Goal::Finished => false,
        }
    }

    /// How a goal ended; `None` while it is open.
    fn outcome(&self, waiters: &Waiters, goal: Goal) -> Option<Result<(), WaitError>> {
        if self.is_reached(goal) {
            return Some(Ok(()));
        }
        let poisoned = || waiters.fault.clone().map(|fault| Err(WaitError::Poisoned(fault)));
        let not_sealed =
            || waiters.seal_fault.clone().map(|fault| Err(WaitError::NotSealed(fault)));
        match goal {
            Goal::Durable(_) => poisoned(),
            // What is durable may still be sealed after the writer failed.
            Goal::Sealed(position) if self.durable() < position => poisoned().or_else(not_sealed),
            Goal::Sealed(_) => not_sealed(),
            Goal::SealedNow(position, before) => {
                let attempt = waiters.failed_attempt.as_ref();
                let attempt = attempt.filter(|(to, _)| {
                    waiters.failed_attempts > before
                        && *to >= position
                        && self.durable() >= position
                });
                let failed = attempt.map(|(_, fault)| Err(WaitError::NotSealed(fault.clone())));
                self.outcome(waiters, Goal::Sealed(position)).or(failed)
            }
            // The last checkpoint may be cosigned after the writer has left.
            Goal::Witnessed(position) => {
                let sealed = self.outcome(waiters, Goal::Sealed(position));
                let nobody = (waiters.followers == 0).then_some(Err(WaitError::NotWitnessed));
                sealed.filter(Result::is_err).or(nobody)
            }
            Goal::Finished if !waiters.finished => None,
            Goal::Finished => poisoned().or_else(not_sealed).or(Some(Ok(()))),
        }
    }
}

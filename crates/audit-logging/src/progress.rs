//! How far the trail is durable, and who waits for it.
//!
//! What must stay true here: the mark only moves after a sync returned; a waiter is woken when the
//! mark passes its position or when it never will. One notification per batch, not per event.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::{Fault, WaitError};
use crate::queue::Position;

#[derive(Debug, Default)]
struct Waiters {
    wakers: Vec<(Position, Waker)>,
    blocked: usize,
    fault: Option<Fault>,
    finished: bool,
}

/// The durable mark.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    durable: AtomicU64,
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

    /// Writer only: everything up to `position` is durable now. Returns how many were waiting.
    pub(crate) fn advance(&self, position: Position) -> usize {
        let waiters = self.lock();
        self.durable.store(position, Ordering::Release);
        self.notify(waiters, |at| at <= position)
    }

    /// Writer only: the mark will never move again. `announce` runs when the cause is known and
    /// before anybody is woken, so whoever sees its effect finds the cause.
    pub(crate) fn fail(&self, fault: Fault, announce: impl FnOnce()) {
        let mut waiters = self.lock();
        waiters.fault.get_or_insert(fault);
        announce();
        // Those who wait for the end go on waiting: `finish` is still to come.
        self.notify(waiters, |at| at != Position::MAX);
    }

    /// Writer only: the thread is leaving; the lock on the trail is released.
    pub(crate) fn finish(&self) {
        let mut waiters = self.lock();
        waiters.finished = true;
        self.notify(waiters, |_| true);
    }

    /// Wakes those whose position passed, outside the lock: a waker may run anything.
    fn notify(
        &self,
        mut waiters: MutexGuard<'_, Waiters>,
        mut passed: impl FnMut(Position) -> bool,
    ) -> usize {
        let woken: Vec<Waker> =
            waiters.wakers.extract_if(.., |(at, _)| passed(*at)).map(|(_, waker)| waker).collect();
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

    /// Blocks until everything up to `position` is durable.
    pub(crate) fn wait(
        &self,
        position: Position,
        limit: Option<Duration>,
    ) -> Result<(), WaitError> {
        if self.durable() >= position {
            return Ok(());
        }
        self.block(limit, |waiters| self.outcome(waiters, position))
    }

    /// Blocks until the writer has left.
    pub(crate) fn wait_finished(&self, limit: Option<Duration>) -> Result<(), WaitError> {
        self.block(limit, finished)
    }

    fn block(
        &self,
        limit: Option<Duration>,
        outcome: impl Fn(&Waiters) -> Option<Result<(), WaitError>>,
    ) -> Result<(), WaitError> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut waiters = self.lock();
        loop {
            if let Some(outcome) = outcome(&waiters) {
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
        position: Position,
        waker: &Waker,
        known: &mut Option<Waker>,
    ) -> Poll<Result<(), WaitError>> {
        if self.durable() >= position {
            return Poll::Ready(Ok(()));
        }
        self.register(position, waker, known, |waiters| self.outcome(waiters, position))
    }

    /// As [`Progress::wait_finished`], for a task.
    pub(crate) fn poll_finished(
        &self,
        waker: &Waker,
        known: &mut Option<Waker>,
    ) -> Poll<Result<(), WaitError>> {
        self.register(Position::MAX, waker, known, finished)
    }

    fn register(
        &self,
        position: Position,
        waker: &Waker,
        known: &mut Option<Waker>,
        outcome: impl Fn(&Waiters) -> Option<Result<(), WaitError>>,
    ) -> Poll<Result<(), WaitError>> {
        let mut waiters = self.lock();
        if let Some(outcome) = outcome(&waiters) {
            return Poll::Ready(outcome);
        }
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiters.wakers.push((position, waker.clone()));
            *known = Some(waker.clone());
        }
        Poll::Pending
    }

    fn outcome(&self, waiters: &Waiters, position: Position) -> Option<Result<(), WaitError>> {
        if self.durable() >= position {
            return Some(Ok(()));
        }
        waiters.fault.as_ref().map(|fault| Err(WaitError::Poisoned(fault.clone())))
    }
}

fn finished(waiters: &Waiters) -> Option<Result<(), WaitError>> {
    match (&waiters.fault, waiters.finished) {
        (Some(fault), true) => Some(Err(WaitError::Poisoned(fault.clone()))),
        (None, true) => Some(Ok(())),
        (_, false) => None,
    }
}

//! What `emit` returns: the id of the event, and a way to wait until it is durable.
//!
//! What must stay true here: a receipt is cheap to drop, holds no lock and keeps no logger alive.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use uuid::Uuid;

use crate::error::WaitError;
use crate::progress::Goal;
use crate::ring::Position;
use crate::shared::Shared;

/// An accepted event.
#[derive(Debug, Clone)]
#[must_use = "a receipt tells when the event is durable; drop it (`drop(receipt)`) if that does not matter"]
pub struct Receipt {
    audit_id: Uuid,
    position: Position,
    shared: Option<Arc<Shared>>,
}

impl Receipt {
    pub(crate) const fn new(audit_id: Uuid, position: Position, shared: Arc<Shared>) -> Receipt {
        Receipt { audit_id, position, shared: Some(shared) }
    }

    #[inline]
    pub(crate) const fn disabled() -> Receipt {
        Receipt { audit_id: Uuid::nil(), position: 0, shared: None }
    }

    /// The event's `audit_id` in the trail; the nil UUID when auditing is disabled.
    #[must_use]
    pub const fn audit_id(&self) -> Uuid {
        self.audit_id
    }

    /// True when the event is known to survive a power failure.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.progress.durable() >= self.position)
    }

    /// Resolves when the event survives a power failure. Under `Batched` that takes up to the
    /// batch interval: waiting does not hurry the disk, `flush` does.
    ///
    /// # Errors
    /// The trail was poisoned before the event was durable.
    pub fn durable(&self) -> Until<'_> {
        Until { receipt: self, goal: Goal::Durable(self.position), registered: None }
    }

    /// True when a published checkpoint covers the event: whoever has the public key can prove it.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.progress.sealed() >= self.position)
    }

    /// Resolves when a published checkpoint covers the event, within the seal interval after it is
    /// durable. Waiting does not hurry it, `AuditLogger::seal` does. While checkpoints cannot be
    /// published (the disk, the signing device) this waits on, for each interval they are tried again:
    /// [`Metrics::seals`](crate::Metrics) and the service's log say so, and `seal` ends with the cause.
    ///
    /// # Errors
    /// As [`Receipt::durable`], and [`WaitError::NotSealed`] when the logger closed without.
    pub fn sealed(&self) -> Until<'_> {
        Until { receipt: self, goal: Goal::Sealed(self.position), registered: None }
    }

    /// As [`Receipt::sealed`], blocking the thread.
    ///
    /// # Errors
    /// As [`Receipt::sealed`].
    pub fn wait_sealed(&self) -> Result<(), WaitError> {
        self.wait(Goal::Sealed(self.position), None)
    }

    /// As [`Receipt::wait_sealed`], at most for `limit`.
    ///
    /// # Errors
    /// As [`Receipt::sealed`], and [`WaitError::TimedOut`].
    pub fn wait_sealed_timeout(&self, limit: Duration) -> Result<(), WaitError> {
        self.wait(Goal::Sealed(self.position), Some(limit))
    }

    /// As [`Receipt::durable`], blocking the thread.
    ///
    /// # Errors
    /// As [`Receipt::durable`].
    pub fn wait_durable(&self) -> Result<(), WaitError> {
        self.wait(Goal::Durable(self.position), None)
    }

    /// As [`Receipt::wait_durable`], at most for `limit`.
    ///
    /// # Errors
    /// As [`Receipt::durable`], and [`WaitError::TimedOut`].
    pub fn wait_durable_timeout(&self, limit: Duration) -> Result<(), WaitError> {
        self.wait(Goal::Durable(self.position), Some(limit))
    }

    /// True when a checkpoint that covers the event is known to carry the cosignatures that the
    /// operator's policy asks for: from then on nobody, not even who holds the key, can take it back
    /// unseen.
    #[must_use]
    pub fn is_witnessed(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.progress.witnessed() >= self.position)
    }

    /// Resolves when a cosigned checkpoint covers the event, as the follower reports it that holds a
    /// [`WitnessHandle`](crate::WitnessHandle). Take the handle before waiting. How long it takes is up
    /// to the witnesses; waiting does not hurry them.
    ///
    /// # Errors
    /// As [`Receipt::sealed`], and [`WaitError::NotWitnessed`] when there is no such follower, or none
    /// any more.
    pub fn witnessed(&self) -> Until<'_> {
        Until { receipt: self, goal: Goal::Witnessed(self.position), registered: None }
    }

    /// As [`Receipt::witnessed`], blocking the thread.
    ///
    /// # Errors
    /// As [`Receipt::witnessed`].
    pub fn wait_witnessed(&self) -> Result<(), WaitError> {
        self.wait(Goal::Witnessed(self.position), None)
    }

    /// As [`Receipt::wait_witnessed`], at most for `limit`.
    ///
    /// # Errors
    /// As [`Receipt::witnessed`], and [`WaitError::TimedOut`].
    pub fn wait_witnessed_timeout(&self, limit: Duration) -> Result<(), WaitError> {
        self.wait(Goal::Witnessed(self.position), Some(limit))
    }

    fn wait(&self, goal: Goal, limit: Option<Duration>) -> Result<(), WaitError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        if shared.is_forked() {
            return Err(WaitError::Forked);
        }
        shared.progress.wait(goal, limit)
    }
}

/// Future of [`Receipt::durable`], [`Receipt::sealed`] and [`Receipt::witnessed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Until<'a> {
    receipt: &'a Receipt,
    goal: Goal,
    registered: Option<Waker>,
}

impl Future for Until<'_> {
    type Output = Result<(), WaitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match &this.receipt.shared {
            None => Poll::Ready(Ok(())),
            Some(shared) if shared.is_forked() => Poll::Ready(Err(WaitError::Forked)),
            Some(shared) => shared.progress.poll(this.goal, cx.waker(), &mut this.registered),
        }
    }
}

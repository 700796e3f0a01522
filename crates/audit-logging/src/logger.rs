//! The logger: what a service holds on to.
//!
//! What must stay true here: `emit` runs user code only before anything is reserved, never blocks
//! on the disk and never loses an event in silence; the last handle's drop and `shutdown` wait for
//! the writer, not for a clock.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use audit_core::encode::{EncodePolicy, Encoder, Stamp};
use audit_core::event::Event;
use jiff::Timestamp;
use uuid::Uuid;

use crate::builder::Builder;
use crate::clock::{Clock, nanos};
use crate::config::{AuditConfig, OverflowPolicy};
use crate::error::{EmitError, OpenError, WaitError};
use crate::ledger::{DropCause, UNREADABLE};
use crate::metrics::RefusalCause;
use crate::progress::Goal;
use crate::receipt::Receipt;
use crate::retention::Keeper;
use crate::ring::{Position, Refusal};
use crate::seal::Sealer;
use crate::shared::{Shared, SpaceLevel};
use crate::witness::WitnessHandle;

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::new(Encoder::default());
}

/// A handle on an audit trail that is open for writing. Clones share it; the last one dropped
/// flushes and closes it.
///
/// All methods may be called from any thread, inside or outside an async runtime.
#[derive(Clone)]
pub struct AuditLogger {
    open: Option<Arc<Open>>,
}

/// What all handles share.
pub(crate) struct Open {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Arc<AuditConfig>,
    pub(crate) policy: Arc<EncodePolicy>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) origin: String,
    pub(crate) initial_key: String,
    /// Kept so that the thread is this handle's, never joined: its end is told by `progress`.
    pub(crate) _writer: JoinHandle<()>,
}

impl AuditLogger {
    /// Opens the trail of `config`, making or recovering it, and starts its writer.
    ///
    /// # Errors
    /// [`OpenError`]: what is wrong with the configuration, the directory or the trail. Once this
    /// returns `Ok`, the trail has an `audit.opened` entry on disk.
    pub fn new(config: impl Into<Arc<AuditConfig>>) -> Result<AuditLogger, OpenError> {
        Builder::new(config).open()
    }

    /// As [`AuditLogger::new`], with a clock or storage of the caller's.
    pub fn builder(config: impl Into<Arc<AuditConfig>>) -> Builder {
        Builder::new(config)
    }

    pub(crate) const fn from_open(open: Option<Arc<Open>>) -> AuditLogger {
        AuditLogger { open }
    }

    /// Records an event. When this returns `Ok`, the event is in the ring: it will be written in
    /// order, by this process or, if this one is killed, by the next that opens the trail. The
    /// receipt tells when it survives a power failure too. Costs a copy, no system call.
    ///
    /// # Errors
    /// [`EmitError`]: the event was refused, counted, and nothing else happened. What is refused as
    /// `Closed`, `Poisoned` or `Forked` is not counted: there is no trail to say so any more, and
    /// noting it elsewhere is for the caller.
    #[inline]
    pub fn emit(&self, event: impl Event) -> Result<Receipt, EmitError> {
        match &self.open {
            None => Ok(Receipt::disabled()),
            Some(open) => open.emit(&event),
        }
    }

    /// Counts an event that could not even be read, so that the trail says it was refused. After
    /// `shutdown` nothing is counted: no trail is open that could say so.
    pub fn record_unreadable(&self) {
        if let Some(open) = &self.open
            && !open.shared.is_forked()
        {
            open.count_refusal(UNREADABLE, false, DropCause::InvalidInput);
        }
    }

    /// Resolves when everything emitted before this call is durable, whatever the flush mode.
    ///
    /// # Errors
    /// [`WaitError::Poisoned`] or [`WaitError::Forked`].
    pub fn flush(&self) -> Wait {
        Wait::new(self.open.as_deref(), Goal::Durable)
    }

    /// As [`AuditLogger::flush`], blocking the thread.
    ///
    /// # Errors
    /// As [`AuditLogger::flush`].
    pub fn flush_blocking(&self) -> Result<(), WaitError> {
        self.flush().block(None)
    }

    /// As [`AuditLogger::flush`], and resolves when a checkpoint over it is published.
    ///
    /// # Errors
    /// As [`AuditLogger::flush`], and [`WaitError::NotSealed`] when this attempt failed: the events are
    /// durable, and the logger goes on trying by itself, once in each seal interval.
    pub fn seal(&self) -> Wait {
        let progress = self.open.as_ref().map(|open| &open.shared.progress);
        let failed = progress.map_or(0, crate::progress::Progress::failed_seal_attempts);
        Wait::new(self.open.as_deref(), |position| Goal::SealedNow(position, failed))
    }

    /// As [`AuditLogger::seal`], blocking the thread.
    ///
    /// # Errors
    /// As [`AuditLogger::seal`].
    pub fn seal_blocking(&self) -> Result<(), WaitError> {
        self.seal().block(None)
    }

    /// As [`AuditLogger::seal_blocking`], at most for `limit`.
    ///
    /// # Errors
    /// As [`AuditLogger::seal`], and [`WaitError::TimedOut`].
    pub fn seal_timeout(&self, limit: Duration) -> Result<(), WaitError> {
        self.seal().block(Some(limit))
    }

    /// Refuses new events, makes everything accepted durable, writes `audit.closed` and releases
    /// the trail; resolves when all that is done. Other handles' `emit` fails from now on.
    ///
    /// # Errors
    /// [`WaitError::Poisoned`] when something accepted could not be made durable.
    pub fn shutdown(&self) -> Wait {
        Wait::new(self.open.as_deref(), |_| Goal::Finished)
    }

    /// As [`AuditLogger::shutdown`], blocking the thread.
    ///
    /// # Errors
    /// As [`AuditLogger::shutdown`].
    pub fn shutdown_blocking(&self) -> Result<(), WaitError> {
        self.shutdown().block(None)
    }

    /// As [`AuditLogger::shutdown_blocking`], at most for `limit`.
    ///
    /// # Errors
    /// As [`AuditLogger::shutdown`], and [`WaitError::TimedOut`]; the writer goes on trying.
    pub fn shutdown_timeout(&self, limit: Duration) -> Result<(), WaitError> {
        self.shutdown().block(Some(limit))
    }

    /// For the follower that gets this trail's checkpoints cosigned, to report what witnesses have
    /// seen: then [`Receipt::witnessed`] tells. `None` when auditing is disabled. Keeps no trail open.
    #[must_use]
    pub fn witness_handle(&self) -> Option<WitnessHandle> {
        self.open.as_ref().map(|open| WitnessHandle::new(Arc::clone(&open.shared)))
    }

    /// Who sees to retention; `None` when auditing is disabled.
    pub(crate) fn keeper(&self) -> Option<&Keeper> {
        self.open.as_ref().map(|open| &*open.keeper)
    }

    /// What outlives the handles, without keeping the trail open.
    pub(crate) fn shared(&self) -> Option<Arc<Shared>> {
        self.open.as_ref().map(|open| Arc::clone(&open.shared))
    }

    /// How much room the disk has, as of the last commit.
    #[must_use]
    pub fn space_level(&self) -> SpaceLevel {
        self.open.as_ref().map_or(SpaceLevel::Normal, |open| open.shared.space())
    }

    /// False when auditing is disabled.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.open.is_some()
    }

    /// Name of the log in checkpoints; `None` when auditing is disabled.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.origin.as_str())
    }

    /// The trail's first public key, to be pinned by its auditors; `None` when disabled.
    #[must_use]
    pub fn initial_key(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.initial_key.as_str())
    }
}

impl std::fmt::Debug for AuditLogger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLogger").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

impl Open {
    fn emit(self: &Arc<Self>, event: &impl Event) -> Result<Receipt, EmitError> {
        let shared = &self.shared;
        if shared.is_forked() {
            return Err(EmitError::Forked);
        }
        let critical = event.is_critical();
        if shared.is_poisoned() {
            return Err(self.closed_error(critical));
        }
        let event_type = event.event_type();
        self.check_type(event_type, critical)?;
        let refuse = |cause, error| self.refuse(event_type, critical, cause, error);
        let refused_from = if critical { SpaceLevel::Full } else { SpaceLevel::CriticalOnly };
        if shared.space() >= refused_from {
            return Err(refuse(DropCause::DiskFull, EmitError::DiskFull));
        }
        let now = self.clock.now();
        let audit_id =
            crate::ids::next(now).map_err(|error| refuse(DropCause::NoRandomness, error.into()))?;
        match self.encode_and_push(event, critical, now, audit_id) {
            Ok(position) => Ok(Receipt::new(audit_id, position, Arc::clone(shared))),
            Err(Refusal::Full) => Err(refuse(DropCause::QueueFull, EmitError::QueueFull)),
            Err(Refusal::Closed) => Err(self.closed_error(critical)),
        }
    }

    fn encode_and_push(
        &self,
        event: &impl Event,
        critical: bool,
        now: Timestamp,
        audit_id: Uuid,
    ) -> Result<Position, Refusal> {
        let patience = match self.config.overflow {
            OverflowPolicy::Refuse => Duration::ZERO,
            OverflowPolicy::Wait { limit_ms } => Duration::from_millis(limit_ms),
        };
        let stamp = Stamp { audit_id, now, service_id: &self.config.service_id };
        let run = |encoder: &mut Encoder| {
            let body = encoder.encode(&self.policy, &stamp, event);
            self.shared.ring.push(critical, nanos(now), body, patience)
        };
        // An event whose own code emits another, or a thread that is being torn down, finds the
        // thread's encoder taken: a fresh one does.
        let reused = ENCODER.try_with(|cell| cell.try_borrow_mut().ok().map(|mut e| run(&mut e)));
        match reused {
            Ok(Some(outcome)) => outcome,
            Ok(None) | Err(_) => run(&mut Encoder::default()),
        }
    }

    fn check_type(&self, event_type: &str, critical: bool) -> Result<(), EmitError> {
        let problem = if !audit_core::event::event_type::is_well_formed(event_type) {
            EmitError::InvalidEventType
        } else if event_type.starts_with(audit_core::control::CONTROL_PREFIX) {
            EmitError::ReservedEventType
        } else if !self.config.accepts(event_type) {
            EmitError::UnknownEventType
        } else {
            return Ok(());
        };
        Err(self.refuse(event_type, critical, DropCause::InvalidEventType, problem))
    }

    /// What the caller is told: `error` if the trail will tell of it too, else why it cannot.
    fn refuse(
        &self,
        event_type: &str,
        critical: bool,
        cause: DropCause,
        error: EmitError,
    ) -> EmitError {
        if self.count_refusal(event_type, critical, cause) {
            error
        } else {
            self.closed_error(critical)
        }
    }

    /// False when nobody is left to write what would be counted.
    fn count_refusal(&self, event_type: &str, critical: bool, cause: DropCause) -> bool {
        let now = self.clock.now();
        let Shared { ring, ledger, meters, .. } = &*self.shared;
        let note = || {
            // First: what is told is taken off again, and must be there by then.
            ring.note_refused([u64::from(!critical), u64::from(critical)]);
            ledger.record(event_type, critical, cause, now)
        };
        match ring.while_open(note) {
            Some(true) => ring.kick(),
            Some(false) => {}
            None => return false,
        }
        meters.refused(RefusalCause::Dropped(cause), critical);
        true
    }

    fn closed_error(&self, critical: bool) -> EmitError {
        let (cause, error) = match self.shared.progress.fault() {
            None => (RefusalCause::Closed, EmitError::Closed),
            Some(fault) => (RefusalCause::Poisoned, EmitError::Poisoned(fault)),
        };
        self.shared.meters.refused(cause, critical);
        error
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // In a forked child there is no writer to wait for, and a lock may be held for ever.
        if self.shared.is_forked() {
            return;
        }
        self.shared.ring.close();
        let limit = Duration::from_millis(self.config.drop_limit_ms);
        if let Err(error) = self.shared.progress.wait(Goal::Finished, Some(limit)) {
            tracing::error!(%error, "audit logger dropped before everything was durable");
        }
    }
}

/// Future of [`AuditLogger::flush`] and [`AuditLogger::shutdown`]. The work is asked for when it is
/// made, and is done whether or not it is polled.
#[derive(Debug)]
#[must_use = "the flush or shutdown is under way, but only waiting tells when it is done"]
pub struct Wait {
    shared: Option<Arc<Shared>>,
    goal: Goal,
    registered: Option<Waker>,
}

impl Wait {
    fn new(open: Option<&Open>, goal: impl FnOnce(Position) -> Goal) -> Wait {
        let Some(open) = open.filter(|open| !open.shared.is_forked()) else {
            let shared = open.map(|open| Arc::clone(&open.shared));
            return Wait { shared, goal: Goal::Finished, registered: None };
        };
        let goal = goal(open.shared.ring.tail());
        match goal {
            Goal::Durable(position) => open.shared.ring.request_flush(position),
            Goal::Sealed(position) | Goal::SealedNow(position, _) => {
                open.shared.ring.request_flush(position);
                open.shared.seal_to.fetch_max(position, std::sync::atomic::Ordering::AcqRel);
                open.sealer.hurry();
            }
            // Nothing to ask for: witnesses are the follower's affair.
            Goal::Witnessed(_) => {}
            Goal::Finished => open.shared.ring.close(),
        }
        Wait { shared: Some(Arc::clone(&open.shared)), goal, registered: None }
    }

    fn block(self, limit: Option<Duration>) -> Result<(), WaitError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        if shared.is_forked() {
            return Err(WaitError::Forked);
        }
        shared.progress.wait(self.goal, limit)
    }
}

impl Future for Wait {
    type Output = Result<(), WaitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match &this.shared {
            None => Poll::Ready(Ok(())),
            Some(shared) if shared.is_forked() => Poll::Ready(Err(WaitError::Forked)),
            Some(shared) => shared.progress.poll(this.goal, cx.waker(), &mut this.registered),
        }
    }
}

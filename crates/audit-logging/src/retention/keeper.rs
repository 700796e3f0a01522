//! The keeper: one thread beside the writer that sees to retention and to what operators ask.
//!
//! What must stay true here: one thing at a time, so a hold and a deletion never overlap; it keeps no
//! trail open, and closing waits for it, but never long; what it records goes through the ring like any
//! event, so the writer knows nothing of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use audit_core::encode::{EncodePolicy, Encoder, Stamp};
use audit_core::event::Event;
use audit_core::retention::{Fate, Rules};
use audit_core::segment::SegmentName;
use audit_core::text::redact::RedactionConfig;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::archive::archive;
use super::delete::Removed;
use super::mailbox::{Busy, Mailbox};
use super::plan::plan_of;
use super::survey::{Said, said, survey};
use super::times::{AHEAD, midnight};
use super::{RetentionError, RetentionPlan, RetentionReport};
use crate::clock::{Clock, nanos};
use crate::config::AuditConfig;
use crate::error::WaitError;
use crate::progress::Goal;
use crate::ring::Refusal;
use crate::seal::Sealer;
use crate::shared::Shared;
use crate::storage::Storage;

/// How often requests are looked for.
const POLL: Duration = Duration::from_millis(500);
/// How long a logger is open before it applies retention by itself: a service that restarts over and
/// over has other worries.
const SETTLE: Duration = Duration::from_secs(60);
/// How long an entry of ours may wait for room in the ring.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an entry of ours may take to be signed. It is recorded all the same if it takes longer, and
/// nothing is done upon it.
const SEALED_WITHIN: Duration = Duration::from_secs(60);

/// What a keeper is made from.
pub(crate) struct KeeperParts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Arc<AuditConfig>,
    pub(crate) policy: Arc<EncodePolicy>,
    /// The trail's first key, as a vkey.
    pub(crate) initial_key: String,
    /// Time of the last control entry of the writer before.
    pub(crate) last_control: Option<Timestamp>,
    /// The newest segment it left.
    pub(crate) newest: Option<SegmentName>,
}

/// Retention of one open trail.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    pub(super) sealer: Arc<Sealer>,
    pub(super) storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    config: Arc<AuditConfig>,
    /// For what others wrote: who asks for what.
    pub(super) policy: Arc<EncodePolicy>,
    /// For entries of which every member counts, and none can be a secret: nothing is redacted.
    verbatim: EncodePolicy,
    pub(super) initial_key: String,
    /// The latest time that was believable when the trail was opened, and the monotonic clock then.
    bound: (Timestamp, Duration),
    pub(super) stop: AtomicBool,
    /// Held while something is done; true when nothing may be done any more.
    closed: Mutex<bool>,
    bell: (Mutex<()>, Condvar),
}

impl Keeper {
    pub(crate) fn new(parts: KeeperParts) -> Keeper {
        let KeeperParts {
            shared,
            sealer,
            storage,
            clock,
            config,
            policy,
            initial_key,
            last_control,
            newest,
        } = parts;
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let last = last_control.or_else(|| newest.and_then(midnight));
        let bound = last.unwrap_or(now).saturating_add(AHEAD).unwrap_or(now);
        Keeper {
            shared,
            sealer,
            storage,
            clock,
            config,
            policy,
            verbatim: EncodePolicy::default()
                .with_redaction(&RedactionConfig { enabled: false, ..RedactionConfig::default() }),
            initial_key,
            bound: (bound, monotonic),
            stop: AtomicBool::new(false),
            closed: Mutex::new(false),
            bell: (Mutex::new(()), Condvar::new()),
        }
    }

    /// Starts the thread; with `mailbox`, it also does what other processes ask for there.
    pub(crate) fn start(self: &Arc<Self>, mailbox: bool) -> std::io::Result<JoinHandle<()>> {
        let keeper = Arc::clone(self);
        std::thread::Builder::new()
            .name("audit-keeper".to_owned())
            .spawn(move || keeper.work(mailbox))
    }

    /// Ends the thread and whatever is being done, and lets nothing begin any more.
    pub(crate) fn stop(&self) {
        {
            // Under the lock that the thread looks under before it sleeps, or it could sleep through this.
            let _bell = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
            self.stop.store(true, Ordering::Relaxed);
        }
        self.bell.1.notify_all();
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn work(&self, mailbox: bool) {
        let mailbox = mailbox.then(|| Mailbox::new(&*self.storage));
        let interval = Duration::from_secs(u64::from(self.config.retention_interval_hours) * 3_600);
        let mut due = self.clock.monotonic().saturating_add(SETTLE.min(interval));
        while !self.is_stopped() {
            if let Some(mailbox) = &mailbox {
                mailbox.serve(self, Busy::No);
            }
            if !interval.is_zero() && self.clock.monotonic() >= due {
                due = self.clock.monotonic().saturating_add(interval);
                self.apply_as_scheduled(mailbox.as_ref());
            }
            let guard = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.is_stopped() {
                drop(self.bell.1.wait_timeout(guard, POLL));
            }
        }
    }

    fn apply_as_scheduled(&self, mailbox: Option<&Mailbox<'_>>) {
        match self.apply_aside(mailbox) {
            Ok(report) => {
                for problem in report.problems {
                    tracing::warn!(problem, "retention could not be applied to all of the trail");
                }
            }
            Err(RetentionError::Closing) => {}
            Err(error) => tracing::warn!(%error, "retention could not be applied"),
        }
    }

    /// Applies retention by the configuration's rules, on a thread of the lowest priority: compressing is
    /// never worth a moment of the service's own work. Not on the keeper's own thread, which could not
    /// raise its priority again, and whose end closing waits for.
    pub(super) fn apply_aside(
        &self,
        mailbox: Option<&Mailbox<'_>>,
    ) -> Result<RetentionReport, RetentionError> {
        let work = || {
            #[cfg(target_os = "linux")]
            if let Err(error) = rustix::process::nice(19) {
                tracing::warn!(%error, "segments are compressed at the service's priority");
            }
            // A hold must not wait until years of segments are compressed.
            let mut between =
                |_, _| mailbox.into_iter().for_each(|requests| requests.serve(self, Busy::Yes));
            self.apply(self.rules(), &mut between)
        };
        let failed = RetentionError::io("compress", "the trail");
        std::thread::scope(|scope| {
            let worker = std::thread::Builder::new().name("audit-archiver".to_owned());
            match worker.spawn_scoped(scope, work).map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(applied)) => applied,
                Ok(Err(_)) => Err(failed(std::io::Error::other("a panic (a bug: report it)"))),
                Err(error) => Err(failed(error)),
            }
        })
    }

    /// Nothing else is done until the guard goes.
    pub(super) fn begin(&self) -> Result<MutexGuard<'_, bool>, RetentionError> {
        if self.shared.is_forked() {
            return Err(RetentionError::Forked);
        }
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if *closed || self.is_stopped() { Err(RetentionError::Closing) } else { Ok(closed) }
    }

    fn open_for(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.bound.1)
    }

    /// The UTC date, or the latest one that is believable: a clock that jumps years ahead, at start-up
    /// before the network set it right, must not empty a trail.
    fn today(&self) -> Date {
        let bound = self.bound.0.saturating_add(self.open_for()).unwrap_or(self.bound.0);
        Offset::UTC.to_datetime(self.clock.now().min(bound)).date()
    }

    /// What would be done.
    pub(crate) fn plan(&self) -> Result<RetentionPlan, RetentionError> {
        let _alone = self.begin()?;
        self.settle()?;
        Ok(self.plan_by(self.rules(), self.today())?.0)
    }

    fn plan_by(&self, rules: Rules, as_of: Date) -> Result<(RetentionPlan, Said), RetentionError> {
        let signed = self.signed()?;
        plan_of(&*self.storage, rules, as_of, self.open_for(), Some(&signed), &self.stop)
    }

    /// The rules of the configuration.
    pub(crate) fn rules(&self) -> Rules {
        self.config.retention.into()
    }

    /// Compresses what is old enough, and deletes what is expired. `tell` is told how many of how many
    /// segments are compressed.
    pub(crate) fn apply(
        &self,
        rules: Rules,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<RetentionReport, RetentionError> {
        let mut removed = Removed::default();
        let mut report = RetentionReport {
            as_of: self.today(),
            archived: Vec::new(),
            deleted: Vec::new(),
            freed_bytes: 0,
            problems: Vec::new(),
        };
        let plan = {
            // Holds are read and the deletion is done under one guard: no hold comes in between.
            let _alone = self.begin()?;
            self.settle()?;
            match self.plan_by(rules, report.as_of) {
                Ok((plan, said)) => {
                    report.problems.extend(said.doubt.map(|doubt| doubt.to_string()));
                    if let Err(error) = self.delete(&plan, said.front_key, &mut removed) {
                        report.problems.push(error.to_string());
                    }
                    plan
                }
                // What cannot be believed keeps everything, and keeps nothing from being compressed.
                Err(error) if error.is_doubt() => {
                    report.problems.push(error.to_string());
                    let rules = Rules { delete_after_days: u32::MAX, ..rules };
                    let open = self.open_for();
                    plan_of(&*self.storage, rules, report.as_of, open, None, &self.stop)?.0
                }
                Err(error) => return Err(error),
            }
        };
        let first_kept = plan.decisions.get(removed.segments.len());
        self.shared.forget_before(first_kept.map(|decision| decision.segment.name));
        report.deleted = removed.segments;
        report.freed_bytes = removed.bytes;
        let due = plan.decisions.iter().filter(|one| one.fate == Fate::Archive);
        let count = due.clone().count() as u64;
        for (done, decision) in (0..).zip(due) {
            tell(done, count);
            // Others may come in between two segments.
            match self.begin().and_then(|_alone| self.archive(&decision.segment)) {
                Ok(done) => {
                    report.freed_bytes += done.bytes_before.saturating_sub(done.bytes_after);
                    report.archived.push(done);
                }
                Err(RetentionError::Closing) => {
                    report.problems.push(RetentionError::Closing.to_string());
                    break;
                }
                Err(error) => report.problems.push(error.to_string()),
            }
        }
        Ok(report)
    }

    fn archive(
        &self,
        segment: &audit_core::retention::Stored,
    ) -> Result<super::Archived, RetentionError> {
        // Careful: an archive has a sixth of the bytes, as a rule. What the writer needs is not touched.
        let needed = segment.bytes / 2;
        let space = self.storage.space().map_err(RetentionError::io("look at", "the disk"))?;
        let spared = self.config.space.refuse_all_below.min(space.total / 100);
        if space.free < needed.saturating_add(spared) {
            let segment = segment.name.to_string();
            return Err(RetentionError::NoRoom { segment, needed, free: space.free });
        }
        archive(&*self.storage, segment.name, &self.stop)
    }

    /// What the trail says, everything included that was accepted before.
    pub(super) fn said(&self) -> Result<Said, RetentionError> {
        self.settle()?;
        let signed = self.signed()?;
        said(&*self.storage, &survey(&*self.storage)?, Some(&signed), &self.stop)
    }

    /// Waits until everything that was accepted is on disk: a hold whose recording took longer than
    /// somebody would wait is in the ring, and must be seen before anything is deleted.
    fn settle(&self) -> Result<(), RetentionError> {
        let accepted = self.shared.ring.tail();
        self.shared.ring.request_flush(accepted);
        let durable = self.shared.progress.wait(Goal::Durable(accepted), Some(SEALED_WITHIN));
        durable.map_err(RetentionError::NotFlushed)
    }

    /// Records an entry of the writer's own, and waits until a checkpoint covers it.
    pub(super) fn record(&self, event: &impl Event) -> Result<(), RetentionError> {
        self.record_by(&self.verbatim, event)
    }

    pub(super) fn record_by(
        &self,
        policy: &EncodePolicy,
        event: &impl Event,
    ) -> Result<(), RetentionError> {
        let now = self.clock.now();
        let audit_id = crate::ids::next(now)?;
        let stamp = Stamp { audit_id, now, service_id: &self.config.service_id };
        let mut encoder = Encoder::default();
        let body = encoder.encode(policy, &stamp, event);
        self.shared.control.fetch_add(1, Ordering::Relaxed);
        let ring = &self.shared.ring;
        let position = match ring.push(false, nanos(now), body, PATIENCE) {
            Ok(position) => position,
            Err(refusal) => {
                self.shared.control.fetch_sub(1, Ordering::Relaxed);
                return Err(match (refusal, self.shared.progress.fault()) {
                    (_, Some(fault)) => WaitError::Poisoned(fault).into(),
                    (Refusal::Full, None) => RetentionError::QueueFull,
                    (Refusal::Closed, None) => RetentionError::Closing,
                });
            }
        };
        ring.request_flush(position);
        self.shared.seal_to.fetch_max(position, Ordering::AcqRel);
        self.sealer.hurry();
        Ok(self.shared.progress.wait(Goal::Sealed(position), Some(SEALED_WITHIN))?)
    }
}

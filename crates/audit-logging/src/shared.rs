//! What callers and the writer share.
//!
//! What must stay true here: everything in it may be touched from any thread; nothing in it blocks
//! on the disk.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audit_core::segment::SegmentName;
use serde::Serialize;

use crate::error::WaitError;
use crate::ledger::Ledger;
use crate::metrics::Meters;
use crate::progress::{Goal, Progress};
use crate::ring::Ring;
use crate::ring::mapping::ForkMark;
use crate::witness::Marks;

/// How much room the disk has: the ladder the logger climbs as space runs out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[non_exhaustive]
pub enum SpaceLevel {
    /// Enough.
    #[default]
    Normal = 0,
    /// Less than `warn_below`: everything is still accepted.
    Low = 1,
    /// Less than `refuse_routine_below`: critical events only.
    CriticalOnly = 2,
    /// Less than `refuse_all_below`, or the disk refused a write: no events, control entries only.
    Full = 3,
}

impl SpaceLevel {
    /// As in the JSON of [`crate::Metrics`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SpaceLevel::Normal => "normal",
            SpaceLevel::Low => "low",
            SpaceLevel::CriticalOnly => "critical_only",
            SpaceLevel::Full => "full",
        }
    }

    /// The level that was kept as a number.
    pub(crate) const fn of(number: u64) -> SpaceLevel {
        match number {
            0 => SpaceLevel::Normal,
            1 => SpaceLevel::Low,
            2 => SpaceLevel::CriticalOnly,
            _ => SpaceLevel::Full,
        }
    }
}

/// State of one open logger.
pub(crate) struct Shared {
    pub(crate) ring: Ring,
    pub(crate) progress: Progress,
    pub(crate) ledger: Ledger,
    pub(crate) meters: Arc<Meters>,
    mark: ForkMark,
    /// Which checkpoint covers which position.
    pub(crate) marks: Marks,
    space: AtomicU8,
    poisoned: AtomicU8,
    /// A checkpoint over this position was asked for.
    pub(crate) seal_to: AtomicU64,
    /// Events written, control entries not counted.
    pub(crate) recorded: AtomicU64,
    /// Control entries that came through the ring, and so were counted as events.
    pub(crate) control: AtomicU64,
    /// The first segment that retention left.
    front: Mutex<Option<SegmentName>>,
}

/// Without the meters, which name the types of other people's events: a receipt that is logged
/// holds one of these.
impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("ring", &self.ring).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(ring: Ring) -> std::io::Result<Shared> {
        Ok(Shared {
            ring,
            progress: Progress::default(),
            ledger: Ledger::default(),
            meters: Arc::default(),
            mark: ForkMark::new()?,
            marks: Marks::default(),
            space: AtomicU8::new(SpaceLevel::Normal as u8),
            poisoned: AtomicU8::new(0),
            seal_to: AtomicU64::new(0),
            recorded: AtomicU64::new(0),
            control: AtomicU64::new(0),
            front: Mutex::new(None),
        })
    }

    /// True in a child that was forked off the process that opened the logger: the writer's
    /// thread and the ring are not here, and a lock may be held for ever. Costs one load.
    pub(crate) fn is_forked(&self) -> bool {
        self.mark.is_child()
    }

    /// Closes the ring and waits until the writer has left, at most for `limit`.
    pub(crate) fn shut_down(&self, limit: Duration) -> Result<(), WaitError> {
        self.ring.close();
        self.progress.wait(Goal::Finished, Some(limit))
    }

    pub(crate) fn space(&self) -> SpaceLevel {
        SpaceLevel::of(self.space.load(Ordering::Relaxed).into())
    }

    /// Writer only. Returns the level before.
    pub(crate) fn set_space(&self, level: SpaceLevel) -> SpaceLevel {
        let before = self.space();
        self.space.store(level as u8, Ordering::Relaxed);
        before
    }

    /// Retention only: the segments before this one are gone.
    pub(crate) fn forget_before(&self, segment: Option<SegmentName>) {
        let mut front = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        *front = segment.or(*front);
    }

    /// The first segment that retention left, if it deleted any.
    pub(crate) fn front(&self) -> Option<SegmentName> {
        *self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire) != 0
    }

    /// Writer only: nothing more will be written.
    pub(crate) fn poison(&self, fault: crate::error::Fault) {
        self.meters.poisoned();
        self.progress.fail(fault, || self.poisoned.store(1, Ordering::Release));
        self.ring.abandon();
    }
}

//! The choices a service makes: when to sync, when to rotate, what to do when there is no room.
//!
//! What must stay true here: every default is the one that loses least.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// When an accepted event is made durable (synced to disk).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FlushMode {
    /// Sync as soon as the previous sync is done. A power failure costs at most what one running
    /// sync had not yet covered. The choice for GDPR, SOC 2 and ISO 27001.
    #[default]
    Immediate,
    /// Sync when `size` events wait, or `interval_secs` after the first of them. A power failure
    /// costs at most that many events or that long.
    Batched {
        /// Events.
        #[serde(default = "default_size")]
        size: u32,
        /// Seconds.
        #[serde(default = "default_interval")]
        interval_secs: u64,
    },
    /// Critical events as `Immediate`, with everything before them; the rest as `Batched`.
    Hybrid {
        /// Events.
        #[serde(default = "default_size")]
        batch_size: u32,
        /// Seconds.
        #[serde(default = "default_interval")]
        batch_interval_secs: u64,
        /// False makes this mode the same as `Batched`.
        #[serde(default = "default_true")]
        critical_immediate: bool,
    },
}

const fn default_size() -> u32 {
    100
}

const fn default_interval() -> u64 {
    1
}

const fn default_true() -> bool {
    true
}

impl FlushMode {
    /// `Batched` with 100 events or 1 second.
    #[must_use]
    pub const fn batched() -> FlushMode {
        FlushMode::Batched { size: default_size(), interval_secs: default_interval() }
    }

    /// `Hybrid` with 100 events or 1 second, critical events at once.
    #[must_use]
    pub const fn hybrid() -> FlushMode {
        FlushMode::Hybrid {
            batch_size: default_size(),
            batch_interval_secs: default_interval(),
            critical_immediate: true,
        }
    }

    /// True when what is written must be synced now.
    pub(crate) fn is_due(self, unsynced: u64, critical: bool, waited: Duration) -> bool {
        match self {
            FlushMode::Immediate => true,
            FlushMode::Batched { size, interval_secs } => {
                unsynced >= u64::from(size) || waited >= Duration::from_secs(interval_secs)
            }
            FlushMode::Hybrid { batch_size, batch_interval_secs, critical_immediate } => {
                (critical && critical_immediate)
                    || unsynced >= u64::from(batch_size)
                    || waited >= Duration::from_secs(batch_interval_secs)
            }
        }
    }

    /// True when a critical event is synced at once and others are not.
    pub(crate) const fn is_urgent_if_critical(self) -> bool {
        matches!(self, FlushMode::Hybrid { critical_immediate: true, .. })
    }

    /// How many unsynced events there may be; `None` when none may.
    pub(crate) const fn batch_size(self) -> Option<u32> {
        match self {
            FlushMode::Immediate => None,
            FlushMode::Batched { size, .. } => Some(size),
            FlushMode::Hybrid { batch_size, .. } => Some(batch_size),
        }
    }

    /// How long the first unsynced event may wait; `None` when it never waits.
    pub(crate) const fn interval(self) -> Option<Duration> {
        match self {
            FlushMode::Immediate => None,
            FlushMode::Batched { interval_secs, .. } => Some(Duration::from_secs(interval_secs)),
            FlushMode::Hybrid { batch_interval_secs, .. } => {
                Some(Duration::from_secs(batch_interval_secs))
            }
        }
    }
}

impl std::fmt::Display for FlushMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FlushMode::Immediate => f.write_str("immediate"),
            FlushMode::Batched { size, interval_secs } => {
                write!(f, "batched(size={size},interval_secs={interval_secs})")
            }
            FlushMode::Hybrid { batch_size, batch_interval_secs, critical_immediate } => write!(
                f,
                "hybrid(batch_size={batch_size},batch_interval_secs={batch_interval_secs},critical_immediate={critical_immediate})"
            ),
        }
    }
}

/// When a segment is closed and the next begun. Checked before each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RotationPolicy {
    /// At each new UTC date.
    Daily,
    /// Before a segment would grow past this many bytes.
    SizeLimit {
        /// Bytes.
        bytes: u64,
    },
    /// Whichever comes first.
    Both {
        /// Bytes.
        bytes: u64,
    },
}

impl Default for RotationPolicy {
    fn default() -> Self {
        RotationPolicy::Both { bytes: 100_000_000 }
    }
}

impl RotationPolicy {
    pub(crate) const fn size_limit(self) -> Option<u64> {
        match self {
            RotationPolicy::Daily => None,
            RotationPolicy::SizeLimit { bytes } | RotationPolicy::Both { bytes } => Some(bytes),
        }
    }

    pub(crate) const fn is_daily(self) -> bool {
        matches!(self, RotationPolicy::Daily | RotationPolicy::Both { .. })
    }
}

/// How long segments are kept. Carried out by the logger's own schedule
/// (`retention_interval_hours`) and by `auditlog retention run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Days below which nothing may be deleted: the longest that a law or a contract asks for.
    pub min_retention_days: u32,
    /// Days after which a closed segment is compressed.
    pub archive_after_days: u32,
    /// Days after which a closed segment is deleted.
    pub delete_after_days: u32,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        // Seven years: the longest of the common frameworks (SOX, HIPAA six).
        RetentionPolicy {
            min_retention_days: 2_555,
            archive_after_days: 90,
            delete_after_days: 2_555,
        }
    }
}

impl RetentionPolicy {
    /// Refuses what would delete entries before they may be.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let RetentionPolicy { min_retention_days: least, delete_after_days: most, .. } = *self;
        super::check(most >= least, "retention", || {
            format!(
                "delete_after_days ({most}) is below min_retention_days ({least}): entries would be \
                 deleted before they may be"
            )
        })
    }
}

impl From<RetentionPolicy> for audit_core::retention::Rules {
    fn from(policy: RetentionPolicy) -> Self {
        audit_core::retention::Rules {
            min_retention_days: policy.min_retention_days,
            archive_after_days: policy.archive_after_days,
            delete_after_days: policy.delete_after_days,
        }
    }
}

/// What `emit` does when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OverflowPolicy {
    /// Refuses the event at once with `EmitError::QueueFull`; the trail says so.
    #[default]
    Refuse,
    /// Waits for room, at most this long, and then refuses. Blocks the calling thread.
    Wait {
        /// Milliseconds, at most 600,000.
        limit_ms: u64,
    },
}

/// What happens when the trail cannot be written any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailurePolicy {
    /// Every call says so with a typed error; the service decides.
    #[default]
    Refuse,
    /// The process aborts: no action without its audit. For services that must fail closed.
    Abort,
}

/// Free space on the trail's file system below which the ladder is climbed. Each limit is the
/// smaller of the bytes and the share of the file system's size, so that small volumes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpacePolicy {
    /// Warn below this many bytes (or 10 % of the file system).
    pub warn_below: u64,
    /// Refuse routine events below this many bytes (or 5 %).
    pub refuse_routine_below: u64,
    /// Refuse all events below this many bytes (or 1 %); control entries still go in.
    pub refuse_all_below: u64,
}

impl Default for SpacePolicy {
    fn default() -> Self {
        SpacePolicy {
            warn_below: 1 << 30,
            refuse_routine_below: 128 << 20,
            refuse_all_below: 32 << 20,
        }
    }
}

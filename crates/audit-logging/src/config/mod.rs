//! What a service tells the logger once, at the start.
//!
//! What must stay true here: an invalid configuration is refused before anything is touched, with
//! the field named; nothing unknown is ignored. Shared by `Arc`, never cloned per event.

mod load;
mod policy;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use policy::{
    FailurePolicy, FlushMode, OverflowPolicy, RetentionPolicy, RotationPolicy, SpacePolicy,
};

use audit_core::encode::EncodePolicy;
use audit_core::text::redact::RedactionConfig;

use crate::error::ConfigError;

/// Smallest queue: several of the largest events, with the critical share kept free.
const MIN_QUEUE_BYTES: usize = 1 << 20;
/// Largest queue: it is memory and disk space, taken at the start.
pub(crate) const MAX_QUEUE_BYTES: usize = 1 << 30;
/// Smallest segment: one of the largest entries fits many times.
const MIN_SEGMENT_BYTES: u64 = 64 << 10;
/// Longest silence without a heartbeat: a day.
const MAX_HEARTBEAT_SECS: u64 = 86_400;
/// Longest wait that blocks a caller: ten minutes.
const MAX_WAIT_MS: u64 = 600_000;

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum AuditMode {
    /// Nowhere: `emit` costs a branch and every receipt is a success. For tests and tools.
    Disabled,
    /// To a trail in this directory, which is made if it does not exist.
    Local {
        /// The trail's directory, owned by the process's user, mode 0700.
        base_dir: PathBuf,
    },
}

/// Everything the logger can be told. Start from [`AuditConfig::new`] and change fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// Who writes: stands in every entry. 1 to 128 of `A-Z a-z 0-9 . _ -`.
    pub service_id: String,
    /// Where events go.
    pub mode: AuditMode,
    /// When they are made durable.
    #[serde(default)]
    pub flush_mode: FlushMode,
    /// When a segment is closed.
    #[serde(default)]
    pub rotation: RotationPolicy,
    /// How long segments are kept.
    #[serde(default)]
    pub retention: RetentionPolicy,
    /// Hours between two times that the logger applies `retention` by itself, at most 8,760; 0 leaves it
    /// to `auditlog retention run`.
    #[serde(default = "default_retention_hours")]
    pub retention_interval_hours: u32,
    /// Whether the commands that query or export the trail note in it who asked for what.
    #[serde(default = "default_true")]
    pub audit_access: bool,
    /// What `emit` does when the queue is full.
    #[serde(default)]
    pub overflow: OverflowPolicy,
    /// What happens when the trail cannot be written.
    #[serde(default)]
    pub failure: FailurePolicy,
    /// When free space becomes a problem.
    #[serde(default)]
    pub space: SpacePolicy,
    /// Name of the log in checkpoints, for a new trail; default `<service_id>/<trail_id>`. The
    /// trail id is appended if it is not in it. No white space, no `+`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Bytes of encoded events that may wait for the disk, in the ring. 1 MiB to 1 GiB.
    #[serde(default = "default_queue_bytes")]
    pub queue_bytes: usize,
    /// Directory of the ring's file, if not the trail's own: made (0700) if it is not there. On tmpfs
    /// (`/dev/shm/…`) emitting has the better tail, and a power failure takes the ring with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_dir: Option<PathBuf>,
    /// Share of the queue kept for critical events, in percent, at most 90.
    #[serde(default = "default_critical_reserve")]
    pub critical_reserve_percent: u8,
    /// Characters of one string that are kept. At least 64.
    #[serde(default = "default_max_string_chars")]
    pub max_string_chars: usize,
    /// What is redacted from events, by name and by shape.
    #[serde(default)]
    pub redaction: RedactionConfig,
    /// Seconds without an entry after which a heartbeat is written, at most 86,400; 0 turns it off.
    #[serde(default = "default_heartbeat_secs")]
    pub heartbeat_secs: u64,
    /// Milliseconds after which a new entry is covered by a signed checkpoint. 1 to 60,000.
    #[serde(default = "default_seal_interval_ms")]
    pub seal_interval_ms: u64,
    /// Hours after which the signing key is replaced at the latest, 1 to 8,760; it also is at each
    /// rotation.
    #[serde(default = "default_key_hours")]
    pub key_max_age_hours: u64,
    /// Milliseconds that dropping the last handle may wait for the disk, at most 600,000.
    #[serde(default = "default_drop_limit_ms")]
    pub drop_limit_ms: u64,
    /// If not empty: the only event types `emit` accepts, besides the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_event_types: Vec<String>,
}

const fn default_queue_bytes() -> usize {
    16 << 20
}

const fn default_retention_hours() -> u32 {
    24
}

const fn default_true() -> bool {
    true
}

const fn default_critical_reserve() -> u8 {
    12
}

const fn default_max_string_chars() -> usize {
    1_024
}

const fn default_heartbeat_secs() -> u64 {
    300
}

const fn default_seal_interval_ms() -> u64 {
    500
}

const fn default_key_hours() -> u64 {
    24
}

const fn default_drop_limit_ms() -> u64 {
    5_000
}

impl AuditConfig {
    /// A configuration with every default: `Immediate`, rotation daily and at 100 MB, a trail in
    /// `/var/lib/<service_id>/audit`.
    #[must_use]
    pub fn new(service_id: impl Into<String>) -> AuditConfig {
        let service_id = service_id.into();
        AuditConfig {
            mode: AuditMode::Local {
                base_dir: PathBuf::from(format!("/var/lib/{service_id}/audit")),
            },
            service_id,
            flush_mode: FlushMode::default(),
            rotation: RotationPolicy::default(),
            retention: RetentionPolicy::default(),
            retention_interval_hours: default_retention_hours(),
            audit_access: true,
            overflow: OverflowPolicy::default(),
            failure: FailurePolicy::default(),
            space: SpacePolicy::default(),
            origin: None,
            queue_bytes: default_queue_bytes(),
            ring_dir: None,
            critical_reserve_percent: default_critical_reserve(),
            max_string_chars: default_max_string_chars(),
            redaction: RedactionConfig::default(),
            heartbeat_secs: default_heartbeat_secs(),
            seal_interval_ms: default_seal_interval_ms(),
            key_max_age_hours: default_key_hours(),
            drop_limit_ms: default_drop_limit_ms(),
            accepted_event_types: Vec::new(),
        }
    }

    /// How strings are limited and redacted.
    pub(crate) fn encode_policy(&self) -> EncodePolicy {
        EncodePolicy::default()
            .with_string_limit(self.max_string_chars)
            .with_redaction(&self.redaction)
    }

    /// True when `emit` takes events of this type.
    pub(crate) fn accepts(&self, event_type: &str) -> bool {
        self.accepted_event_types.is_empty()
            || self.accepted_event_types.iter().any(|known| known == event_type)
            || audit_core::event::describe_built_in(event_type).is_some()
    }

    /// Checks every field against every other.
    ///
    /// # Errors
    /// The first field that cannot be, and what it may be.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check(is_service_id(&self.service_id), "service_id", || {
            "must be 1 to 128 characters out of A-Z a-z 0-9 . _ -".into()
        })?;
        let batch = match self.flush_mode {
            FlushMode::Immediate => None,
            FlushMode::Batched { size, interval_secs } => Some((size, interval_secs)),
            FlushMode::Hybrid { batch_size, batch_interval_secs, .. } => {
                Some((batch_size, batch_interval_secs))
            }
        };
        if let Some((size, interval)) = batch {
            check(size > 0, "flush_mode", || {
                "batch size is 0: it must be at least 1 event (1 is what Immediate does better)"
                    .into()
            })?;
            check((1..=3_600).contains(&interval), "flush_mode", || {
                format!("batch interval is {interval} seconds: it must be 1 to 3600")
            })?;
        }
        if let Some(bytes) = self.rotation.size_limit() {
            check(bytes >= MIN_SEGMENT_BYTES, "rotation", || {
                format!("size limit is {bytes} bytes: it must be at least {MIN_SEGMENT_BYTES}")
            })?;
        }
        self.retention.validate()?;
        check(self.retention_interval_hours <= 8_760, "retention_interval_hours", || {
            "must be at most 8760; 0 turns it off".into()
        })?;
        check(
            (MIN_QUEUE_BYTES..=MAX_QUEUE_BYTES).contains(&self.queue_bytes),
            "queue_bytes",
            || format!("must be {MIN_QUEUE_BYTES} to {MAX_QUEUE_BYTES}"),
        )?;
        let ring_dir = self.ring_dir.as_deref().map(|dir| dir.as_os_str().as_encoded_bytes());
        check(
            ring_dir.is_none_or(|dir| !dir.is_empty() && !dir.contains(&b'\n')),
            "ring_dir",
            || "must be the path of a directory, without a line break in it".into(),
        )?;
        check(self.critical_reserve_percent <= 90, "critical_reserve_percent", || {
            "must be at most 90".into()
        })?;
        check(self.max_string_chars >= 64, "max_string_chars", || "must be at least 64".into())?;
        check((1..=60_000).contains(&self.seal_interval_ms), "seal_interval_ms", || {
            "must be 1 to 60000".into()
        })?;
        check((1..=8_760).contains(&self.key_max_age_hours), "key_max_age_hours", || {
            "must be 1 to 8760".into()
        })?;
        check(self.heartbeat_secs <= MAX_HEARTBEAT_SECS, "heartbeat_secs", || {
            format!("must be at most {MAX_HEARTBEAT_SECS}; 0 turns it off")
        })?;
        check(self.drop_limit_ms <= MAX_WAIT_MS, "drop_limit_ms", || {
            format!("must be at most {MAX_WAIT_MS}")
        })?;
        if let OverflowPolicy::Wait { limit_ms } = self.overflow {
            check(limit_ms <= MAX_WAIT_MS, "overflow", || {
                format!("limit is {limit_ms} milliseconds: it must be at most {MAX_WAIT_MS}")
            })?;
        }
        let space = self.space;
        check(
            space.warn_below >= space.refuse_routine_below
                && space.refuse_routine_below >= space.refuse_all_below,
            "space",
            || "must be warn_below ≥ refuse_routine_below ≥ refuse_all_below".into(),
        )?;
        if let Some(origin) = &self.origin {
            check(is_origin(origin), "origin", || {
                "must be 1 to 200 visible characters without white space and '+'".into()
            })?;
        }
        for event_type in &self.accepted_event_types {
            check(
                audit_core::event::event_type::is_well_formed(event_type),
                "accepted_event_types",
                || format!("{event_type:?} is not of the form category.action"),
            )?;
        }
        Ok(())
    }
}

pub(super) fn check(
    ok: bool,
    field: &'static str,
    problem: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::Invalid { field, problem: problem() }) }
}

/// True for what may stand as `service_id`.
fn is_service_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// True for what may name a log in a checkpoint.
fn is_origin(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '+')
}

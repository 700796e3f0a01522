//! Tamper-evident security audit trails for Rust services.
//!
//! # The nouns
//!
//! * [`AuditLogger`]: a handle on one trail, open for writing. `emit` takes an event and returns a
//!   [`Receipt`].
//! * [`enum@AuditEvent`]: the built-in catalogue; `#[derive(AuditEvent)]` makes events of your own.
//! * [`AuditConfig`]: everything the logger can be told, with [`FlushMode`] at its heart.
//!
//! # What survives which failure
//!
//! A receipt that is *durable* survives a killed process and a power failure, in any mode. An
//! accepted event that is not durable yet survives neither for certain; how many those can be is
//! the choice of [`FlushMode`].

extern crate self as audit_logging;

mod builder;
mod clock;
mod config;
mod error;
mod ids;
pub mod keys;
mod ledger;
mod logger;
mod made;
mod metrics;
mod progress;
mod receipt;
pub mod retention;
mod ring;
mod running;
mod seal;
mod shared;
mod signals;
pub mod storage;
mod trail;
mod witness;
mod writer;

pub use audit_core as core;
pub use audit_core::Timestamp;
pub use audit_core::event::{
    ActorInfo, AuditEvent, AuditResult, AuthMethod, CRITICAL_EVENT_TYPES, ContextInfo, Event,
    InContext, ResourceInfo, Severity,
};
pub use audit_core::note::Signer;
pub use audit_core::text::fingerprint::{Fingerprint, KeyTooShort};
pub use audit_core::text::redact::{RedactionConfig, RedactionRule};
pub use audit_core::text::sanitize;
pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub use config::{
    AuditConfig, AuditMode, FailurePolicy, FlushMode, OverflowPolicy, RetentionPolicy,
    RotationPolicy, SpacePolicy,
};
pub use error::{ConfigError, EmitError, Fault, OpenError, WaitError};
pub use ledger::DropCause;
pub use logger::{AuditLogger, Wait};
pub use made::{create_trail, existing_trail};
pub use metrics::{
    DiskMetrics, Distribution, Metrics, RefusedCount, RingMetrics, SealMetrics, TypeCount,
};
pub use receipt::{Receipt, Until};
pub use shared::SpaceLevel;
pub use signals::SignalGuard;
pub use witness::WitnessHandle;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

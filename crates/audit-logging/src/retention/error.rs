//! Why retention did not do what it was asked.
//!
//! What must stay true here: whatever is said here, nothing was deleted that the trail does not name.

use std::io;

use audit_core::retention::HoldError;
use thiserror::Error;

use crate::error::{ConfigError, OpenError, WaitError};

/// Why retention, a hold or a note of an access could not be done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// The operating system refused.
    #[error("cannot {operation} {file}: {source}; look at the disk, then run retention again")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file of the trail.
        file: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A segment is not what its checksum says. It was left as it is, and so was everything behind it.
    #[error(
        "{segment} has SHA-256 {found} and its checksum file says {expected}: it is kept as evidence; run `auditlog verify`"
    )]
    Changed {
        /// The segment.
        segment: String,
        /// By its checksum file.
        expected: String,
        /// By its bytes.
        found: String,
    },
    /// The trail is not whole, so what it says of holds is not believed. Nothing was deleted.
    #[error(
        "{segment}, byte {offset}: {problem}; what the trail says of holds cannot be relied upon, and nothing was deleted; run `auditlog verify`"
    )]
    Unproven {
        /// The segment.
        segment: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The entries are not those that were signed, so what they say of holds is not believed. Nothing was
    /// deleted.
    #[error(
        "the first {size} entries do not lead to the root that was signed over them: what the trail says of holds cannot be relied upon, and nothing was deleted; run `auditlog verify`"
    )]
    NotWhatWasSigned {
        /// How many were signed.
        size: u64,
    },
    /// There is no checkpoint to hold the entries against.
    #[error(
        "the trail cannot be held against a checkpoint of its own ({0}), and nothing was deleted; run `auditlog verify`, and look at the disk"
    )]
    NotSigned(io::Error),
    /// The clock leapt ahead, and nothing shows yet that it is right.
    #[error(
        "the trail's clock leapt from {before} to {after}: nothing is deleted before a logger has been open for a day, or the trail has gone on for two, by that clock"
    )]
    Leap {
        /// The newest time before.
        before: jiff::Timestamp,
        /// The first one after.
        after: jiff::Timestamp,
    },
    /// There is not enough room for an archive beside its segment.
    #[error(
        "{segment} needs about {needed} bytes beside it while it is compressed, and {free} are free; free some space"
    )]
    NoRoom {
        /// The segment.
        segment: String,
        /// Bytes, estimated carefully.
        needed: u64,
        /// Bytes there are.
        free: u64,
    },
    /// The stored hashes of the tree do not reach to where the trail would begin.
    #[error(
        "tree.hashes cannot be read up to entry {size}, where the trail would begin: nothing was deleted; run `auditlog verify`"
    )]
    NoTree {
        /// Entries that would be gone.
        size: u64,
    },
    /// The trail cannot be opened, or the rules cannot be.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A hold that cannot be added or released.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The entry that must come first is not durable and signed, as far as is known. Nothing else was
    /// changed; the entry itself may still be recorded.
    #[error(
        "the trail has not said so yet: {0}; nothing else was changed, and it may still be recorded: look before you try again"
    )]
    NotRecorded(#[from] WaitError),
    /// What was accepted before could not be made durable, and a hold may be among it.
    #[error("what was accepted before could not be made durable first: {0}; nothing was changed")]
    NotFlushed(WaitError),
    /// The emit ring had no room.
    #[error("the trail could not say so first: its queue is full; nothing was changed: try again")]
    QueueFull,
    /// No randomness for an id.
    #[error("no randomness from the operating system: {0}; nothing was changed")]
    Randomness(#[from] getrandom::Error),
    /// The logger is being closed, or is closed.
    #[error("the logger is closing; what was not done is done the next time")]
    Closing,
    /// There is no trail: auditing is disabled.
    #[error("auditing is disabled: there is no trail")]
    Disabled,
    /// This process is a fork of the one that opened the logger.
    #[error("the audit logger belongs to the parent process")]
    Forked,
}

impl From<ConfigError> for RetentionError {
    fn from(error: ConfigError) -> RetentionError {
        RetentionError::Open(error.into())
    }
}

impl RetentionError {
    /// What the trail says cannot be relied upon: it is damaged, or nothing shows that it is not.
    pub(super) const fn is_doubt(&self) -> bool {
        matches!(
            self,
            RetentionError::Unproven { .. }
                | RetentionError::NotWhatWasSigned { .. }
                | RetentionError::NotSigned(_)
                | RetentionError::NoTree { .. }
        )
    }

    pub(super) fn io<'f>(
        operation: &'static str,
        file: &'f str,
    ) -> impl FnOnce(io::Error) -> RetentionError + use<'f> {
        move |source| RetentionError::Io { operation, file: file.to_owned(), source }
    }
}

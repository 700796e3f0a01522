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
    /// The entry that must come first could not be recorded.
    #[error("the trail could not say so first: {0}; nothing was changed")]
    NotRecorded(#[from] WaitError),
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
    pub(super) fn io<'f>(
        operation: &'static str,
        file: &'f str,
    ) -> impl FnOnce(io::Error) -> RetentionError + use<'f> {
        move |source| RetentionError::Io { operation, file: file.to_owned(), source }
    }
}

//! Typed errors: whose fault, whether the logger still works, what to do next.
//!
//! What must stay true here: no event content and no key ever stands in an error.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// The configuration cannot be used. The caller's fault; nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A field has a value it cannot have.
    #[error("configuration: {field}: {problem}")]
    Invalid {
        /// The field of `AuditConfig`.
        field: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The TOML text cannot be read.
    #[error("configuration: {0}")]
    Toml(String),
    /// A variable this version does not know.
    #[error("configuration: unknown variable {name}; known are {known}")]
    UnknownVariable {
        /// Its name.
        name: String,
        /// All known names.
        known: &'static str,
    },
    /// A variable that is needed.
    #[error("configuration: {name} is not set")]
    MissingVariable {
        /// Its name.
        name: &'static str,
    },
    /// A variable with a value that does not fit.
    #[error("configuration: {name}={value:?}: expected {expected}")]
    BadVariable {
        /// Its name.
        name: String,
        /// Its value, shortened.
        value: String,
        /// What would fit.
        expected: &'static str,
    },
}

/// A trail could not be opened for writing. Nothing was changed in it, unless stated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// See [`ConfigError`].
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operating system refused.
    #[error("{path}: cannot {operation}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Another writer has the trail.
    #[error(
        "{path}: another writer has this trail ({holder}); stop it first: one process writes a trail"
    )]
    Locked {
        /// The trail.
        path: PathBuf,
        /// What its lock file says of it.
        holder: String,
    },
    /// The directory or a file in it is not safely ours.
    #[error("{path}: {problem}; a trail must be owned by the user that writes it")]
    Insecure {
        /// Which one.
        path: PathBuf,
        /// A symlink, a foreign owner, a directory others may write to.
        problem: String,
    },
    /// The directory holds other things and no `trail.json`.
    #[error("{path}: not a trail, and not empty: choose an empty or new directory")]
    NotATrail {
        /// The directory.
        path: PathBuf,
    },
    /// There is no trail here, and the caller asked for an existing one.
    #[error("{path}: there is no trail here; make one with `auditlog init`")]
    NoTrail {
        /// The directory.
        path: PathBuf,
    },
    /// There is a trail here already, and the caller asked for a new one.
    #[error("{path}: there is a trail here already (service {service_id:?})")]
    AlreadyExists {
        /// The directory.
        path: PathBuf,
        /// Whose.
        service_id: String,
    },
    /// The trail belongs to another service.
    #[error(
        "{path}: this trail belongs to service {found:?}, not {expected:?}; give each service its own directory"
    )]
    WrongService {
        /// The trail.
        path: PathBuf,
        /// Who the configuration says writes.
        expected: String,
        /// Who the trail says writes.
        found: String,
    },
    /// The trail is of a format this version does not write.
    #[error("{path}: format {found:?}; this version writes {supported:?}: use a newer version")]
    UnsupportedFormat {
        /// The trail.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What this version can.
        supported: &'static str,
    },
    /// The emit ring could not be made. Nothing was changed in the trail.
    #[error(
        "{path}: cannot make the emit ring ({bytes} bytes): {source}; free space, or set `ring_dir` to a directory on a local file system"
    )]
    Ring {
        /// The directory it was to lie in.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The trail is not the one that was signed last: cut, rolled back or rewritten. The writer
    /// signs no second history.
    #[error(
        "{path}: {problem}; keep this directory as evidence, run `auditlog verify`, and start a new trail elsewhere"
    )]
    NotAnExtension {
        /// Which file shows it.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// `trail.json` or the segments contradict themselves so that no head can be found.
    #[error("{path}: {problem}; nothing was changed: run `auditlog verify`")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// What signs instead of key files is not there.
    #[error("the signer given cannot be used: {0}; is its device or service there?")]
    Signer(#[source] audit_core::note::SignerError),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The writer's thread could not be started.
    #[error("cannot start the writer's thread: {0}")]
    Thread(#[source] io::Error),
    /// Writing the first entries failed.
    #[error(transparent)]
    Storage(#[from] Fault),
}

/// Why the trail cannot be written any more. Shared by every call that has to say so.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub struct Fault(Arc<FaultInner>);

#[derive(Debug)]
struct FaultInner {
    operation: &'static str,
    segment: String,
    message: String,
    kind: io::ErrorKind,
}

impl std::fmt::Display for FaultInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} {}: {}", self.operation, self.segment, self.message)
    }
}

impl Fault {
    pub(crate) fn new(operation: &'static str, segment: &str, error: &io::Error) -> Fault {
        Fault(Arc::new(FaultInner {
            operation,
            segment: segment.to_owned(),
            message: error.to_string(),
            kind: error.kind(),
        }))
    }

    /// What was tried: `append`, `sync`, …
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// On which file.
    #[must_use]
    pub fn segment(&self) -> &str {
        &self.0.segment
    }

    /// The operating system's words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The operating system's answer, by kind.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind
    }
}

/// An event was refused. Each refusal is counted; those while the logger runs are named in the
/// trail (`audit.events_dropped`).
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The disk does not keep up. The logger still works: try again, or use
    /// `OverflowPolicy::Wait`.
    #[error("audit queue full: the disk does not keep up; the event was refused and counted")]
    QueueFull,
    /// The disk is full or nearly so. The logger works again when there is space.
    #[error("disk full: no room for this event; free space on the trail's file system")]
    DiskFull,
    /// The trail cannot be written any more. The logger will not recover: restart the service. An
    /// event that was being accepted at the moment of the failure may be in the trail after all, once,
    /// when it is opened again.
    #[error("audit trail is poisoned: {0}; restart the service when the disk is sound")]
    Poisoned(Fault),
    /// The logger was shut down. The caller's fault.
    #[error("audit logger is shut down")]
    Closed,
    /// This process is a fork of the one that opened the logger; open another trail here.
    #[error("audit logger belongs to the parent process; a forked child must open its own trail")]
    Forked,
    /// Not `category.action`. The caller's fault.
    #[error(
        "event type is not of the form category.action (a-z 0-9 _, dots between, at most 128 bytes)"
    )]
    InvalidEventType,
    /// `audit.*` is the writer's own. The caller's fault.
    #[error("event types beginning with \"audit.\" are reserved for the trail itself")]
    ReservedEventType,
    /// Not one of `accepted_event_types`. The caller's fault.
    #[error("event type is not in the configured catalogue (accepted_event_types)")]
    UnknownEventType,
    /// The operating system gave no randomness for an id.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// What was waited for will not happen, or did not happen in time.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The trail cannot be written any more; what was waited for is not known to be on disk.
    #[error("not durable: audit trail is poisoned: {0}")]
    Poisoned(Fault),
    /// Durable, but no checkpoint over it could be published: at the attempt that was asked for (the
    /// logger goes on trying), or before the logger closed (the next opening of the trail seals it).
    #[error("durable, but not sealed: {0}")]
    NotSealed(Fault),
    /// Nobody reports what witnesses cosign: no follower took a `WitnessHandle`, or all of them ended.
    /// The trail itself is fine.
    #[error(
        "not witnessed: no follower of this logger asks witnesses; start one with its witness_handle()"
    )]
    NotWitnessed,
    /// The time limit passed; the logger goes on trying.
    #[error("not yet: what was waited for did not happen within the limit")]
    TimedOut,
    /// This process is a fork of the one that opened the logger.
    #[error("audit logger belongs to the parent process")]
    Forked,
}

//! Why a witness does not start, or cannot speak of a log.
//!
//! What must stay true here: each message says what to do; none holds a private key.

use std::io;
use std::path::{Path, PathBuf};

use audit_core::note::KeyError;
use thiserror::Error;

/// Why a witness does not start. The fault of the deployment, unless it says otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The operating system refused.
    #[error("cannot {what} {}: {source}; check owner, mode and space", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another witness has this state.
    #[error(
        "{} is used by another witness; two may never share a state, give each its own",
        .0.display()
    )]
    Locked(PathBuf),
    /// Others could change it or read the key.
    #[error("{} is not for its owner alone; find out who changed it, then chmod go-rwx", .0.display())]
    Insecure(PathBuf),
    /// The key file is none.
    #[error("{}: {error}; put the key back from its backup", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: KeyError,
    },
    /// There is state, but no key.
    #[error(
        "{} is missing although this witness has cosigned; put it back from its backup, or begin \
         with an empty directory",
        .0.display()
    )]
    KeyMissing(PathBuf),
    /// The key is no cosigner's.
    #[error("{} is not a key of type 0x04; put the witness's own key back", .0.display())]
    NotAWitnessKey(PathBuf),
    /// The witness has another name.
    #[error("this witness is named {is}; a name belongs to a key and cannot be changed")]
    OtherName {
        /// Its name.
        is: String,
    },
    /// A key that signs no logs.
    #[error("{key} is not the key of a log (type 0x01); take it from the log's `keys`")]
    NotALogKey {
        /// The key.
        key: String,
    },
    /// A state file is damaged.
    #[error(
        "{} is damaged; to cosign without it would be a rollback. Restore it from the checkpoint \
         the log keeps as `witnessed`, or retire this witness",
        .0.display()
    )]
    DamagedState(PathBuf),
}

impl WitnessError {
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WitnessError {
        move |source| WitnessError::Io { what, path: path.to_owned(), source }
    }
}

/// Why a witness can say nothing of a log now. The fault of its machine.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// The disk refused.
    #[error("cannot store: {0}; mend the disk and restart the witness")]
    Store(io::Error),
    /// It failed before.
    #[error("storing failed before; mend the disk and restart the witness")]
    Broken,
    /// The key could not sign.
    #[error("the key could not sign")]
    Sign,
}

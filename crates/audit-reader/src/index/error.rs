//! Why an index could not be made.
//!
//! What must stay true here: that there is no index never makes an answer wrong, only slower; each
//! message says what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::ReadError;

/// Why indexing gave up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Only a trail in a directory can have an index.
    #[error("{} is no directory, and an index lies inside the trail's; unpack the archive first", .0.display())]
    NotADirectory(PathBuf),
    /// Somebody else is indexing.
    #[error("the index of {} is being made by another process; wait for it, or end it", .0.display())]
    Busy(PathBuf),
    /// The operating system refused.
    #[error("cannot write {}: {source}; make room, or check that you may write there", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl IndexError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> IndexError {
        move |source| IndexError::Io { path: path.to_owned(), source }
    }
}

//! Why a trail could not be looked at.
//!
//! What must stay true here: damage to a trail is never an error but a finding. An error says that
//! nothing was learnt, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The trail could not be read. Says nothing about whether it is intact.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The directory has neither `trail.json` nor segments.
    #[error(
        "{} is not an audit trail; give the directory that holds trail.json and the .audit files",
        .0.display()
    )]
    NotATrail(PathBuf),
    /// What has a segment's name is not a regular file.
    #[error(
        "{} is not a regular file, and links are not followed in a trail; put the segment itself there",
        .0.display()
    )]
    NotAFile(PathBuf),
    /// Only the compressed form of a segment is there.
    #[error(
        "{} is archived, which this version cannot read; unpack it next to the others with `zstd -d`",
        .0.display()
    )]
    Archived(PathBuf),
    /// The operating system refused.
    #[error("cannot read {}: {source}; check the path and that you may read it", path.display())]
    Io {
        /// What was being read.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ReadError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
        move |source| ReadError::Io { path: path.to_owned(), source }
    }
}

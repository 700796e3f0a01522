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
    /// There is neither `trail.json` nor a segment.
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
    /// The file is no archive of a trail.
    #[error(
        "{} is not an archive of a trail: {why}; make one with `tar -cf trail.tar -C DIR .`",
        path.display()
    )]
    NotAnArchive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
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
    /// The operating system's answer about a file.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
        move |source| ReadError::Io { path: path.to_owned(), source }
    }
}

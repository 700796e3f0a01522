//! Why a command could not do what it was asked: exit code 2.
//!
//! What must stay true here: each message says what happened and, after a semicolon, what to do.

use std::io;

use audit_reader::ReadError;
use thiserror::Error;

/// Why a command gave up.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// The trail could not be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// Asked for something that cannot be.
    #[error("{what}; {next}")]
    Usage {
        /// What is wrong with the request.
        what: String,
        /// What to do instead.
        next: &'static str,
    },
    /// Whoever read the output stopped reading: no failure.
    #[error("the reader of the output is gone")]
    ReaderGone,
    /// The output could not be written.
    #[error("cannot write the output: {0}; check where standard output goes")]
    Output(io::Error),
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> CliError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::ReaderGone,
            _ => CliError::Output(error),
        }
    }
}

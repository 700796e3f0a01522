//! Why a question in SQL has no answer.
//!
//! What must stay true here: whoever asked can tell from the error whether the question is wrong, too
//! big, not allowed, or the trail could not be read.

use std::time::Duration;

use datafusion::error::DataFusionError;
use thiserror::Error;

use crate::ReadError;

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SqlError {
    /// It would do something else than read.
    #[error("only reading is possible: {0}; ask with SELECT, WITH, EXPLAIN or DESCRIBE")]
    NotReading(String),
    /// It cannot be understood.
    #[error("{0}; the table is `events`, and `DESCRIBE events` says its columns")]
    Question(String),
    /// It was understood, and failed on what it met.
    #[error("{0}; correct the question")]
    Failed(String),
    /// It needs more memory than it may have.
    #[error(
        "the question needs more than the {} MiB of memory it may use; narrow it, or allow more",
        .limit >> 20
    )]
    Memory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It took longer than it may.
    #[error("the question took longer than {} s; narrow it, or allow more", .limit.as_secs_f64())]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// An index was found damaged when a part of the answer was given already.
    #[error(
        "the index of {0} is damaged, which showed when rows had been given already; run `auditlog index`, and ask again"
    )]
    Damaged(String),
    /// A segment was taken away when a part of the answer was given already.
    #[error("retention took {0} away after rows had been given; ask again")]
    Gone(String),
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The machine refused what is needed to begin.
    #[error("cannot start threads: {0}; the system is out of resources")]
    Threads(std::io::Error),
}

impl SqlError {
    /// An error of planning: the question is wrong.
    pub(super) fn planning(error: &DataFusionError) -> SqlError {
        SqlError::Question(message(error))
    }

    /// An error of execution.
    pub(super) fn running(error: DataFusionError, limit: usize) -> SqlError {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => SqlError::Memory { limit },
            _ => match read_error(error) {
                Ok(error) => SqlError::Read(error),
                Err(error) => SqlError::Failed(message(&error)),
            },
        }
    }
}

/// An error of reading the trail that passed through the engine.
fn read_error(error: DataFusionError) -> Result<ReadError, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<ReadError>() {
            Ok(error) => Ok(*error),
            Err(inner) => Err(DataFusionError::External(inner)),
        },
        DataFusionError::Context(_, inner) => read_error(*inner),
        other => Err(other),
    }
}

/// The engine's words, in one line.
fn message(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

//! Why a command could not do what it was asked: exit code 2.
//!
//! What must stay true here: each message says what happened and, after a semicolon, what to do.

use std::io;

use audit_logging::{EmitError, OpenError, WaitError};
use audit_reader::ReadError;
use thiserror::Error;

use crate::demo::DemoError;

/// Why a command gave up.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// The trail could not be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The trail could not be asked.
    #[error("{0}")]
    Query(#[from] audit_reader::QueryError),
    /// The index could not be made.
    #[cfg(feature = "index")]
    #[error("{0}")]
    Index(#[from] audit_reader::index::IndexError),
    /// The trail could not be asked in SQL.
    #[cfg(feature = "sql")]
    #[error("{0}")]
    Sql(#[from] audit_reader::sql::SqlError),
    /// The process that answered in SQL ended otherwise than by itself.
    #[cfg(feature = "sql")]
    #[error("{0}")]
    Engine(String),
    /// The process that answered in SQL said itself why it could not.
    #[cfg(feature = "sql")]
    #[error("the question has no answer")]
    EngineTold,
    /// Exported records could not be held against the trail.
    #[error("{0}")]
    Reconcile(#[from] audit_reader::ReconcileError),
    /// The trail could not be opened for writing.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The trail took no more events.
    #[error("line {line}: {error}; what was recorded before is safe")]
    Emit {
        /// Line of the input, from 1.
        line: u64,
        /// Why.
        error: EmitError,
    },
    /// Something accepted did not become durable.
    #[error("{0}; look at the disk, then run the command again")]
    Wait(#[from] WaitError),
    /// Some lines of the input are not in the trail.
    #[error(
        "{refused} lines were not recorded (see above), the others were; correct and send them again"
    )]
    BadLines {
        /// How many.
        refused: u64,
        /// Standard output has the number already.
        summed_up: bool,
    },
    /// Standard input could not be read.
    #[error("cannot read standard input: {0}; what was read before is recorded")]
    Input(io::Error),
    /// The signal handlers could not be installed.
    #[error("cannot handle signals: {0}; the system is out of resources")]
    Signals(io::Error),
    /// Retention, a hold or the note of an access could not be done.
    #[error("{0}")]
    Retention(#[from] audit_logging::retention::RetentionError),
    /// Nobody answered who holds the trail.
    #[error("{0}")]
    Ask(#[from] audit_logging::retention::AskError),
    /// The logger that holds the trail refused.
    #[error("{0}")]
    Refused(String),
    /// Retention did what it could.
    #[error(
        "some segments were left as they are (see above); put that in order and run this again"
    )]
    RetentionLeft,
    /// A measurement could not be made.
    #[error("cannot {what}: {source}; choose another --dir")]
    Bench {
        /// What was tried.
        what: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A witness could not be started.
    #[error("{0}")]
    Witness(#[from] audit_collector::WitnessError),
    /// Witnesses could not be asked.
    #[error("{0}")]
    Sync(#[from] audit_shipper::SyncError),
    /// There is no time stamp, or none that could be looked at.
    #[cfg(feature = "timestamps")]
    #[error("{0}")]
    Timestamp(#[from] audit_shipper::timestamp::TimestampError),
    /// A SIEM did not take the records.
    #[error("{0}; what was not confirmed comes again with the next run")]
    Delivery(#[from] audit_shipper::siem::DeliveryError),
    /// The policy is none.
    #[error("{0}; correct the file")]
    Policy(#[from] audit_shipper::PolicyError),
    /// A server or a file it needs could not be had.
    #[error("cannot {what}: {source}; correct the arguments")]
    Network {
        /// What was tried.
        what: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The demonstration did not go as told.
    #[error("{0}")]
    Demo(DemoError),
    /// A mistake of this program.
    #[error("{0}: this is a bug; please report it")]
    Bug(&'static str),
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

impl CliError {
    pub(crate) fn network(what: &'static str) -> impl FnOnce(io::Error) -> CliError {
        move |source| CliError::Network { what, source }
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> CliError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::ReaderGone,
            _ => CliError::Output(error),
        }
    }
}

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> CliError {
        match error {
            DemoError::Output(error) => error.into(),
            other => CliError::Demo(other),
        }
    }
}

//! The contestants, each behind the same two calls.
//!
//! What must stay true here: `record` returns when the contestant calls the event taken, and
//! `finish` when it calls everything done; nobody is made slower than its own documentation would.

mod appender;
mod audit;
mod sqlite;

use std::path::Path;

use audit_logging::{ActorInfo, AuditEvent, AuthMethod};
use clap::ValueEnum;
use serde::Serialize;

use crate::Error;

/// What every event says besides its number.
const USER: &str = "user-4711";
const IP: [u8; 4] = [10, 0, 0, 7];
const SERVICE: &str = "bench";

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    AuditLogging,
    TracingAppender,
    SqliteEach,
    SqliteBatch,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] =
        [Kind::AuditLogging, Kind::TracingAppender, Kind::SqliteEach, Kind::SqliteBatch];

    /// As on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::AuditLogging => "audit-logging",
            Kind::TracingAppender => "tracing-appender",
            Kind::SqliteEach => "sqlite-each",
            Kind::SqliteBatch => "sqlite-batch",
        }
    }

    /// How it is set up.
    pub(crate) const fn setup(self) -> &'static str {
        match self {
            Kind::AuditLogging => "Immediate",
            Kind::TracingAppender => "non-blocking, lossless, JSON",
            Kind::SqliteEach => "WAL, FULL, a commit per event",
            Kind::SqliteBatch => "WAL, FULL, a commit per 1,000",
        }
    }

    /// What it promises once `finish` has returned.
    pub(crate) const fn finished(self) -> &'static str {
        match self {
            Kind::AuditLogging | Kind::SqliteEach | Kind::SqliteBatch => "durable",
            Kind::TracingAppender => "written",
        }
    }

    pub(crate) fn open(self, dir: &Path) -> Result<Box<dyn Sink>, Error> {
        Ok(match self {
            Kind::AuditLogging => Box::new(audit::Audit::open(dir)?),
            Kind::TracingAppender => Box::new(appender::Appender::open(dir)?),
            Kind::SqliteEach => Box::new(sqlite::Sqlite::open(dir, 1)?),
            Kind::SqliteBatch => Box::new(sqlite::Sqlite::open(dir, 1_000)?),
        })
    }

    /// After a kill, whatever recovery there is done: how many of the first `acknowledged` events
    /// are there.
    pub(crate) fn find(self, dir: &Path, acknowledged: u64) -> Result<u64, Error> {
        match self {
            Kind::AuditLogging => audit::find(dir, acknowledged),
            Kind::TracingAppender => appender::find(dir, acknowledged),
            Kind::SqliteEach | Kind::SqliteBatch => sqlite::find(dir, acknowledged),
        }
    }
}

/// A contestant at work.
pub(crate) trait Sink {
    fn record(&mut self, event: &Made) -> Result<(), Error>;
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// An event as the application has it: made before anybody is measured.
pub(crate) struct Made {
    /// `/t/<number>`.
    path: String,
    audit: AuditEvent,
}

impl Made {
    pub(crate) fn new(number: u64) -> Made {
        let path = format!("/t/{number:08}");
        let audit = AuditEvent::AuthSuccess {
            timestamp: None,
            actor: ActorInfo::new(USER, AuthMethod::ApiKey).with_ip(IP),
            method: AuthMethod::ApiKey,
            path: path.clone(),
        };
        Made { path, audit }
    }
}

/// Counts the numbers below `acknowledged` that stand, each once, in lines of text.
fn count_lines(text: &[u8], acknowledged: u64) -> u64 {
    let mut seen = std::collections::BTreeSet::new();
    for line in text.split(|byte| *byte == b'\n') {
        let at = line.windows(4).position(|window| window == b"\"/t/");
        let digits = at.and_then(|at| line.get(at + 4..at + 12));
        let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if let Some(number) = number.filter(|number: &u64| *number < acknowledged) {
            seen.insert(number);
        }
    }
    seen.len() as u64
}

/// Bytes of all files under a directory.
pub(crate) fn size_of(dir: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

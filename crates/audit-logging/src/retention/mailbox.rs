//! What other processes ask of the one that holds a trail: files in `requests/`.
//!
//! What must stay true here: whoever may write there may write the trail itself, and files of others are
//! refused. A request is taken, and withdrawn, by renaming it, which one of two can do: it is done at most
//! once, and who asked is told or finds that nobody answers.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use audit_core::event::ActorInfo;
use audit_core::retention::HoldScope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::RetentionError;
use super::keeper::Keeper;
use crate::error::OpenError;
use crate::storage::{DirStorage, Storage, TEMPORARY, read_to_vec};

const DIR: &str = "requests";
const REQUEST: &str = ".json";
const ANSWER: &str = ".answer";
const TAKEN: &str = ".taken";
const WITHDRAWN: &str = ".withdrawn";
/// Longer requests are not ours.
const MAX_REQUEST: u64 = 64 << 10;
/// Longer answers would be of a trail with a hundred thousand segments.
const MAX_ANSWER: u64 = 64 << 20;
/// How long a request may lie, at most, before nobody will take it.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// What may be asked of the process that holds a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask", deny_unknown_fields)]
#[non_exhaustive]
pub enum Ask {
    /// To apply retention now, by that process's rules.
    Retain,
    /// To add a hold.
    AddHold {
        /// Who asks.
        by: String,
        /// Its id.
        hold: String,
        /// What it covers.
        #[serde(default)]
        scope: HoldScope,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// To release a hold.
    ReleaseHold {
        /// Who asks.
        by: String,
        /// Its id.
        hold: String,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
}

/// What became of it: the outcome as JSON, or why not.
pub type Reply = Result<Value, String>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Value),
    Refused(String),
}

/// Nobody answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// The trail cannot be looked at.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The request cannot be handed over, or the answer not read.
    #[error("{path}: cannot ask the process that holds the trail: {source}")]
    Io {
        /// The directory of requests.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// It was not taken; it was withdrawn.
    #[error(
        "the process that holds the trail does not take requests (it is of an older version, or stopped, or busy with another one); nothing was changed: stop it and run this again, or ask again later"
    )]
    NotTaken,
    /// It was taken, and the process has gone without an answer.
    #[error(
        "the process that held the trail ended before it answered; look whether it was done, then ask again"
    )]
    Gone,
    /// It was taken, and there was no answer in time.
    #[error(
        "the process that holds the trail took the request and has not answered within {} s; it may still do it: look whether it was done before you ask again, and whether that process and its disk work", waited.as_secs()
    )]
    NoAnswer {
        /// How long it was waited for.
        waited: Duration,
    },
}

/// Asks the process that holds the trail in `dir` and waits for its answer, at most for `patience`.
///
/// # Errors
/// [`AskError`]: nobody answered. What was refused is in the [`Reply`].
pub fn ask(dir: &Path, request: &Ask, patience: Duration) -> Result<Reply, AskError> {
    let storage = DirStorage::open(dir, false)?;
    let failed = |source| AskError::Io { path: dir.join(DIR), source };
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| failed(io::Error::other(error)))?;
    let id = uuid::Builder::from_random_bytes(id).into_uuid();
    let (asked, answered) = (format!("{DIR}/{id}{REQUEST}"), format!("{DIR}/{id}{ANSWER}"));
    let bytes = serde_json::to_vec(request).map_err(|error| failed(error.into()))?;
    storage.replace(&asked, &mut bytes.as_slice()).map_err(failed)?;
    let began = Instant::now();
    let (mut is_last_look, mut is_alone) = (false, false);
    loop {
        let is_late = began.elapsed() >= patience;
        match read_to_vec(&storage, &answered, MAX_ANSWER) {
            Ok(bytes) => {
                storage.remove(&answered).map_err(failed)?;
                let answer: Answer =
                    serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
                return Ok(match answer {
                    Answer::Done(value) => Ok(value),
                    Answer::Refused(why) => Err(why),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if is_last_look {
            let withdrawn = format!("{DIR}/{id}{WITHDRAWN}");
            match storage.take(&asked, &withdrawn) {
                Ok(()) => {
                    storage.remove(&withdrawn).map_err(failed)?;
                    return Err(AskError::NotTaken);
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                Err(_) if is_alone => {
                    storage.remove(&format!("{DIR}/{id}{TAKEN}")).map_err(failed)?;
                    return Err(AskError::Gone);
                }
                // Taken meanwhile: the answer comes, or its writer goes.
                Err(_) => {}
            }
        }
        let waits = storage.len(&asked).is_ok();
        if is_late && !waits {
            return Err(AskError::NoAnswer { waited: patience });
        }
        // Looking for the lock takes a while when somebody has it, which is what waiting takes.
        match storage.lock() {
            Err(OpenError::Locked { .. }) => {
                is_last_look = waits && began.elapsed() >= TAKEN_WITHIN.min(patience);
            }
            Err(error) => return Err(error.into()),
            Ok(_) => (is_last_look, is_alone) = (true, true),
        }
    }
}

/// Whether retention is being applied meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// No.
    No,
    /// Yes: what asks for it again waits in the box.
    Yes,
}

/// The requests of a trail that this process holds.
pub(super) struct Mailbox<'s> {
    storage: &'s dyn Storage,
}

impl<'s> Mailbox<'s> {
    /// Answers that nobody came for go away.
    pub(super) fn new(storage: &'s dyn Storage) -> Mailbox<'s> {
        let mailbox = Mailbox { storage };
        for name in mailbox.names() {
            if [ANSWER, TAKEN, WITHDRAWN, TEMPORARY].iter().any(|end| name.ends_with(end)) {
                mailbox.remove(&name);
            }
        }
        mailbox
    }

    fn names(&self) -> Vec<String> {
        match self.storage.list(DIR) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "requests to the logger cannot be listed");
                Vec::new()
            }
        }
    }

    fn remove(&self, name: &str) {
        if let Err(error) = self.storage.remove(&format!("{DIR}/{name}")) {
            tracing::warn!(%error, name, "a request stays");
        }
    }

    /// False when it could not be taken, or was withdrawn, and so is not ours to act upon.
    fn take(&self, name: &str, taken: &str) -> bool {
        match self.storage.take(&format!("{DIR}/{name}"), &format!("{DIR}/{taken}")) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                tracing::warn!(%error, name, "a request stays");
                false
            }
        }
    }

    /// Does what is asked for.
    pub(super) fn serve(&self, keeper: &Keeper, busy: Busy) {
        for name in self.names() {
            let Some(id) = name.strip_suffix(REQUEST) else { continue };
            let request = read_to_vec(self.storage, &format!("{DIR}/{name}"), MAX_REQUEST)
                .and_then(|bytes| Ok(serde_json::from_slice::<Ask>(&bytes)?));
            if busy == Busy::Yes && matches!(request, Ok(Ask::Retain)) {
                continue;
            }
            if keeper.is_stopped() {
                return;
            }
            let taken = format!("{id}{TAKEN}");
            if !self.take(&name, &taken) {
                continue;
            }
            let answer = match request {
                Ok(ask) => keeper.answer(&ask, self),
                Err(error) => Answer::Refused(format!("the request cannot be read: {error}")),
            };
            let told = serde_json::to_vec(&answer).map_err(io::Error::from).and_then(|bytes| {
                self.storage.replace(&format!("{DIR}/{id}{ANSWER}"), &mut bytes.as_slice())
            });
            if let Err(error) = told {
                tracing::warn!(%error, "a request was done, and who asked cannot be told");
            }
            self.remove(&taken);
        }
    }
}

impl Keeper {
    fn answer(&self, ask: &Ask, mailbox: &Mailbox<'_>) -> Answer {
        let done = |outcome: Result<(), RetentionError>| outcome.map(|()| Value::Null);
        let outcome = match ask {
            Ask::Retain => self.apply_aside(Some(mailbox)).map(|report| json!(report)),
            Ask::AddHold { by, hold, scope, reason } => {
                done(self.add_hold(&ActorInfo::internal(by), hold, *scope, reason.as_deref()))
            }
            Ask::ReleaseHold { by, hold, reason } => {
                done(self.release_hold(&ActorInfo::internal(by), hold, reason.as_deref()))
            }
        };
        match outcome {
            Ok(value) => Answer::Done(value),
            Err(error) => Answer::Refused(error.to_string()),
        }
    }
}

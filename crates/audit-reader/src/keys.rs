//! Which key is in force at which size, as a trail tells it (FORMAT section 7).
//!
//! What must stay true here: a key follows another only by that one's signature; what does not hold
//! is a problem and changes nothing. This is a listing and no verification: the roots that the old
//! keys signed are held against the entries by `verify`, and by nothing here.

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::entry::{Entry, Parser};
use audit_core::note::VerifierKey;
use memchr::memmem;
use serde_json::Value;

use crate::{LineKind, ReadError, Source, Step, TrailReader, trail_info};

/// One key and the sizes it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyEpoch {
    /// The epoch, from 0; `None` where the entries that would tell are not here.
    pub epoch: Option<u64>,
    /// The public key.
    pub key: VerifierKey,
    /// It signs checkpoints of this size and more.
    pub from_size: u64,
    /// It signs checkpoints up to this size; `None` for the key in force.
    pub to_size: Option<u64>,
    /// Who says that it is the key.
    pub vouched: Vouched,
}

/// Who says that a key is the trail's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vouched {
    /// It is the first one: whoever pinned it, or else only the trail itself.
    First,
    /// The key before it signed the entry that names it.
    KeyBefore,
    /// The key before it is not known: the entries that name it are not here.
    Nobody,
}

/// The keys of a trail in order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct KeyHistory {
    /// Name of the log.
    pub origin: Option<String>,
    /// From the first key to the one in force.
    pub epochs: Vec<KeyEpoch>,
    /// What does not hold: `seq` of the entry, and what is wrong with it.
    pub problems: Vec<(u64, String)>,
}

/// Reads a trail's keys.
///
/// # Errors
/// When the trail cannot be read. What is wrong with its keys is a problem and no error.
pub fn key_history(source: impl Into<Source>) -> Result<KeyHistory, ReadError> {
    let source = &source.into();
    let info = trail_info(source)?;
    let mut walk =
        Walk { initial: info.as_ref().map(|i| i.initial_key.clone()), ..Walk::default() };
    walk.history.origin = info.map(|info| info.origin);
    let mut reader = TrailReader::new(source.clone());
    let mut parser = Parser::default();
    let (rotated, sealed) = (finder("key_rotated"), finder("epoch_sealed"));
    let mut is_first = true;
    loop {
        match reader.step()? {
            Step::Line(_, line) if line.kind == LineKind::Complete => {
                // Nearly all lines are none of ours, and need not be parsed.
                let concerns_us = std::mem::take(&mut is_first)
                    || rotated.find(line.bytes).is_some()
                    || sealed.find(line.bytes).is_some();
                if concerns_us && let Ok(entry) = parser.parse(line.bytes) {
                    walk.entry(&entry);
                }
            }
            Step::Unfinished(..) | Step::CaughtUp => return Ok(walk.end()),
            _ => {}
        }
    }
}

fn finder(name: &str) -> memmem::Finder<'static> {
    memmem::Finder::new(format!(r#""event_type":"audit.{name}""#).as_bytes()).into_owned()
}

/// The walk over the entries that name keys.
#[derive(Default)]
struct Walk {
    /// What `trail.json` says, until entry 0 says it.
    initial: Option<String>,
    history: KeyHistory,
    /// An `audit.key_rotated`: its `seq`, epoch and key.
    announced: Option<(u64, Option<u64>, VerifierKey)>,
    has_begun: bool,
}

impl Walk {
    fn problem(&mut self, seq: u64, what: impl Into<String>) {
        self.history.problems.push((seq, what.into()));
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        let seq = entry.seq();
        if !entry.hash_matches() {
            return self.problem(seq, "the entry does not have its hash; run `auditlog verify`");
        }
        let details = entry.details().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let details = details.unwrap_or_default();
        if !std::mem::replace(&mut self.has_begun, true) {
            self.begin(seq, details["initial_key"].as_str());
        }
        match entry.event_type() {
            "audit.key_rotated" => self.rotated(seq, &details),
            "audit.epoch_sealed" => {
                if let Err(what) = self.sealed(seq, &details) {
                    self.problem(seq, what);
                }
            }
            _ => {}
        }
    }

    /// The first entry that is here.
    fn begin(&mut self, seq: u64, initial: Option<&str>) {
        if seq > 0 {
            // The front is elsewhere. Which key was in force here only the front tells.
            return;
        }
        let stated = initial.map(str::to_owned).or_else(|| self.initial.take());
        match stated.as_deref().map(VerifierKey::parse) {
            Some(Ok(key)) => self.history.epochs.push(KeyEpoch {
                epoch: Some(0),
                key,
                from_size: 0,
                to_size: None,
                vouched: Vouched::First,
            }),
            Some(Err(error)) => self.problem(seq, format!("the first key is none: {error}")),
            None => self.problem(seq, "no first key is named"),
        }
    }

    fn rotated(&mut self, seq: u64, details: &Value) {
        match details["new_key"].as_str().map(VerifierKey::parse) {
            Some(Ok(key)) => self.announced = Some((seq, details["epoch"].as_u64(), key)),
            Some(Err(error)) => self.problem(seq, format!("the new key is none: {error}")),
            None => self.problem(seq, "no new key is named"),
        }
    }

    fn sealed(&mut self, seq: u64, details: &Value) -> Result<(), String> {
        let announced = self.announced.take().filter(|(named, ..)| named + 1 == seq);
        let (_, epoch, key) = announced.ok_or("no `audit.key_rotated` stands right before it")?;
        let lines = details["checkpoint"].as_array().into_iter().flatten();
        let lines: Option<Vec<&str>> = lines.map(Value::as_str).collect();
        let note = lines.unwrap_or_default().join("\n") + "\n";
        let signed = SignedCheckpoint::parse(note.as_bytes()).map_err(|error| error.to_string())?;
        let vouched = match self.history.epochs.last_mut() {
            Some(old) => {
                let checkpoint = signed.verify(&old.key).map_err(|error| error.to_string())?;
                if checkpoint.size != seq {
                    return Err(format!("the old key vouches for {} entries", checkpoint.size));
                }
                old.to_size = Some(seq);
                Vouched::KeyBefore
            }
            None => Vouched::Nobody,
        };
        let from_size = seq + 1;
        self.history.epochs.push(KeyEpoch { epoch, key, from_size, to_size: None, vouched });
        Ok(())
    }

    fn end(mut self) -> KeyHistory {
        if !self.has_begun {
            // No entry yet: what `trail.json` says is all there is.
            self.begin(0, None);
        }
        self.history
    }
}

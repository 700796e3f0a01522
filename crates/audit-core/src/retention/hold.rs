//! Legal holds: what must not be deleted, whatever its age.
//!
//! What must stay true here: the trail itself is where holds stand. A hold is in force from the entry
//! that adds it to the one that releases it, and its own entry cannot be deleted while it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Stored;
use super::claims::Claims;
use crate::entry::Entry;

/// Longest id of a hold.
const MAX_ID: usize = 128;

/// True for what may name a hold: 1 to 128 of `A-Z a-z 0-9 . _ : / -`.
#[must_use]
pub fn is_hold_id(id: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_plain)
}

/// What a hold covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoldScope {
    /// Entries from this `seq` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seq: Option<u64>,
    /// Entries up to this `seq`, which is covered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<u64>,
    /// Entries written on this UTC date or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// Entries written on this UTC date or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

impl HoldScope {
    /// True when everything is covered, what is still to come included.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == HoldScope::default()
    }

    /// True when no entry can be covered: a range that ends before it begins.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let ends_before = |first: Option<u64>, last: Option<u64>| {
            first.zip(last).is_some_and(|(first, last)| last < first)
        };
        ends_before(self.first_seq, self.last_seq)
            || self.since.zip(self.until).is_some_and(|(since, until)| until < since)
    }

    /// True when it covers an entry that may be in this segment. `until` is the `seq` that the next
    /// segment begins with, `ended` the date it was begun on.
    fn covers(&self, segment: &Stored, until: Option<u64>, ended: Option<Date>) -> bool {
        let begins_behind =
            segment.first_seq.zip(self.last_seq).is_some_and(|(at, last)| at > last);
        let ends_before = until.zip(self.first_seq).is_some_and(|(until, first)| until <= first);
        let begun_behind = self.until.is_some_and(|last| segment.name.date() > last);
        let ended_before = ended.zip(self.since).is_some_and(|(ended, since)| ended < since);
        !(begins_behind || ends_before || begun_behind || ended_before)
    }
}

/// In words.
impl fmt::Display for HoldScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return f.write_str("everything");
        }
        let parts = [
            self.first_seq.map(|seq| format!("from seq {seq}")),
            self.last_seq.map(|seq| format!("to seq {seq}")),
            self.since.map(|date| format!("since {date}")),
            self.until.map(|date| format!("until {date}")),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// A hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its id, as whoever added it called it.
    pub id: String,
    /// What it covers.
    pub scope: HoldScope,
    /// Why, if that was said.
    pub reason: Option<String>,
    /// Who added it.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// `seq` of the entry that says so.
    pub seq: u64,
}

/// Why a hold cannot be added or released. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HoldError {
    /// An id that is none.
    #[error("a hold's id must be 1 to 128 characters out of A-Z a-z 0-9 . _ : / -")]
    BadId,
    /// A range that ends before it begins.
    #[error("this hold covers nothing: its range ends before it begins")]
    EmptyScope,
    /// There is one of this id.
    #[error("a hold {0:?} is in force already; choose another id, or release that one first")]
    Exists(String),
    /// There is none of this id.
    #[error("no hold {0:?} is in force; see `auditlog hold DIR list`")]
    Unknown(String),
}

/// `details` of `audit.hold_added` and `audit.hold_released`.
#[derive(Deserialize)]
struct Details {
    hold: String,
    #[serde(default)]
    scope: Option<HoldScope>,
}

/// The holds in force, as the entries of a trail say in their order.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    /// All that were ever added.
    added: Vec<Hold>,
    /// Ids, and which of these releases count.
    released: Claims<String>,
    /// Found out when somebody asks: only the end of a trail tells what is void.
    in_force: OnceLock<Vec<Hold>>,
}

impl Holds {
    /// Takes notice of the next entry, which may be of any type. One whose details cannot be read adds a
    /// hold on everything rather than none, and releases nothing. A release that nobody had signed when
    /// the trail was opened next is void: anybody can have put it there.
    pub fn see(&mut self, entry: &Entry<'_>) {
        let details: Option<Details> =
            entry.details().and_then(|details| serde_json::from_str(details).ok());
        match entry.event_type() {
            "audit.hold_added" => {
                let (id, scope) = match details {
                    Some(details) => (details.hold, details.scope.unwrap_or_default()),
                    None => (format!("unreadable:{}", entry.seq()), HoldScope::default()),
                };
                let by = entry.actor().map(|actor| actor.user_id.decode().into_owned());
                self.added.push(Hold {
                    id,
                    scope,
                    reason: entry.reason().map(|reason| reason.decode().into_owned()),
                    by: by.unwrap_or_else(|| "unknown".to_owned()),
                    at: entry.timestamp().to_owned(),
                    seq: entry.seq(),
                });
            }
            "audit.hold_released" => {
                if let Some(Details { hold: id, .. }) = details
                    && self.added.iter().any(|hold| hold.id == id)
                {
                    self.released.claim(entry.seq(), id);
                }
            }
            "audit.recovered" => {
                self.released.recovered(entry.seq(), entry.details().unwrap_or_default());
            }
            _ => return,
        }
        self.in_force.take();
    }

    /// The holds in force, in the order they were added.
    #[must_use]
    pub fn in_force(&self) -> &[Hold] {
        self.in_force.get_or_init(|| {
            let mut last = BTreeMap::new();
            for (seq, id) in self.released.clone().in_force() {
                last.insert(id, seq);
            }
            let is_released = |hold: &&Hold| last.get(&hold.id).is_some_and(|seq| *seq > hold.seq);
            self.added.iter().filter(|hold| !is_released(hold)).cloned().collect()
        })
    }

    /// The hold of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Hold> {
        self.in_force().iter().find(|hold| hold.id == id)
    }

    /// Ids of the holds that keep a segment: they cover it, or their own entry is in it.
    pub(super) fn covering(
        &self,
        segment: &Stored,
        until: Option<u64>,
        ended: Option<Date>,
    ) -> Vec<String> {
        let own = |hold: &Hold| {
            segment.first_seq.is_some_and(|first| first <= hold.seq)
                && until.is_none_or(|until| hold.seq < until)
        };
        let keeps = |hold: &&Hold| hold.scope.covers(segment, until, ended) || own(hold);
        self.in_force().iter().filter(keeps).map(|hold| hold.id.clone()).collect()
    }
}

//! What a clause is answered with: a number out of the trail, and the question that gives it.
//!
//! What must stay true here: an answer says what was found and never that a requirement is met. What
//! somebody must explain is marked; whether the explanation is good is not for a program to say.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Serialize;

use super::beside::ReadsBeside;
use super::class::Class;
use super::integrity::Integrity;
use super::keeping::Keeping;
use super::retention::Retention;
use super::silence::Silences;
use super::tally::Totals;
use super::timeline::Results;
use crate::Verdict;

/// What a clause looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Entries of a class.
    Of(Class),
    /// Entries of a class that failed.
    Failed(Class),
    /// All entries.
    Entries,
    /// Different actors.
    Actors,
    /// Whether entries say who, from where, on what.
    Completeness,
    /// Events that were refused.
    Drops,
    /// Repairs and failures of the disk.
    Trouble,
    /// Jumps of the clock.
    Clock,
    /// Times without an entry.
    Silences,
    /// The verdict.
    Integrity,
    /// How far back the trail reaches, against so many months; 0 if the clause names none.
    Kept(i64),
    /// What is compressed, what was removed, and what legal holds keep.
    Retained,
}

/// How an answer is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// The period has nothing of it.
    Nothing,
    /// It is there.
    Shown,
    /// Somebody has to explain it.
    Attention,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Evidence {
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
    /// How to take it.
    pub state: State,
    /// The patterns of `auditlog query --type` that show the entries.
    pub types: Vec<String>,
}

/// What answers are made of.
pub(super) struct Facts<'a> {
    pub(super) totals: &'a Totals,
    pub(super) classes: &'a [Results],
    pub(super) actors: (u64, bool),
    /// How the trail was kept, if all of it was looked at; otherwise the facts are about one person.
    pub(super) keeping: Option<(&'a Keeping, &'a Silences)>,
    /// The reads that were noted beside the trail.
    pub(super) beside: &'a ReadsBeside,
    pub(super) integrity: &'a Integrity,
    pub(super) retention: &'a Retention,
    pub(super) now: Timestamp,
}

impl Measure {
    pub(super) fn answer(self, facts: &Facts<'_>) -> Evidence {
        match self {
            Measure::Of(class) => of(class, facts),
            Measure::Failed(class) => failed(class, facts),
            Measure::Entries => {
                let count = facts.totals.entries;
                let control = facts.totals.control;
                let found = format!("{count}, of which {control} of the trail about itself");
                evidence(format!("entries {}", facts.scope()), found, shown(count))
            }
            Measure::Actors => {
                let (count, exact) = facts.actors;
                let more = if exact { "" } else { " at least" };
                evidence("different actors", format!("{count}{more}"), shown(count))
            }
            Measure::Completeness => completeness(facts.totals),
            Measure::Drops | Measure::Trouble | Measure::Clock | Measure::Silences => {
                self.of_keeping(facts.keeping)
            }
            Measure::Integrity => integrity(facts.integrity),
            Measure::Kept(months) => kept(months, facts),
            Measure::Retained => retained(facts),
        }
    }

    /// An answer that only the whole trail can give.
    fn of_keeping(self, kept: Option<(&Keeping, &Silences)>) -> Evidence {
        let (what, types): (_, &[&str]) = match self {
            Measure::Drops => ("events refused", &["audit.events_dropped"]),
            Measure::Clock => ("jumps of the clock", &["audit.clock_stepped"]),
            Measure::Trouble => {
                ("failures of the logging itself", &["audit.recovered", "audit.storage_failed"])
            }
            _ => ("times without an entry", &[]),
        };
        let (found, state) = match (self, kept) {
            (_, None) => (NOT_LOOKED_AT.to_owned(), State::Nothing),
            (Measure::Drops, Some((keeping, _))) => drops(keeping),
            (Measure::Clock, Some((keeping, _))) => {
                (keeping.clock_stepped.to_string(), attention(keeping.clock_stepped))
            }
            (Measure::Trouble, Some((keeping, _))) => trouble(keeping),
            (_, Some((_, silences))) => quiet(silences),
        };
        evidence(what, found, state).of(types)
    }
}

/// What a report on one person says of what only the whole trail can answer.
pub(super) const NOT_LOOKED_AT: &str = "not looked at in a report on one person";

impl Facts<'_> {
    /// What the numbers are of.
    const fn scope(&self) -> &'static str {
        match self.keeping {
            Some(_) => "in the period",
            None => "in the period that concern this person",
        }
    }

    fn none(&self) -> String {
        format!("none {}", self.scope())
    }
}

fn drops(keeping: &Keeping) -> (String, State) {
    let Keeping { dropped_events: count, recovered_with_loss: lost, .. } = *keeping;
    let found = match (count, lost) {
        (0, 0) => "none: every event that a service handed over is in the trail".to_owned(),
        (0, _) => format!(
            "none is told of; {lost} recoveries have something to explain, and events may be missing there"
        ),
        (_, 0) => format!("{count} events were refused and are not in the trail"),
        _ => format!(
            "{count} events were refused and are not in the trail; {lost} recoveries have something to explain, and events may be missing there"
        ),
    };
    (found, attention(count + lost))
}

fn evidence(what: impl Into<String>, found: impl Into<String>, state: State) -> Evidence {
    Evidence { what: what.into(), found: found.into(), state, types: Vec::new() }
}

impl Evidence {
    fn of(mut self, types: &[&str]) -> Evidence {
        self.types = types.iter().map(|pattern| (*pattern).to_owned()).collect();
        self
    }
}

const fn shown(count: u64) -> State {
    if count == 0 { State::Nothing } else { State::Shown }
}

const fn attention(count: u64) -> State {
    if count == 0 { State::Shown } else { State::Attention }
}

fn of(class: Class, facts: &Facts<'_>) -> Evidence {
    if class.is_of_trail() && facts.keeping.is_none() {
        return evidence(class.label(), NOT_LOOKED_AT, State::Nothing).of(class.patterns());
    }
    let results = facts.classes[class as usize];
    let total = results.total();
    let found = match (total, results.failure) {
        (0, _) => facts.none(),
        (total, 0) => total.to_string(),
        // An incident is a failure by its nature.
        (total, _) if class == Class::Incident => total.to_string(),
        (total, failed) => format!("{total}, of which {failed} failed"),
    };
    if class == Class::LogAccess {
        let (more, state) = beside(facts.beside);
        return evidence(class.label(), found + &more, state.max(shown(total)))
            .of(class.patterns());
    }
    let state = if class == Class::Incident && total > 0 { State::Attention } else { shown(total) };
    evidence(class.label(), found, state).of(class.patterns())
}

/// The reads that stand in a trail of their own, under its own verdict.
fn beside(reads: &ReadsBeside) -> (String, State) {
    let beside = match reads {
        ReadsBeside::NotLookedFor => {
            return (
                "; whether others were noted beside the trail was not looked at".to_owned(),
                State::Nothing,
            );
        }
        ReadsBeside::None => {
            return ("; none was noted beside the trail".to_owned(), State::Nothing);
        }
        ReadsBeside::Unreadable { problem } => {
            let found =
                format!("; others were noted beside the trail and cannot be read: {problem}");
            return (found, State::Attention);
        }
        ReadsBeside::Read(beside) => beside,
    };
    let (verdict, sound) = match reads.verdict() {
        Some(Verdict::Proven) => ("proven", true),
        Some(Verdict::Violated) => ("violated", false),
        Some(Verdict::Unproven) => ("unproven", false),
        None => ("not verified", false),
    };
    let count = beside.accessed.total;
    let found = format!("; and {count} in the trail beside it, which is {verdict}");
    (found, if sound { shown(count) } else { State::Attention })
}

fn retained(facts: &Facts<'_>) -> Evidence {
    let Retention { segments, archived, holds_in_force, .. } = facts.retention;
    let removed = match facts.keeping {
        Some((keeping, _)) => format!(
            "; retention removed segments {} times in the period, {} legal holds were added and {} released",
            keeping.retention_applied, keeping.holds_added, keeping.holds_released
        ),
        None => String::new(),
    };
    let found = format!(
        "{segments} segments are there, {archived} of them archived; {holds_in_force} legal holds are in force{removed}"
    );
    let types: &[&str] = &["audit.retention_applied", "audit.hold_*"];
    evidence("state of retention", found, shown(*segments)).of(types)
}

fn failed(class: Class, facts: &Facts<'_>) -> Evidence {
    let Results { failure, .. } = facts.classes[class as usize];
    let total = facts.classes[class as usize].total();
    let found = match (failure, total) {
        (0, 0) => facts.none(),
        _ => format!("{failure} of {total}"),
    };
    evidence(format!("failed {}", class.label()), found, shown(total)).of(class.patterns())
}

fn completeness(totals: &Totals) -> Evidence {
    let said = totals.entries - totals.control;
    let percent = |without: u64| match said {
        0 => "–".to_owned(),
        _ => format!("{:.1} %", (said - without) as f64 * 100.0 / said as f64),
    };
    let found = format!(
        "of {said} entries of services, {} say who, {} say from which address, {} say on what; all say what, when and with what result",
        percent(totals.without_actor),
        percent(totals.without_address),
        percent(totals.without_resource),
    );
    let state = match said {
        0 => State::Nothing,
        _ if totals.without_actor > 0 => State::Attention,
        _ => State::Shown,
    };
    evidence("what entries say", found, state)
}

fn trouble(keeping: &Keeping) -> (String, State) {
    let Keeping { recovered, recovered_with_loss, storage_failed, .. } = *keeping;
    let found = match (recovered, storage_failed) {
        (0, 0) => "none".to_owned(),
        _ => format!(
            "{recovered} recoveries after a writer that had not closed the trail, {recovered_with_loss} of them with something to explain; {storage_failed} failures of the disk"
        ),
    };
    (found, attention(recovered_with_loss + storage_failed))
}

fn quiet(silences: &Silences) -> (String, State) {
    let Silences { unexplained, unexplained_seconds, while_closed, threshold_seconds, .. } =
        silences;
    let found = format!(
        "{unexplained} longer than {} minutes while the trail was open ({} in all), {while_closed} between a closing and the next opening",
        threshold_seconds / 60,
        duration(*unexplained_seconds),
    );
    (found, attention(*unexplained))
}

fn integrity(integrity: &Integrity) -> Evidence {
    let (found, state) = match integrity.verdict() {
        None => ("not checked for this report".to_owned(), State::Attention),
        Some(Verdict::Proven) => {
            ("proven: intact up to the signed checkpoint".to_owned(), State::Shown)
        }
        Some(Verdict::Violated) => {
            ("violated: this is not what was written".to_owned(), State::Attention)
        }
        Some(Verdict::Unproven) => {
            ("unproven: nothing is wrong, and nothing proves it".to_owned(), State::Attention)
        }
    };
    evidence("integrity of the trail", found, state)
}

fn kept(months: i64, facts: &Facts<'_>) -> Evidence {
    let retention = facts.retention;
    let Some(oldest) = retention.oldest.as_ref().and_then(|text| text.parse::<Timestamp>().ok())
    else {
        let state = if retention.first_unreadable { State::Attention } else { State::Nothing };
        return evidence("how far back the trail reaches", retention.no_first(), state);
    };
    let from_start = retention.first_seq == Some(0);
    let since = format!("{oldest:.0}");
    let first = match (from_start, retention.first_seq) {
        (false, Some(seq)) => format!("back to {since}, seq {seq}: what was before was removed"),
        _ => format!("back to its first entry, {since}: nothing was removed"),
    };
    let due = facts.now.to_zoned_datetime(TimeZone::UTC).checked_sub(Span::new().months(months));
    let enough = due.is_ok_and(|due| oldest <= due.timestamp());
    let (found, state) = match (months, enough, from_start) {
        (0, ..) => (first, State::Shown),
        (_, true, _) => (format!("{first}; that is the {months} months asked for"), State::Shown),
        (_, false, true) => {
            (format!("{first}; the trail is younger than {months} months"), State::Shown)
        }
        (_, false, false) => (format!("{first}; {months} months are asked for"), State::Attention),
    };
    evidence("how far back the trail reaches", found, state).of(&["audit.retention_applied"])
}

/// A number of seconds for people.
pub(super) fn duration(seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

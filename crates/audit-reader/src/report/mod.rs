//! Reports over a period of a trail: what a framework's clauses ask of an audit trail, and what
//! this one shows.
//!
//! What must stay true here: one pass over the entries, and one for the holds; bounded memory; what was
//! searched and what the report cannot know is part of it; nothing in it says that a requirement is met.
//!
//! ```
//! use audit_reader::Source;
//! use audit_reader::report::{Kind, Options, Request, report, to_html};
//!
//! # fn main() -> Result<(), audit_reader::QueryError> {
//! # let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/healthy");
//! let source = Source::open(dir.as_ref())?;
//! let report = report(&source, Request::new(Kind::Soc2), Options::default())?;
//! assert_eq!(report.totals.entries, 300);
//! assert!(to_html(&report).starts_with("<!doctype html>"));
//! # Ok(()) }
//! ```

mod beside;
mod class;
mod clauses;
mod csv;
mod html;
mod integrity;
mod keeping;
mod limits;
mod measure;
mod readable;
mod retention;
mod silence;
mod subject;
mod tally;
mod timeline;
mod top;

use std::fmt;
use std::ops::ControlFlow;

use audit_core::entry::Parser;
use jiff::tz::TimeZone;
use jiff::{SpanRelativeTo, Timestamp, Unit as SpanUnit};
use serde::Serialize;

pub use beside::{Access, AccessTrail, Beside, ReadsBeside, access_dir};
pub use clauses::{Answered, Kind};
pub use csv::to_csv;
pub use html::to_html;
pub use integrity::{AttachedProof, Checked, Integrity};
pub use keeping::Keeping;
pub use measure::{Evidence, State};
pub use retention::Retention;
pub use silence::{Silence, Silences};
pub use subject::Subject;
pub use tally::{ClassCount, Listed, Listing, Totals};
pub use timeline::{Bucket, Results, Timeline, Unit};
pub use top::{Row, Table};

use crate::{
    Progress, Query, QueryError, QueryOptions, Searched, Source, holds, trail_info, verify,
};
use class::{Class, Classifier};
use measure::Facts;
use readable::readable;
use subject::Concern;
use tally::{Tallied, Tally};
use timeline::Calendar;

/// Up to so many hours a report goes by the hour.
const BY_HOUR: f64 = 72.0;

/// What is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// The framework.
    pub kind: Kind,
    /// Entries of this time and later; all from the beginning if there is none.
    pub since: Option<Timestamp>,
    /// Entries before this time.
    pub until: Timestamp,
    /// The zone that days and hours are of.
    pub zone: TimeZone,
    /// Only entries that concern this person.
    pub subject: Option<String>,
    /// Types of events, as patterns, that are privileged beside the built-in ones.
    pub privileged: Vec<String>,
    /// Types of events that are incidents beside the built-in ones.
    pub incidents: Vec<String>,
    /// Actors of whom every action is privileged.
    pub privileged_actors: Vec<String>,
    /// When the report is made.
    pub now: Timestamp,
}

impl Request {
    /// A report on everything up to now, in UTC.
    #[must_use]
    pub fn new(kind: Kind) -> Request {
        let now = Timestamp::now();
        Request {
            kind,
            since: None,
            until: now,
            zone: TimeZone::UTC,
            subject: None,
            privileged: Vec::new(),
            incidents: Vec::new(),
            privileged_actors: Vec::new(),
            now,
        }
    }
}

/// How to make a report.
#[derive(Default)]
#[non_exhaustive]
pub struct Options<'a> {
    /// Pieces of the trail that are read side by side.
    pub jobs: usize,
    /// Told now and then how far it is.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
    /// The trail's verification, made for this report. Without it the report says that nobody checked.
    pub verification: Option<verify::Report>,
    /// The reads that were noted beside the trail. Without it the report says that nobody looked.
    pub access: Access,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// A report: data only. [`to_html`] and [`to_csv`] write it down; as JSON it is what serde makes of it.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The framework.
    pub kind: Kind,
    /// Its name and edition.
    pub title: &'static str,
    /// What its clauses are taken from.
    pub clauses_from: &'static str,
    /// When the report was made.
    pub generated_at: String,
    /// By what.
    pub generated_by: String,
    /// The trail's name, as it states it.
    pub origin: Option<String>,
    /// The service that writes it, as it states it.
    pub service_id: Option<String>,
    /// The beginning of the period; none: of the trail.
    pub since: Option<String>,
    /// Its end, which is not in it.
    pub until: String,
    /// The zone of days and hours.
    pub zone: String,
    /// The person it is about.
    pub subject: Option<Subject>,
    /// How much was searched.
    pub searched: Searched,
    /// Segments that are not in any number here: their archives do not unpack.
    pub archives_unreadable: u64,
    /// The verdict, with checkpoint and proofs.
    pub integrity: Integrity,
    /// Numbers over the period.
    pub totals: Totals,
    /// The clauses.
    pub clauses: Vec<Answered>,
    /// Kinds of actions, with the patterns they are counted by.
    pub classes: Vec<ClassCount>,
    /// Entries over time.
    pub timeline: Timeline,
    /// Types with the most entries.
    pub types: Table,
    /// Actors with the most entries.
    pub actors: Table,
    /// Actors with the most failures.
    pub failing_actors: Table,
    /// Addresses with the most failures.
    pub failing_addresses: Table,
    /// Reasons of failures.
    pub reasons: Table,
    /// Resources with the most entries.
    pub resources: Table,
    /// Incidents.
    pub incidents: Listing,
    /// Privileged actions.
    pub privileged: Listing,
    /// Requests of people about their data, and what was done.
    pub requests: Listing,
    /// If the report is about a person: the entries that concern them.
    pub concerned: Listing,
    /// How the trail was kept; not looked at in a report on one person.
    pub keeping: Option<Keeping>,
    /// Times without an entry; not looked at in a report on one person.
    pub silences: Option<Silences>,
    /// The reads that were noted beside the trail; not looked at in a report on one person.
    pub reads_beside: ReadsBeside,
    /// What of the trail is still there.
    pub retention: Retention,
    /// What this report cannot know.
    pub cannot_know: Vec<String>,
}

impl Report {
    /// Whether numbers may lack entries of the trail or of the one beside it, or holds may be in force that
    /// are not listed: damage, or segments that went away meanwhile.
    #[must_use]
    pub fn lacks(&self) -> bool {
        let beside = match &self.reads_beside {
            ReadsBeside::Read(beside) => beside.searched.lacks(),
            _ => false,
        };
        self.searched.lacks() || self.retention.holds_uncertain > 0 || beside
    }
}

/// Makes a report.
///
/// # Errors
/// When the request contradicts itself, or the trail cannot be read.
pub fn report(
    whole: &Source,
    request: Request,
    mut options: Options<'_>,
) -> Result<Report, QueryError> {
    let (read, readable, archives_unreadable) = readable(whole, |source| {
        let progress = options.progress.as_mut().map(|tell| &mut **tell as &mut dyn FnMut(_));
        let read = read(source, &request, options.jobs, progress)?;
        Ok((read, holds(source, options.jobs)?))
    })?;
    let ((tallied, subject, mut searched), (holds, holds_searched)) = read;
    searched.segments_total += archives_unreadable;
    let retention = Retention::of(whole, (&holds, &holds_searched), archives_unreadable)?;
    let source = &readable;
    let range = tallied.totals.first.as_ref().zip(tallied.totals.last.as_ref());
    let range = range.map(|((first, _), (last, _))| (*first, *last));
    let integrity = match options.verification {
        Some(verification) => Integrity::checked(source, verification, range)?,
        None => Integrity::NotChecked,
    };
    let info = trail_info(source)?;
    // Of the entries about the trail itself, those that happen to name a person say nothing.
    let whole = request.subject.is_none();
    let access = if whole { options.access } else { Access::NotLookedFor };
    let origin = info.as_ref().map(|info| info.origin.as_str());
    let beside = ReadsBeside::of(access, &request, origin);
    let actors = tallied.actors.by_entries();
    let searched_in = (&searched, &holds_searched, archives_unreadable);
    let cannot_know = limits::cannot_know(&request, &tallied, &integrity, searched_in, &beside);
    let keeping = whole.then_some(tallied.keeping);
    let silences = whole.then_some(tallied.silences);
    let facts = Facts {
        totals: &tallied.totals,
        classes: &tallied.classes,
        actors: (tallied.actors.distinct(), actors.exact),
        keeping: keeping.as_ref().zip(silences.as_ref()),
        beside: &beside,
        integrity: &integrity,
        retention: &retention,
        now: request.now,
    };
    let clauses = request.kind.answered(&facts);
    Ok(Report {
        kind: request.kind,
        title: request.kind.title(),
        clauses_from: request.kind.source(),
        generated_at: format!("{:.0}", request.now),
        generated_by: concat!("audit-logging ", env!("CARGO_PKG_VERSION")).to_owned(),
        origin: info.as_ref().map(|info| info.origin.clone()),
        service_id: info.map(|info| info.service_id),
        since: request.since.map(|since| format!("{since:.0}")),
        until: format!("{:.0}", request.until),
        zone: request.zone.iana_name().unwrap_or("local").to_owned(),
        subject,
        searched,
        archives_unreadable,
        integrity,
        clauses,
        classes: class_counts(&request, &tallied.classes),
        types: tallied.types.by_entries(),
        actors,
        failing_actors: tallied.actors.by_failures(),
        failing_addresses: tallied.addresses.by_failures(),
        reasons: tallied.reasons.by_entries(),
        resources: tallied.resources.by_entries(),
        totals: tallied.totals,
        timeline: tallied.timeline,
        incidents: tallied.incidents,
        privileged: tallied.privileged,
        requests: tallied.requests,
        concerned: tallied.concerned,
        keeping,
        silences,
        reads_beside: beside,
        retention,
        cannot_know,
    })
}

/// The pass over the entries.
fn read(
    source: &Source,
    request: &Request,
    jobs: usize,
    progress: Option<&mut dyn FnMut(Progress)>,
) -> Result<(Tallied, Option<Subject>, Searched), QueryError> {
    let mut query = Query::new().until(request.until);
    if let Some(since) = request.since {
        query = query.since(since);
    }
    let mut concern = request.subject.as_ref().map(|name| Concern::new(name));
    if let Some(name) = &request.subject {
        query = query.containing(name);
    }
    let classifier = Classifier::new(&request.privileged, &request.incidents);
    let calendar = Calendar::new(unit(request), request.zone.clone());
    let actors = request.privileged_actors.clone();
    let mut tally = Tally::new(classifier, actors, calendar, concern.is_some());
    let mut options = QueryOptions::default().with_jobs(jobs);
    if let Some(progress) = progress {
        options = options.with_progress(progress);
    }
    let mut parser = Parser::default();
    let searched = query.run(source, options, |hit| {
        // It matched, so it is an entry.
        if let Ok(entry) = parser.parse(hit.bytes)
            && concern.as_mut().is_none_or(|concern| concern.has(&entry))
        {
            tally.add(&entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok((tally.end(), concern.map(Concern::end), searched))
}

/// Short periods go by the hour.
fn unit(request: &Request) -> Unit {
    let hours = request.since.and_then(|since| {
        let span = request.until.since(since).ok()?;
        span.total((SpanUnit::Hour, SpanRelativeTo::days_are_24_hours())).ok()
    });
    if hours.is_some_and(|hours| hours <= BY_HOUR) { Unit::Hour } else { Unit::Day }
}

fn class_counts(request: &Request, counted: &[Results]) -> Vec<ClassCount> {
    let types = |class: Class| {
        let own: &[String] = match class {
            Class::Privileged => &request.privileged,
            Class::Incident => &request.incidents,
            _ => &[],
        };
        let built_in = class.patterns().iter().map(|pattern| (*pattern).to_owned());
        built_in.chain(own.iter().cloned()).collect()
    };
    let count = |class: &Class| ClassCount {
        class: class.label(),
        types: types(*class),
        results: counted[*class as usize],
    };
    let whole = request.subject.is_none();
    Class::ALL.iter().filter(|class| whole || !class.is_of_trail()).map(count).collect()
}

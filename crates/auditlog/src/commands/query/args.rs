//! What `auditlog query` can be asked.
//!
//! What must stay true here: nothing that was asked for is left out of the query, and what cannot be
//! understood is refused with an example of what can.

use std::path::{Path, PathBuf};

use audit_core::event::Outcome;
use audit_reader::{Cursor, Edge, Order, Query, time_bound};
use clap::ValueEnum;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use crate::commands::access::AccessArgs;
use crate::error::CliError;

/// Find entries of a trail
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Conditions of different kinds must all hold; of several of one kind, one. \
    Entries come in the order of the trail.\n\
    What was searched is said on standard error. With --json, entries are printed exactly as they stand \
    on disk, one a line.\n\n\
    Times are durations back from now (7d, 12h, 1mo), dates (2026-11-23; as the end of a range the whole day \
    is in it), local times (2026-11-23T06:54, in the zone of --zone) or times with an offset \
    (2026-11-23T06:54:00Z).\n\n\
    Examples:\n  \
    auditlog query ./audit --actor mallory --since 7d\n  \
    auditlog query ./audit --type 'auth.*' --result failure --order newest --limit 100\n  \
    auditlog query ./audit --contains 203.0.113.9 --since 2026-11-20 --until 2026-11-23 --zone Europe/Berlin\n  \
    auditlog query ./audit --critical --json | jq .details"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// By this actor, exactly; may be given several times
    #[arg(long, value_name = "USER_ID")]
    actor: Vec<String>,
    /// Of a type that matches: * is any run of characters, ? any one; may be given several times
    #[arg(long = "type", value_name = "GLOB")]
    types: Vec<String>,
    /// On a resource of this type, exactly
    #[arg(long, value_name = "TYPE")]
    resource_type: Vec<String>,
    /// On the resource with this id, exactly
    #[arg(long, value_name = "ID")]
    resource: Vec<String>,
    /// With this result
    #[arg(long, value_enum, value_name = "RESULT")]
    result: Vec<Ended>,
    /// For this reason, exactly
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,
    /// Of this trace
    #[arg(long, value_name = "ID")]
    trace_id: Vec<String>,
    /// Of this request
    #[arg(long, value_name = "ID")]
    request_id: Vec<String>,
    /// With this text in some field, not in ids and hashes the trail adds; if given several times, all of
    /// them
    #[arg(long, value_name = "TEXT")]
    contains: Vec<String>,
    /// Critical ones; with =false, the others
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    critical: Option<bool>,
    /// From this time on
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// The time zone of local times: an IANA name, or `local`
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// With a `seq` in this range, both ends included: 100-200, 100-, or one number
    #[arg(long, value_name = "FIRST-LAST")]
    seq: Option<String>,
    /// Which come first
    #[arg(long, value_enum, default_value_t = First::Oldest, value_name = "WHICH")]
    order: First,
    /// No more than so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// The next page: behind the entry that the last one ended with
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Compute the hash of every entry that is printed; exit 1 if one states another
    #[arg(long)]
    verified: bool,
    /// Read the segments even where `auditlog index` has made an index; the answer is the same
    #[arg(long)]
    no_index: bool,
    /// How entries are printed [default: table; with --json: json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// Threads that search [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line for people
    Table,
    /// As on disk
    Json,
    /// With a header; a cell that a spreadsheet would take for a formula begins with '
    Csv,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum First {
    Oldest,
    Newest,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Ended {
    Success,
    Failure,
    Partial,
}

impl Args {
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) const fn verified(&self) -> bool {
        self.verified
    }

    pub(super) const fn jobs(&self) -> Option<usize> {
        self.jobs
    }

    pub(super) fn format(&self, json: bool) -> Format {
        self.format.unwrap_or(if json { Format::Json } else { Format::Table })
    }

    /// The query these arguments mean.
    pub(super) fn query(&self) -> Result<Query, CliError> {
        let mut query = Query::new().index(!self.no_index);
        type Condition = fn(Query, &str) -> Query;
        let conditions: [(&[String], Condition); 8] = [
            (&self.actor, |query, text| query.actor(text)),
            (&self.types, |query, text| query.event_type(text)),
            (&self.resource_type, |query, text| query.resource_type(text)),
            (&self.resource, |query, text| query.resource(text)),
            (&self.reason, |query, text| query.reason(text)),
            (&self.trace_id, |query, text| query.trace_id(text)),
            (&self.request_id, |query, text| query.request_id(text)),
            (&self.contains, |query, text| query.containing(text)),
        ];
        for (texts, condition) in conditions {
            query = texts.iter().fold(query, |query, text| condition(query, text));
        }
        for result in &self.result {
            query = query.result(match result {
                Ended::Success => Outcome::Success,
                Ended::Failure => Outcome::Failure,
                Ended::Partial => Outcome::Partial,
            });
        }
        if let Some(critical) = self.critical {
            query = query.critical(critical);
        }
        let now = now_in(&self.zone)?;
        if let Some(since) = &self.since {
            query = query.since(time("--since", since, Edge::Since, &now)?);
        }
        if let Some(until) = &self.until {
            query = query.until(time("--until", until, Edge::Until, &now)?);
        }
        if let Some(seq) = &self.seq {
            let (first, last) = seq_range(seq)?;
            query = query.seq(first, last);
        }
        if let Some(cursor) = &self.after {
            let cursor = cursor.parse::<Cursor>().map_err(|error| CliError::Usage {
                what: format!("--after {cursor:?}: {error}"),
                next: "the line under the last page says it",
            })?;
            query = query.after(cursor);
        }
        if let Some(limit) = self.limit {
            query = query.limit(limit);
        }
        Ok(query.order(match self.order {
            First::Oldest => Order::OldestFirst,
            First::Newest => Order::NewestFirst,
        }))
    }
}

/// Now, in the zone that local times are in.
pub(crate) fn now_in(zone: &str) -> Result<ZonedDateTime, CliError> {
    let found = match zone {
        "local" => TimeZone::try_system(),
        name => TimeZone::get(name),
    };
    let zone = found.map_err(|error| CliError::Usage {
        what: format!("--zone {zone:?}: {error}"),
        next: "give a name such as UTC, Europe/Berlin or America/New_York",
    })?;
    Ok(Timestamp::now().to_zoned_datetime(zone))
}

/// A time that was given as an argument.
pub(crate) fn time(
    option: &str,
    text: &str,
    edge: Edge,
    now: &ZonedDateTime,
) -> Result<Timestamp, CliError> {
    time_bound(text, edge, now).map_err(|error| CliError::Usage {
        what: format!("{option}: {error}"),
        next: "see `auditlog query --help`",
    })
}

/// A range of `seq`, both ends included.
pub(crate) fn seq_range(text: &str) -> Result<(u64, Option<u64>), CliError> {
    let range = match text.split_once('-') {
        None => text.parse().ok().map(|seq| (seq, Some(seq))),
        Some((first, "")) => first.parse().ok().map(|first| (first, None)),
        Some((first, last)) => first.parse().ok().zip(last.parse().ok().map(Some)),
    };
    range.ok_or_else(|| CliError::Usage {
        what: format!("--seq {text:?} is no range"),
        next: "give 100-200, 100- or 100",
    })
}

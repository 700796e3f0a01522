//! The one pass: what is counted and kept of each entry of the period.
//!
//! What must stay true here: memory does not grow with the trail. Counts are of all entries; lists
//! hold the newest and say how many they left out.

use std::collections::VecDeque;

use audit_core::entry::Entry;
use audit_core::event::Outcome;
use serde::Serialize;
use serde::ser::SerializeStruct;

use super::class::{Class, Classes, Classifier, is_denial};
use super::keeping::{Keeper, Keeping};
use super::silence::{Listener, Silences};
use super::timeline::{Calendar, Results, Timeline};
use super::top::Top;

/// Entries that a list names.
const LISTED: usize = 100;
/// How much of `details` a list shows, in bytes.
const DETAILS: usize = 200;

/// Numbers over all entries of the period.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Entries.
    pub entries: u64,
    /// By result.
    pub results: Results,
    /// Those marked critical.
    pub critical: u64,
    /// Those that the trail wrote about itself.
    pub control: u64,
    /// Those of services that name no actor.
    pub without_actor: u64,
    /// Those of services that do not say where from.
    pub without_address: u64,
    /// Those of services that name no resource.
    pub without_resource: u64,
    /// The first: `seq` and time.
    pub first: Option<(u64, String)>,
    /// The last, in the trail's order.
    pub last: Option<(u64, String)>,
}

/// Entries of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClassCount {
    /// What they are.
    pub class: &'static str,
    /// The types that are counted, as patterns.
    pub types: Vec<String>,
    /// How many, by result.
    pub results: Results,
}

/// Entries one by one. As JSON it says how many are not listed, too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Listing {
    /// How many there are.
    pub total: u64,
    /// The newest of them, in the order of the trail.
    pub entries: VecDeque<Listed>,
}

/// An entry in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the members of an entry (docs/format.md)")]
pub struct Listed {
    pub seq: u64,
    pub timestamp: String,
    pub event_type: String,
    pub critical: bool,
    pub actor: Option<String>,
    pub ip: Option<String>,
    pub resource: Option<String>,
    pub result: &'static str,
    pub reason: Option<String>,
    /// The beginning of `details`, as JSON text.
    pub details: Option<String>,
}

impl Listed {
    fn new(entry: &Entry<'_>) -> Listed {
        let text = |text: audit_core::entry::RawStr<'_>| text.decode().into_owned();
        let resource = entry.resource().map(|resource| {
            format!("{} {}", resource.resource_type.decode(), resource.resource_id.decode())
        });
        Listed {
            seq: entry.seq(),
            timestamp: entry.timestamp().to_owned(),
            event_type: entry.event_type().to_owned(),
            critical: entry.is_critical(),
            actor: entry.actor().map(|actor| text(actor.user_id)),
            ip: entry.actor().and_then(|actor| actor.ip).map(text),
            resource,
            result: entry.result().as_str(),
            reason: entry.reason().map(text),
            details: entry.details().map(beginning),
        }
    }
}

/// The beginning of a text; that it goes on is seen.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(DETAILS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Serialize for Listing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut listing = serializer.serialize_struct("Listing", 3)?;
        listing.serialize_field("total", &self.total)?;
        listing.serialize_field("not_listed", &self.left_out())?;
        listing.serialize_field("entries", &self.entries)?;
        listing.end()
    }
}

impl Listing {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        self.total += 1;
        if self.entries.len() == LISTED {
            self.entries.pop_front();
        }
        self.entries.push_back(Listed::new(entry));
    }

    /// How many are not named.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.total - self.entries.len() as u64
    }
}

/// What is being counted.
pub(super) struct Tally {
    classifier: Classifier,
    privileged_actors: Vec<String>,
    subject: bool,
    totals: Totals,
    classes: Vec<Results>,
    types: Top,
    actors: Top,
    addresses: Top,
    resources: Top,
    reasons: Top,
    calendar: Calendar,
    listener: Listener,
    keeper: Keeper,
    incidents: Listing,
    privileged: Listing,
    requests: Listing,
    concerned: Listing,
}

/// What was counted.
#[derive(Debug)]
pub(super) struct Tallied {
    pub(super) totals: Totals,
    pub(super) classes: Vec<Results>,
    pub(super) types: Top,
    pub(super) actors: Top,
    pub(super) addresses: Top,
    pub(super) resources: Top,
    pub(super) reasons: Top,
    pub(super) timeline: Timeline,
    pub(super) silences: Silences,
    pub(super) keeping: Keeping,
    pub(super) incidents: Listing,
    pub(super) privileged: Listing,
    pub(super) requests: Listing,
    pub(super) concerned: Listing,
}

impl Tally {
    pub(super) fn new(
        classifier: Classifier,
        privileged_actors: Vec<String>,
        calendar: Calendar,
        subject: bool,
    ) -> Tally {
        Tally {
            classifier,
            privileged_actors,
            subject,
            totals: Totals::default(),
            classes: vec![Results::default(); Class::ALL.len()],
            types: Top::default(),
            actors: Top::default(),
            addresses: Top::default(),
            resources: Top::default(),
            reasons: Top::default(),
            calendar,
            listener: Listener::default(),
            keeper: Keeper::default(),
            incidents: Listing::default(),
            privileged: Listing::default(),
            requests: Listing::default(),
            concerned: Listing::default(),
        }
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let mut classes = self.classifier.classes(entry.event_type());
        self.count(entry, classes);
        self.calendar.add(entry);
        self.listener.add(entry);
        self.types.add(entry.event_type(), entry);
        if classes.has(Class::Control) {
            self.keeper.add(entry);
        }
        if let Some(actor) = entry.actor() {
            let user = actor.user_id.decode();
            self.actors.add(&user, entry);
            if self.privileged_actors.iter().any(|name| *name == user) {
                classes.set(Class::Privileged);
            }
            if let Some(ip) = actor.ip {
                self.addresses.add(&ip.decode(), entry);
            }
        }
        if let Some(resource) = entry.resource() {
            let (kind, id) = (resource.resource_type.decode(), resource.resource_id.decode());
            self.resources.add(&format!("{kind} {id}"), entry);
        }
        if let Some(reason) = entry.reason() {
            let reason = reason.decode();
            if entry.result() == Outcome::Failure {
                self.reasons.add(&reason, entry);
                if is_denial(&reason) {
                    classes.set(Class::Denied);
                }
            }
        }
        for class in classes.all() {
            self.classes[class as usize].add(entry.result());
        }
        let asked = [Class::SubjectAccess, Class::SubjectExport, Class::Erasure];
        for (listing, is_in) in [
            (&mut self.incidents, classes.has(Class::Incident)),
            (&mut self.privileged, classes.has(Class::Privileged)),
            (&mut self.requests, asked.iter().any(|class| classes.has(*class))),
            (&mut self.concerned, self.subject),
        ] {
            if is_in {
                listing.add(entry);
            }
        }
    }

    fn count(&mut self, entry: &Entry<'_>, classes: Classes) {
        let totals = &mut self.totals;
        totals.entries += 1;
        totals.results.add(entry.result());
        totals.critical += u64::from(entry.is_critical());
        if classes.has(Class::Control) {
            totals.control += 1;
        } else {
            totals.without_actor += u64::from(entry.actor().is_none());
            totals.without_address +=
                u64::from(entry.actor().is_none_or(|actor| actor.ip.is_none()));
            totals.without_resource += u64::from(entry.resource().is_none());
        }
        totals.first.get_or_insert_with(|| (entry.seq(), entry.timestamp().to_owned()));
        let (seq, time) = totals.last.get_or_insert_default();
        *seq = entry.seq();
        time.clear();
        time.push_str(entry.timestamp());
    }

    pub(super) fn end(self) -> Tallied {
        Tallied {
            totals: self.totals,
            classes: self.classes,
            types: self.types,
            actors: self.actors,
            addresses: self.addresses,
            resources: self.resources,
            reasons: self.reasons,
            timeline: self.calendar.timeline(),
            silences: self.listener.silences(),
            keeping: self.keeper.end(),
            incidents: self.incidents,
            privileged: self.privileged,
            requests: self.requests,
            concerned: self.concerned,
        }
    }
}

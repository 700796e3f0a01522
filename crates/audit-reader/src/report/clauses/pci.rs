//! PCI DSS v4.0.1: requirement 10.
//!
//! What must stay true here: as in [`super`].

use super::super::class::Class;
use super::super::measure::Measure::{
    Actors, Clock, Completeness, Drops, Entries, Failed, Integrity, Kept, Of, Retained, Silences,
    Trouble,
};
use super::Clause;

pub(super) const CLAUSES: &[Clause] = &[
    Clause {
        id: "10.2.1",
        title: "Audit logs are active",
        asks: "Audit logs are enabled and active for all system components and cardholder data.",
        measures: &[Entries, Silences],
        elsewhere: "The list of system components, to hold the recording services against.",
    },
    Clause {
        id: "10.2.1.1",
        title: "Individual access to cardholder data",
        asks: "All individual user access to cardholder data is captured.",
        measures: &[Of(Class::PersonalData), Actors],
        elsewhere: "Which types of events are accesses to cardholder data: no built-in one is. Name yours `….record_viewed`, or query for them.",
    },
    Clause {
        id: "10.2.1.2",
        title: "Administrative actions",
        asks: "All actions by anyone with administrative access are captured.",
        measures: &[Of(Class::Privileged)],
        elsewhere: "Who is an administrator: give them as privileged actors, and all they did is counted here.",
    },
    Clause {
        id: "10.2.1.3",
        title: "Access to audit logs",
        asks: "All access to audit logs is captured.",
        measures: &[Of(Class::LogAccess)],
        elsewhere: "Reads of the files by other programs than this one.",
    },
    Clause {
        id: "10.2.1.4",
        title: "Invalid access attempts",
        asks: "All invalid logical access attempts are captured.",
        measures: &[Failed(Class::Login), Of(Class::Denied)],
        elsewhere: "The lock-out after attempts (8.3.4).",
    },
    Clause {
        id: "10.2.1.5",
        title: "Changes to credentials",
        asks: "All changes to identification and authentication credentials are captured: new accounts, elevated privileges, changes to accounts with administrative access.",
        measures: &[Of(Class::Credential), Of(Class::Account), Of(Class::Rights)],
        elsewhere: "Changes in directories that do not record here.",
    },
    Clause {
        id: "10.2.1.6",
        title: "Starting and stopping of logs",
        asks: "The initialisation of new audit logs, and all starting, stopping and pausing of existing ones, is captured.",
        measures: &[Of(Class::LogLifecycle), Trouble],
        elsewhere: "Other logs than this one.",
    },
    Clause {
        id: "10.2.1.7",
        title: "System-level objects",
        asks: "All creation and deletion of system-level objects is captured.",
        measures: &[Of(Class::Change)],
        elsewhere: "Objects of systems that do not record here.",
    },
    Clause {
        id: "10.2.2",
        title: "What each entry says",
        asks: "Entries have user, type of event, date and time, success or failure, origin, and the affected data, component or resource.",
        measures: &[Completeness],
        elsewhere: "Nothing: this is what the trail itself shows.",
    },
    Clause {
        id: "10.3.1 to 10.3.4",
        title: "Protection of audit logs",
        asks: "Read access is limited; logs are protected from modification, promptly backed up elsewhere, and watched for changes.",
        measures: &[Integrity, Of(Class::KeyRotation)],
        elsewhere: "Read access to the directory, and the backups.",
    },
    Clause {
        id: "10.4.1",
        title: "Daily review",
        asks: "Security events and logs of critical components are reviewed at least daily, by automated means (10.4.1.1).",
        measures: &[Of(Class::Incident), Of(Class::LogAccess)],
        elsewhere: "The reviews, and what was done (10.4.3).",
    },
    Clause {
        id: "10.5.1",
        title: "Twelve months of history",
        asks: "At least twelve months of audit logs are kept, the latest three immediately available.",
        measures: &[Kept(12), Retained],
        elsewhere: "Archives that were moved away.",
    },
    Clause {
        id: "10.6.1 to 10.6.3",
        title: "Time synchronisation",
        asks: "Clocks are synchronised by time-synchronisation technology, and time settings are protected and monitored.",
        measures: &[Clock],
        elsewhere: "The time sources. The trail sees jumps, not a clock that is wrong by a constant.",
    },
    Clause {
        id: "10.7.2, 10.7.3",
        title: "Failures of critical controls",
        asks: "Failures of critical security controls, audit logging among them, are detected, alerted and addressed promptly.",
        measures: &[Drops, Trouble, Silences],
        elsewhere: "The alerts, and how long it took.",
    },
];

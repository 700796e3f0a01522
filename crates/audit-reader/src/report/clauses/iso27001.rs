//! ISO/IEC 27001:2022: the controls of Annex A that a trail is evidence for.
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
        id: "A.5.16",
        title: "Identity management",
        asks: "The whole life of identities is managed.",
        measures: &[Of(Class::Account), Actors],
        elsewhere: "The register of identities.",
    },
    Clause {
        id: "A.5.17",
        title: "Authentication information",
        asks: "The allocation of authentication information is controlled.",
        measures: &[Of(Class::Credential)],
        elsewhere: "How credentials were handed over.",
    },
    Clause {
        id: "A.5.18",
        title: "Access rights",
        asks: "Access rights are provided, reviewed, changed and removed by the policy.",
        measures: &[Of(Class::Rights), Of(Class::Denied)],
        elsewhere: "The reviews.",
    },
    Clause {
        id: "A.5.25",
        title: "Assessment and decision on information security events",
        asks: "Security events are assessed, and it is decided which are incidents.",
        measures: &[Of(Class::Incident)],
        elsewhere: "The decisions.",
    },
    Clause {
        id: "A.5.28",
        title: "Collection of evidence",
        asks: "Evidence of security events is identified, collected, acquired and preserved.",
        measures: &[Integrity, Drops, Kept(0)],
        elsewhere: "The chain of custody of copies. Checkpoint and proofs are attached to this report.",
    },
    Clause {
        id: "A.5.33",
        title: "Protection of records",
        asks: "Records are protected from loss, destruction, falsification and unauthorised access.",
        measures: &[Integrity, Of(Class::LogAccess), Kept(0), Retained],
        elsewhere: "Access rights to the directory, and copies on other machines.",
    },
    Clause {
        id: "A.5.34",
        title: "Privacy and protection of PII",
        asks: "Requirements on privacy and personal data are met.",
        measures: &[Of(Class::PersonalData), Of(Class::SubjectAccess), Of(Class::Erasure)],
        elsewhere: "See the report for the GDPR.",
    },
    Clause {
        id: "A.8.2",
        title: "Privileged access rights",
        asks: "Privileged access rights are restricted and managed.",
        measures: &[Of(Class::Privileged), Of(Class::Rights)],
        elsewhere: "Who ought to have them.",
    },
    Clause {
        id: "A.8.5",
        title: "Secure authentication",
        asks: "Secure authentication is in place according to the restrictions on access.",
        measures: &[Of(Class::Login), Failed(Class::Login)],
        elsewhere: "The methods in place, and their strength.",
    },
    Clause {
        id: "A.8.10",
        title: "Information deletion",
        asks: "Information is deleted when it is no longer required.",
        measures: &[Of(Class::Erasure)],
        elsewhere: "Deletions outside the recording services.",
    },
    Clause {
        id: "A.8.15",
        title: "Logging",
        asks: "Logs of activities, exceptions, faults and other events are produced, stored, protected and analysed.",
        measures: &[Entries, Completeness, Drops, Trouble, Integrity, Of(Class::LogLifecycle)],
        elsewhere: "Which systems ought to log and do not log here.",
    },
    Clause {
        id: "A.8.16",
        title: "Monitoring activities",
        asks: "Networks, systems and applications are watched for anomalies, and these are acted upon.",
        measures: &[Of(Class::Incident), Failed(Class::Login), Silences],
        elsewhere: "That somebody looked, and what was done.",
    },
    Clause {
        id: "A.8.17",
        title: "Clock synchronisation",
        asks: "Clocks are synchronised to approved sources.",
        measures: &[Clock],
        elsewhere: "The sources. The trail sees jumps, not a clock that is wrong by a constant.",
    },
    Clause {
        id: "A.8.32",
        title: "Change management",
        asks: "Changes to facilities and systems follow change management.",
        measures: &[Of(Class::Change)],
        elsewhere: "Approvals.",
    },
];

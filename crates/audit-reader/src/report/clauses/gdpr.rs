//! GDPR: the articles that a record of processing and of security answers to.
//!
//! What must stay true here: as in [`super`].

use super::super::class::Class;
use super::super::measure::Measure::{
    Actors, Completeness, Drops, Entries, Failed, Integrity, Kept, Of, Retained, Silences, Trouble,
};
use super::Clause;

pub(super) const CLAUSES: &[Clause] = &[
    Clause {
        id: "Art. 5(1)(e)",
        title: "Storage limitation",
        asks: "Personal data is kept in a form that identifies people no longer than necessary.",
        measures: &[Of(Class::Erasure), Kept(0), Retained],
        elsewhere: "The retention periods decided for each purpose. The trail names people itself: its own retention has to be decided too.",
    },
    Clause {
        id: "Art. 5(1)(f)",
        title: "Integrity and confidentiality",
        asks: "Personal data is protected against unauthorised processing, loss and damage.",
        measures: &[Of(Class::Denied), Of(Class::Incident), Integrity],
        elsewhere: "Measures outside the recording services.",
    },
    Clause {
        id: "Art. 5(2)",
        title: "Accountability",
        asks: "The controller can demonstrate that the principles are kept.",
        measures: &[Entries, Actors, Completeness, Drops, Integrity],
        elsewhere: "Purposes and legal bases.",
    },
    Clause {
        id: "Art. 15",
        title: "Right of access",
        asks: "A person gets to know whether and which data about them is processed, by Art. 12(3) within one month.",
        measures: &[Of(Class::SubjectAccess), Of(Class::SubjectExport)],
        elsewhere: "The answer itself, and requests that came by other ways.",
    },
    Clause {
        id: "Art. 17",
        title: "Right to erasure",
        asks: "Data is erased without undue delay where the person may ask for it.",
        measures: &[Of(Class::Erasure)],
        elsewhere: "That nothing is left in backups or with processors; refusals and their grounds.",
    },
    Clause {
        id: "Art. 20",
        title: "Right to data portability",
        asks: "A person gets the data they provided in a machine-readable form.",
        measures: &[Of(Class::SubjectExport)],
        elsewhere: "The exported files; an entry has their hash.",
    },
    Clause {
        id: "Art. 30",
        title: "Records of processing activities",
        asks: "A record of processing activities is kept.",
        measures: &[Of(Class::PersonalData), Of(Class::SubjectExport), Of(Class::Erasure)],
        elsewhere: "The record itself: purposes, categories, recipients, transfers. The trail shows processing that took place.",
    },
    Clause {
        id: "Art. 32(1)(b)",
        title: "Security of processing: ongoing",
        asks: "Confidentiality, integrity, availability and resilience of the systems are ensured on an ongoing basis.",
        measures: &[
            Failed(Class::Login),
            Of(Class::Denied),
            Of(Class::Privileged),
            Of(Class::Rights),
            Silences,
            Trouble,
        ],
        elsewhere: "The measures themselves and the assessment of the risk.",
    },
    Clause {
        id: "Art. 32(1)(d)",
        title: "Security of processing: testing",
        asks: "The effectiveness of the measures is regularly tested, assessed and evaluated.",
        measures: &[Integrity, Of(Class::KeyRotation), Of(Class::LogAccess)],
        elsewhere: "Tests of anything but this trail.",
    },
    Clause {
        id: "Art. 33",
        title: "Notification of a breach",
        asks: "A personal data breach is notified to the authority within 72 hours of becoming aware of it, and documented (33(5)).",
        measures: &[Of(Class::Incident), Of(Class::SubjectExport)],
        elsewhere: "Whether an incident was a personal data breach, when somebody became aware, and the notification.",
    },
];

//! HIPAA: the safeguards of the Security Rule that a trail is evidence for.
//!
//! What must stay true here: as in [`super`].

use super::super::class::Class;
use super::super::measure::Measure::{
    Actors, Completeness, Drops, Entries, Failed, Integrity, Kept, Of, Retained, Silences, Trouble,
};
use super::Clause;

pub(super) const CLAUSES: &[Clause] = &[
    Clause {
        id: "§ 164.308(a)(1)(ii)(D)",
        title: "Information system activity review (required)",
        asks: "Records of system activity, such as audit logs, access reports and incident tracking, are regularly reviewed.",
        measures: &[Entries, Of(Class::Incident), Of(Class::LogAccess), Silences],
        elsewhere: "The procedure of the review, and who did it. This report can be its record.",
    },
    Clause {
        id: "§ 164.308(a)(3)(ii)(C)",
        title: "Termination procedures (addressable)",
        asks: "Access ends when employment ends or is no longer determined to be appropriate.",
        measures: &[Of(Class::Credential), Of(Class::Account)],
        elsewhere: "The list of leavers.",
    },
    Clause {
        id: "§ 164.308(a)(4)(ii)(C)",
        title: "Access establishment and modification (addressable)",
        asks: "A user's right of access is established, documented, reviewed and modified by policy.",
        measures: &[Of(Class::Rights), Of(Class::Privileged)],
        elsewhere: "The policy and the reviews.",
    },
    Clause {
        id: "§ 164.308(a)(5)(ii)(C)",
        title: "Log-in monitoring (addressable)",
        asks: "Log-in attempts are monitored and discrepancies reported.",
        measures: &[Of(Class::Login), Failed(Class::Login)],
        elsewhere: "The reports of discrepancies.",
    },
    Clause {
        id: "§ 164.308(a)(6)(ii)",
        title: "Response and reporting (required)",
        asks: "Suspected or known security incidents are identified, answered, mitigated and documented.",
        measures: &[Of(Class::Incident)],
        elsewhere: "The response to each incident listed below, and its outcome.",
    },
    Clause {
        id: "§ 164.312(a)(2)(i)",
        title: "Unique user identification (required)",
        asks: "Each user has a unique name or number, by which they are tracked.",
        measures: &[Actors, Completeness],
        elsewhere: "That no two people share a name.",
    },
    Clause {
        id: "§ 164.312(b)",
        title: "Audit controls (standard)",
        asks: "Mechanisms record and examine activity in systems that contain or use electronic protected health information.",
        measures: &[Entries, Drops, Trouble, Of(Class::LogLifecycle)],
        elsewhere: "Which systems hold such information, and that all of them record.",
    },
    Clause {
        id: "§ 164.312(c)(1), (2)",
        title: "Integrity (standard; mechanism addressable)",
        asks: "Electronic protected health information is protected from improper alteration or destruction; it can be corroborated that it was not altered.",
        measures: &[Integrity, Of(Class::Malware), Of(Class::Erasure)],
        elsewhere: "The integrity of anything but this trail.",
    },
    Clause {
        id: "§ 164.312(d)",
        title: "Person or entity authentication (standard)",
        asks: "It is verified that who seeks access is who they claim to be.",
        measures: &[Failed(Class::Login), Of(Class::Denied)],
        elsewhere: "The methods in place.",
    },
    Clause {
        id: "§ 164.316(b)(2)(i)",
        title: "Time limit (required)",
        asks: "Required documentation is kept for six years from its creation, or from when it last was in effect, whichever is later.",
        measures: &[Kept(72), Retained],
        elsewhere: "Whether, and which, entries are such documentation: that is for counsel to say.",
    },
];

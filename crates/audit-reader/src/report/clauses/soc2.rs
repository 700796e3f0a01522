//! SOC 2: the common criteria CC6 and CC7, and CC8.1.
//!
//! What must stay true here: as in [`super`].

use super::super::class::Class;
use super::super::measure::Measure::{
    Drops, Entries, Failed, Integrity, Kept, Of, Retained, Silences, Trouble,
};
use super::Clause;

pub(super) const CLAUSES: &[Clause] = &[
    Clause {
        id: "CC6.1",
        title: "Logical access security",
        asks: "Access to information assets is restricted by logical access controls; who asks for access is identified and authenticated.",
        measures: &[Of(Class::Login), Failed(Class::Login), Of(Class::Denied), Of(Class::Granted)],
        elsewhere: "The access control design, and systems that do not record here.",
    },
    Clause {
        id: "CC6.2",
        title: "Registering and removing users",
        asks: "Users are registered and authorised before they get credentials; credentials are taken away when access is no longer authorised.",
        measures: &[Of(Class::Credential), Of(Class::Account)],
        elsewhere: "The authorisation of each request, and the list of leavers to hold revocations against.",
    },
    Clause {
        id: "CC6.3",
        title: "Changing access by role",
        asks: "Access is granted, changed and removed by role, least privilege and segregation of duties.",
        measures: &[Of(Class::Rights), Of(Class::Privileged)],
        elsewhere: "Who approved each change.",
    },
    Clause {
        id: "CC6.6",
        title: "Threats from outside the boundary",
        asks: "Measures act against threats from outside the system's boundary.",
        measures: &[Of(Class::Incident), Failed(Class::Login)],
        elsewhere: "Network controls that do not record here.",
    },
    Clause {
        id: "CC6.7",
        title: "Movement of information",
        asks: "Transmission, movement and removal of information is restricted to authorised people and protected.",
        measures: &[Of(Class::SubjectExport), Of(Class::LogAccess)],
        elsewhere: "Transfers by other ways than the recording services.",
    },
    Clause {
        id: "CC6.8",
        title: "Unauthorised or malicious software",
        asks: "Unauthorised or malicious software is prevented, or detected and acted upon.",
        measures: &[Of(Class::Malware)],
        elsewhere: "Endpoint protection and its coverage.",
    },
    Clause {
        id: "CC7.1",
        title: "Detecting changes and vulnerabilities",
        asks: "Changes to configuration that bring new vulnerabilities are detected.",
        measures: &[Of(Class::Change), Of(Class::Rights)],
        elsewhere: "Vulnerability scans; the baseline that changes are held against.",
    },
    Clause {
        id: "CC7.2",
        title: "Monitoring for anomalies",
        asks: "System components are watched for anomalies that may be malicious acts, disasters or errors.",
        measures: &[Entries, Of(Class::Incident), Silences, Drops, Trouble],
        elsewhere: "That somebody looked, and when.",
    },
    Clause {
        id: "CC7.3",
        title: "Evaluating security events",
        asks: "Security events are evaluated for whether they are, or could become, a failure to meet objectives.",
        measures: &[Of(Class::Incident), Integrity, Kept(0), Retained],
        elsewhere: "The evaluation of each incident listed below.",
    },
    Clause {
        id: "CC7.4",
        title: "Responding to incidents",
        asks: "Identified incidents are answered by a defined programme: contained, remedied, communicated.",
        measures: &[Of(Class::Credential), Of(Class::Incident)],
        elsewhere: "The incident records; the trail shows revocations and refused actions only.",
    },
    Clause {
        id: "CC8.1",
        title: "Change management",
        asks: "Changes to infrastructure, data and software are authorised, tested, approved and put in place.",
        measures: &[Of(Class::Change)],
        elsewhere: "Approvals and tests.",
    },
];

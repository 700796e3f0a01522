//! What a report cannot know.
//!
//! What must stay true here: whatever makes a number less than the truth is said where the numbers are.

use super::beside::ReadsBeside;
use super::tally::Tallied;
use super::{Integrity, Request};
use crate::{Freshness, KeyTrust, Searched, Verdict};

/// The limits of a report, the ones of this trail first.
pub(super) fn cannot_know(
    request: &Request,
    tallied: &Tallied,
    integrity: &Integrity,
    (searched, holds, archives_unreadable): (&Searched, &Searched, u64),
    beside: &ReadsBeside,
) -> Vec<String> {
    let mut limits = Vec::new();
    of_integrity(integrity, &mut limits);
    of_search(searched, archives_unreadable, &mut limits);
    of_holds(holds, &mut limits);
    if archives_unreadable > 0 {
        limits.push(format!(
            "What stood in {archives_unreadable} archived segments, legal holds included: their archives are damaged and do not unpack. No number counts them."
        ));
    }
    if request.subject.is_none() && tallied.keeping.dropped_events > 0 {
        limits.push(format!(
            "What the {} refused events were: their number, type and cause are in the trail, their content is not.",
            tallied.keeping.dropped_events
        ));
    }
    if request.subject.is_none() {
        of_reads(beside, &mut limits);
    }
    let tops =
        [&tallied.types, &tallied.actors, &tallied.addresses, &tallied.resources, &tallied.reasons];
    if tops.iter().any(|top| !top.by_entries().exact) {
        limits.push(format!(
            "Exact numbers for values of which there are more than {} different ones: tables that are not exact say how much a number may be too low.",
            super::top::LIMIT
        ));
    }
    if request.subject.is_some() {
        limits.push(
            "How the trail was kept: refused events, repairs, jumps of the clock, silences and reads are not looked at in a report on one person. A report on the whole trail has them."
                .to_owned(),
        );
        limits.push(
            "Other names of the same person: only the name that was asked for was looked for, letter by letter."
                .to_owned(),
        );
    }
    limits.extend(
        [
            "What a service did not record. The trail shows what it was given; the list of systems that ought to record is not in it.",
            "Who a name really is. An actor is whom the service took it to be.",
            "Whether a time is right. The time of an entry is what its service's clock said; the order of entries does not depend on it.",
            "What an event of a type means that no pattern below names. It is counted in the totals and in no class.",
            "Whether a requirement is met. That is for people to judge, with more evidence than a trail.",
        ]
        .map(str::to_owned),
    );
    limits
}

fn of_integrity(integrity: &Integrity, limits: &mut Vec<String>) {
    let Integrity::Checked(checked) = integrity else {
        limits.push(
            "Whether any entry was altered, removed or made up: the trail was not verified for this report."
                .to_owned(),
        );
        return;
    };
    let report = &checked.verification;
    if report.verdict == Verdict::Violated {
        limits.push(
            "Which of the numbers are true: the trail was tampered with or damaged. The findings say where."
                .to_owned(),
        );
    }
    if report.key_trust == KeyTrust::SelfAsserted {
        limits.push(
            "Whether the whole trail was replaced by another: the key was taken from the trail itself. Give the pinned key to exclude that."
                .to_owned(),
        );
    }
    if report.freshness == Freshness::Unknown {
        limits.push(
            "Whether this is the newest state: nothing that was seen elsewhere bounds how old this copy is."
                .to_owned(),
        );
    }
    if let Some(tail) = report.unsigned_tail.filter(|tail| *tail > 0) {
        limits.push(format!(
            "Whether the last {tail} entries are all there were: they are chained, and not covered by a checkpoint yet."
        ));
    }
}

fn of_reads(beside: &ReadsBeside, limits: &mut Vec<String>) {
    let limit = match beside {
        ReadsBeside::NotLookedFor => {
            "Who read the trail while another process had it open: such reads are noted in the directory of the same name with `.access` behind it, which was not looked at."
        }
        ReadsBeside::Unreadable { .. } => {
            "Who read the trail while another process had it open: such reads were noted beside it, and cannot be read."
        }
        ReadsBeside::None | ReadsBeside::Read(_) => {
            "Whether reads that were noted beside the trail were taken away: no signature of the trail covers the one beside it. Who can read the files needs no command, and leaves no note."
        }
    };
    limits.push(limit.to_owned());
    let ReadsBeside::Read(it) = beside else { return };
    if it.verification.as_ref().is_none_or(|report| report.key_trust == KeyTrust::SelfAsserted) {
        limits.push(
            "Whether the trail of reads beside it was replaced by another: its key was taken from itself."
                .to_owned(),
        );
    }
    if it.of_other_trails > 0 {
        limits.push(format!(
            "Whether {} reads in the trail beside it were of this one: they name another trail, or none.",
            it.of_other_trails
        ));
    }
}

fn of_holds(searched: &Searched, limits: &mut Vec<String>) {
    let lines = searched.malformed + searched.hash_mismatches;
    let gone = searched.segments_gone;
    if lines + gone > 0 {
        limits.push(format!(
            "Whether other legal holds are in force: {lines} lines that may tell of one are damaged or not what was written, and {gone} segments were removed while holds were looked for."
        ));
    }
}

fn of_search(searched: &Searched, archives_unreadable: u64, limits: &mut Vec<String>) {
    if let Some(first) = searched.first_seq.filter(|first| *first > 0) {
        let why = match archives_unreadable {
            0 => "they are no longer in the trail",
            _ => {
                "they are not in this report, because they were removed, or are in archives that do not unpack"
            }
        };
        limits.push(format!("What stood in the {first} entries before seq {first}: {why}."));
    }
    if searched.malformed > 0 {
        limits.push(format!(
            "What stood in {} lines that are no entries: they are damaged.",
            searched.malformed
        ));
    }
    if searched.segments_gone > 0 {
        limits.push(format!(
            "What stood in {} segments that were removed while this report was made.",
            searched.segments_gone
        ));
    }
    if searched.unfinished {
        limits.push("The last line, which was unfinished when it was read.".to_owned());
    }
}

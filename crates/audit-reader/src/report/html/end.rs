//! The end of the page: how the trail was kept, what was searched, and the evidence.
//!
//! What must stay true here: as in [`super`].

use super::super::measure::{NOT_LOOKED_AT, duration};
use super::super::{Integrity, Keeping, ReadsBeside, Report, Retention, Silences};
use super::parts::{self, attached, bytes, esc, heading, listing, note, number, push, term};
use super::verdict_words;

pub(super) fn kept(out: &mut String, report: &Report) {
    heading(out, 2, "How the trail was kept");
    out.push_str("<dl>");
    if let Some(keeping) = &report.keeping {
        numbers(out, keeping);
    }
    there_now(out, &report.retention);
    out.push_str("</dl>");
    holds(out, &report.retention);
    match &report.silences {
        Some(silences) => quiet(out, silences),
        None => note(out, &format!("Anything else was {NOT_LOOKED_AT}.")),
    }
    if let Some(keeping) = &report.keeping {
        listing(out, "Refusals, repairs, failures, clock steps", &keeping.troubles);
        listing(out, "Removed by retention", &keeping.removed);
        listing(out, "Legal holds added and released", &keeping.holds);
        listing(out, "Reads of the trail", &keeping.accessed);
        reads_beside(out, &report.reads_beside);
    }
}

fn there_now(out: &mut String, retention: &Retention) {
    let oldest = retention.oldest.as_deref().unwrap_or_else(|| retention.no_first());
    let first = retention.first_seq.map_or(String::new(), |seq| format!(", seq {}", number(seq)));
    term(out, "Oldest entry", &format!("{oldest}{first}"));
    let there = format!(
        "{} segments, {} of them archived: {}, in {} on disk",
        number(retention.segments),
        number(retention.archived),
        bytes(retention.bytes),
        bytes(retention.bytes_stored)
    );
    term(out, "There now", &there);
    let holds = number(retention.holds_in_force);
    let more = match retention.holds_uncertain {
        0 => String::new(),
        _ => ", and perhaps others: see what this report cannot know".to_owned(),
    };
    term(out, "Legal holds in force", &format!("{holds}{more}"));
}

fn holds(out: &mut String, retention: &Retention) {
    if retention.holds.is_empty() {
        return;
    }
    heading(out, 3, &format!("Legal holds in force: {}", number(retention.holds_in_force)));
    out.push_str("<table class=\"list\"><thead><tr><th class=\"n\">seq</th><th>since (UTC)</th><th>hold</th><th>by</th><th>covers</th><th>why</th></tr></thead><tbody>");
    for hold in &retention.holds {
        push(
            out,
            format_args!(
                "<tr><td class=\"n\" data-l=\"seq\">{}</td><td class=\"t\" data-l=\"since\">{}</td><td data-l=\"hold\">{}</td><td data-l=\"by\">{}</td><td data-l=\"covers\">{}</td><td class=\"d\" data-l=\"why\">{}</td></tr>",
                hold.seq,
                parts::time(&hold.at),
                esc(&hold.id),
                esc(&hold.by),
                esc(&hold.scope.to_string()),
                esc(hold.reason.as_deref().unwrap_or(""))
            ),
        );
    }
    out.push_str("</tbody></table>");
    let shown = retention.holds.len() as u64;
    if retention.holds_in_force > shown {
        let left = number(retention.holds_in_force - shown);
        note(
            out,
            &format!(
                "The newest {shown}; {left} older ones are not listed here. `auditlog hold DIR list` gives all."
            ),
        );
    }
}

fn reads_beside(out: &mut String, reads: &ReadsBeside) {
    let beside = match reads {
        ReadsBeside::NotLookedFor => return,
        ReadsBeside::None => {
            note(out, "No read was noted beside the trail.");
            return;
        }
        ReadsBeside::Unreadable { problem } => {
            heading(out, 3, "Reads noted beside the trail");
            note(out, &format!("There are some, and they cannot be read: {problem}"));
            return;
        }
        ReadsBeside::Read(beside) => beside,
    };
    listing(out, "Reads noted beside the trail", &beside.accessed);
    let (word, text) = verdict_words(reads.verdict());
    let key = beside.verification.as_ref().and_then(|report| report.key.as_deref());
    note(
        out,
        &format!(
            "Noted in a trail of its own, {}, while another process had this one open. Of that trail: {word}. {text} {} entries were searched; {} archives do not unpack; {} reads name another trail, or none. Key: {}.",
            beside.place,
            number(beside.searched.entries),
            number(beside.archives_unreadable),
            number(beside.of_other_trails),
            key.unwrap_or("none")
        ),
    );
}

fn numbers(out: &mut String, keeping: &Keeping) {
    term(out, "Opened, closed", &format!("{}, {}", number(keeping.opened), number(keeping.closed)));
    term(
        out,
        "Recovered",
        &format!(
            "{}, {} of them with something to explain",
            number(keeping.recovered),
            number(keeping.recovered_with_loss)
        ),
    );
    term(out, "Events refused", &number(keeping.dropped_events));
    term(out, "Failures of the disk", &number(keeping.storage_failed));
    term(out, "Jumps of the clock", &number(keeping.clock_stepped));
    term(out, "Signing key replaced", &number(keeping.key_rotated));
    term(out, "Configuration changed", &number(keeping.configuration_changes));
    term(out, "Signs of life", &number(keeping.heartbeats));
    let removed = number(keeping.retention_applied);
    term(out, "Retention", &format!("removed segments {removed} times in the period"));
}

fn quiet(out: &mut String, silences: &Silences) {
    heading(
        out,
        3,
        &format!(
            "Times without an entry: {}",
            number(silences.unexplained + silences.while_closed)
        ),
    );
    note(
        out,
        &format!(
            "Longer than {}. A trail that is open writes a sign of life every five minutes by default.",
            duration(silences.threshold_seconds)
        ),
    );
    if !silences.longest.is_empty() {
        out.push_str("<table class=\"list\"><thead><tr><th class=\"n\">after seq</th><th>from</th><th>to</th><th>long</th><th>the trail was</th></tr></thead><tbody>");
        for silence in &silences.longest {
            push(
                out,
                format_args!(
                    "<tr><td class=\"n\" data-l=\"after seq\">{}</td><td class=\"t\" data-l=\"from\">{}</td><td class=\"t\" data-l=\"to\">{}</td><td data-l=\"long\">{}</td><td data-l=\"it was\">{}</td></tr>",
                    silence.after_seq,
                    parts::time(&silence.from),
                    parts::time(&silence.to),
                    duration(silence.seconds),
                    if silence.closed { "closed" } else { "open" }
                ),
            );
        }
        out.push_str("</tbody></table>");
    }
}

pub(super) fn searched(out: &mut String, report: &Report) {
    let searched = &report.searched;
    heading(out, 2, "What was searched, and what this report cannot know");
    push(
        out,
        format_args!(
            "<p>{} entries in {} of {} segments, {}, were searched; {} are of the period{}.</p>",
            number(searched.entries),
            number(searched.segments),
            number(searched.segments_total),
            bytes(searched.bytes),
            number(report.totals.entries),
            if report.subject.is_some() { " and concern this person" } else { "" }
        ),
    );
    out.push_str("<ul class=\"limits\">");
    for limit in &report.cannot_know {
        push(out, format_args!("<li>{}</li>", esc(limit)));
    }
    out.push_str("</ul>");
    heading(out, 3, "How actions are told apart");
    note(out, "By the type of the event alone. `*` is any run of characters.");
    out.push_str("<table class=\"list\"><thead><tr><th>counted as</th><th class=\"n\">entries</th><th>types</th></tr></thead><tbody>");
    for class in &report.classes {
        push(
            out,
            format_args!(
                "<tr><td data-l=\"counted as\">{}</td><td class=\"n\" data-l=\"entries\">{}</td><td class=\"d\" data-l=\"types\"><code>{}</code></td></tr>",
                esc(class.class),
                number(class.results.total()),
                esc(&class.types.join(" "))
            ),
        );
    }
    out.push_str("</tbody></table>");
}

pub(super) fn attachments(out: &mut String, report: &Report) {
    let Integrity::Checked(checked) = &report.integrity else { return };
    heading(out, 2, "Attached evidence");
    note(
        out,
        "Who has these and the public key checks them without the trail: save both files of an entry, then run the command under them.",
    );
    if let Some(checkpoint) = &checked.checkpoint {
        heading(out, 3, "Signed checkpoint");
        attached(out, "checkpoint", checkpoint);
    }
    for proof in &checked.proofs {
        heading(out, 3, &format!("Entry {} with its proof", proof.seq));
        let name = format!("{}.tlog-proof", proof.seq);
        attached(out, &format!("{name}.entry"), &proof.entry);
        attached(out, &name, &proof.proof);
        let key = proof.from_key.as_ref().unwrap_or(&proof.key);
        // The key comes out of the trail, and people copy this line into a shell.
        let key = key.replace('\'', r"'\''");
        note(out, &format!("auditlog check {name} --key '{key}'"));
    }
    for why in &checked.not_attached {
        note(out, why);
    }
}

//! The end of the page: how the trail was kept, what was searched, and the evidence.
//!
//! What must stay true here: as in [`super`].

use super::super::measure::{NOT_LOOKED_AT, duration};
use super::super::{Integrity, Keeping, Report, Silences};
use super::parts::{self, bytes, esc, heading, listing, note, number, push, term, verbatim};

pub(super) fn kept(out: &mut String, report: &Report) {
    heading(out, 2, "How the trail was kept");
    out.push_str("<dl>");
    if let Some(keeping) = &report.keeping {
        numbers(out, keeping);
    }
    let retention = &report.retention;
    let oldest = retention.oldest.as_deref().unwrap_or("none");
    let first = retention.first_seq.map_or(String::new(), |seq| format!(", seq {seq}"));
    term(out, "Oldest entry", &format!("{oldest}{first}"));
    let segments = number(retention.segments);
    term(out, "There now", &format!("{segments} segments, {}", bytes(retention.bytes)));
    out.push_str("</dl>");
    match &report.silences {
        Some(silences) => quiet(out, silences),
        None => note(out, &format!("Anything else was {NOT_LOOKED_AT}.")),
    }
    if let Some(keeping) = &report.keeping {
        listing(out, "Refusals, repairs, failures, clock steps", &keeping.troubles);
        listing(out, "Removed by retention", &keeping.removed);
        listing(out, "Reads of the trail", &keeping.accessed);
    }
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
        "Who has these and the public key checks them without the trail: put the entry into FILE.entry and the proof into FILE, then run `auditlog check FILE --key VKEY`.",
    );
    if let Some(checkpoint) = &checked.checkpoint {
        heading(out, 3, "Signed checkpoint");
        verbatim(out, checkpoint);
    }
    for proof in &checked.proofs {
        heading(out, 3, &format!("Entry {} with its proof", proof.seq));
        verbatim(out, &proof.entry);
        verbatim(out, &proof.proof);
        note(out, &format!("Key: {}", proof.key));
    }
    for why in &checked.not_attached {
        note(out, why);
    }
}

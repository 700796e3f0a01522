//! A report as one page of HTML: no scripts, nothing from elsewhere; made to be read on a screen of any
//! width, and to be printed.
//!
//! What must stay true here: what is on the page is what is in the report, no more; every text of a
//! trail is escaped ([`parts`]).

mod chart;
mod end;
mod parts;

use super::{Integrity, Report};
use crate::{Freshness, KeyTrust, Verdict};
use parts::{card, esc, evidence, heading, listing, note, number, push, state, table, term};

const STYLE: &str = include_str!("style.css");

/// Writes a report as HTML.
#[must_use]
pub fn to_html(report: &Report) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let about = report.subject.as_ref().map(|subject| format!(": {}", subject.name));
    let title = format!("{}{}", report.title, about.unwrap_or_default());
    push(
        &mut out,
        format_args!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>{}</title><style>{STYLE}</style></head><body><main>",
            esc(&title)
        ),
    );
    header(&mut out, report, &title);
    verdict(&mut out, report);
    cards(&mut out, report);
    out.push_str("<div class=\"keep\">");
    heading(&mut out, 2, "Activity");
    chart::timeline(&mut out, &report.timeline);
    out.push_str("</div>");
    heading(&mut out, 3, "When in the week");
    chart::week(&mut out, &report.timeline, &report.zone);
    clauses(&mut out, report);
    heading(&mut out, 2, "Who, what, why");
    out.push_str("<div class=\"two\">");
    for (title, what, values) in [
        ("Actors", "actor", &report.actors),
        ("Types of events", "type", &report.types),
        ("Actors with most failures", "actor", &report.failing_actors),
        ("Addresses with most failures", "address", &report.failing_addresses),
        ("Reasons of failures", "reason", &report.reasons),
        ("Resources", "resource", &report.resources),
    ] {
        out.push_str("<div>");
        table(&mut out, title, what, values);
        out.push_str("</div>");
    }
    out.push_str("</div>");
    heading(&mut out, 2, "Entry by entry");
    if report.subject.is_some() {
        listing(&mut out, "All that concerns this person", &report.concerned);
    }
    listing(&mut out, "Security incidents", &report.incidents);
    listing(&mut out, "Privileged actions", &report.privileged);
    listing(&mut out, "Requests about personal data", &report.requests);
    end::kept(&mut out, report);
    end::searched(&mut out, report);
    end::attachments(&mut out, report);
    push(
        &mut out,
        format_args!(
            "<footer>Made {} by {}. Clauses: {}. The trail itself is the evidence; this page is a view of it.</footer></main></body></html>\n",
            esc(&report.generated_at),
            esc(&report.generated_by),
            esc(report.clauses_from)
        ),
    );
    out
}

fn header(out: &mut String, report: &Report, title: &str) {
    push(
        out,
        format_args!(
            "<header><p class=\"kicker\">Audit trail report</p><h1>{}</h1><dl>",
            esc(title)
        ),
    );
    term(out, "Trail", report.origin.as_deref().unwrap_or("states no origin"));
    term(out, "Service", report.service_id.as_deref().unwrap_or("not stated"));
    let since = report.since.as_deref().unwrap_or("the beginning of the trail");
    term(out, "Period", &format!("{since} to {}, days and hours in {}", report.until, report.zone));
    if let Some(subject) = &report.subject {
        let text = format!(
            "{}: acts in {} entries, is acted upon in {}, is named in the details of {}. {} more have the name only within a longer text and are not in this report.",
            subject.name,
            number(subject.as_actor),
            number(subject.as_resource),
            number(subject.in_details),
            number(subject.only_within_text)
        );
        term(out, "Person", &text);
    }
    term(out, "Made", &format!("{} by {}", report.generated_at, report.generated_by));
    out.push_str("</dl></header>");
}

/// A verdict, and what it means.
const fn verdict_words(verdict: Option<Verdict>) -> (&'static str, &'static str) {
    match verdict {
        Some(Verdict::Proven) => ("Proven", "The trail is intact up to its signed checkpoint."),
        Some(Verdict::Violated) => {
            ("Violated", "This is not what was written. No number of it can be relied upon.")
        }
        Some(Verdict::Unproven) => ("Unproven", "Nothing is wrong, and nothing proves it."),
        None => ("Not verified", "Nobody checked whether entries were altered."),
    }
}

fn verdict(out: &mut String, report: &Report) {
    let (word, text) = verdict_words(report.integrity.verdict());
    let class = match report.integrity.verdict() {
        Some(Verdict::Proven) => "ok",
        Some(Verdict::Unproven) => "",
        Some(Verdict::Violated) | None => "no",
    };
    push(out, format_args!("<div class=\"verdict {class}\"><b>{word}.</b> {text}"));
    if let Integrity::Checked(checked) = &report.integrity {
        let verification = &checked.verification;
        let key = match verification.key_trust {
            KeyTrust::Pinned => "the key that was given",
            KeyTrust::SelfAsserted => "a key that only the trail itself vouches for",
        };
        let freshness = match &verification.freshness {
            Freshness::Reference { size } => {
                format!(
                    "at least that of a checkpoint over {} entries seen elsewhere",
                    number(*size)
                )
            }
            Freshness::Cosigned { size, time } => {
                format!("cosigned at {time}, when it had {} entries or more", number(*size))
            }
            _ => "unknown: nothing says how old this copy is".to_owned(),
        };
        out.push_str("<dl>");
        let signed = verification.sealed_size.unwrap_or(0);
        let tail = verification.unsigned_tail.unwrap_or(0);
        term(
            out,
            "Signed",
            &format!(
                "{} of {} entries, by {key}; {} are not signed yet",
                number(signed),
                number(verification.entries),
                number(tail)
            ),
        );
        term(out, "Key", verification.key.as_deref().unwrap_or("none"));
        term(out, "Root", verification.root.as_deref().unwrap_or("none"));
        term(out, "Freshness", &freshness);
        let findings: Vec<String> = report
            .integrity
            .findings()
            .map(|(kind, count)| format!("{kind} {}", number(count)))
            .collect();
        let joined = findings.join(", ");
        let none = findings.is_empty();
        term(out, "Findings", if none { "none" } else { &joined });
        out.push_str("</dl>");
    }
    out.push_str("</div>");
}

fn cards(out: &mut String, report: &Report) {
    let totals = &report.totals;
    let actors = match report.actors.exact {
        true => number(report.actors.distinct),
        false => format!("> {}", number(report.actors.distinct)),
    };
    out.push_str("<div class=\"cards\">");
    for (count, label, bad) in [
        (number(totals.entries), "entries", false),
        (actors, "different actors", false),
        (number(totals.results.failure), "failures", false),
        (number(totals.critical), "critical", false),
        (number(report.privileged.total), "privileged actions", false),
        (number(report.incidents.total), "security incidents", report.incidents.total > 0),
    ] {
        card(out, &count, label, bad);
    }
    let dropped = report.keeping.as_ref().map(|keeping| keeping.dropped_events);
    let silences = report.silences.as_ref().map(|silences| silences.unexplained);
    for (count, label) in [(dropped, "events refused"), (silences, "silences while open")] {
        if let Some(count) = count {
            card(out, &number(count), label, count > 0);
        }
    }
    out.push_str("</div>");
}

fn clauses(out: &mut String, report: &Report) {
    heading(out, 2, "What is asked for, and what the trail shows");
    note(
        out,
        &format!(
            "Clauses of {}, in our own words. Nothing here says that a requirement is met: that is for people to judge.",
            report.clauses_from
        ),
    );
    for clause in &report.clauses {
        let (word, class) = state(clause.state);
        push(
            out,
            format_args!(
                "<section class=\"clause\"><h3><span class=\"id\">{}</span><span>{}</span><span class=\"pill {class}\">{word}</span></h3><p class=\"asks\">{}</p><ul class=\"ev\">",
                esc(clause.id),
                esc(clause.title),
                esc(clause.asks)
            ),
        );
        for one in &clause.evidence {
            evidence(out, one);
        }
        push(
            out,
            format_args!(
                "</ul><p class=\"else\">From elsewhere: {}</p></section>",
                esc(clause.elsewhere)
            ),
        );
    }
}

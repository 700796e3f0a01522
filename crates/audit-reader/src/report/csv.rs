//! A report as CSV: `section,item,name,value`, one value a row, so that any spreadsheet takes it.
//!
//! What must stay true here: no cell is a formula (decision 0031), and every number of the report is in
//! a row of its own.

use super::{Integrity, Listing, Report, Table};
use crate::export;

/// Writes a report as CSV.
#[must_use]
pub fn to_csv(report: &Report) -> String {
    let mut rows = Rows(Vec::from("section,item,name,value\r\n"));
    about(&mut rows, report);
    for clause in &report.clauses {
        rows.add("clause", clause.id, "title", clause.title);
        rows.add("clause", clause.id, "state", &word(&clause.state));
        for evidence in &clause.evidence {
            rows.add("clause", clause.id, &evidence.what, &evidence.found);
        }
        rows.add("clause", clause.id, "elsewhere", clause.elsewhere);
    }
    for class in &report.classes {
        let results = class.results;
        rows.add("class", class.class, "types", &class.types.join(" "));
        rows.number("class", class.class, "success", results.success);
        rows.number("class", class.class, "partial", results.partial);
        rows.number("class", class.class, "failure", results.failure);
    }
    for bucket in &report.timeline.buckets {
        let from = bucket.from.to_string();
        rows.number("timeline", &from, "success", bucket.results.success);
        rows.number("timeline", &from, "partial", bucket.results.partial);
        rows.number("timeline", &from, "failure", bucket.results.failure);
    }
    for (name, table) in [
        ("types", &report.types),
        ("actors", &report.actors),
        ("failing actors", &report.failing_actors),
        ("failing addresses", &report.failing_addresses),
        ("reasons of failures", &report.reasons),
        ("resources", &report.resources),
    ] {
        rows.table(name, table);
    }
    for (name, listing) in [
        ("incidents", &report.incidents),
        ("privileged", &report.privileged),
        ("requests", &report.requests),
        ("concerned", &report.concerned),
    ] {
        rows.listing(name, listing);
    }
    if let Some(keeping) = &report.keeping {
        rows.listing("troubles", &keeping.troubles);
        rows.listing("removed", &keeping.removed);
        rows.listing("accessed", &keeping.accessed);
    }
    for (number, limit) in (1..).zip(&report.cannot_know) {
        rows.add("cannot know", &format!("{number}"), "text", limit);
    }
    String::from_utf8_lossy(&rows.0).into_owned()
}

fn about(rows: &mut Rows, report: &Report) {
    let plain = [
        ("framework", Some(report.title)),
        ("clauses from", Some(report.clauses_from)),
        ("origin", report.origin.as_deref()),
        ("service", report.service_id.as_deref()),
        ("since", report.since.as_deref()),
        ("until", Some(report.until.as_str())),
        ("zone", Some(report.zone.as_str())),
        ("generated at", Some(report.generated_at.as_str())),
        ("subject", report.subject.as_ref().map(|subject| subject.name.as_str())),
    ];
    for (name, value) in plain {
        rows.add("report", "", name, value.unwrap_or(""));
    }
    let verdict = report.integrity.verdict().map_or("not checked".to_owned(), |v| word(&v));
    rows.add("integrity", "", "verdict", &verdict);
    if let Integrity::Checked(checked) = &report.integrity {
        let verification = &checked.verification;
        rows.add("integrity", "", "key trust", &word(&verification.key_trust));
        rows.add("integrity", "", "key", verification.key.as_deref().unwrap_or(""));
        rows.add("integrity", "", "root", verification.root.as_deref().unwrap_or(""));
        rows.number("integrity", "", "signed entries", verification.sealed_size.unwrap_or(0));
        for (kind, count) in report.integrity.findings() {
            rows.number("integrity", "finding", kind, count);
        }
    }
    let (totals, searched) = (&report.totals, &report.searched);
    for (section, name, value) in [
        ("searched", "entries", searched.entries),
        ("searched", "segments", searched.segments),
        ("searched", "bytes", searched.bytes),
        ("searched", "malformed lines", searched.malformed),
        ("totals", "entries", totals.entries),
        ("totals", "success", totals.results.success),
        ("totals", "partial", totals.results.partial),
        ("totals", "failure", totals.results.failure),
        ("totals", "critical", totals.critical),
        ("totals", "of the trail about itself", totals.control),
        ("totals", "without actor", totals.without_actor),
        ("totals", "without address", totals.without_address),
        ("totals", "without resource", totals.without_resource),
        ("keeping", "segments", report.retention.segments),
        ("keeping", "bytes", report.retention.bytes),
    ] {
        rows.number(section, "", name, value);
    }
    if let Some(keeping) = &report.keeping {
        for (name, value) in [
            ("refused events", keeping.dropped_events),
            ("recoveries", keeping.recovered),
            ("failures of the disk", keeping.storage_failed),
            ("jumps of the clock", keeping.clock_stepped),
            ("replaced keys", keeping.key_rotated),
            ("times retention removed segments", keeping.retention_applied),
        ] {
            rows.number("keeping", "", name, value);
        }
    }
    if let Some(silences) = &report.silences {
        rows.number("keeping", "", "silences while open", silences.unexplained);
    }
    rows.add("keeping", "", "oldest entry", report.retention.oldest.as_deref().unwrap_or(""));
}

/// The word that JSON has for a value.
fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

struct Rows(Vec<u8>);

impl Rows {
    fn add(&mut self, section: &str, item: &str, name: &str, value: &str) {
        for (index, cell) in [section, item, name, value].into_iter().enumerate() {
            if index > 0 {
                self.0.push(b',');
            }
            export::csv_cell(cell, &mut self.0);
        }
        self.0.extend_from_slice(b"\r\n");
    }

    fn number(&mut self, section: &str, item: &str, name: &str, value: u64) {
        self.add(section, item, name, &value.to_string());
    }

    fn table(&mut self, section: &str, table: &Table) {
        self.number(section, "", "different values", table.distinct);
        self.number(section, "", "numbers may be too low by", table.too_low_by);
        for row in &table.rows {
            self.number(section, &row.value, "entries", row.entries);
            self.number(section, &row.value, "failures", row.failures);
            self.number(section, &row.value, "critical", row.critical);
            self.add(section, &row.value, "last", &row.last);
        }
    }

    fn listing(&mut self, section: &str, listing: &Listing) {
        self.number(section, "", "total", listing.total);
        self.number(section, "", "not listed", listing.left_out());
        for entry in &listing.entries {
            let seq = entry.seq.to_string();
            for (name, value) in [
                ("timestamp", Some(entry.timestamp.as_str())),
                ("event_type", Some(entry.event_type.as_str())),
                ("actor", entry.actor.as_deref()),
                ("ip", entry.ip.as_deref()),
                ("resource", entry.resource.as_deref()),
                ("result", Some(entry.result)),
                ("reason", entry.reason.as_deref()),
                ("details", entry.details.as_deref()),
            ] {
                if let Some(value) = value {
                    self.add(section, &seq, name, value);
                }
            }
        }
    }
}

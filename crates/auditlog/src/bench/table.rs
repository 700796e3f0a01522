//! The figures for people.
//!
//! What must stay true here: beside each figure stands what it is to be compared with.

use std::io::Write;

use super::report::{AckLatency, EmitLatency, Report, Summary};
use crate::output::{Color, Output};

pub(super) fn print(summary: &Summary, out: &mut Output) -> std::io::Result<()> {
    let Summary { median: r, conditions: c, runs } = summary;
    writeln!(out, "auditlog {} on {}, {} cores, kernel {}", c.version, c.cpu, c.cores, c.kernel)?;
    writeln!(out, "{} on {}; load {}", c.file_system, c.device, load(c.load_1m))?;
    let of =
        if runs.is_empty() { String::new() } else { format!("; medians of {} runs", runs.len()) };
    writeln!(out, "mode {}, events of {:.0} bytes on disk{of}", r.mode, r.bytes_per_event)?;
    if c.load_1m.is_some_and(|load| load > 0.5) {
        let note =
            out.paint(Color::Warn, "others were busy on this machine: the figures are indicative");
        writeln!(out, "{note}")?;
    }

    title(out, "never waiting", "durable events/s", "x single syncs", "x SHA-256")?;
    for s in &r.saturation {
        let name = format!("{} producers, {} events", s.producers, r.events);
        row(out, &name, s.durable_events_per_s, &[s.to_single_syncs, s.to_sha256])?;
    }
    let verify = [verify_to_syncs(r), r.ratios.verify_to_sha256];
    row(out, "verify", r.verify_events_per_s, &verify)?;

    header(out, "emit, ns", ["p50", "p99", "p99.9", "max"])?;
    for p in &r.paced {
        let name = format!("{:.0}/s of {}/s", p.achieved_per_s, p.rate);
        emit(out, &name, &p.emit_ns)?;
        emit(out, "  since it was due", &p.emit_due_ns)?;
    }
    writeln!(
        out,
        "  p50 {:.1} x a copy of as many bytes; {} ns of each are the clock; {:.2} allocations",
        r.ratios.emit_p50_to_memcpy, r.raw.clock_ns_p50, r.allocations_per_emit
    )?;
    writeln!(
        out,
        "  making the event {:.0} ns, before; disabled {:.1} ns",
        r.build_event_ns, r.disabled_emit_ns
    )?;

    header(out, "durable after, µs", ["p50", "p99", "p99.9", "max"])?;
    let sync = r.raw.fdatasync_us_p50;
    if let Some(ack) = &r.ack_us {
        waited(out, "one waits, alone", ack, sync)?;
    }
    if let Some(loaded) = &r.loaded {
        let name = format!("  beside {:.0}/s", loaded.flood_events_per_s);
        waited(out, &name, &loaded.ack_us, sync)?;
    }
    for p in &r.paced {
        if let Some(residency) = &p.residency_us {
            waited(out, &format!("in the ring, {}/s", p.rate), residency, sync)?;
        }
    }
    if let Some(rate) = r.awaiting_64_events_per_s {
        let ratio = r.ratios.awaiting_64_to_single_syncs.unwrap_or_default();
        writeln!(out, "{:<28}{rate:>11.0} events/s, {ratio:.1} x single syncs", "64 tasks wait")?;
    }

    writeln!(
        out,
        "\nraw: append + fdatasync {sync:.0} µs p50, {:.0} p99; SHA-256 {:.2} GB/s; copy {:.2} GB/s",
        r.raw.fdatasync_us_p99,
        r.raw.sha256_bytes_per_s / 1e9,
        r.raw.memcpy_bytes_per_s / 1e9
    )
}

fn load(load: Option<f64>) -> String {
    load.map_or("unknown".to_owned(), |load| format!("{load:.1}"))
}

fn verify_to_syncs(r: &Report) -> f64 {
    r.verify_events_per_s * r.raw.fdatasync_us_p50 / 1e6
}

fn title(out: &mut Output, a: &str, b: &str, c: &str, d: &str) -> std::io::Result<()> {
    writeln!(out, "\n{a:<28}{b:>18}{c:>18}{d:>12}")
}

fn row(out: &mut Output, name: &str, rate: f64, ratios: &[f64; 2]) -> std::io::Result<()> {
    writeln!(out, "{name:<28}{rate:>18.0}{:>18.1}{:>12.2}", ratios[0], ratios[1])
}

fn header(out: &mut Output, name: &str, columns: [&str; 4]) -> std::io::Result<()> {
    let [a, b, c, d] = columns;
    // µ is one column and two bytes; the padding counts characters.
    writeln!(out, "\n{name:<28}{a:>11}{b:>11}{c:>11}{d:>11}")
}

fn emit(out: &mut Output, name: &str, e: &EmitLatency) -> std::io::Result<()> {
    writeln!(out, "{name:<28}{:>11}{:>11}{:>11}{:>11}", e.p50, e.p99, e.p999, e.max)
}

fn waited(out: &mut Output, name: &str, a: &AckLatency, sync: f64) -> std::io::Result<()> {
    let AckLatency { p50, p99, p999, max } = a;
    let ratio = p50 / sync;
    writeln!(
        out,
        "{name:<28}{p50:>11.0}{p99:>11.0}{p999:>11.0}{max:>11.0}   p50 {ratio:.2} x fdatasync"
    )
}

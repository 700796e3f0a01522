//! The table.
//!
//! What must stay true here: every figure stands beside its ratio to the first contestant's.

use std::io::Write;

use serde::Serialize;

use crate::kill::Killed;
use crate::sinks::Kind;
use crate::work::Figures;

/// One contestant's figures.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    #[serde(flatten)]
    pub(crate) figures: Figures,
    pub(crate) killed: Killed,
}

/// As Markdown, which is also readable as it stands.
pub(crate) fn print(rows: &[Row], rate: u32, runs: u32) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let Some(first) = rows.first().map(|row| row.figures) else { return Ok(()) };
    writeln!(out, "One producer; medians of {runs} runs; ratios to audit-logging in brackets.\n")?;
    writeln!(
        out,
        "| | call p50, paced {rate}/s | p99 | p99.9 | since due p99.9 | reached/s | saturated/s | then | bytes/event | lost per kill |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|---|")?;
    for Row { kind, figures: f, killed } in rows {
        let nanos = |ns: u64, reference: u64| {
            format!("{} ({:.1} x)", time(ns), ns as f64 / reference.max(1) as f64)
        };
        writeln!(
            out,
            "| {}, {} | {} | {} | {} | {} | {:.0} | {:.0} ({:.2} x) | {} | {:.0} | {:.0}, at most {} |",
            kind.name(),
            kind.setup(),
            nanos(f.p50_ns, first.p50_ns),
            nanos(f.p99_ns, first.p99_ns),
            nanos(f.p999_ns, first.p999_ns),
            nanos(f.due_p999_ns, first.due_p999_ns),
            f.paced_per_s,
            f.saturated_per_s,
            f.saturated_per_s / first.saturated_per_s,
            kind.finished(),
            f.bytes_per_event,
            killed.lost as f64 / f64::from(killed.rounds.max(1)),
            killed.lost_at_most,
        )?;
    }
    for Row { kind, figures, killed } in rows {
        let Killed { rounds, acknowledged, lost, .. } = killed;
        write!(out, "\n{}: {rounds} kills, {acknowledged} acknowledged, {lost} lost", kind.name())?;
        if figures.missing_after_finish > 0 {
            write!(out, "; {} missing after an orderly end", figures.missing_after_finish)?;
        }
    }
    writeln!(out)
}

fn time(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} µs", ns / 1_000),
        _ => format!("{} ms", ns / 1_000_000),
    }
}

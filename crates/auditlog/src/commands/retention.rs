//! `auditlog retention`: what is due, and doing it.
//!
//! What must stay true here: only the process that holds a trail changes it. Where a logger is running,
//! it is asked, and acts by its own rules; what was asked for is never silently something else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit_core::retention::{Decision, Fate, Why};
use audit_logging::retention::{Ask, RetentionPlan, ask, plan_dir, settings};
use audit_logging::{OpenError, RetentionPolicy};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, bytes, escape};

/// Compress old segments and delete expired ones, as the trail itself records
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without options, the rules are those that the trail's writer was configured \
    with, or else: compress after 90 days, delete after 2,555.\n\
    Nothing goes that a legal hold covers (`auditlog hold`), and nothing that the trail did not name \
    first (`audit.retention_applied`).\n\n\
    Example:\n  auditlog retention /var/lib/billing/audit plan\n  \
    auditlog retention /var/lib/billing/audit run"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say what would be done, and why the rest stays
    #[command(after_help = "Example:\n  auditlog retention ./audit plan --delete-after-days 3650")]
    Plan(Days),
    /// Do it
    #[command(after_help = "Where a logger has the trail open, it does it, by its own rules.\n\n\
        Example:\n  auditlog retention ./audit run\n  \
        auditlog retention ./audit run --archive-after-days 7")]
    Run(Run),
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    days: Days,
    /// How long a running logger's answer is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    wait: u64,
}

#[derive(Debug, clap::Args)]
struct Days {
    /// Compress closed segments of this age
    #[arg(long, value_name = "DAYS")]
    archive_after_days: Option<u32>,
    /// Delete segments older than this
    #[arg(long, value_name = "DAYS")]
    delete_after_days: Option<u32>,
    /// Never delete what is younger: the longest that a law or a contract asks for
    #[arg(long, value_name = "DAYS")]
    min_retention_days: Option<u32>,
}

impl Days {
    const fn is_given(&self) -> bool {
        self.archive_after_days.is_some()
            || self.delete_after_days.is_some()
            || self.min_retention_days.is_some()
    }

    fn policy(&self, dir: &Path) -> Result<RetentionPolicy, CliError> {
        let settings = settings(dir).map_err(|error| super::unreadable_settings(dir, &error))?;
        let said = settings.and_then(|settings| settings.retention);
        let whose = if said.is_some() { "of the trail's writer" } else { "that apply by default" };
        let base = said.unwrap_or_default();
        // What the trail's owner promised is not broken by an option, and who promised nothing is taken
        // at the default.
        if let Some(asked) = self.min_retention_days
            && asked < base.min_retention_days
        {
            return Err(CliError::Usage {
                what: format!(
                    "--min-retention-days {asked} is below the {} {whose}",
                    base.min_retention_days
                ),
                next: "leave the option out or give a higher number; the configuration alone lowers it",
            });
        }
        Ok(RetentionPolicy {
            min_retention_days: self.min_retention_days.unwrap_or(base.min_retention_days),
            archive_after_days: self.archive_after_days.unwrap_or(base.archive_after_days),
            delete_after_days: self.delete_after_days.unwrap_or(base.delete_after_days),
        })
    }
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    match &args.action {
        Action::Plan(days) => {
            print_plan(&plan_dir(&args.dir, days.policy(&args.dir)?)?, out)?;
            Ok(Exit::Done)
        }
        Action::Run(run) => {
            let report = apply(&args.dir, run)?;
            print_report(&report, out)?;
            let problems = report["problems"].as_array().is_some_and(|all| !all.is_empty());
            if problems { Err(CliError::RetentionLeft) } else { Ok(Exit::Done) }
        }
    }
}

/// Applies retention, here or where the trail is open: the report.
fn apply(dir: &Path, Run { days, wait }: &Run) -> Result<Value, CliError> {
    let policy = days.policy(dir)?;
    match super::open(super::config_of(dir)?) {
        Ok(logger) => {
            let bar = ProgressBar::hidden();
            let style =
                ProgressStyle::with_template("compressing {bar:40} {pos} of {len} segments");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            let report = logger.apply_retention_by(policy, &mut |done, count| {
                if bar.is_hidden() {
                    bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
                }
                bar.set_length(count);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            super::close(&logger)?;
            serde_json::to_value(report?).map_err(|_| CliError::Bug("a report that is no JSON"))
        }
        Err(OpenError::Locked { holder, .. }) if days.is_given() => Err(CliError::Usage {
            what: format!(
                "a running logger has this trail ({holder}), and keeps it by its own rules"
            ),
            next: "leave the options out to have it do so now, or change its configuration",
        }),
        Err(OpenError::Locked { .. }) => {
            ask(dir, &Ask::Retain, Duration::from_secs(*wait))?.map_err(CliError::Refused)
        }
        Err(error) => Err(error.into()),
    }
}

fn print_report(report: &Value, out: &mut Output) -> Result<(), CliError> {
    if out.json {
        return Ok(writeln!(out, "{report}")?);
    }
    let text = |value: &Value| escape(value.as_str().unwrap_or_default().as_bytes());
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let rows = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    for row in rows("deleted") {
        let (first, last) = (number(&row["first_seq"]), number(&row["last_seq"]));
        writeln!(out, "deleted   {}  seq {first} to {last}", text(&row["filename"]))?;
    }
    for row in rows("archived") {
        let (before, after) = (number(&row["bytes_before"]), number(&row["bytes_after"]));
        let name = text(&row["filename"]);
        writeln!(out, "archived  {name}  {} to {}", bytes(before), bytes(after))?;
    }
    for problem in rows("problems") {
        writeln!(out, "{}  {}", out.paint(Color::Warn, "left     "), text(&problem))?;
    }
    let (deleted, archived) = (rows("deleted").len(), rows("archived").len());
    let freed = bytes(number(&report["freed_bytes"]));
    writeln!(out, "{deleted} segments deleted, {archived} archived, {freed} freed")?;
    Ok(())
}

fn print_plan(plan: &RetentionPlan, out: &mut Output) -> Result<(), CliError> {
    if out.json {
        return Ok(writeln!(out, "{}", plan.to_json())?);
    }
    let rules = plan.rules;
    writeln!(
        out,
        "as of {}: compress after {} days, delete after {}, never before {}",
        plan.as_of, rules.archive_after_days, rules.delete_after_days, rules.min_retention_days
    )?;
    for Decision { segment, age_days, fate } in &plan.decisions {
        let age = age_days.map_or("-".to_owned(), |days| days.to_string());
        let what = match fate {
            Fate::Delete => out.paint(Color::Bad, "delete"),
            Fate::Archive => out.paint(Color::Good, "archive"),
            Fate::Keep { why } => format!("keep: {}", reason(why)),
        };
        let file =
            if segment.archived { segment.name.archived() } else { segment.name.to_string() };
        writeln!(out, "{file:<28} {age:>5} days  {:>10}  {what}", bytes(segment.bytes))?;
    }
    Ok(())
}

fn reason(why: &Why) -> String {
    match why {
        Why::Open => "entries are being written to it".to_owned(),
        Why::Young => "not old enough to be compressed".to_owned(),
        Why::Archived => "compressed, not old enough to be deleted".to_owned(),
        Why::Held { holds } => format!("held by {}", escape(holds.join(", ").as_bytes())),
        Why::Leap => "the clock leapt ahead, and is not believed yet".to_owned(),
        Why::Behind => "behind one that stays".to_owned(),
    }
}

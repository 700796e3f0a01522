//! `auditlog report`: what a framework asks of an audit trail, and what this one shows.
//!
//! What must stay true here: the report is made whatever the verdict is, and the exit code tells the
//! verdict, so that no script takes a report on a violated trail for a good one.

use std::io::Write;
use std::path::PathBuf;

use audit_reader::report::{
    self, Access, AccessTrail, Integrity, Kind, Options, ReadsBeside, Report, Request,
};
use audit_reader::{Edge, Verdict};
use clap::ValueEnum;

use super::Exit;
use super::access::{self, AccessArgs};
use super::query::{now_in, time};
use super::verify::{Trust, exit, verified};
use crate::error::CliError;
use crate::output::{Output, escape};
use crate::progress::Bar;

/// Report on a period: what a framework asks of an audit trail, and what this one shows
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The report has counts, actors, failures, privileged actions, incidents, gaps, what was \
    refused, how far back the trail reaches, and the verdict of a full verification with the signed \
    checkpoint and proofs attached. It says what was searched and what it cannot know.\n\
    Reads that were noted beside the trail (DIR.access), because another process had it open, are \
    counted apart, under the verdict on that trail.\n\
    Exit codes are those of `auditlog verify`: the report is written, and 1 says that one of the two \
    trails is violated, 3 that nothing proves it, or that numbers lack what is damaged or went away.\n\n\
    Times are as for `auditlog query`.\n\n\
    Examples:\n  \
    auditlog report ./audit --kind soc2 --since 2026-10-01 --until 2026-12-31 -o q4.html\n  \
    auditlog report ./audit --kind gdpr --subject customer-4711 --since 2020-01-01 -o 4711.html\n  \
    auditlog report ./audit --kind pci --since 90d --privileged-actor root --format json | jq .clauses"
)]
pub(crate) struct Args {
    /// The trail
    dir: PathBuf,
    /// The framework
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Framework,
    /// From this time on
    #[arg(
        long,
        visible_alias = "from",
        value_name = "TIME",
        default_value = "30d",
        allow_hyphen_values = true
    )]
    since: String,
    /// Before this time
    #[arg(
        long,
        visible_alias = "to",
        value_name = "TIME",
        default_value = "now",
        allow_hyphen_values = true
    )]
    until: String,
    /// The time zone of local times, days and hours: an IANA name, or `local`
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// Only what concerns this person: a field says exactly this. Reads noted beside the trail are not
    /// looked at, and their verdict does not count
    #[arg(long, value_name = "NAME", conflicts_with = "access_key")]
    subject: Option<String>,
    /// Types of your own that are privileged actions; may be given several times
    #[arg(long, value_name = "GLOB")]
    privileged: Vec<String>,
    /// Actors of whom every action is privileged; may be given several times
    #[arg(long, value_name = "USER_ID")]
    privileged_actor: Vec<String>,
    /// Types of your own that are incidents; may be given several times
    #[arg(long, value_name = "GLOB")]
    incident: Vec<String>,
    /// How the report is written [default: html; with --json: json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Form>,
    /// Where to write it, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    /// The first public key of the trail of reads beside this one (DIR.access)
    #[arg(long, value_name = "VKEY")]
    access_key: Option<String>,
    /// Do not verify the trail; the report says so
    #[arg(long, conflicts_with_all = ["key", "checkpoint", "witness", "access_key"])]
    no_verify: bool,
    #[command(flatten)]
    access: AccessArgs,
    /// Threads that read [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Framework {
    /// SOC 2, common criteria CC6 to CC8
    Soc2,
    /// General Data Protection Regulation
    Gdpr,
    /// ISO/IEC 27001:2022, Annex A
    Iso27001,
    /// HIPAA Security Rule, 45 CFR 164 subpart C
    Hipaa,
    /// PCI DSS v4.0.1, requirement 10
    Pci,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One page to read and print
    Html,
    /// All of it, for machines
    Json,
    /// section,item,name,value
    Csv,
}

impl From<Framework> for Kind {
    fn from(framework: Framework) -> Kind {
        match framework {
            Framework::Soc2 => Kind::Soc2,
            Framework::Gdpr => Kind::Gdpr,
            Framework::Iso27001 => Kind::Iso27001,
            Framework::Hipaa => Kind::Hipaa,
            Framework::Pci => Kind::Pci,
        }
    }
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    let request = args.request()?;
    let source = super::source(&args.dir)?;
    access::record(&args.access, &args.dir, "report")?;
    let mut options = Options::default();
    if !args.no_verify {
        options.verification = Some(verified(&args.dir, &args.trust, None, args.jobs)?);
    }
    options.access = args.access_beside()?;
    let bar = Bar::new("reading");
    let mut tell = |progress| bar.show(progress);
    options.jobs = super::jobs(args.jobs);
    options.progress = Some(&mut tell);
    let report = report::report(&source, request, options);
    bar.clear();
    let report = report?;
    let form = args.format.unwrap_or(if out.json { Form::Json } else { Form::Html });
    let text = match form {
        Form::Html => report::to_html(&report),
        Form::Csv => report::to_csv(&report)?,
        Form::Json => serde_json::to_string(&report).map_err(std::io::Error::from)? + "\n",
    };
    match &args.output {
        None => out.write_all(text.as_bytes())?,
        Some(file) => {
            std::fs::write(file, &text).map_err(|error| CliError::Usage {
                what: format!("cannot write {}: {error}", file.display()),
                next: "choose another place with -o",
            })?;
            told(&report, args, out)?;
        }
    }
    Ok(worst(&report))
}

/// The verdict on the trail, or a worse one on the trail of reads beside it. Nothing proves what cannot be
/// read, and an archive that does not unpack is not what was written, whoever looks.
fn worst(report: &Report) -> Exit {
    let verdicts = [report.integrity.verdict(), report.reads_beside.verdict()];
    let [trail, beside] = verdicts.map(|verdict| verdict.map_or(Exit::Done, exit));
    let damaged = match &report.reads_beside {
        _ if report.archives_unreadable > 0 => Exit::Violated,
        ReadsBeside::Read(beside) if beside.archives_unreadable > 0 => Exit::Violated,
        ReadsBeside::Unreadable { .. } => Exit::Unproven,
        _ => Exit::Done,
    };
    let unread = if report.lacks() { Exit::Unproven } else { Exit::Done };
    let exits = [trail, beside, damaged, unread];
    let order = [Exit::Violated, Exit::Unproven];
    order.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Done)
}

/// Says what is in the file.
fn told(report: &Report, args: &Args, out: &mut Output) -> Result<(), CliError> {
    let verdict = match report.integrity.verdict() {
        None => "not verified",
        Some(Verdict::Proven) => "proven",
        Some(Verdict::Violated) => "violated",
        Some(Verdict::Unproven) => "unproven",
    };
    let proofs = match &report.integrity {
        Integrity::Checked(checked) => checked.proofs.len(),
        _ => 0,
    };
    let entries = report.totals.entries;
    if out.json {
        let told = serde_json::json!({"output": args.output, "kind": report.kind, "verdict": verdict,
            "entries": entries, "incidents": report.incidents.total, "searched": report.searched});
        writeln!(out, "{told}")?;
    } else if let Some(file) = &args.output {
        let file = escape(file.as_os_str().as_encoded_bytes());
        let searched = report.searched.entries;
        writeln!(
            out,
            "{}: {entries} entries of {searched} searched, trail {verdict}, {proofs} proofs attached: {file}",
            report.title
        )?;
    }
    Ok(())
}

impl Args {
    /// The trail of reads beside this one, verified like this one.
    fn access_beside(&self) -> Result<Access, CliError> {
        if !self.dir.is_dir() || self.subject.is_some() {
            return Ok(Access::NotLookedFor);
        }
        let trail = match AccessTrail::of(&self.dir) {
            Ok(Some(trail)) => trail,
            Ok(None) => return Ok(Access::None),
            Err(error) => return Ok(Access::Unreadable(error.to_string())),
        };
        if self.no_verify {
            return Ok(Access::Trail(Box::new(trail)));
        }
        let trust = Trust::by_key(self.access_key.clone());
        match verified(&trail.place(), &trust, None, self.jobs) {
            Ok(verification) => Ok(Access::Trail(Box::new(trail.verified(verification)))),
            Err(CliError::Read(error)) => Ok(Access::Unreadable(error.to_string())),
            Err(error) => Err(error),
        }
    }

    fn request(&self) -> Result<Request, CliError> {
        let now = now_in(&self.zone)?;
        let mut request = Request::new(self.kind.into());
        request.now = now.timestamp();
        request.zone = now.time_zone().clone();
        request.since = Some(time("--since", &self.since, Edge::Since, &now)?);
        request.until = time("--until", &self.until, Edge::Until, &now)?;
        request.subject.clone_from(&self.subject);
        request.privileged.clone_from(&self.privileged);
        request.incidents.clone_from(&self.incident);
        request.privileged_actors.clone_from(&self.privileged_actor);
        Ok(request)
    }
}

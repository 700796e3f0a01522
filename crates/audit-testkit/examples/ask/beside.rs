//! What a running logger loses while a large trail is indexed, searched or exported beside it.
//!
//! What must stay true here: a logger alone and one that has company are measured in turn, and what is
//! told is the median of their ratios, for a shared machine is not the same machine a minute later.
//! Company that ends is started again at once; none outlives its measurement.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::program::Program;
use crate::{Outcome, middle, number, say};

/// What runs beside the logger, over and over.
const COMPANY: [(&str, &[&str]); 3] = [
    ("index", &["index", "--rebuild", "--jobs", "1"]),
    ("query", &["query", "--contains", "no such text anywhere", "--audit-access=never"]),
    ("export", &["export", "--format", "json", "--audit-access=never"]),
];

/// A logger's figures: durable events a second, and nanoseconds of `emit` at a steady rate.
struct Figures {
    rate: f64,
    p99: f64,
}

pub(crate) fn measure(program: &Program, dir: &Path, runs: usize) -> Outcome<()> {
    let beside = dir.parent().ok_or("the trail has no parent directory")?;
    let logger = program.of(beside);
    figures(&logger)?;
    let mut ratios = COMPANY.map(|(name, _)| (name, Vec::new()));
    let mut alone = Vec::new();
    for _ in 0..runs {
        for ((_, args), (_, ratios)) in COMPANY.iter().zip(&mut ratios) {
            let free = figures(&logger)?;
            let company = Company::start(program.path(), dir, args)?;
            let held = figures(&logger)?;
            company.end()?;
            ratios.push((held.rate / free.rate, held.p99 / free.p99));
            alone.push(free);
        }
    }
    let alone_of = |of: fn(&Figures) -> f64| middle(alone.iter().map(of).collect());
    say("a logger alone", alone_of(|figures| figures.rate), "events/s", "");
    say("  emit, p99 at 100,000/s", alone_of(|figures| figures.p99), "ns", "");
    for (name, ratios) in ratios {
        let rate = middle(ratios.iter().map(|(rate, _)| *rate).collect());
        let tail = middle(ratios.iter().map(|(_, tail)| *tail).collect());
        say(&format!("beside {name}: throughput lost"), 100.0 * (1.0 - rate), "%", "at most 5");
        say("  emit p99 higher by", 100.0 * (tail - 1.0), "%", "at most 10");
    }
    Ok(())
}

fn figures(logger: &Program) -> Outcome<Figures> {
    let load = ["--producers", "2", "--events", "500000", "--rate", "100000", "--json"];
    let run = logger.run_in(&["bench", "--dir"], &load)?;
    let told = run.told(&run.stdout)?;
    Ok(Figures {
        rate: number(&told, "durable_events_per_s"),
        p99: told["emit_ns"]["p99"].as_f64().ok_or("no p99 was told")?,
    })
}

/// A program that is run again and again, with all it starts, until this is dropped.
struct Company(Child);

impl Company {
    fn start(program: &Path, dir: &Path, args: &[&str]) -> Outcome<Company> {
        let again = r#"while "$@" >/dev/null 2>&1; do :; done"#;
        let mut command = Command::new("sh");
        command.args(["-c", again, "sh"]).arg(program).arg(args[0]).arg(dir).args(&args[1..]);
        command.stdin(Stdio::null()).process_group(0);
        Ok(Company(command.spawn()?))
    }

    /// Ends it; an error if it had ended before.
    fn end(mut self) -> Outcome<()> {
        match self.0.try_wait()? {
            Some(status) => Err(format!("what ran beside the logger ended: {status}").into()),
            None => Ok(()),
        }
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let ended = group.map(|group| kill_process_group(group, Signal::KILL));
        if let (Some(Err(error)), _) | (_, Err(error)) =
            (ended.map(|ended| ended.map_err(Into::into)), self.0.wait())
        {
            eprintln!("ask: what ran beside the logger could not be ended: {error}");
        }
    }
}

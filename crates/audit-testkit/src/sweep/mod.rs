//! The system-call sweep: every storage call the writer makes fails, once or for good, or the process
//! is killed there.
//!
//! **Fault model.** strace makes the `k`-th call of a name in each thread fail with EIO, ENOSPC or EINTR
//! (`when=k`), or all from the `k`-th on (`when=k+`), or kills the process at it. Which names there
//! are, and which `k`, comes from a run without faults: a call that is in no list fails the sweep. Two
//! lives are swept: a trail's first, with rotation of segment and key, seals and a close; and one that
//! finds a ring with events, an unsealed tail and a torn line.
//!
//! **Oracle.** From the trace: no event is acknowledged before a sync of the file its line was written to
//! returned 0. From the trail: whatever happened, it opens; every event that `emit` accepted is there
//! once and in order; what was sealed is sealed; it takes more, closes, and is proven.
//!
//! What must stay true here: where strace cannot be used that is said, and nothing pretends to have
//! run; a failure names the one fault that shows it again, and keeps the trail and the trace.

mod calls;
mod run;
mod script;
mod trace;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use self::run::{Fault, Place};
pub use self::script::{act, leave};
use crate::Rng;
use crate::crash::remove;
use crate::options::Options;

/// The lives that are swept.
const LIVES: [&str; 2] = ["first", "after-a-kill"];

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// Runs, each with a fault.
    pub runs: u64,
    /// Faults there are in all, had every one been run.
    pub faults: u64,
    /// Acknowledgements that were checked in the traces.
    pub acknowledged: u64,
    /// Runs by system call.
    pub calls: BTreeMap<String, u64>,
    /// Runs by how they ended.
    pub ends: BTreeMap<String, u64>,
}

impl std::fmt::Display for Swept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Swept { runs, faults, acknowledged, calls, ends } = self;
        let list = |map: &BTreeMap<String, u64>| {
            map.iter().map(|(what, n)| format!("{what} {n}")).collect::<Vec<_>>().join(", ")
        };
        write!(f, "{runs} of {faults} faults, {acknowledged} acknowledgements checked; ")?;
        write!(f, "calls: {}; ends: {}", list(calls), list(ends))
    }
}

/// Why this machine cannot inject faults, if it cannot.
#[must_use]
pub fn hindrance() -> Option<String> {
    let traced = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=1", "true"])
        .stdin(Stdio::null())
        .output();
    match traced {
        Err(_) => Some("there is no strace (Debian: apt-get install strace)".to_owned()),
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Some(format!("strace may not trace or inject here: {said}"))
        }
    }
}

/// One fault to be run.
#[derive(Debug, Clone)]
struct Case {
    life: &'static str,
    call: String,
    k: u64,
    fault: Fault,
}

/// Runs the sweep: all faults, or `options.rounds` of them, chosen by the seed with every call among
/// them. `program act …` and `program leave …` must run [`act`] and [`leave`].
///
/// # Errors
/// The first thing that was wrong.
pub fn run(program: &Path, options: &Options) -> Result<Swept, String> {
    let dir = options.work_dir("sweep")?;
    let place = Place::prepare(program, &dir)?;
    let mut cases = Vec::new();
    for life in LIVES {
        let reached = place.reached(life)?;
        let wanted = |call: &str| options.only.as_deref().is_none_or(|only| only == call);
        for (call, ks) in reached.into_iter().filter(|(call, _)| wanted(call)) {
            for k in ks {
                let faults = Fault::ALL.iter();
                cases.extend(faults.map(|&fault| Case { life, call: call.clone(), k, fault }));
            }
        }
    }
    let faults = cases.len() as u64;
    if faults == 0 {
        return Err("sweep: the writer makes no such call".to_owned());
    }
    if options.rounds > 0 {
        cases = some(cases, options.rounds, options.seed);
    }
    let swept = Mutex::new(Swept { faults, ..Swept::default() });
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (cases, place, swept, next) = (&cases, &place, &swept, &next);
        let jobs: Vec<_> = (0..options.jobs)
            .map(|job| {
                scope.spawn(move || {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // Nobody goes on after a finding.
                        one(place, case, job, swept).inspect_err(|_| {
                            next.store(cases.len(), Ordering::Relaxed);
                        })?;
                    }
                    Ok::<_, String>(())
                })
            })
            .collect();
        jobs.into_iter().try_for_each(|job| job.join().map_err(|_| "a job panicked")?)
    })?;
    remove(&dir)?;
    Ok(swept.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(place: &Place, case: &Case, job: u64, swept: &Mutex<Swept>) -> Result<(), String> {
    let Case { life, call, k, fault } = case;
    let done = place.run(life, &fault.injection(call, *k), *fault, job).map_err(|error| {
        format!(
            "sweep, life {life}, strace -e {}: {error}\nkept in {}",
            fault.injection(call, *k),
            place.work(job).display()
        )
    })?;
    let mut swept = swept.lock().unwrap_or_else(PoisonError::into_inner);
    swept.runs += 1;
    swept.acknowledged += done.acknowledged;
    *swept.calls.entry(call.clone()).or_default() += 1;
    *swept.ends.entry(done.end.to_owned()).or_default() += 1;
    if swept.runs.is_multiple_of(500) {
        eprintln!("{swept}");
    }
    Ok(())
}

/// `count` of the cases: one of each call in turn, which one is chance.
fn some(mut cases: Vec<Case>, count: u64, seed: u64) -> Vec<Case> {
    let mut rng = Rng::new(seed);
    let mut by_call: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    while !cases.is_empty() {
        let case = cases.swap_remove(rng.between(0, cases.len() - 1));
        by_call.entry(case.call.clone()).or_default().push(case);
    }
    let mut chosen = Vec::new();
    while (chosen.len() as u64) < count && !by_call.is_empty() {
        by_call.retain(|_, cases| {
            chosen.extend(cases.pop());
            !cases.is_empty()
        });
    }
    chosen.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    chosen
}

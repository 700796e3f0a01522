//! The kill oracle: `SIGKILL` at any moment loses nothing that was promised.
//!
//! **Fault model.** The process dies between any two instructions: before and in `AuditLogger::new`
//! (creating, recovering, and recovering from that), while threads emit, wait, flush and seal, while
//! the writer rotates segments and keys, with a ring that is full, in `shutdown`. The machine runs
//! on, so the page cache survives. All flush modes, events up to 32 KiB, small segments.
//!
//! **Oracle.** [`crate::oracle`]: every promised event exactly once, in its thread's order; the trail
//! chained, sealed and proven; `audit.recovered` where it is due; more is accepted.
//!
//! What must stay true here: many lives build on one trail, so recovery meets what recovery left; a
//! failure keeps the trail and names its seed. The seed fixes the plans and the moments aimed at;
//! what a thread does in a microsecond is the scheduler's, so a seed may need several runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Rng;
use crate::acks::{Acks, Phase, Promised};
use crate::child::{PATIENCE, Watched};
use crate::life::Life;
use crate::options::Options;
use crate::oracle::{Oracle, Tail};
use crate::plan::{Plan, derive};

/// Rounds of the long form.
pub const ROUNDS: u64 = 100_000;
/// Lives that build on one trail.
const LIVES: u64 = 64;

/// What a campaign did.
#[derive(Debug, Default)]
pub struct Totals {
    /// Lives that ended.
    pub rounds: u64,
    /// Trails that were verified whole.
    pub trails: u64,
    /// Events found in them.
    pub events: u64,
    /// Refusals for want of room.
    pub refused: u64,
    /// Deaths by what the process was doing, and by what was found on disk.
    pub deaths: BTreeMap<String, u64>,
}

impl Totals {
    pub(crate) fn count(&mut self, what: &str) {
        *self.deaths.entry(what.to_owned()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Totals) {
        self.rounds += other.rounds;
        self.trails += other.trails;
        self.events += other.events;
        self.refused += other.refused;
        for (what, n) in other.deaths {
            *self.deaths.entry(what).or_default() += n;
        }
    }

    /// Counts one death.
    pub(crate) fn died(&mut self, phase: Phase, promised: &[Promised], tail: Tail) {
        self.rounds += 1;
        self.count(&format!("{phase:?}").to_lowercase());
        let refused: u64 = promised.iter().map(|now| now.refused).sum();
        self.refused += refused;
        let seen = [
            ("with a full ring", refused > 0),
            ("torn line", tail.torn > 0),
            ("in rotation", tail.rotating),
            ("in key rotation", tail.rekeying),
            ("in a replacement", tail.replacing),
        ];
        seen.iter().filter(|(_, is)| *is).for_each(|(what, _)| self.count(what));
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Totals { rounds, trails, events, refused, deaths } = self;
        write!(f, "{rounds} rounds, {events} events, {refused} refused, {trails} trails proven; ")?;
        let deaths: Vec<String> = deaths.iter().map(|(what, n)| format!("{what} {n}")).collect();
        write!(f, "deaths: {}", deaths.join(", "))
    }
}

/// Runs the campaign; `program life …` must run [`Life::live`].
///
/// # Errors
/// The first thing that was wrong, with the seed and the trail.
pub fn run(program: &Path, options: &Options) -> Result<Totals, String> {
    let dir = options.work_dir("crash")?;
    let rounds = options.rounds_or(ROUNDS);
    let totals = side_by_side(options.jobs, |job| {
        let share = rounds / options.jobs + u64::from(job < rounds % options.jobs);
        let mut totals = Totals::default();
        let mut told = Instant::now();
        for trail in 0.. {
            let left = share - totals.rounds;
            if left == 0 {
                break;
            }
            let seed = derive(options.seed, job, trail);
            let work = Work { program, dir: dir.join(format!("{job}-{trail}")), seed };
            one_trail(&work, left.min(LIVES), options, &mut totals).map_err(|error| {
                format!(
                    "crash --seed {}, job {job}, trail {trail}: {error}\nthe trail is kept in {}",
                    options.seed,
                    work.dir.display()
                )
            })?;
            if told.elapsed() > Duration::from_secs(30) {
                eprintln!("job {job}: {totals}");
                told = Instant::now();
            }
        }
        Ok(totals)
    })?;
    remove(&dir)?;
    Ok(totals)
}

/// Runs `job` once a number on a thread each, and adds up.
pub(crate) fn side_by_side(
    jobs: u64,
    job: impl Fn(u64) -> Result<Totals, String> + Sync,
) -> Result<Totals, String> {
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        let job = &job;
        let threads: Vec<_> = (0..jobs).map(|n| scope.spawn(move || job(n))).collect();
        threads.into_iter().try_for_each(|thread| {
            totals.add(thread.join().map_err(|_| "a job panicked")??);
            Ok::<_, String>(())
        })
    })?;
    Ok(totals)
}

pub(crate) fn remove(dir: &Path) -> Result<(), String> {
    std::fs::remove_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}

struct Work<'a> {
    program: &'a Path,
    dir: PathBuf,
    seed: u64,
}

/// When a life is to end.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// So long after its start.
    Start(Duration),
    /// So long after it has opened the trail.
    Open(Duration),
    /// It shuts down, or kills itself, at an event of its own.
    Itself,
}

fn aim(rng: &mut Rng, plan: &Plan) -> Aim {
    // Half of the moments are in the first millisecond, where most things begin.
    let longest = [1_000, 1_000, 12_000, 24_000][rng.between(0, 3)];
    let short = Duration::from_micros(rng.below(longest));
    match rng.below(16) {
        0..5 => Aim::Start(short),
        5 if plan.events < u64::MAX => Aim::Itself,
        _ if plan.dies_at < plan.events => Aim::Itself,
        _ => Aim::Open(short),
    }
}

fn one_trail(
    work: &Work<'_>,
    lives: u64,
    options: &Options,
    totals: &mut Totals,
) -> Result<(), String> {
    let io = |e: std::io::Error| format!("{}: {e}", work.dir.display());
    std::fs::create_dir_all(&work.dir).map_err(io)?;
    let trail = work.dir.join("trail");
    let mut rng = Rng::new(work.seed);
    let mut oracle = Oracle::new(&trail, options.promise);
    for number in 0..lives {
        let acks_path = work.dir.join("acks");
        let acks = Acks::create(&acks_path).map_err(io)?;
        let seed = derive(work.seed, 2, number);
        let plan = Plan::new(seed, false);
        let life = Life { trail: trail.clone(), acks: acks_path, number, seed, gentle: false };
        let context = |error| format!("life {number} ({plan:?}): {error}");
        let opened = one_life(work, &life, aim(&mut rng, &plan)).map_err(context)?;
        let promised = acks.promised().map_err(io)?;
        let phase = acks.phase().map_err(io)?;
        let tail = oracle.after_death(number, promised.clone()).map_err(context)?;
        totals.died(phase, &promised, tail);
        if opened {
            oracle.after_opening(number).map_err(context)?;
        }
    }
    oracle.finish(lives)?;
    totals.events += oracle.events;
    totals.trails += 1;
    remove(&work.dir)
}

/// True if the trail was open before the end.
fn one_life(work: &Work<'_>, life: &Life, aim: Aim) -> Result<bool, String> {
    let mut child = Watched::start(work.program, life, work.dir.join("errors"))?;
    let mut opened = false;
    match aim {
        Aim::Start(after) => {
            child.stirs_within(after)?;
        }
        Aim::Open(after) => {
            opened = child.opens()?;
            child.ends_within(after)?;
        }
        Aim::Itself => {
            opened = child.opens()?;
            if !child.ends_within(PATIENCE)? {
                return Err(format!("does not end within {PATIENCE:?}"));
            }
            // Its standard output is closed, and the process is about to be gone.
            return child.ended().map(|()| opened);
        }
    }
    Ok(child.kill()? || opened)
}

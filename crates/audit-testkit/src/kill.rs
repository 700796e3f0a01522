//! The kill oracle: a process that is killed at any moment loses nothing it called durable.
//!
//! What must stay true here: the child counts an event only after its receipt said durable, in a
//! file of its own that needs no sync because only the process dies; the parent then finds every
//! counted event exactly once, in its thread's order.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use audit_logging::{AuditConfig, AuditLogger, AuditMode, FlushMode};

use crate::read::read_dir;
use crate::{Rng, TestEvent};

/// Threads of the child.
pub const THREADS: usize = 4;
/// Variable that tells a test binary to be the child, with the trail's directory.
pub const DIR_VARIABLE: &str = "KILL_ORACLE_DIR";
/// Variable with the number of the child's life.
pub const LIFE_VARIABLE: &str = "KILL_ORACLE_LIFE";

/// How the oracle writes.
#[must_use]
pub fn config(dir: &Path) -> AuditConfig {
    AuditConfig {
        mode: AuditMode::Local { base_dir: dir.join("trail") },
        flush_mode: FlushMode::Immediate,
        ..AuditConfig::new("kill-oracle")
    }
}

/// The child: emits until it is killed. Returns when the variables are not set.
pub fn child_if_asked() {
    let (Some(dir), Ok(life)) = (std::env::var_os(DIR_VARIABLE), std::env::var(LIFE_VARIABLE))
    else {
        return;
    };
    let dir = std::path::PathBuf::from(dir);
    let logger = AuditLogger::new(config(&dir)).expect("the trail opens");
    println!("open");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (logger, dir, life) = (&logger, &dir, &life);
            scope.spawn(move || {
                let path = dir.join(format!("count-{thread}"));
                let mut counts =
                    std::fs::File::options().create(true).append(true).open(path).unwrap();
                for n in 0u64.. {
                    let label = format!("{thread}/{life}/{n}");
                    let receipt = logger.emit(TestEvent::routine(&label)).expect("accepted");
                    if n % 3 == 0 {
                        receipt.wait_durable().expect("durable");
                        counts.write_all(format!("{label}\n").as_bytes()).unwrap();
                    }
                }
            });
        }
    });
}

/// Kills `rounds` children of `command` at moments chosen by `seed`, and checks after each.
/// `command` must run [`child_if_asked`]. Returns how many acknowledged events were found again.
///
/// # Errors
/// What was lost, repeated or out of order, with the seed and the round.
pub fn run(
    rounds: u64,
    seed: u64,
    dir: &Path,
    command: &dyn Fn() -> Command,
) -> Result<u64, String> {
    let mut rng = Rng::new(seed);
    let mut found = 0;
    for round in 0..rounds {
        let lasts = Duration::from_micros(rng.below(40_000));
        one_round(round, lasts, dir, command)
            .and_then(|()| check(dir))
            .map(|n| found = n)
            .map_err(|error| format!("kill oracle, seed {seed}, round {round}: {error}"))?;
    }
    Ok(found)
}

fn one_round(
    round: u64,
    lasts: Duration,
    dir: &Path,
    command: &dyn Fn() -> Command,
) -> Result<(), String> {
    let mut child = command()
        .env(DIR_VARIABLE, dir)
        .env(LIFE_VARIABLE, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("the child does not start: {e}"))?;
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let opens = lines.any(|line| line.is_ok_and(|line| line.ends_with("open")));
    // The moment of the kill is what is random here; nothing is waited *for*.
    let end = Instant::now() + lasts;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    child.kill().map_err(|e| format!("kill: {e}"))?;
    child.wait().map_err(|e| format!("wait: {e}"))?;
    if opens { Ok(()) } else { Err("the child did not open the trail".to_owned()) }
}

fn check(dir: &Path) -> Result<u64, String> {
    let logger = AuditLogger::new(config(dir)).map_err(|e| format!("does not open: {e}"))?;
    logger.shutdown_blocking().map_err(|e| format!("does not close: {e}"))?;
    let lines = read_dir(&dir.join("trail"));
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (place, label) in lines.iter().enumerate().filter_map(|(i, l)| Some((i, l.label()?))) {
        if places.insert(label, place).is_some() {
            return Err(format!("{label} stands twice"));
        }
        let mut parts = label.split('/');
        let thread = parts.next().unwrap_or_default();
        let mut number = || parts.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let at = (number(), number());
        if last.insert(thread, at).is_some_and(|before| before >= at) {
            return Err(format!("{label} is out of its thread's order"));
        }
    }
    let mut found = 0;
    for thread in 0..THREADS {
        let Ok(text) = std::fs::read_to_string(dir.join(format!("count-{thread}"))) else {
            continue;
        };
        // The last line may be half written.
        for label in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            if !places.contains_key(label) {
                return Err(format!("{label} was durable and is gone"));
            }
            found += 1;
        }
    }
    Ok(found)
}

//! Figures of a long trail: `figures open DIR`, `figures prove DIR`, and what sealing costs:
//! `figures seal EVENTS PAIRS`. `open` writes to the trail: give it a copy.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use audit_logging::{AuditConfig, AuditLogger, AuditMode, OverflowPolicy};
use audit_reader::{DirSource, prove};
use audit_testkit::{Rng, month};

const TIMES: usize = 15;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["open", dir] => open(Path::new(dir)),
        ["prove", dir] => proofs(Path::new(dir)),
        ["seal", events, pairs] => match (events.parse(), pairs.parse()) {
            (Ok(events), Ok(pairs)) => seal(events, pairs),
            _ => Err("EVENTS and PAIRS are numbers".into()),
        },
        _ => Err("usage: figures open DIR | prove DIR | seal EVENTS PAIRS".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            2.into()
        }
    }
}

fn config(dir: &Path, seal_interval_ms: u64) -> AuditConfig {
    AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        overflow: OverflowPolicy::Wait { limit_ms: 600_000 },
        seal_interval_ms,
        ..AuditConfig::new(month::SERVICE)
    }
}

/// Prints the spread of some times.
fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
    println!("{what}: min {:.2}, median {:.2}, max {:.2} ms", at(0), at(50), at(100));
}

fn open(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let logger = AuditLogger::new(config(dir, 500))?;
        times.push(begun.elapsed());
        logger.shutdown_blocking()?;
    }
    tell("opening for writing", times);
    Ok(())
}

fn proofs(dir: &Path) -> Result<(), Box<dyn Error>> {
    let source = DirSource::open(dir)?;
    let checkpoint = std::fs::read_to_string(dir.join("checkpoint"))?;
    let size = checkpoint.lines().nth(1).ok_or("no size")?.parse()?;
    let (mut rng, mut times, mut bytes) = (Rng::new(1), Vec::new(), 0);
    for _ in 0..TIMES {
        let seq = rng.below(size);
        let begun = Instant::now();
        let evidence = prove(&source, seq)?;
        times.push(begun.elapsed());
        bytes = evidence.proof.to_string().len();
    }
    tell(&format!("proof of one of {size} entries, with its key history, {bytes} bytes"), times);
    Ok(())
}

/// Pairs of the same run, sealed twice a second and once in a minute; and the processor's time that
/// the sealer took, which is the whole of its cost where nothing is idle.
fn seal(events: u64, pairs: u64) -> Result<(), Box<dyn Error>> {
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let mut rates = [0.0; 2];
        // Which of the two comes first makes a difference.
        for turn in 0..2 {
            let seldom = (turn + pair) % 2 == 0;
            let dir = tempfile::tempdir_in(".")?;
            let interval = if seldom { 60_000 } else { 500 };
            let logger = AuditLogger::new(config(&dir.path().join("trail"), interval))?;
            let begun = Instant::now();
            month::flood(&logger, events, 1)?;
            logger.flush_blocking()?;
            let took = begun.elapsed().as_secs_f64();
            let (all, sealer) = processor_time()?;
            logger.shutdown_blocking()?;
            rates[usize::from(seldom)] = events as f64 / took;
            let share = sealer * 100.0 / all;
            println!(
                "seal every {interval:>6} ms: {:>9.0} events/s; the sealer took {share:.1} % of the processor's time",
                events as f64 / took
            );
        }
        ratios.push(rates[0] / rates[1]);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    println!("often / seldom: median {:.3} of {ratios:.3?}", ratios[ratios.len() / 2]);
    Ok(())
}

/// Ticks of this process's threads, and of the sealer among them.
fn processor_time() -> Result<(f64, f64), Box<dyn Error>> {
    let (mut all, mut sealer) = (0.0, 0.0);
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        let (head, rest) = stat.rsplit_once(')').ok_or("no name in stat")?;
        let mut fields = rest.split_whitespace().skip(11);
        let mut next = || fields.next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let ticks = next() + next();
        all += ticks;
        if head.ends_with("audit-sealer") {
            sealer += ticks;
        }
    }
    Ok((all, sealer))
}

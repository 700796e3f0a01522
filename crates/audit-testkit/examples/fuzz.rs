//! Long form of the fuzz targets, seeded: `fuzz ROUNDS SEED [TARGET]`.

use std::process::ExitCode;
use std::time::Instant;

use audit_testkit::fuzz::{TARGETS, run};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    let (Some(rounds), Some(seed)) = (number(0), number(1)) else {
        eprintln!("usage: fuzz ROUNDS SEED [TARGET]");
        return 2.into();
    };
    let wanted = |name: &str| args.get(2).is_none_or(|target| target == name);
    let mut ran = 0;
    for target in TARGETS.iter().filter(|(name, _)| wanted(name)) {
        let begun = Instant::now();
        match run(*target, rounds, seed) {
            Ok(done) => {
                println!("{:<12}{done} inputs in {:.1} s", target.0, begun.elapsed().as_secs_f64())
            }
            Err(error) => {
                eprintln!("{error}");
                return 1.into();
            }
        }
        ran += 1;
    }
    if ran == 0 {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("no such target; there are {}", names.join(", "));
        return 2.into();
    }
    ExitCode::SUCCESS
}

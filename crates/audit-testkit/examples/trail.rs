//! Writes a month of a service's life into a new trail: `trail ENTRIES SEED DIR`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use audit_testkit::month;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [entries, seed, dir] = args.as_slice() else { return usage() };
    let (Ok(entries), Ok(seed)) = (entries.parse(), seed.parse()) else { return usage() };
    let dir = Path::new(dir);
    if dir.join("trail.json").exists() {
        eprintln!("{}: there is a trail already; give another directory", dir.display());
        return 2.into();
    }
    let begun = Instant::now();
    let mut said = 0;
    let written = month::write(dir, entries, seed, |done| {
        if done >= said + entries / 10 {
            said = done;
            eprintln!("{done} of {entries}");
        }
    });
    let took = begun.elapsed().as_secs_f64();
    match written {
        Ok(()) => println!("{entries} events in {took:.1} s: {}", dir.display()),
        Err(error) => {
            eprintln!("{}: {error}", dir.display());
            return 2.into();
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: trail ENTRIES SEED DIR");
    2.into()
}

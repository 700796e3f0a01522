//! The durability battery: `battery crash|… [options]`, as `cargo xtask` runs it.
//!
//! What must stay true here: thin. A campaign's closing line goes to standard output, with what it
//! was told; a finding is exit code 1, a wrong command line 2.

use std::path::Path;
use std::process::ExitCode;

use audit_testkit::life::Life;
use audit_testkit::options::{Options, USAGE};
use audit_testkit::{crash, power, sim, sweep};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "life" => Life::from_args(&args).and_then(|life| life.live()).map(|()| String::new()),
        "crash" => campaign(&command, args, |program, options| {
            crash::run(program, options).map(|totals| totals.to_string())
        }),
        "power" => campaign(&command, args.clone(), |program, options| {
            Ok(match power::run(program, &args, options)? {
                power::Outcome::Ran(totals) => totals.to_string(),
                power::Outcome::Skipped(why) => format!("SKIPPED: {why}"),
            })
        }),
        "act" | "leave" => {
            let trail = args.first().map_or(Path::new(""), Path::new);
            let life = if command == "act" { sweep::act } else { sweep::leave };
            life(trail).map(|()| String::new())
        }
        "sim" => campaign(&command, args, |_, options| {
            sim::campaign(options).map(|summary| summary.to_string())
        }),
        "sweep" => campaign(&command, args, |program, options| match sweep::hindrance() {
            Some(why) => Ok(format!("SKIPPED: {why}")),
            None => sweep::run(program, options).map(|swept| swept.to_string()),
        }),
        _ => {
            eprintln!("battery crash|power|sweep [options]\n{USAGE}");
            return 2.into();
        }
    };
    match outcome {
        Ok(text) => {
            print!("{text}");
            0.into()
        }
        Err(error) => {
            eprintln!("{error}");
            1.into()
        }
    }
}

fn campaign(
    name: &str,
    args: Vec<String>,
    run: impl Fn(&Path, &Options) -> Result<String, String>,
) -> Result<String, String> {
    let options = Options::parse(args)?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let begun = std::time::Instant::now();
    let closing = run(&program, &options)?;
    let Options { seed, promise, dir, .. } = &options;
    Ok(format!(
        "{name}: no finding; seed {seed}, promise {promise:?}, in {}, {:.0} s; {closing}\n",
        dir.display(),
        begun.elapsed().as_secs_f64(),
    ))
}

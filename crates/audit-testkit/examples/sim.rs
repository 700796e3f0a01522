//! Long form of the simulated crashes: `sim ROUNDS SEED`.

fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let (Some(Ok(rounds)), Some(Ok(seed))) = (args.next(), args.next()) else {
        eprintln!("usage: sim ROUNDS SEED");
        return 2.into();
    };
    match audit_testkit::sim::run(rounds, seed) {
        Ok(summary) => {
            println!("{summary:?}");
            0.into()
        }
        Err(error) => {
            eprintln!("{error}");
            1.into()
        }
    }
}

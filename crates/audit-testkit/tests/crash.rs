//! The kill oracle, short form.

use std::path::Path;

use audit_testkit::crash;
use audit_testkit::options::Options;

#[test]
fn killed_at_any_moment_nothing_promised_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options { rounds: 80, seed: 4_711, dir: dir.path().to_owned(), ..Options::default() };
    let program = Path::new(env!("CARGO_BIN_EXE_battery"));
    let totals = crash::run(program, &options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((totals.rounds, totals.trails), (80, 2), "{totals}");
    assert!(totals.events > 1_000, "{totals}");
    for phase in ["opening", "emitting"] {
        assert!(totals.deaths.contains_key(phase), "no death while {phase}: {totals}");
    }
}

//! The system-call sweep, short form: some faults of every storage call.

use std::path::Path;

use audit_testkit::options::Options;
use audit_testkit::sweep;

#[test]
fn storage_calls_that_fail_make_no_acknowledgement_untrue() {
    if let Some(why) = sweep::hindrance() {
        eprintln!("SKIPPED: system-call sweep: {why}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options { rounds: 75, seed: 20_261_125, dir: dir.path().to_owned(), ..Options::default() };
    let program = Path::new(env!("CARGO_BIN_EXE_battery"));
    let swept = sweep::run(program, &options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(swept.runs, 75, "{swept}");
    assert!(swept.faults > 1_000 && swept.acknowledged > 100, "{swept}");
    for call in ["openat", "pwrite64", "fdatasync", "fsync", "renameat", "fallocate", "mmap"] {
        assert!(swept.calls.contains_key(call), "no {call}: {swept}");
    }
}

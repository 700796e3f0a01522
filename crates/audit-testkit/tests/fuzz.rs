//! The short form of the fuzz targets: seeded, in every test run, without libFuzzer.

#![allow(clippy::panic, reason = "a broken promise is a failed test")]

use std::collections::BTreeSet;

use audit_testkit::fuzz::{TARGETS, corpus, run, target};

#[test]
fn every_target_keeps_its_promise_on_its_corpus_and_on_what_is_near_it() {
    for &(name, body) in TARGETS {
        corpus(name).iter().for_each(|input| target(name, input));
        // Each input of a ring is a trail that is opened.
        let wanted = if name == "ring" { 150 } else { 3_000 };
        let rounds =
            run((name, body), wanted, 20_261_125).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rounds, wanted);
    }
}

#[test]
fn each_target_has_its_program() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let Ok(files) = std::fs::read_dir(&dir) else { panic!("{} is missing", dir.display()) };
    let programs: BTreeSet<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(programs, targets);
}

#[test]
fn a_broken_promise_names_the_seed_and_the_input() {
    let broken: fn(&[u8]) = |bytes| assert!(bytes.len() > 40, "too short");
    let error = run(("tile", broken), 1_000, 5).expect_err("it must be found");
    assert!(error.contains("--seed 5 --rounds") && error.contains("--target tile"), "{error}");
}

//! Derived files that lie: they hide nothing, and most lies are named.

use std::fs;

use audit_core::note::Signer;
use audit_reader::{Report, Verdict, VerifyOptions, verify_dir};
use audit_testkit::{Rng, trails};

use crate::{below, first_key, memory, rounds, seed, verify_pinned};

/// What only the entries and the seal may decide.
fn facts(report: &Report) -> (u64, Option<u64>, Option<u64>, Option<String>) {
    (report.entries, report.last_seq, report.sealed_size, report.root.clone())
}

#[test]
fn derived_files_at_random_change_nothing_that_is_proven() {
    let (rounds, first) = (rounds(120), seed());
    let temp = memory();
    let dir = temp.path().join("trail");
    let mut making = first;
    let names = loop {
        trails::clean(&dir, &mut Rng::new(making));
        making += 1;
        let names: Vec<String> = fs::read_dir(&dir)
            .unwrap()
            .map(|item| item.unwrap().file_name().into_string().unwrap())
            .filter(|n| n.ends_with(".sha256") || n == "manifest.json" || n == "tree.hashes")
            .collect();
        if names.len() > 3 {
            break names;
        }
    };
    let key = first_key(&dir);
    let honest = facts(&verify_pinned(&dir, &key));
    let mut named = 0;
    for seed in first..first + rounds {
        let mut rng = Rng::new(seed);
        let name = &names[below(&mut rng, names.len())];
        let path = dir.join(name);
        let before = fs::read(&path).unwrap();
        let mut lie = before.clone();
        match rng.below(6) {
            0 => lie.clear(),
            1 => lie.truncate(below(&mut rng, before.len())),
            2 => lie.extend_from_slice(&[7; 64]),
            3 => lie = fs::read(dir.join(&names[below(&mut rng, names.len())])).unwrap(),
            4 => lie = (0..rng.below(5_000)).map(|_| rng.next_u64().to_le_bytes()[0]).collect(),
            _ => {
                for _ in 0..rng.between(1, 9) {
                    let at = below(&mut rng, lie.len());
                    lie[at] = rng.next_u64().to_le_bytes()[0];
                }
            }
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, lie).unwrap();
        let report = verify_pinned(&dir, &key);
        assert_eq!(facts(&report), honest, "seed {seed}: {name}");
        named += u64::from(report.verdict == Verdict::Violated);
        fs::write(&path, before).unwrap();
    }
    println!(
        "tamper: derived files corrupted: {rounds} tried, {named} named, 0 changed what is proven"
    );
    assert!(named * 2 > rounds, "{named} of {rounds}");
    assert_eq!(verify_pinned(&dir, &key).verdict, Verdict::Proven);
}

/// The key of another log, whatever else it says, proves nothing.
#[test]
fn another_first_key_is_never_believed() {
    let temp = memory();
    let dir = temp.path().join("trail");
    trails::clean(&dir, &mut Rng::new(seed()));
    let stranger = crate::common::key(9).verifier_key().clone();
    let report = verify_dir(&dir, VerifyOptions::default().with_key(stranger)).unwrap();
    assert_eq!(report.verdict, Verdict::Violated);
}

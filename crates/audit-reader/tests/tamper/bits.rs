//! Every bit of a trail of 64 KiB that the real writer wrote: segments and sealed files.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use audit_reader::Verdict;
use audit_testkit::{Rng, trails};
use serde_json::Value;

use crate::{first_key, is_long, memory, seed, tell, verify_pinned};

/// A trail of 64 KiB or more with several segments, some of them closed.
fn trail(dir: &Path) -> (String, Vec<PathBuf>) {
    for seed in seed().. {
        trails::clean(dir, &mut Rng::new(seed));
        let bytes: u64 = segments(dir).iter().map(|path| path.metadata().unwrap().len()).sum();
        if bytes >= 64 << 10 && segments(dir).len() > 1 {
            return (first_key(dir), segments(dir));
        }
    }
    unreachable!("seeds do not end")
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "audit"))
        .collect();
    found.sort();
    found
}

/// Flips every `stride`-th bit of a file, verifies, and puts it back; gives (tried, found, not found).
fn flip(dir: &Path, key: &str, path: &Path, stride: usize) -> (u64, u64, Vec<usize>) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let honest = fs::read(path).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    let (mut tried, mut found, mut missed) = (0, 0, Vec::new());
    for bit in (0..honest.len() * 8).step_by(stride) {
        let (at, mask) = (bit / 8, 1 << (bit % 8));
        file.write_all_at(&[honest[at] ^ mask], at as u64).unwrap();
        tried += 1;
        if verify_pinned(dir, key).verdict == Verdict::Violated {
            found += 1;
        } else {
            missed.push(bit);
        }
        file.write_all_at(&[honest[at]], at as u64).unwrap();
    }
    (tried, found, missed)
}

#[test]
fn every_bit_of_every_segment_counts() {
    let temp = memory();
    let (key, segments) = trail(&temp.path().join("trail"));
    // A prime, so that every place in a byte is met.
    let stride = if is_long() { 1 } else { 1_009 };
    // Each half by a thread of its own, on a copy of its own.
    let halves: Vec<Vec<PathBuf>> = vec![
        segments.iter().step_by(2).cloned().collect(),
        segments.iter().skip(1).step_by(2).cloned().collect(),
    ];
    let counts = std::thread::scope(|scope| {
        let work = |(number, half): (usize, Vec<PathBuf>)| {
            let (temp, key) = (temp.path().to_owned(), key.clone());
            scope.spawn(move || {
                let dir = temp.join(format!("copy{number}"));
                copy(&temp.join("trail"), &dir);
                let each = half
                    .iter()
                    .map(|path| flip(&dir, &key, &dir.join(path.file_name().unwrap()), stride));
                each.fold((0, 0), |sum, (tried, found, missed)| {
                    assert!(missed.is_empty(), "bytes {missed:?}");
                    (sum.0 + tried, sum.1 + found)
                })
            })
        };
        let running: Vec<_> = halves.into_iter().enumerate().map(work).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let (tried, found) = counts.iter().fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
    tell("bits of the segments", tried, found);
}

#[test]
fn every_bit_of_every_sealed_and_derived_file_counts() {
    let temp = memory();
    let dir = temp.path().join("trail");
    let (key, _) = trail(&dir);
    let mut names: Vec<String> = fs::read_dir(&dir)
        .unwrap()
        .map(|item| item.unwrap())
        .filter(|item| item.file_type().unwrap().is_file())
        .map(|item| item.file_name().into_string().unwrap())
        // Who holds the trail, and how the service was set up: neither says anything about entries.
        .filter(|name| name != "lock" && name != "settings.json" && !name.ends_with(".audit"))
        .collect();
    names.sort();
    assert!(names.iter().any(|name| name == "checkpoint"), "{names:?}");
    let stride = if is_long() { 1 } else { 61 };
    for name in names {
        let honest = fs::read_to_string(dir.join(&name)).unwrap_or_default();
        let (tried, found, missed) = flip(&dir, &key, &dir.join(&name), stride);
        let lies = |bit: &usize| {
            let mut lie = honest.clone().into_bytes();
            lie[bit / 8] ^= 1 << (bit % 8);
            let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
            !json(honest.as_bytes())
                .is_ok_and(|honest| json(&lie).is_ok_and(|lie| says_no_more("", &honest, &lie)))
        };
        let place = |bit: usize| honest[..=bit / 8].rsplit('\n').next().unwrap().to_owned();
        let places: Vec<String> = missed.into_iter().filter(lies).map(place).collect();
        assert!(places.is_empty(), "{name}: not found: {places:#?}");
        println!(
            "tamper: bits of {name}: {tried} tried, {found} found, the rest says nothing that is held against the entries"
        );
        if name == "checkpoint" || name == "tree.hashes" || name.ends_with(".sha256") {
            tell(&format!("bits of {name}"), tried, found);
        }
    }
    assert_eq!(verify_pinned(&dir, &key).verdict, Verdict::Proven);
}

/// Whether a changed `manifest.json` or `trail.json` tells nothing that the honest one does not: a
/// member that is gone or that nobody knows, digits in capitals, a time of day, which no entry tells,
/// or the row of the segment that is open, which may say less than there is.
fn says_no_more(member: &str, honest: &Value, lie: &Value) -> bool {
    match (honest, lie) {
        (Value::Object(honest), Value::Object(lie)) => {
            honest.get("sha256") == Some(&Value::Null)
                || lie.iter().all(|(name, value)| {
                    honest.get(name).is_none_or(|honest| says_no_more(name, honest, value))
                })
        }
        (Value::Array(honest), Value::Array(lie)) => {
            let each = || honest.iter().zip(lie).all(|(a, b)| says_no_more(member, a, b));
            honest.len() == lie.len() && each()
        }
        (Value::String(honest), Value::String(lie)) => {
            member.ends_with("_at") || honest.eq_ignore_ascii_case(lie)
        }
        _ => honest == lie,
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        if item.file_type().unwrap().is_file() {
            fs::copy(item.path(), to.join(item.file_name())).unwrap();
        }
    }
}

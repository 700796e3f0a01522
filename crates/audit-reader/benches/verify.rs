//! How many entries a second one core verifies, and two: `cargo bench -p audit-reader`, with the raw
//! SHA-256 rate of the same run. Processor time is given beside the time that passed: on a machine with
//! other work to do it is the one that says something.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use audit_core::chain::{Hash, HashedLine, Head, leaf_hash};
use audit_core::checkpoint::Checkpoint;
use audit_core::entry::Parser;
use audit_core::note::{SignatureType, Signer, SigningKey};
use audit_core::plan;
use audit_core::tree::Frontier;
use audit_core::verify::Scanner;
use audit_reader::{Verdict, VerifyOptions, verify_dir};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

const ENTRIES: u64 = 1_000_000;
const SEGMENTS: u64 = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path();
    let (sample, hashes) = generate(path)?;
    let lines: Vec<&[u8]> = sample.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).collect();
    println!("{ENTRIES} entries of {} bytes", sample.len() / lines.len());
    measure("raw SHA-256, all bytes", lines.len(), || {
        black_box(Sha256::digest(&sample));
    });

    let mut parser = Parser::default();
    measure("parse", lines.len(), || {
        for line in &lines {
            black_box(parser.parse(line).is_ok());
        }
    });
    measure("leaf hash", lines.len(), || {
        for line in &lines {
            black_box(leaf_hash(line));
        }
    });
    // How much two cores are worth on this machine, right now.
    measure("leaf hash, two at once", 2 * lines.len(), || {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for line in &lines {
                        black_box(leaf_hash(line));
                    }
                });
            }
        });
    });
    measure("parse, hash, subtrees", lines.len(), || {
        let (watched, mut items) = (BTreeSet::new(), Vec::new());
        let mut scanner = Scanner::new(&watched, ());
        for line in &lines {
            black_box(scanner.line(0, &HashedLine::new(line), &mut items).is_some());
        }
    });
    let total = usize::try_from(ENTRIES)?;
    measure("verify_dir", total, || verify(path, 1));
    measure("verify_dir, two jobs", total, || verify(path, 2));
    for segment in 0..SEGMENTS {
        let name = name(segment);
        let digest = Hash(Sha256::digest(std::fs::read(path.join(&name))?).into());
        std::fs::write(path.join(format!("{name}.sha256")), format!("{digest}  {name}\n"))?;
    }
    measure("with .sha256", total, || verify(path, 1));
    measure("with .sha256, two jobs", total, || verify(path, 2));
    std::fs::write(path.join("tree.hashes"), hashes)?;
    measure("and tree.hashes", total, || verify(path, 1));
    measure("and tree.hashes, two jobs", total, || verify(path, 2));
    Ok(())
}

fn verify(path: &Path, jobs: usize) {
    let report = verify_dir(path, VerifyOptions::default().with_jobs(jobs));
    assert!(report.is_ok_and(|report| report.verdict == Verdict::Proven));
}

/// The best of three, as the machine has other things to do.
fn measure(what: &str, entries: usize, mut run: impl FnMut()) {
    let (mut best, mut least) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let (began, used) = (Instant::now(), processor_seconds());
        run();
        best = best.min(began.elapsed().as_secs_f64());
        least = least.min(processor_seconds() - used);
    }
    let each = |seconds: f64| seconds * 1e9 / entries as f64;
    let (ns, cpu, rate) = (each(best), each(least), entries as f64 / best);
    println!("{what:<26} {ns:>6.0} ns an entry, {cpu:>6.0} of processor {rate:>10.0} entries/s");
}

/// Processor time of all threads so far.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn name(segment: u64) -> String {
    format!("2026-11-2{segment}.audit")
}

/// Writes the trail; gives its first entries and the stored hashes.
fn generate(path: &Path) -> Result<(Vec<u8>, Vec<u8>), Box<dyn std::error::Error>> {
    let key = SigningKey::from_seed(SignatureType::Ed25519, "o", &[1; 32])?;
    let vkey = key.verifier_key().to_string();
    let (mut tree, mut hashes) = (Frontier::new(), Vec::new());
    let mut head = Head::EMPTY;
    let mut sample = Vec::new();
    let trail_id = "01932c05-aa00-7000-8000-00000000aaaa";
    let info = serde_json::json!({"format": "audit-trail/1", "trail_id": trail_id, "origin": "o",
        "service_id": "billing-api", "created_at": "", "hash": "sha256", "initial_key": vkey});
    std::fs::write(path.join("trail.json"), info.to_string())?;
    for segment in 0..SEGMENTS {
        let mut out = Vec::new();
        for seq in head.next_seq..head.next_seq + ENTRIES / SEGMENTS {
            plan::append_line(&mut out, &mut head, body(seq, trail_id, &vkey).as_bytes());
            tree.push_with(head.last_hash, |hash| hashes.extend_from_slice(&hash.0));
        }
        if segment == 0 {
            sample = out[..out.len() / 4].to_vec();
            sample.truncate(sample.iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
        }
        std::fs::write(path.join(name(segment)), out)?;
    }
    let checkpoint = Checkpoint::new("o", tree.size(), tree.root()).sign(&key)?;
    std::fs::write(path.join("checkpoint"), checkpoint.to_string())?;
    Ok((sample, hashes))
}

fn body(seq: u64, trail_id: &str, vkey: &str) -> String {
    let stamp = format!(
        r#""audit_id":"01932c05-aa01-7000-8000-{seq:012x}","timestamp":"2026-11-23T06:54:00.{seq:09}Z","service_id":"billing-api""#
    );
    if seq == 0 {
        return format!(
            r#"{stamp},"event_type":"audit.trail_created","result":"success","details":{{"format":"audit-trail/1","trail_id":"{trail_id}","origin":"o","initial_key":"{vkey}"}}"#
        );
    }
    format!(
        r#"{stamp},"event_type":"pool.deleted","actor":{{"user_id":"user-{seq}@example.com","ip":"192.0.2.2"}},"resource":{{"resource_type":"pool","resource_id":"p-{seq}"}},"result":"success","details":{{"model":"l-8b","n":2}}"#
    )
}

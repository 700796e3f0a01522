//! What somebody does who recomputes hashes, holds a key, or puts old files back.

use std::fs;

use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::plan;
use audit_core::tree::Frontier;
use audit_reader::{FindingKind, Report, Verdict, VerifyOptions, verify_dir};
use audit_testkit::Rng;

use crate::common::{Trail, key};
use crate::{below, rounds, seed, tell};
use audit_core::note::Signer;

const ONE: &str = "2026-11-23.audit";
const TWO: &str = "2026-11-24.audit";

/// Some entries in two segments, with a rotation between; and the number of those before it.
fn trail(rng: &mut Rng) -> (Trail, u64) {
    let mut trail = Trail::new();
    let first = 3 + rng.below(20);
    trail.write(ONE, first);
    trail.rotate(TWO);
    trail.write(TWO, 2 + rng.below(20));
    (trail, first)
}

fn verify(trail: &Trail, references: &[SignedCheckpoint]) -> Report {
    let mut options = VerifyOptions::default().with_key(key(0).verifier_key().clone());
    for (number, reference) in references.iter().enumerate() {
        options = options.with_reference(format!("kept {number}"), reference.clone());
    }
    verify_dir(trail.path(), options.with_jobs(1)).unwrap()
}

fn has(report: &Report, kind: FindingKind) -> bool {
    report.verdict == Verdict::Violated && report.findings.counts().contains_key(&kind)
}

fn lines(trail: &Trail, segment: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(trail.file(segment)).unwrap();
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Runs an attack so many times; what it gives is what was to be found.
fn campaign(what: &str, few: u64, attack: fn(&mut Rng) -> (Report, FindingKind)) {
    let (rounds, first) = (rounds(few), seed());
    for seed in first..first + rounds {
        let (report, kind) = attack(&mut Rng::new(seed));
        assert!(has(&report, kind), "{what}, seed {seed}: {:?}", report.findings);
    }
    tell(what, rounds, rounds);
}

/// The body of a line: what stands between `seq` and `prev_hash`.
fn body(line: &[u8]) -> String {
    let text = std::str::from_utf8(line).unwrap();
    let from = text.find("\"audit_id\"").unwrap();
    text[from..text.rfind(",\"prev_hash\"").unwrap()].to_owned()
}

#[test]
fn a_rewrite_without_the_key_has_another_root() {
    campaign("rewritten with all hashes recomputed, without a key", 60, |rng| {
        let (trail, first) = trail(rng);
        // In the first epoch the old key's word contradicts it, in the last one the checkpoint.
        let in_last = rng.one_in(2);
        let target = if in_last { first + 2 + rng.below(2) } else { 1 + rng.below(first - 1) };
        let (mut head, mut tree) = (audit_core::chain::Head::EMPTY, Frontier::new());
        let mut hashes = Vec::new();
        for segment in [ONE, TWO] {
            let mut forged = Vec::new();
            for line in lines(&trail, segment) {
                let mut body = body(&line);
                if head.next_seq == target {
                    body = body.replace("task.submitted", "task.tampered");
                }
                let hash = plan::append_line(&mut forged, &mut head, body.as_bytes());
                tree.push_with(hash, |hash| hashes.extend_from_slice(&hash.0));
            }
            fs::write(trail.file(segment), forged).unwrap();
        }
        fs::write(trail.file("tree.hashes"), hashes).unwrap();
        // A new root under the old signature, or the old one as it was.
        let mut kind =
            if in_last { FindingKind::RootMismatch } else { FindingKind::KeyRotationInvalid };
        if rng.one_in(2) {
            let honest = fs::read_to_string(trail.file("checkpoint")).unwrap();
            let (_, signature) = honest.split_once("\n\n").unwrap();
            let origin = honest.lines().next().unwrap();
            let text = Checkpoint::new(origin, tree.size(), tree.root()).to_string();
            fs::write(trail.file("checkpoint"), format!("{text}\n{signature}")).unwrap();
            kind = FindingKind::SignatureInvalid;
        }
        (verify(&trail, &[]), kind)
    });
}

#[test]
fn a_tail_cut_with_an_old_checkpoint_is_found_by_one_that_was_kept() {
    campaign("tail cut and an old checkpoint put back, a newer one kept", 60, |rng| {
        let (mut trail, _) = trail(rng);
        let old = fs::read(trail.file("checkpoint")).unwrap();
        let before = lines(&trail, TWO).len();
        trail.write(TWO, 1 + rng.below(9));
        let kept = trail.checkpoint();
        let all = lines(&trail, TWO);
        let keep = before + below(rng, all.len() - before);
        fs::write(trail.file(TWO), all[..keep].concat()).unwrap();
        // Against the newest checkpoint it is a cut.
        assert!(has(&verify(&trail, &[]), FindingKind::Truncated));
        fs::write(trail.file("checkpoint"), old).unwrap();
        fs::remove_file(trail.file("tree.hashes")).unwrap();
        // With the old one put back it is an honest old copy, to whoever kept nothing.
        let alone = verify(&trail, &[]);
        assert_eq!(alone.verdict, Verdict::Proven);
        assert!(alone.findings.counts().contains_key(&FindingKind::FreshnessUnknown));
        (verify(&trail, &[kept]), FindingKind::Rollback)
    });
}

#[test]
fn a_second_history_by_the_right_key_is_found_by_a_checkpoint_that_was_kept() {
    campaign("second history after a restored backup, a checkpoint kept", 60, |rng| {
        let (first, second) = (3 + rng.below(20), 1 + rng.below(20));
        let mut trail = Trail::of(first);
        let mut twin = Trail::of(first);
        trail.write(ONE, second);
        let kept = trail.checkpoint();
        // The twin goes on differently, beyond what was kept.
        for _ in 0..second + rng.below(9) {
            let mut line = Vec::new();
            twin.line(&mut line, "task.submitted", "{\"twin\":true}");
            twin.append(ONE, &line);
        }
        twin.seal();
        assert_eq!(verify(&twin, &[]).verdict, Verdict::Proven, "whole in itself");
        (verify(&twin, &[kept]), FindingKind::Fork)
    });
}

#[test]
fn downgrades_are_violations() {
    campaign("downgrades: stripped, empty, foreign, older and newer versions", 60, |rng| {
        let (trail, _) = trail(rng);
        let honest = fs::read_to_string(trail.file("checkpoint")).unwrap();
        let head = trail.checkpoint().unverified().clone();
        let put = |text: &str| fs::write(trail.file("checkpoint"), text).unwrap();
        let kind = match rng.below(8) {
            0 => {
                fs::remove_file(trail.file("checkpoint")).unwrap();
                FindingKind::CheckpointMissing
            }
            1 => {
                put("");
                FindingKind::CheckpointMalformed
            }
            2 => {
                put(honest.trim_end_matches('\n'));
                FindingKind::CheckpointMalformed
            }
            3 => {
                let (text, _) = honest.split_once("\n\n").unwrap();
                put(&format!("{text}\n\n"));
                FindingKind::CheckpointMalformed
            }
            4 => {
                put(&head.sign(&key(5)).unwrap().to_string());
                FindingKind::SignatureInvalid
            }
            5 => {
                // Signed by the right key, for more entries than there are.
                let future =
                    Checkpoint::new(&head.origin, head.size + 1 + rng.below(99), head.root);
                put(&future.sign(&trail.key()).unwrap().to_string());
                FindingKind::Truncated
            }
            6 => {
                // As many signatures as a note may have, and none of them by the key.
                let mut note = head.sign(&key(5)).unwrap().to_string();
                let line = note.lines().last().unwrap().to_owned();
                (1..100).for_each(|_| note += &format!("{line}\n"));
                put(&note);
                FindingKind::SignatureInvalid
            }
            _ => {
                let info = fs::read_to_string(trail.file("trail.json")).unwrap();
                let other = ["audit-trail/2", "audit-trail/0"][below(rng, 2)];
                fs::write(trail.file("trail.json"), info.replace("audit-trail/1", other)).unwrap();
                FindingKind::TrailMismatch
            }
        };
        (verify(&trail, &[]), kind)
    });
}

#[test]
fn a_line_with_two_readings_is_malformed_whatever_its_hash() {
    campaign("parser confusion, hashes, root and signature made to fit", 60, |rng| {
        let mut trail = Trail::of(3 + rng.below(9));
        // All that the holder of the key can do: the line is hashed and signed as it stands.
        let odd = [
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "{ \"a\":1}",
            "{\"a\":1 }",
            "{\"a\":01}",
            "{\"a\":\"\\u202e\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\u{2066}\"}",
            "{}",
            "[1]",
            "{\"a\":1},\"details\":{\"b\":1}",
            "{\"a\":1},\"critical\":true",
            "{\"a\":1},\"seq\":0",
            "{\"a\":nan}",
        ];
        let mut line = Vec::new();
        trail.line(&mut line, "task.submitted", odd[below(rng, odd.len())]);
        trail.append(ONE, &line);
        trail.write(ONE, rng.below(9));
        (verify(&trail, &[]), FindingKind::MalformedEntry)
    });
}

//! Trails as the writer would leave them, made with the core's own `plan`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use audit_core::chain::{Hash, Head};
use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::note::{SignatureType, Signer, SigningKey};
use audit_core::plan;
use audit_core::tree::Frontier;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const CREATED: &str = "2026-11-23T06:54:00.000000000Z";
const ORIGIN: &str = "audit.example/svc/1";
const TRAIL_ID: &str = "01932c05-aa00-7000-8000-00000000aaaa";

/// The key of an epoch.
pub(crate) fn key(epoch: u8) -> SigningKey {
    SigningKey::from_seed(SignatureType::Ed25519, ORIGIN, &[epoch + 1; 32]).unwrap()
}

/// A trail in a temporary directory, and where it ends.
#[derive(Debug)]
pub(crate) struct Trail {
    dir: TempDir,
    pub(crate) head: Head,
    frontier: Frontier,
    /// The stored hashes.
    hashes: Vec<u8>,
    epoch: u8,
}

impl Trail {
    /// `trail.json` only.
    pub(crate) fn new() -> Trail {
        let dir = TempDir::new().unwrap();
        let info = serde_json::json!({"format": "audit-trail/1", "trail_id": TRAIL_ID,
            "origin": ORIGIN, "service_id": "svc", "created_at": CREATED, "hash": "sha256",
            "initial_key": key(0).verifier_key().to_string()});
        fs::write(dir.path().join("trail.json"), info.to_string()).unwrap();
        Trail { dir, head: Head::EMPTY, frontier: Frontier::new(), hashes: Vec::new(), epoch: 0 }
    }

    /// A trail of so many entries, sealed.
    pub(crate) fn of(count: u64) -> Trail {
        let mut trail = Trail::new();
        trail.write("2026-11-23.audit", count);
        trail
    }

    /// The key in force.
    pub(crate) fn key(&self) -> SigningKey {
        key(self.epoch)
    }

    /// The perfect subtrees over all entries so far, in hex.
    pub(crate) fn subtrees(&self) -> Vec<String> {
        self.frontier.subtrees().iter().map(Hash::to_string).collect()
    }

    /// The signed tree head over all entries so far.
    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        Checkpoint::new(ORIGIN, size, root).sign(&self.key()).unwrap()
    }

    /// Publishes the checkpoint, and the stored hashes.
    pub(crate) fn seal(&self) {
        fs::write(self.file("tree.hashes"), &self.hashes).unwrap();
        fs::write(self.file("new"), self.checkpoint().to_string()).unwrap();
        fs::rename(self.file("new"), self.file("checkpoint")).unwrap();
    }

    /// The two entries of a key rotation, not written.
    pub(crate) fn rotation(&mut self) -> [Vec<u8>; 2] {
        let (mut rotated, mut sealed) = (Vec::new(), Vec::new());
        let (epoch, new_key) = (self.epoch + 1, key(self.epoch + 1).verifier_key().to_string());
        let details = serde_json::json!({"epoch": epoch, "new_key": new_key});
        self.line(&mut rotated, "audit.key_rotated", &details.to_string());
        let note = self.checkpoint().to_string();
        let lines: Vec<_> = note.trim_end().split('\n').collect();
        let details = serde_json::json!({"epoch": self.epoch, "checkpoint": lines});
        self.line(&mut sealed, "audit.epoch_sealed", &details.to_string());
        self.epoch += 1;
        [rotated, sealed]
    }

    /// The first entry of a key rotation, of which a crash keeps the second back; not written.
    pub(crate) fn rotation_begun(&mut self) -> Vec<u8> {
        let mut rotated = Vec::new();
        let (epoch, new_key) = (self.epoch + 1, key(77).verifier_key().to_string());
        let details = serde_json::json!({"epoch": epoch, "new_key": new_key});
        self.line(&mut rotated, "audit.key_rotated", &details.to_string());
        rotated
    }

    /// Writes a key rotation.
    pub(crate) fn rotate(&mut self, segment: &str) {
        let lines = self.rotation().concat();
        self.append(segment, &lines);
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The next `count` lines, not written.
    pub(crate) fn lines(&mut self, count: u64) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..count {
            let seq = self.head.next_seq;
            let (kind, details) = if seq == 0 {
                let details = serde_json::json!({"format": "audit-trail/1", "trail_id": TRAIL_ID,
                    "origin": ORIGIN, "initial_key": key(0).verifier_key().to_string()});
                ("audit.trail_created", details.to_string())
            } else {
                ("task.submitted", format!(r#"{{"n":{seq}}}"#))
            };
            self.line(&mut out, kind, &details);
        }
        out
    }

    /// One more line, not written.
    pub(crate) fn line(&mut self, out: &mut Vec<u8>, event_type: &str, details: &str) {
        let members = format!(
            r#""timestamp":"{CREATED}","service_id":"svc","event_type":"{event_type}","result":"success","details":{details}"#
        );
        self.members(out, &members);
    }

    /// One more line with these members, from `timestamp` on, not written.
    pub(crate) fn members(&mut self, out: &mut Vec<u8>, members: &str) {
        let seq = self.head.next_seq;
        let body = format!(r#""audit_id":"01932c05-aa00-7000-8000-{seq:012x}",{members}"#);
        plan::append_line(out, &mut self.head, body.as_bytes());
        let hashes = &mut self.hashes;
        self.frontier.push_with(self.head.last_hash, |hash| hashes.extend_from_slice(&hash.0));
    }

    /// Appends `count` entries to a segment, and seals.
    pub(crate) fn write(&mut self, segment: &str, count: u64) {
        let lines = self.lines(count);
        self.append(segment, &lines);
        self.seal();
    }

    pub(crate) fn append(&self, segment: &str, bytes: &[u8]) {
        let mut open = fs::OpenOptions::new();
        let mut file = open.create(true).append(true).open(self.file(segment)).unwrap();
        file.write_all(bytes).unwrap();
    }

    /// Writes the `.sha256` of a segment.
    pub(crate) fn close(&self, segment: &str) {
        let digest = Hash(Sha256::digest(fs::read(self.file(segment)).unwrap()).into());
        fs::write(self.file(&format!("{segment}.sha256")), format!("{digest}  {segment}\n"))
            .unwrap();
    }
}

/// Random numbers from a seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

//! Trails as the writer would leave them, made with the core's own `plan`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use audit_core::chain::{Hash, Head};
use audit_core::plan;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const CREATED: &str = "2026-11-23T06:54:00.000000000Z";
const TRAIL_ID: &str = "01932c05-aa00-7000-8000-00000000aaaa";

/// A trail in a temporary directory, and where it ends.
#[derive(Debug)]
pub(crate) struct Trail {
    dir: TempDir,
    pub(crate) head: Head,
}

impl Trail {
    /// `trail.json` only.
    pub(crate) fn new() -> Trail {
        let dir = TempDir::new().unwrap();
        let info = serde_json::json!({"format": "audit-trail/1", "trail_id": TRAIL_ID,
            "origin": "o", "service_id": "svc", "created_at": CREATED, "hash": "sha256",
            "initial_key": "k"});
        fs::write(dir.path().join("trail.json"), info.to_string()).unwrap();
        Trail { dir, head: Head::EMPTY }
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
                    "origin": "o", "initial_key": "k"});
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
        let seq = self.head.next_seq;
        let body = format!(
            r#""audit_id":"01932c05-aa00-7000-8000-{seq:012x}","timestamp":"{CREATED}","service_id":"svc","event_type":"{event_type}","result":"success","details":{details}"#
        );
        plan::append_line(out, &mut self.head, body.as_bytes());
    }

    /// Appends `count` entries to a segment.
    pub(crate) fn write(&mut self, segment: &str, count: u64) {
        let lines = self.lines(count);
        self.append(segment, &lines);
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

//! What somebody does who can write a trail's files and has no key.
//!
//! What must stay true here: what is written is whole and well chained, so that a signature alone tells it
//! from what the trail's writer wrote.

use std::path::{Path, PathBuf};

use audit_core::chain::Head;
use audit_core::entry::Entry;
use audit_core::plan::append_line;
use audit_logging::storage::DirStorage;

use crate::read::segments;

/// Puts an entry behind the trail in `dir`; gives its `seq`.
pub fn plant(dir: &Path, event_type: &str, details: &serde_json::Value) -> u64 {
    let path = newest(dir);
    let mut bytes = std::fs::read(&path).unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let last = Entry::parse(text.lines().last().unwrap().as_bytes()).unwrap();
    let mut head = Head { next_seq: last.seq() + 1, last_hash: last.hash() };
    let body = format!(
        r#""audit_id":"01932c05-aa01-7000-8000-{:012x}","timestamp":"{}","service_id":"billing-api","event_type":"{event_type}","result":"success","details":{details}"#,
        head.next_seq,
        last.timestamp()
    );
    append_line(&mut bytes, &mut head, body.as_bytes());
    std::fs::write(path, bytes).unwrap();
    head.next_seq - 1
}

/// Writes the only segment of the trail in `dir` again: each line as `change` has it, as long as it gives
/// one, and all hashes from there on to match. What is derived from it goes.
pub fn rewrite(dir: &Path, change: impl Fn(&Entry<'_>, &str) -> Option<String>) {
    let path = newest(dir);
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut bytes, mut head) = (Vec::new(), Head::EMPTY);
    for line in text.lines() {
        let entry = Entry::parse(line.as_bytes()).unwrap();
        let Some(line) = change(&entry, line) else { break };
        let from = line.find("\"audit_id\"").unwrap();
        let to = line.rfind(",\"prev_hash\"").unwrap();
        append_line(&mut bytes, &mut head, &line.as_bytes()[from..to]);
    }
    std::fs::write(path, bytes).unwrap();
    for derived in ["tree.hashes", "manifest.json"] {
        std::fs::remove_file(dir.join(derived)).unwrap();
    }
}

fn newest(dir: &Path) -> PathBuf {
    let storage = DirStorage::open(dir, false).unwrap();
    dir.join(segments(&storage).unwrap().pop().unwrap())
}

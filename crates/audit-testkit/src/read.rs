//! Reads a trail for a test, strictly.
//!
//! What must stay true here: any break of grammar, hash, `seq`, `prev_hash` or checksum is an
//! error that names the place. Shares only `audit-core` with what it checks.

use std::io::Read;
use std::path::Path;

use audit_core::chain::Head;
use audit_core::entry::Entry;
use audit_core::segment::SegmentName;
use audit_logging::storage::{DirStorage, Storage};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// One entry, owned.
#[derive(Debug, Clone)]
pub struct Line {
    /// File it stands in.
    pub segment: String,
    /// Index in the trail.
    pub seq: u64,
    /// Its id.
    pub audit_id: Uuid,
    /// Its time.
    pub timestamp: String,
    /// Its type.
    pub event_type: String,
    /// Marked critical.
    pub critical: bool,
    /// Its details; null when there are none.
    pub details: serde_json::Value,
    /// The line as it stands, LF not included.
    pub raw: String,
}

impl Line {
    /// The label of a [`crate::TestEvent`].
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.details["label"].as_str()
    }
}

/// A file's bytes.
///
/// # Errors
/// With the name in it.
pub fn bytes_of(storage: &dyn Storage, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut file = storage.read(name).map_err(|e| format!("{name}: {e}"))?;
    file.read_to_end(&mut bytes).map_err(|e| format!("{name}: {e}"))?;
    Ok(bytes)
}

/// SHA-256 in hex, as `sha256sum` prints it.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The segments' names in order.
///
/// # Errors
/// The storage's.
pub fn segments(storage: &dyn Storage) -> Result<Vec<String>, String> {
    let names = storage.list("").map_err(|e| format!("list: {e}"))?;
    let mut segments: Vec<_> = names.iter().filter_map(|n| SegmentName::parse(n)).collect();
    segments.sort_unstable();
    Ok(segments.iter().map(ToString::to_string).collect())
}

/// As [`read_trail`], of what a crash left and nobody opened yet: the newest segment is read up
/// to what a power cut tore.
///
/// # Errors
/// What is wrong, and where.
pub fn read_torn(storage: &dyn Storage) -> Result<Vec<Line>, String> {
    let (mut lines, mut head) = (Vec::new(), Head::EMPTY);
    let segments = segments(storage)?;
    for (index, name) in segments.iter().enumerate() {
        let bytes = bytes_of(storage, name)?;
        match read_segment(name, &bytes, &mut head, &mut lines) {
            Err(_) if index + 1 == segments.len() => {}
            read => read?,
        }
    }
    Ok(lines)
}

/// Every entry of a trail in order, with the chain and the checksums checked. All segments but the
/// newest must be closed.
///
/// # Errors
/// What is wrong, and where.
pub fn read_trail(storage: &dyn Storage) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    let mut head = Head::EMPTY;
    let segments = segments(storage)?;
    for (index, name) in segments.iter().enumerate() {
        let bytes = bytes_of(storage, name)?;
        let checksum = bytes_of(storage, &format!("{name}.sha256"));
        match checksum {
            Ok(text) => {
                let sum = sha256_hex(&bytes);
                let expected = format!("{sum}  {name}\n");
                if text != expected.as_bytes() {
                    return Err(format!("{name}.sha256 does not match"));
                }
            }
            Err(_) if index + 1 == segments.len() => {}
            Err(error) => return Err(format!("not closed: {error}")),
        }
        read_segment(name, &bytes, &mut head, &mut lines)?;
    }
    Ok(lines)
}

fn read_segment(
    name: &str,
    bytes: &[u8],
    head: &mut Head,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let mut offset = 0;
    for raw in bytes.split_inclusive(|b| *b == b'\n') {
        let at = format!("{name}:{offset}");
        offset += raw.len();
        let line = raw.strip_suffix(b"\n").ok_or_else(|| format!("{at}: no LF"))?;
        let entry = Entry::parse(line).map_err(|e| format!("{at}: {e:?}"))?;
        if !entry.hash_matches() {
            return Err(format!("{at}: hash mismatch"));
        }
        let expected = Head { next_seq: entry.seq(), last_hash: entry.prev_hash() };
        if expected != *head {
            return Err(format!("{at}: seq {} does not continue {head:?}", entry.seq()));
        }
        *head = Head { next_seq: entry.seq() + 1, last_hash: entry.hash() };
        let details = entry.details().unwrap_or("null");
        lines.push(Line {
            segment: name.to_owned(),
            seq: entry.seq(),
            audit_id: entry.audit_id(),
            timestamp: entry.timestamp().to_owned(),
            event_type: entry.event_type().to_owned(),
            critical: entry.is_critical(),
            details: serde_json::from_str(details).map_err(|e| format!("{at}: {e}"))?,
            raw: entry.line().to_owned(),
        });
    }
    Ok(())
}

/// As [`read_trail`], from a directory; panics with what is wrong.
#[must_use]
pub fn read_dir(path: &Path) -> Vec<Line> {
    let storage = DirStorage::open(path, false).expect("the trail's directory");
    read_trail(&storage).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The labels in order.
#[must_use]
pub fn labels(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter_map(Line::label).collect()
}

/// The entries of one type.
#[must_use]
pub fn of_type<'l>(lines: &'l [Line], event_type: &str) -> Vec<&'l Line> {
    lines.iter().filter(|line| line.event_type == event_type).collect()
}

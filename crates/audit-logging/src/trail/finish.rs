//! Closing segments, setting bytes aside, and the manifest.
//!
//! What must stay true here: the checksum is in place before the segment is read-only, and both
//! before the next segment is in the manifest; a crash between any two steps is put right by doing
//! all of them again.

use std::io::{self, Read};

use audit_core::meta::{Manifest, ManifestFile, TrailInfo};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::segment::checksum_name;
use super::{Recovered, SegmentState};
use crate::storage::{QUARANTINE, Storage};

/// Writes the checksum, makes both files read-only and returns the manifest row.
pub(crate) fn finish_segment(
    storage: &dyn Storage,
    state: &SegmentState,
    now: Timestamp,
) -> io::Result<ManifestFile> {
    write_checksum(storage, state)?;
    storage.set_read_only(&state.name.to_string())?;
    Ok(state.row(Some((now, state.sha256()))))
}

/// Writes a segment's checksum and makes it read-only.
pub(crate) fn write_checksum(storage: &dyn Storage, state: &SegmentState) -> io::Result<()> {
    let (name, sha) = (state.name.to_string(), state.sha256());
    let checksum = checksum_name(&name);
    storage.replace(&checksum, &mut format!("{sha}  {name}\n").as_bytes())?;
    storage.set_read_only(&checksum)
}

/// Copies everything from `keep` on into the quarantine, durably. The segment is not touched.
pub(crate) fn quarantine(
    storage: &dyn Storage,
    segment: &str,
    keep: u64,
    now: Timestamp,
    recovered: &mut Recovered,
) -> io::Result<()> {
    let mut content = storage.read(segment)?;
    io::copy(&mut content.by_ref().take(keep), &mut io::sink())?;
    // The time keeps a second tail of the same segment at the same offset apart.
    let file = format!("{QUARANTINE}/{segment}.{keep}.{}", now.as_nanosecond());
    let mut tail = Hashing { inner: content, sha: Sha256::new(), bytes: 0 };
    storage.replace(&file, &mut tail)?;
    recovered.quarantined_bytes += tail.bytes;
    let sha = audit_core::chain::Hash(tail.sha.finalize().into()).to_string();
    recovered.quarantined_sha256 = Some(sha);
    recovered.quarantine_file = Some(file);
    Ok(())
}

/// Moves what stands after a failed segment's durable part into the quarantine.
pub(crate) fn set_tail_aside(
    storage: &dyn Storage,
    durable: &SegmentState,
    now: Timestamp,
) -> io::Result<()> {
    let name = durable.name.to_string();
    let mut file = storage.open_segment(&name)?;
    // Shorter than it was: a stranger cut it. Nothing is added to evidence.
    if file.len() <= durable.bytes {
        return Ok(());
    }
    quarantine(storage, &name, durable.bytes, now, &mut Recovered::default())?;
    file.truncate(durable.bytes)
}

struct Hashing<R> {
    inner: R,
    sha: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.sha.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Replaces `manifest.json`.
pub(crate) fn write_manifest(
    storage: &dyn Storage,
    info: &TrailInfo,
    closed: &[ManifestFile],
    active: Option<&SegmentState>,
) -> io::Result<()> {
    let mut files = closed.to_vec();
    files.extend(active.map(|state| state.row(None)));
    let manifest = Manifest {
        service_id: info.service_id.clone(),
        created_at: info.created_at.clone(),
        files,
    };
    let mut text = serde_json::to_vec_pretty(&manifest)?;
    text.push(b'\n');
    storage.replace("manifest.json", &mut text.as_slice())
}

//! Compressing a closed segment: `<segment>.zst`, frames of whole lines and a table of them.
//!
//! What must stay true here: the plain segment goes only when the archive is durable, was read back
//! and holds the same bytes. A segment that is not what its checksum says is left alone: it is evidence.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use audit_core::chain::Hash;
use audit_core::segment::SegmentName;
use sha2::{Digest, Sha256};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::RetentionError;
use super::survey::checksum_of;
use crate::storage::Storage;
use crate::trail::unpack;

/// Bytes of a segment in one frame, about. Larger frames compress a little better; whoever looks for one
/// entry unpacks one frame.
const FRAME: usize = 1 << 20;
/// A seventh smaller than the default level; the best is a twelfth smaller still, at thirty times the time.
const LEVEL: i32 = 9;
/// A frame that decoders pass over, and the end of the table in it (zstd's seekable format).
const SKIPPABLE: u32 = 0x184d_2a5e;
const SEEKABLE: u32 = 0x8f92_eab1;

/// A segment that was compressed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Archived {
    /// Its name, without what the archive adds.
    pub filename: String,
    /// Bytes it had.
    pub bytes_before: u64,
    /// Bytes of the archive.
    pub bytes_after: u64,
}

/// Compresses a closed segment and removes the plain one. Whatever a crash leaves, doing it again ends
/// it: the archive is replaced as a whole, and the plain segment is there until then.
pub(super) fn archive(
    storage: &dyn Storage,
    segment: SegmentName,
    stop: &AtomicBool,
) -> Result<Archived, RetentionError> {
    let plain = segment.to_string();
    let packed = segment.archived();
    let expected = checksum_of(storage, segment)?;
    let bytes_before = storage.len(&plain).map_err(RetentionError::io("look at", &plain))?;
    let content = storage.read(&plain).map_err(RetentionError::io("read", &plain))?;
    let mut packer =
        Packer::new(content, &expected, stop).map_err(RetentionError::io("compress", &plain))?;
    let written = storage.replace(&packed, &mut packer);
    if let Some(found) = packer.differs {
        return Err(RetentionError::Changed { segment: plain, expected, found });
    }
    if stop.load(Ordering::Relaxed) {
        return Err(RetentionError::Closing);
    }
    written.map_err(RetentionError::io("write", &packed))?;
    let found = storage.read(&packed).and_then(unpack).and_then(|content| sha256(content, stop));
    match found {
        Ok(found) if found == expected => {}
        found => {
            // What does not unpack to the segment is no archive of it.
            storage.remove(&packed).map_err(RetentionError::io("remove", &packed))?;
            let error = match found {
                _ if stop.load(Ordering::Relaxed) => return Err(RetentionError::Closing),
                Ok(_) => io::Error::other("it does not unpack to the segment"),
                Err(error) => error,
            };
            return Err(RetentionError::io("read back", &packed)(error));
        }
    }
    storage.set_read_only(&packed).map_err(RetentionError::io("close", &packed))?;
    let bytes_after = storage.len(&packed).map_err(RetentionError::io("look at", &packed))?;
    storage.remove(&plain).map_err(RetentionError::io("remove", &plain))?;
    Ok(Archived { filename: plain, bytes_before, bytes_after })
}

/// SHA-256 of all there is, hex.
pub(super) fn sha256(mut content: impl Read, stop: &AtomicBool) -> io::Result<String> {
    let mut sha = Sha256::new();
    let mut block = vec![0; 1 << 17];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("the logger is closing"));
        }
        match content.read(&mut block) {
            Ok(0) => return Ok(Hash(sha.finalize().into()).to_string()),
            Ok(count) => sha.update(&block[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a segment and gives its archive.
struct Packer<'a> {
    content: Box<dyn Read + Send>,
    expected: &'a str,
    stop: &'a AtomicBool,
    sha: Sha256,
    compressor: Compressor<'static>,
    /// Bytes of the segment that are not in a frame yet.
    plain: Vec<u8>,
    /// Bytes of the archive that were not handed out, from `at` on.
    packed: Vec<u8>,
    at: usize,
    /// Both lengths of each frame.
    table: Vec<[u32; 2]>,
    ended: bool,
    /// The segment's SHA-256, if it is not what its checksum says.
    differs: Option<String>,
}

impl<'a> Packer<'a> {
    fn new(
        content: Box<dyn Read + Send>,
        expected: &'a str,
        stop: &'a AtomicBool,
    ) -> io::Result<Packer<'a>> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Packer {
            content,
            expected,
            stop,
            sha: Sha256::new(),
            compressor,
            plain: Vec::with_capacity(FRAME),
            packed: Vec::new(),
            at: 0,
            table: Vec::new(),
            ended: false,
            differs: None,
        })
    }

    /// Packs the next frame, or the table behind the last.
    fn fill(&mut self) -> io::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("the logger is closing"));
        }
        self.packed.clear();
        self.at = 0;
        let room = FRAME.saturating_sub(self.plain.len()) as u64;
        let before = self.plain.len();
        self.content.by_ref().take(room).read_to_end(&mut self.plain)?;
        self.sha.update(&self.plain[before..]);
        if self.plain.is_empty() {
            self.ended = true;
            let found = Hash(self.sha.clone().finalize().into()).to_string();
            if found != self.expected {
                self.differs = Some(found);
                return Err(io::Error::other("the segment is not what its checksum says"));
            }
            self.end();
            return Ok(());
        }
        // A frame ends with a line, so that each begins with one.
        let end = match self.plain.iter().rposition(|byte| *byte == b'\n') {
            Some(at) if self.plain.len() >= FRAME => at + 1,
            _ => self.plain.len(),
        };
        self.packed = self.compressor.compress(&self.plain[..end])?;
        let lengths = [self.packed.len(), end].map(u32::try_from);
        let [Ok(packed), Ok(plain)] = lengths else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.table.push([packed, plain]);
        self.plain.drain(..end);
        Ok(())
    }

    /// The table: a frame that decoders pass over.
    fn end(&mut self) {
        let entries = self.table.len() * 8;
        let out = &mut self.packed;
        out.extend(SKIPPABLE.to_le_bytes());
        // Neither number can be larger: a segment would have 500 TB.
        out.extend(u32::try_from(entries + 9).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(self.table.iter().flatten().flat_map(|length| length.to_le_bytes()));
        out.extend(u32::try_from(self.table.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.push(0);
        out.extend(SEEKABLE.to_le_bytes());
    }
}

impl Read for Packer<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.packed.len() && !self.ended {
            self.fill()?;
        }
        let left = &self.packed[self.at..];
        let count = left.len().min(buf.len());
        buf[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(count)
    }
}

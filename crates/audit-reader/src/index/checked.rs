//! A file in blocks, each with a checksum kept elsewhere.
//!
//! What must stay true here: no byte of the file is handed out before its block was found to be what
//! was written. Everything that reads a table goes through here, its footer and filters included.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Bytes in a block; the last one may have fewer.
pub(super) const BLOCK: usize = 64 * 1024;

/// The checksums of a file's blocks, and its length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(super) bytes: u64,
    pub(super) crc32c: Vec<u32>,
}

/// Writes, and takes the checksums.
#[derive(Debug)]
pub(super) struct SummingWriter<W> {
    to: W,
    sums: Sums,
    /// Checksum of the block that is not full, and how full it is.
    open: (u32, usize),
}

impl<W: Write> SummingWriter<W> {
    pub(super) fn new(to: W) -> SummingWriter<W> {
        SummingWriter { to, sums: Sums::default(), open: (0, 0) }
    }

    /// The end of the file.
    pub(super) fn finish(mut self) -> (W, Sums) {
        if self.open.1 > 0 {
            self.sums.crc32c.push(self.open.0);
        }
        (self.to, self.sums)
    }
}

impl<W: Write> Write for SummingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sums.bytes += written as u64;
        let mut rest = &bytes[..written];
        while !rest.is_empty() {
            let (sum, filled) = self.open;
            let (now, later) = rest.split_at(rest.len().min(BLOCK - filled));
            self.open = (crc32c::crc32c_append(sum, now), filled + now.len());
            if self.open.1 == BLOCK {
                self.sums.crc32c.push(self.open.0);
                self.open = (0, 0);
            }
            rest = later;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A file that is checked as it is read. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct CheckedFile(Arc<(File, Sums)>);

impl CheckedFile {
    /// A file with the checksums that were taken when it was written.
    pub(super) fn new(file: File, sums: Sums) -> CheckedFile {
        CheckedFile(Arc::new((file, sums)))
    }

    /// Reads a part of the file.
    pub(crate) fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let (file, sums) = &*self.0;
        let end = start.checked_add(length as u64).filter(|end| *end <= sums.bytes);
        let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let block = BLOCK as u64;
        let (first, last) = (start / block, end.div_ceil(block));
        let from = first * block;
        let size = |bytes: u64| usize::try_from(bytes).map_err(io::Error::other);
        let mut bytes = vec![0; size((last * block).min(sums.bytes).saturating_sub(from))?];
        file.read_exact_at(&mut bytes, from)?;
        for (read, number) in bytes.chunks(BLOCK).zip(size(first)?..) {
            if sums.crc32c.get(number) != Some(&crc32c::crc32c(read)) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("block {number} of the index is damaged"),
                ));
            }
        }
        let at = size(start - from)?;
        Ok(Bytes::from(bytes).slice(at..at + length))
    }

    /// Reads all of it.
    pub(super) fn check(&self) -> io::Result<()> {
        let bytes = self.len();
        (0..bytes).step_by(16 * BLOCK).try_for_each(|at| {
            let length = (bytes - at).min(16 * BLOCK as u64);
            self.read(at, usize::try_from(length).map_err(io::Error::other)?).map(drop)
        })
    }
}

impl Length for CheckedFile {
    fn len(&self) -> u64 {
        self.0.1.bytes
    }
}

impl ChunkReader for CheckedFile {
    type T = CheckedRead;

    fn get_read(&self, start: u64) -> Result<CheckedRead> {
        Ok(CheckedRead { file: self.clone(), at: start, block: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.read(start, length).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads on from some place, a block at a time.
#[derive(Debug)]
pub(crate) struct CheckedRead {
    file: CheckedFile,
    at: u64,
    /// What was read and not handed out.
    block: Bytes,
}

impl Read for CheckedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            let block = BLOCK as u64;
            let end = ((self.at / block + 1) * block).min(self.file.len());
            let length = usize::try_from(end.saturating_sub(self.at)).map_err(io::Error::other)?;
            self.block = self.file.read(self.at, length)?;
            self.at = end.max(self.at);
        }
        let count = buffer.len().min(self.block.len());
        buffer[..count].copy_from_slice(&self.block.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (File, Sums) {
        let mut writer = SummingWriter::new(tempfile::tempfile().unwrap());
        for part in bytes.chunks(12_345) {
            writer.write_all(part).unwrap();
        }
        writer.finish()
    }

    #[test]
    fn what_was_written_is_read_from_any_place() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 17).map(|at| (at % 251) as u8).collect();
        let (file, sums) = file(&bytes);
        let checked = CheckedFile::new(file, sums);
        checked.check().unwrap();
        for (start, length) in [(0, 10), (BLOCK - 1, 2), (BLOCK, BLOCK), (5, 3 * BLOCK), (0, 0)] {
            assert_eq!(checked.read(start as u64, length).unwrap(), bytes[start..start + length]);
        }
        let mut all = Vec::new();
        checked.get_read(7).unwrap().read_to_end(&mut all).unwrap();
        assert_eq!(all, bytes[7..]);
        assert!(checked.read(1, bytes.len()).is_err());
        assert!(checked.read(u64::MAX, 2).is_err());
    }

    #[test]
    fn a_changed_bit_and_a_shorter_file_are_noticed_where_they_are_read() {
        let bytes = vec![7; 2 * BLOCK];
        let (file, sums) = file(&bytes);
        file.write_all_at(&[6], BLOCK as u64 + 100).unwrap();
        let checked = CheckedFile::new(file.try_clone().unwrap(), sums.clone());
        checked.read(0, BLOCK).unwrap();
        assert!(checked.read(BLOCK as u64, 1).is_err());
        assert!(checked.check().is_err());
        file.set_len(BLOCK as u64).unwrap();
        assert!(CheckedFile::new(file, sums).read(BLOCK as u64, 1).is_err());
    }
}

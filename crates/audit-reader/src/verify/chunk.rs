//! A segment in pieces that are checked side by side.
//!
//! What must stay true here: a piece is whole lines, however long the segment or a line in it is. Every
//! byte goes through the digest once, in order: lines by the hand of whoever takes them. Memory is one piece, and the beginning of a line.

use std::io;
use std::sync::Arc;

use audit_core::chain::{FileDigest, Hash, MAX_LINE};
use memchr::{memchr, memrchr};

use crate::source::{LogFile, archive_damage, read_some};

/// How much is read at a time. A piece stays in the processor's cache from its being read to its
/// being checked.
pub(super) const BLOCK: usize = 256 * 1024;
/// How much of a line that is too long is kept.
const HEAD: usize = 64;

/// Reads a segment, piece after piece.
#[derive(Debug)]
pub(super) struct ChunkReader {
    file: Arc<dyn LogFile>,
    /// How far it was read.
    read: u64,
    /// The beginning of a line whose end was not read yet, or more.
    rest: Vec<u8>,
    /// Of all bytes before the piece of lines that was given last.
    digest: Option<FileDigest>,
    /// Why it ends here: what an archive gave was no whole segment.
    damage: Option<String>,
    block: usize,
}

/// What a piece is.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Whole lines, in the buffer; the first begins at `offset`.
    Lines { offset: u64 },
    /// A line longer than any entry: where it begins, how long it is and how it begins.
    Oversized { offset: u64, len: u64, head: Vec<u8> },
    /// The end.
    End(End),
}

/// The end of a segment.
#[derive(Debug)]
pub(super) struct End {
    /// Where its last whole line ends.
    pub(super) whole: u64,
    /// How long it is.
    pub(super) bytes: u64,
    pub(super) sha256: Option<Hash>,
    /// What stands after its last LF.
    pub(super) torn: Option<Vec<u8>>,
    /// Why there is no more: what an archive gave was no whole segment.
    pub(super) damage: Option<String>,
    /// It may be growing, and ends here for now.
    pub(super) open: bool,
}

impl End {
    /// The end, for now, of one that may be growing.
    pub(super) const fn unfinished(whole: u64) -> End {
        End { whole, bytes: whole, sha256: None, torn: None, damage: None, open: true }
    }
}

impl ChunkReader {
    /// Reads from `start`, where a line begins.
    pub(super) fn new(
        file: Arc<dyn LogFile>,
        start: u64,
        digested: bool,
        block: usize,
    ) -> ChunkReader {
        let digest = digested.then(FileDigest::default);
        ChunkReader {
            file,
            read: start,
            rest: Vec::new(),
            digest,
            damage: None,
            block: block.max(1),
        }
    }

    /// The digest, if one is wanted. It must take each piece of lines before the next piece is read.
    pub(super) const fn digest(&mut self) -> Option<&mut FileDigest> {
        self.digest.as_mut()
    }

    /// The next piece. `buffer` is used again.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Chunk> {
        buffer.clear();
        buffer.append(&mut self.rest);
        let offset = self.read - buffer.len() as u64;
        loop {
            if self.fill(buffer, self.block)? == 0 {
                return Ok(self.last(buffer, offset));
            }
            if let Some(lf) = memrchr(b'\n', buffer) {
                self.rest.extend_from_slice(&buffer[lf + 1..]);
                buffer.truncate(lf + 1);
                return Ok(Chunk::Lines { offset });
            }
            if buffer.len() > MAX_LINE {
                return self.skip_oversized(buffer, offset);
            }
        }
    }

    /// What is left at the end of the file: lines first, then the end.
    fn last(&mut self, buffer: &mut Vec<u8>, offset: u64) -> Chunk {
        match memrchr(b'\n', buffer) {
            Some(lf) => {
                self.rest.extend_from_slice(&buffer[lf + 1..]);
                buffer.truncate(lf + 1);
                Chunk::Lines { offset }
            }
            None => {
                std::mem::swap(&mut self.rest, buffer);
                self.end()
            }
        }
    }

    /// Passes over a line that is too long, to its LF or the end of the file.
    fn skip_oversized(&mut self, buffer: &mut Vec<u8>, offset: u64) -> io::Result<Chunk> {
        let head = buffer[..HEAD].to_vec();
        loop {
            self.take_in(buffer);
            buffer.clear();
            if self.fill(buffer, self.block)? == 0 {
                let len = self.read - offset;
                return Ok(Chunk::Oversized { offset, len, head });
            }
            if let Some(lf) = memchr(b'\n', buffer) {
                self.take_in(&buffer[..=lf]);
                self.rest.extend_from_slice(&buffer[lf + 1..]);
                let len = self.read - self.rest.len() as u64 - 1 - offset;
                return Ok(Chunk::Oversized { offset, len, head });
            }
        }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    fn end(&mut self) -> Chunk {
        let damage = self.damage.take();
        let torn = (!self.rest.is_empty()).then(|| std::mem::take(&mut self.rest));
        let whole = self.read - torn.as_ref().map_or(0, Vec::len) as u64;
        self.take_in(torn.as_deref().unwrap_or_default());
        // Of an archive that is not whole there is no digest to compare.
        let digest = self.digest.take().filter(|_| damage.is_none());
        let sha256 = digest.map(FileDigest::finish);
        Chunk::End(End { whole, bytes: self.read, sha256, torn, damage, open: false })
    }

    /// Reads at most `count` bytes more; gives how many, 0 only at the end. A disk that cannot be read
    /// is an error; an archive that does not unpack ends where it does not.
    fn fill(&mut self, buffer: &mut Vec<u8>, count: usize) -> io::Result<usize> {
        let before = buffer.len();
        buffer.resize(before + count, 0);
        let mut filled = before;
        while filled < buffer.len() && self.damage.is_none() {
            match read_some(&*self.file, &mut buffer[filled..], self.read) {
                Ok(0) => break,
                Ok(read) => {
                    self.read += read as u64;
                    filled += read;
                }
                Err(error) => match archive_damage(&error) {
                    Some(damage) => self.damage = Some(damage),
                    None => return Err(error),
                },
            }
        }
        buffer.truncate(filled);
        Ok(filled - before)
    }
}

//! An archived segment: the same bytes, compressed with zstd (FORMAT section 5).
//!
//! What must stay true here: an archive that does not unpack is damage, never an end of file and
//! never mistaken for a disk that cannot be read. Memory does not depend on what an archive asks for. One
//! that unpacks to more than an honest one can is damaged for whoever reads it, in whatever way.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use zstd::stream::read::Decoder;

use super::{LogFile, frames, read_some, temporary_room};
use crate::ReadError;

/// The largest window that is unpacked with, 8 MiB: what `zstd -19` asks for. An archive that asks
/// for more could be one that is meant to exhaust whoever reads it.
pub(super) const MAX_WINDOW_LOG: u32 = 23;
/// So many bytes one compressed byte gives at most: each line has a hash, which cannot be compressed, and
/// is at most 65,609 bytes long.
const MOST_UNPACKED: u64 = 2_048;
/// What an archive of any size may unpack to.
const SMALL: u64 = 64 << 20;
/// Compressed bytes read at a time.
const BLOCK: usize = 128 * 1024;

/// Why an archived segment does not unpack.
#[derive(Debug, Error)]
#[error("this is no whole zstd file with a window of at most 8 MiB: {0}")]
struct Damaged(String);

/// What is wrong with an archive, if this is why reading it failed.
#[must_use]
pub fn archive_damage(error: &io::Error) -> Option<String> {
    let damaged = error.get_ref()?.downcast_ref::<Damaged>()?;
    Some(damaged.to_string())
}

/// A compressed file, read as what it was before.
pub(super) struct ZstFile {
    packed: Arc<dyn LogFile>,
    /// Where the reading stands: it goes forward only, and begins again for what lies behind.
    state: Mutex<Option<Unpacking>>,
}

struct Unpacking {
    decoder: Decoder<'static, BufReader<Packed>>,
    /// How many bytes it gave.
    at: u64,
    most: Most,
}

/// How many bytes an honest archive of this length gives at most.
#[derive(Clone, Copy)]
struct Most {
    packed: u64,
    unpacked: u64,
}

impl Most {
    fn of(packed: &dyn LogFile) -> io::Result<Most> {
        let packed = packed.size()?;
        Ok(Most { packed, unpacked: packed.saturating_mul(MOST_UNPACKED).saturating_add(SMALL) })
    }

    /// Refuses more than that.
    fn check(self, size: u64) -> io::Result<()> {
        let Most { packed, unpacked } = self;
        if size <= unpacked {
            return Ok(());
        }
        Err(damaged(format!("{packed} bytes unpack to more than {unpacked}")))
    }
}

fn damaged(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Damaged(why))
}

/// The compressed bytes from the first to the last.
struct Packed {
    file: Arc<dyn LogFile>,
    at: u64,
    /// Reading them failed: that says nothing about the archive.
    failed: bool,
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_some(&*self.file, buffer, self.at);
        match &read {
            Ok(count) => self.at += *count as u64,
            Err(_) => self.failed = true,
        }
        read
    }
}

impl ZstFile {
    pub(super) fn new(packed: Arc<dyn LogFile>) -> ZstFile {
        ZstFile { packed, state: Mutex::new(None) }
    }

    fn begin(&self) -> io::Result<Unpacking> {
        let packed = Packed { file: Arc::clone(&self.packed), at: 0, failed: false };
        let mut decoder = Decoder::with_buffer(BufReader::with_capacity(BLOCK, packed))?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        Ok(Unpacking { decoder, at: 0, most: Most::of(&*self.packed)? })
    }
}

impl Unpacking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(buffer) {
            Ok(count) => {
                self.at += count as u64;
                self.most.check(self.at).map(|()| count)
            }
            Err(error) if self.decoder.get_ref().get_ref().failed => Err(error),
            Err(error) => Err(damaged(error.to_string())),
        }
    }
}

impl LogFile for ZstFile {
    fn size(&self) -> io::Result<u64> {
        if let Some(size) = frames::stated_size(&*self.packed)? {
            return Most::of(&*self.packed)?.check(size).map(|()| size);
        }
        let (mut block, mut size) = (vec![0; BLOCK], 0);
        loop {
            match read_some(self, &mut block, size)? {
                0 => return Ok(size),
                count => size += count as u64,
            }
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unpacking = match state.take() {
            Some(unpacking) if unpacking.at <= offset => unpacking,
            _ => self.begin()?,
        };
        while unpacking.at < offset {
            let ahead = usize::try_from(offset - unpacking.at).unwrap_or(usize::MAX);
            let mut skipped = [0; 16 * 1024];
            let count = ahead.min(skipped.len());
            if unpacking.read(&mut skipped[..count])? == 0 {
                break;
            }
        }
        let count = if unpacking.at == offset { unpacking.read(buffer)? } else { 0 };
        *state = Some(unpacking);
        Ok(count)
    }
}

impl fmt::Debug for ZstFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZstFile").field("packed", &self.packed).finish_non_exhaustive()
    }
}

/// The bytes of a compressed file in one that has no name and goes with its last descriptor (in `TMPDIR`).
/// It does not take the last room that is left.
pub(super) fn into_temporary(from: &ZstFile, path: &Path) -> Result<File, ReadError> {
    let temporary = std::env::temp_dir();
    let mut to = tempfile::tempfile().map_err(ReadError::io(&temporary))?;
    let room = temporary_room(&to).map_err(ReadError::io(&temporary))?;
    let (mut block, mut at) = (vec![0; BLOCK], 0);
    loop {
        let count = read_some(from, &mut block, at).map_err(ReadError::io(path))?;
        if count == 0 {
            break;
        }
        if at + count as u64 > room {
            let why = "it unpacks to more than is to spare in";
            let why = format!("{why} {}, {room} bytes: set TMPDIR", temporary.display());
            return Err(ReadError::io(path)(io::Error::other(why)));
        }
        to.write_all(&block[..count]).map_err(ReadError::io(&temporary))?;
        at += count as u64;
    }
    to.rewind().map_err(ReadError::io(&temporary))?;
    Ok(to)
}

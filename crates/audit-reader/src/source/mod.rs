//! Where the files of a trail come from: a directory, an archive, memory, or whatever somebody else
//! implements [`LogSource`] for.
//!
//! What must stay true here: a source only hands out bytes. Whether they are a trail, and an intact
//! one, is decided by the same code wherever they came from. Nothing is ever written to a source.

mod archive;
mod dir;
mod frames;
mod headers;
mod memory;
mod room;
mod zst;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_core::segment::SegmentName;

use crate::ReadError;
pub use archive::ArchiveSource;
pub use dir::DirSource;
pub use memory::MemorySource;
pub use room::temporary_room;
use zst::ZstFile;
pub use zst::archive_damage;

/// What follows a segment's name when it is archived (FORMAT section 5).
const ARCHIVED: &str = ".zst";

/// The files of one trail.
pub trait LogSource: fmt::Debug + Send + Sync {
    /// What messages call it: a path or an address.
    fn place(&self) -> PathBuf;

    /// The names of the files that are there now, in any order.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn names(&self) -> Result<Vec<String>, ReadError>;

    /// Opens a file; `None` if it is not there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError>;

    /// Where in the file system the files lie, if they do: only there can be an index.
    fn directory(&self) -> Option<&Path> {
        None
    }

    /// Whether a writer holds the trail now, as far as that can be seen from here.
    ///
    /// # Errors
    /// When looking failed.
    fn is_being_written(&self) -> Result<bool, ReadError> {
        Ok(false)
    }
}

/// One file, which may grow while it is read.
pub trait LogFile: fmt::Debug + Send + Sync {
    /// How long it is now. Of an archived segment: how long it was before it was compressed.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn size(&self) -> io::Result<u64>;

    /// Reads some bytes from `offset` on; 0 at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// A trail to read from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source(Arc<dyn LogSource>);

impl Source {
    /// A trail from anywhere.
    ///
    /// # Errors
    /// When it cannot be listed, or nothing in it belongs to a trail.
    pub fn new(files: impl LogSource + 'static) -> Result<Source, ReadError> {
        let source = Source(Arc::new(files));
        if source.segments()?.is_empty() && !source.has("trail.json")? {
            return Err(ReadError::NotATrail(source.0.place()));
        }
        Ok(source)
    }

    /// What messages call the trail.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        self.0.place()
    }

    /// Where in the file system the files lie, if they do.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.0.directory()
    }

    /// A trail in a directory, or in an archive of one (tar, or tar compressed with zstd).
    ///
    /// # Errors
    /// When there is no such thing, or nothing in it belongs to a trail.
    pub fn open(path: &Path) -> Result<Source, ReadError> {
        if path.metadata().map_err(ReadError::io(path))?.is_file() {
            return Source::new(ArchiveSource::open(path)?);
        }
        Ok(DirSource::open(path)?.into())
    }

    /// What messages call one of its files.
    #[must_use]
    pub fn place_of(&self, name: &str) -> PathBuf {
        self.0.place().join(name)
    }

    /// The segments that are there now, archived ones included, in the order of their entries.
    ///
    /// # Errors
    /// When the source cannot be listed.
    pub fn segments(&self) -> Result<Vec<SegmentName>, ReadError> {
        let names = self.0.names()?;
        let plain = |name: &String| SegmentName::parse(name.strip_suffix(ARCHIVED).unwrap_or(name));
        let mut segments: Vec<_> = names.iter().filter_map(plain).collect();
        segments.sort_unstable();
        segments.dedup();
        Ok(segments)
    }

    /// The segments that are there now, none of them missed because others came meanwhile.
    pub(crate) fn settled_segments(&self) -> Result<Vec<SegmentName>, ReadError> {
        // A listing may hold a file made during it and miss an older one that was made during it,
        // too. Whatever is older than one that was seen is in the next listing for sure.
        let newest = self.segments()?.pop();
        let mut segments = self.segments()?;
        segments.retain(|name| Some(*name) <= newest);
        Ok(segments)
    }

    /// The segments of which there is a `.sha256` file now.
    pub(crate) fn digests(&self) -> Result<Vec<SegmentName>, ReadError> {
        let names = self.0.names()?;
        let mut digests: Vec<_> = names
            .iter()
            .filter_map(|name| SegmentName::parse(name.strip_suffix(".sha256")?))
            .collect();
        digests.sort_unstable();
        Ok(digests)
    }

    /// Opens a segment; of an archived one, what is read is its bytes before they were compressed.
    /// Of a segment that is there in both forms the plain one is read. `None` if it is not there
    /// (any more).
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn open_segment(&self, name: SegmentName) -> Result<Option<Segment>, ReadError> {
        // In a trail that is being archived the plain one may go between the two looks.
        for _ in 0..2 {
            if let Some(file) = self.0.open(&name.to_string())? {
                return Ok(Some(Segment { name, file, archived: false, packed: None }));
            }
            if let Some(packed) = self.0.open(&format!("{name}{ARCHIVED}"))? {
                let packed = Arc::new(ZstFile::new(packed));
                let file = Arc::clone(&packed) as Arc<dyn LogFile>;
                return Ok(Some(Segment { name, file, archived: true, packed: Some(packed) }));
            }
        }
        Ok(None)
    }

    /// The segments that are there in both forms now: the plain bytes, and what the archive unpacks to.
    pub(crate) fn twins(&self) -> Result<Vec<Twins>, ReadError> {
        let names = self.0.names()?;
        let mut twins = Vec::new();
        for name in names.iter().filter_map(|name| SegmentName::parse(name)) {
            let archive = format!("{name}{ARCHIVED}");
            // One of them may go while an archiver or retention is at work.
            if names.contains(&archive)
                && let Some(packed) = self.0.open(&archive)?
                && let Some(plain) = self.0.open(&name.to_string())?
            {
                twins.push((name, plain, Arc::new(ZstFile::new(packed)) as Arc<dyn LogFile>));
            }
        }
        Ok(twins)
    }

    /// The bytes of all segments together, as of now.
    pub(crate) fn total_bytes(&self) -> Result<u64, ReadError> {
        let mut bytes: u64 = 0;
        for name in self.segments()? {
            if let Some(segment) = self.open_segment(name)? {
                // An archive that does not say how long it was is one that verification will find.
                bytes += match segment.size(self) {
                    Err(ReadError::Io { source, .. }) if archive_damage(&source).is_some() => 0,
                    size => size?,
                };
            }
        }
        Ok(bytes)
    }

    /// Reads a file that is small in any honest trail, at most `limit` bytes of it; `None` if it
    /// is not there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn small_file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(file) = self.0.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut block = [0; 16 * 1024];
        while (bytes.len() as u64) < limit {
            let count = read_some(&*file, &mut block, bytes.len() as u64)
                .map_err(ReadError::io(&self.place_of(name)))?;
            if count == 0 {
                break;
            }
            bytes.extend_from_slice(&block[..count]);
        }
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Some(bytes))
    }

    /// Opens a file beside the segments; `None` if it is not there.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        self.0.open(name)
    }

    /// The names of the files that are there now.
    pub(crate) fn names(&self) -> Result<Vec<String>, ReadError> {
        self.0.names()
    }

    /// Whether there is a file of this name.
    pub(crate) fn has(&self, name: &str) -> Result<bool, ReadError> {
        Ok(self.0.names()?.iter().any(|there| there == name))
    }

    /// Whether a writer holds the trail now.
    pub(crate) fn is_being_written(&self) -> Result<bool, ReadError> {
        self.0.is_being_written()
    }
}

/// A segment's name, its plain bytes, and those that its archive unpacks to.
pub(crate) type Twins = (SegmentName, Arc<dyn LogFile>, Arc<dyn LogFile>);

impl From<DirSource> for Source {
    fn from(dir: DirSource) -> Source {
        Source(Arc::new(dir))
    }
}

impl From<&DirSource> for Source {
    fn from(dir: &DirSource) -> Source {
        dir.clone().into()
    }
}

impl From<&Source> for Source {
    fn from(source: &Source) -> Source {
        source.clone()
    }
}

/// A segment that was opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Segment {
    /// Its name, without what an archive adds.
    pub name: SegmentName,
    /// Its bytes, uncompressed.
    pub file: Arc<dyn LogFile>,
    /// It is archived: it can only be read forward, and never grows.
    pub archived: bool,
    /// The same, if it is archived.
    packed: Option<Arc<ZstFile>>,
}

impl Segment {
    /// How long it is now, uncompressed.
    pub(crate) fn size(&self, source: &Source) -> Result<u64, ReadError> {
        self.file.size().map_err(ReadError::io(&source.place_of(&self.file_name())))
    }

    /// Its bytes where each place can be reached at once: those of an archived one are unpacked once,
    /// into a temporary file without a name.
    pub(crate) fn at_hand(&self, source: &Source) -> Result<Arc<dyn LogFile>, ReadError> {
        let path = source.place_of(&self.file_name());
        let Some(packed) = &self.packed else { return Ok(Arc::clone(&self.file)) };
        Ok(Arc::new(zst::into_temporary(packed, &path)?))
    }

    /// The name of the file it is in.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}{}", self.name, if self.archived { ARCHIVED } else { "" })
    }
}

/// Reads some bytes, whatever interrupts.
pub(crate) fn read_some(file: &dyn LogFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Reads as much as there is room for, or as there is.
pub(crate) fn read_full(file: &dyn LogFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_some(file, &mut buffer[filled..], offset + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

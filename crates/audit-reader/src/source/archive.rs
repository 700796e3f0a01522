//! A trail as an archive file: a tar of its directory, plain or compressed with zstd.
//!
//! What must stay true here: an archive is never unpacked to where names in it could lead. Of a name
//! that is there twice the last one counts, as for whoever unpacks it. A tar of another layout than a
//! trail's, or with a name that could be read in two ways, is refused with a reason, never read half.
//! Neither memory nor room for temporary files depends on what an archive asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use audit_core::segment::SegmentName;
use tar::EntryType;

use super::headers::refuse_long_headers;
use super::zst::{ZstFile, archive_damage, into_temporary};
use super::{ARCHIVED, LogFile, LogSource};
use crate::ReadError;

/// How a zstd frame begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A trail in an archive file.
#[derive(Debug)]
pub struct ArchiveSource {
    path: PathBuf,
    file: Arc<File>,
    /// Where each file of the trail stands: its first byte and its length.
    members: BTreeMap<String, (u64, u64)>,
    /// Names that stand for something else than a file.
    links: BTreeSet<String>,
}

impl ArchiveSource {
    /// Reads the table of an archive. A compressed one is unpacked once, into a temporary file without
    /// a name (in `TMPDIR`), because a trail cannot be read in the order in which it was packed.
    ///
    /// # Errors
    /// When it cannot be read, is no archive, or holds anything else than one trail.
    pub fn open(path: &Path) -> Result<ArchiveSource, ReadError> {
        let mut file = File::open(path).map_err(ReadError::io(path))?;
        let no = |why: String| ReadError::NotAnArchive { path: path.to_owned(), why };
        let mut magic = [0; 4];
        let packed = match file.read_exact(&mut magic) {
            Ok(()) => magic == ZSTD,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(ReadError::io(path)(error)),
        };
        file.rewind().map_err(ReadError::io(path))?;
        if packed {
            file = into_temporary(&ZstFile::new(Arc::new(file)), path).map_err(
                |error| match error {
                    ReadError::Io { source, .. } if archive_damage(&source).is_some() => {
                        no(source.to_string())
                    }
                    error => error,
                },
            )?;
        }
        let end = file.metadata().map_err(ReadError::io(path))?.len();
        refuse_long_headers(&file).map_err(|error| no(error.to_string()))?;
        let table = Table::read(&file).map_err(|error| no(error.to_string()))?;
        let root = table.root().map_err(|why| no(why.to_owned()))?;
        let here = |(place, member): (PathBuf, Member)| {
            (place.parent() == Some(&root)).then_some((file_name(&place)?, member))
        };
        let (mut members, mut links) = (BTreeMap::new(), BTreeSet::new());
        for (name, member) in table.members.into_iter().filter_map(here) {
            match member {
                Member::File { start, size } if start.checked_add(size).is_none_or(|e| e > end) => {
                    return Err(no(format!("it ends in the middle of {name}")));
                }
                Member::File { start, size } => {
                    members.insert(name, (start, size));
                }
                Member::Other => {
                    links.insert(name);
                }
            }
        }
        Ok(ArchiveSource { path: path.to_owned(), file: Arc::new(file), members, links })
    }
}

impl LogSource for ArchiveSource {
    fn place(&self) -> PathBuf {
        self.path.clone()
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        Ok(self.members.keys().chain(&self.links).cloned().collect())
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        if self.links.contains(name) {
            return Err(ReadError::NotAFile(self.path.join(name)));
        }
        let Some(&(start, size)) = self.members.get(name) else { return Ok(None) };
        Ok(Some(Arc::new(MemberFile { file: Arc::clone(&self.file), start, size })))
    }
}

#[derive(Debug)]
struct MemberFile {
    file: Arc<File>,
    start: u64,
    size: u64,
}

impl LogFile for MemberFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = left.min(buffer.len());
        FileExt::read_at(&*self.file, &mut buffer[..count], self.start + offset)
    }
}

/// What stands in an archive, by its place.
struct Table {
    members: BTreeMap<PathBuf, Member>,
}

enum Member {
    File { start: u64, size: u64 },
    Other,
}

impl Table {
    fn read(file: &File) -> io::Result<Table> {
        let mut members = BTreeMap::new();
        for entry in tar::Archive::new(BufReader::new(file)).entries_with_seek()? {
            let entry = entry?;
            let is_directory = entry.header().entry_type() == EntryType::Directory;
            let parts = place_of(&entry.path()?, entry.path_bytes().ends_with(b"/"), is_directory)?;
            let member = match entry.header().entry_type() {
                EntryType::Directory => continue,
                EntryType::Regular | EntryType::Continuous => {
                    Member::File { start: entry.raw_file_position(), size: entry.size() }
                }
                EntryType::GNUSparse => {
                    return Err(invalid("it was made with --sparse; make it without".to_owned()));
                }
                _ => Member::Other,
            };
            members.insert(parts, member);
        }
        Ok(Table { members })
    }

    /// The one directory that is a trail.
    fn root(&self) -> Result<PathBuf, &'static str> {
        let holds = |wanted: &dyn Fn(&str) -> bool| {
            let places = self
                .members
                .keys()
                .filter(|place| file_name(place).is_some_and(|name| wanted(&name)));
            places.filter_map(|place| place.parent()).collect::<BTreeSet<_>>()
        };
        let named = holds(&|name| name == "trail.json");
        let roots = if named.is_empty() { holds(&is_segment) } else { named };
        match roots.len() {
            0 => Err("there is no trail.json and no segment in it"),
            1 => Ok(roots.into_iter().map(Path::to_owned).collect()),
            _ => Err("there is more than one trail in it; unpack it and give one directory"),
        }
    }
}

/// Where a member stands, without a `./` in front. A name that leads elsewhere, or that some programs take
/// for a file and others for a directory, is not guessed at.
fn place_of(place: &Path, ends_in_slash: bool, is_directory: bool) -> io::Result<PathBuf> {
    let refuse = |why: &str| invalid(format!("its member {:?} {why}", place.display().to_string()));
    let mut parts = PathBuf::new();
    for part in place.components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err(refuse("leads out of its directory")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(refuse("has an absolute name"));
            }
        }
    }
    if ends_in_slash && !is_directory {
        return Err(refuse("is a file with the name of a directory"));
    }
    if is_directory && file_name(&parts).is_some_and(|name| is_segment(&name)) {
        return Err(refuse("is a directory with the name of a segment"));
    }
    Ok(parts)
}

fn is_segment(name: &str) -> bool {
    SegmentName::parse(name.strip_suffix(ARCHIVED).unwrap_or(name)).is_some()
}

pub(super) fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn file_name(place: &Path) -> Option<String> {
    Some(place.file_name()?.to_str()?.to_owned())
}

//! What an index file is of: the small file beside it that binds it to its segment.
//!
//! What must stay true here: a table is believed only if the `.sha256` of the segment is still the one
//! it was made of, and the segment's file is still the one that was hashed. Anything that does not fit,
//! or cannot be read, means that there is no index; it never means an error and never an answer.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use audit_core::chain::Hash;
use audit_core::segment::{INDEX, SegmentName};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::checked::{BLOCK, CheckedFile, Sums};

/// What the tables are like. A new column, or another meaning of one, is a new format.
pub(super) const FORMAT: &str = "audit-index/1";
/// The largest binding that is read: that of a table of some hundred gigabytes.
const MAX_BINDING: u64 = 16 * 1024 * 1024;

/// Some rows that stand together: a row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) entries: u64,
    /// Where the first of its lines begins.
    pub(crate) offset: u64,
    /// The earliest and the latest time in it, in nanoseconds since 1970; `None` if one of them has no
    /// such number.
    pub(crate) times: Option<(i64, i64)>,
}

/// By what a file is known not to have changed since it was read: any write changes one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stamp {
    bytes: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn new(meta: &std::fs::Metadata) -> Stamp {
        Stamp {
            bytes: meta.len(),
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// That of a segment as it lies in the trail now, plain or archived; `None` if it cannot be told.
    pub(super) fn of_segment(trail: &Path, segment: SegmentName) -> Option<Stamp> {
        let meta = |name: String| trail.join(name).symlink_metadata().ok();
        let meta = meta(segment.to_string()).or_else(|| meta(format!("{segment}.zst")))?;
        meta.is_file().then(|| Stamp::new(&meta))
    }
}

/// What a table is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Binding {
    pub(super) format: String,
    pub(super) segment: String,
    /// Of the segment.
    pub(super) sha256: String,
    pub(super) bytes: u64,
    pub(super) first_seq: u64,
    pub(crate) groups: Vec<Group>,
    /// Of the table.
    pub(super) table_bytes: u64,
    pub(super) block_bytes: u64,
    /// Eight hexadecimal digits for each block.
    pub(super) block_crc32c: String,
    pub(super) stamp: Stamp,
}

/// What is there for a segment.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// An index that may be used.
    Bound(Box<Binding>),
    /// One whose segment was touched, so nobody knows whether it is still the same.
    Touched(Box<Binding>),
    /// One that is of something else, of another version, damaged or unreadable.
    Other,
}

impl Binding {
    /// What there is in a trail for a segment that has so many bytes.
    pub(super) fn find(trail: &Path, segment: SegmentName, bytes: u64) -> Found {
        let path = trail.join(INDEX).join(segment.index_binding());
        let mut text = Vec::new();
        match open(&path).and_then(|file| file.take(MAX_BINDING).read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(_) => return Found::Other,
        }
        let Some(binding) = Binding::parse(&text) else { return Found::Other };
        let stated = digest(trail, segment).map(|digest| digest.to_string());
        if binding.segment != segment.to_string()
            || binding.bytes != bytes
            || stated.as_ref() != Some(&binding.sha256)
        {
            return Found::Other;
        }
        if Stamp::of_segment(trail, segment) == Some(binding.stamp) {
            Found::Bound(Box::new(binding))
        } else {
            Found::Touched(Box::new(binding))
        }
    }

    /// One line of JSON, and its checksum in the next.
    pub(super) fn to_text(&self) -> io::Result<String> {
        let json = serde_json::to_string(self)?;
        let sum = crc32c::crc32c(json.as_bytes());
        Ok(format!("{json}\n{sum:08x}\n"))
    }

    fn parse(text: &[u8]) -> Option<Binding> {
        let text = std::str::from_utf8(text).ok()?;
        let (json, sum) = text.split_once('\n')?;
        (sum == format!("{:08x}\n", crc32c::crc32c(json.as_bytes()))).then_some(())?;
        let binding: Binding = serde_json::from_str(json).ok()?;
        let known = binding.format == FORMAT && binding.block_bytes == BLOCK as u64;
        (known && binding.is_in_order()).then_some(binding)
    }

    /// Whether its groups can be those of one segment: the first at its beginning, each behind the one
    /// before, with no more entries than bytes. Whoever divides the segment by them relies on it.
    fn is_in_order(&self) -> bool {
        let offsets = || self.groups.iter().map(|group| group.offset);
        let first = offsets().next().is_none_or(|first| first == 0);
        let rising = offsets().zip(offsets().skip(1)).all(|(before, next)| before < next);
        let inside = offsets().all(|offset| offset < self.bytes);
        let entries = self.groups.iter().try_fold(0, |sum: u64, group| {
            sum.checked_add(group.entries).filter(|sum| group.entries > 0 && *sum <= self.bytes)
        });
        first && rising && inside && entries.is_some()
    }

    /// What binds the table of a segment, if there is one that may be used.
    #[cfg(feature = "sql")]
    pub(crate) fn bound(trail: &Path, segment: SegmentName, bytes: u64) -> Option<Binding> {
        match Binding::find(trail, segment, bytes) {
            Found::Bound(binding) => binding.table(trail, segment).ok().map(|_| *binding),
            _ => None,
        }
    }

    /// How long the table is.
    #[cfg(feature = "sql")]
    pub(crate) const fn table_bytes(&self) -> u64 {
        self.table_bytes
    }

    /// The table, opened.
    pub(crate) fn table(&self, trail: &Path, segment: SegmentName) -> io::Result<CheckedFile> {
        let file = open(&trail.join(INDEX).join(segment.index_table()))?;
        let sums =
            self.sums().filter(|sums| file.metadata().is_ok_and(|meta| meta.len() == sums.bytes));
        let sums = sums.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(CheckedFile::new(file, sums))
    }

    /// The checksums of the table.
    fn sums(&self) -> Option<Sums> {
        let digits = self.block_crc32c.as_bytes().chunks(8);
        let sum = |digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        let crc32c = digits.map(sum).collect::<Option<Vec<u32>>>()?;
        Some(Sums { bytes: self.table_bytes, crc32c })
    }

    /// How many entries it has.
    pub(crate) fn entries(&self) -> u64 {
        self.groups.iter().map(|group| group.entries).sum()
    }
}

/// Opens a file to be read, which is one: nobody is waited for at the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file")),
    }
}

/// Checksums as a binding has them.
pub(super) fn sums_text(sums: &Sums) -> String {
    sums.crc32c.iter().map(|sum| format!("{sum:08x}")).collect()
}

/// What the `.sha256` of a segment says.
pub(super) fn digest(trail: &Path, segment: SegmentName) -> Option<Hash> {
    let mut text = Vec::new();
    let file = open(&trail.join(format!("{segment}.sha256"))).ok()?;
    file.take(256).read_to_end(&mut text).ok()?;
    Hash::from_hex(text.strip_suffix(format!("  {segment}\n").as_bytes())?)
}

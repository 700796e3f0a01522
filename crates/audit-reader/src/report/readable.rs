//! A trail without its archives that do not unpack.
//!
//! What must stay true here: an archive is left out only if it is damaged, and it is counted; a disk that
//! cannot be read stays an error. A trail without damage is read once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_core::segment::SegmentName;

use crate::source::read_some;
use crate::{LogFile, LogSource, QueryError, ReadError, Source, archive_damage};

/// Reads a trail; if an archive of it does not unpack, what is left of the trail. Gives what was read,
/// what it was read of, and how many segments were left out.
pub(super) fn readable<T>(
    source: &Source,
    mut read: impl FnMut(&Source) -> Result<T, QueryError>,
) -> Result<(T, Source, u64), QueryError> {
    match read(source) {
        Err(QueryError::Read(ReadError::Io { source: error, .. }))
            if archive_damage(&error).is_some() => {}
        done => return done.map(|read| (read, source.clone(), 0)),
    }
    let mut left_out = BTreeSet::new();
    for segment in source.segments()? {
        if is_damaged(source, segment)? {
            left_out.insert(segment.archived());
        }
    }
    let count = left_out.len() as u64;
    let source = Source::new(Readable { source: source.clone(), left_out })?;
    Ok((read(&source)?, source, count))
}

/// Whether a segment is archived and does not unpack.
fn is_damaged(source: &Source, segment: SegmentName) -> Result<bool, ReadError> {
    let Some(segment) = source.open_segment(segment)?.filter(|segment| segment.archived) else {
        return Ok(false);
    };
    let (mut block, mut at) = (vec![0; 128 * 1024], 0);
    loop {
        match read_some(&*segment.file, &mut block, at) {
            Ok(0) => return Ok(false),
            Ok(count) => at += count as u64,
            Err(error) if archive_damage(&error).is_some() => return Ok(true),
            Err(error) => {
                return Err(ReadError::io(&source.place_of(&segment.file_name()))(error));
            }
        }
    }
}

/// The other files of a trail.
#[derive(Debug)]
struct Readable {
    source: Source,
    left_out: BTreeSet<String>,
}

impl LogSource for Readable {
    fn place(&self) -> PathBuf {
        self.source.place()
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        let mut names = self.source.names()?;
        names.retain(|name| !self.left_out.contains(name));
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        if self.left_out.contains(name) { Ok(None) } else { self.source.open_file(name) }
    }

    fn directory(&self) -> Option<&Path> {
        self.source.directory()
    }

    fn is_being_written(&self) -> Result<bool, ReadError> {
        self.source.is_being_written()
    }
}

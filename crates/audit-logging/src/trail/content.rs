//! The bytes of a segment, whether it is archived or not.
//!
//! What must stay true here: of a segment that is there in both forms, the plain one is read: the
//! archive may be unfinished. What an archive unpacks to is not believed for having unpacked.

use std::io::{self, BufReader, Read};

use audit_core::segment::SegmentName;
use zstd::stream::read::Decoder;

use crate::storage::Storage;

/// The largest window that is unpacked with, 8 MiB: readers refuse more.
const MAX_WINDOW_LOG: u32 = 23;

/// The segments among these file names, in order, archived ones included.
pub(crate) fn segments_in(names: &[String]) -> Vec<SegmentName> {
    let stored = names.iter().filter_map(|name| SegmentName::parse_stored(name));
    let mut segments: Vec<SegmentName> = stored.map(|(segment, _)| segment).collect();
    segments.sort_unstable();
    segments.dedup();
    segments
}

/// True when the segment is there compressed only.
pub(crate) fn is_archived(names: &[String], segment: SegmentName) -> bool {
    let plain = segment.to_string();
    !names.contains(&plain)
}

/// Opens a segment's bytes as they were written.
pub(crate) fn read_content(
    storage: &dyn Storage,
    segment: SegmentName,
) -> io::Result<Box<dyn Read + Send>> {
    match storage.read(&segment.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    unpack(storage.read(&segment.archived())?)
}

/// What compressed bytes unpack to.
pub(crate) fn unpack(packed: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut decoder = Decoder::new(packed)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(Box::new(Unpacked(decoder)))
}

/// What an archive unpacks to. That it does not is damage of it, and not a disk that refuses: it is told
/// as [`io::ErrorKind::InvalidData`], and what the operating system says stays what it is.
struct Unpacked(Decoder<'static, BufReader<Box<dyn Read + Send>>>);

impl Read for Unpacked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| match (error.raw_os_error(), error.kind()) {
            (None, io::ErrorKind::Other | io::ErrorKind::UnexpectedEof) => {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
            _ => error,
        })
    }
}

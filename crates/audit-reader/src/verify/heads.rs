//! The signed tree heads in a trail's directory.
//!
//! What must stay true here: they are read before anything else, so that a trail which grows is only
//! ever ahead of them.

use std::time::{Duration, Instant};

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::MAX_NOTE;
use audit_core::verify::Read;

use crate::{ReadError, Source};

/// How long a trail that is being written may be without its first checkpoint: longer than the
/// second within which a writer must publish one.
const FIRST_CHECKPOINT: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The file `checkpoint`; that of a trail whose writer has just begun is waited for.
pub(super) fn read_checkpoint(source: &Source) -> Result<Option<Read>, ReadError> {
    let deadline = Instant::now() + FIRST_CHECKPOINT;
    loop {
        // Asked first: a writer that ends after this has published its checkpoint by the next read.
        let in_writing = source.is_being_written()?;
        let read = read_head(source, "checkpoint")?;
        if read.is_some() || !in_writing || Instant::now() >= deadline {
            return Ok(read);
        }
        // Another process publishes it: there is nothing in this one to wait on.
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// A file with a signed checkpoint; `None` if it is not there.
pub(super) fn read_head(source: &Source, name: &str) -> Result<Option<Read>, ReadError> {
    let bytes = source.small_file(name, MAX_NOTE as u64 + 1)?;
    Ok(bytes.map(|bytes| SignedCheckpoint::parse(&bytes)))
}

/// The file `checkpoint` as it stands now, to see whether it changes.
pub(super) fn bytes(source: &Source) -> Result<Option<Vec<u8>>, ReadError> {
    source.small_file("checkpoint", MAX_NOTE as u64 + 1)
}

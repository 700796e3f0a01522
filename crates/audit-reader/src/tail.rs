//! The last entries of a trail, and those that are still to come.
//!
//! What must stay true here: the end is found from the end, so the cost does not grow with the
//! trail; following gives complete lines only, in order, none twice, across rotations.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::time::Duration;

use audit_core::segment::SegmentName;
use memchr::memrchr_iter;

use crate::{DirSource, Line, ReadError, Step, TrailReader};

/// How much is read at a time, backwards.
const BLOCK: u64 = 64 * 1024;

/// A reader that stands before the last `lines` complete lines of a trail.
///
/// # Errors
/// When the trail cannot be read.
pub fn tail(source: &DirSource, lines: u64) -> Result<TrailReader, ReadError> {
    let mut wanted = lines;
    let mut place = None;
    for name in source.segments()?.into_iter().rev() {
        let Some(file) = source.open_segment(name)? else { continue };
        let path = source.path().join(name.to_string());
        let (found, offset) = last_lines(file, wanted).map_err(ReadError::io(&path))?;
        place = Some((name, offset));
        wanted -= found;
        if offset > 0 {
            break;
        }
    }
    match place {
        Some((name, offset)) => TrailReader::starting_at(source.clone(), name, offset),
        None => Ok(TrailReader::new(source.clone())),
    }
}

/// Where the last `wanted` lines of a file begin, and how many of them it has.
fn last_lines(mut file: File, wanted: u64) -> std::io::Result<(u64, u64)> {
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    let mut ends = 0;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(end - start).read_to_end(&mut block)?;
        for at in memrchr_iter(b'\n', &block) {
            if ends == wanted {
                return Ok((ends, start + at as u64 + 1));
            }
            ends += 1;
        }
        end = start;
    }
    Ok((ends, 0))
}

/// Hands out lines as they are written, until `each` breaks. Looks for new ones every `interval`;
/// `each` is called without a line before each wait, so that it can flush, or break.
/// `Thread::unpark` ends a wait early.
///
/// # Errors
/// When the trail cannot be read.
pub fn follow(
    reader: &mut TrailReader,
    interval: Duration,
    mut each: impl FnMut(Option<(SegmentName, &Line<'_>)>) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    loop {
        let flow = match reader.step()? {
            Step::Line(segment, line) => each(Some((segment, &line))),
            Step::SegmentEnd(_) => ControlFlow::Continue(()),
            Step::Unfinished(..) | Step::CaughtUp => {
                let flow = each(None);
                if flow.is_continue() {
                    // Nothing tells of a new line, so this waits for a clock; but whoever has the
                    // thread can end the wait early with `unpark`.
                    std::thread::park_timeout(interval);
                }
                flow
            }
        };
        if flow.is_break() {
            return Ok(());
        }
    }
}

//! The last entries of a trail, and those that are still to come.
//!
//! What must stay true here: the end is found from the end, so the cost does not grow with the
//! trail; following gives complete lines only, in order, none twice, across rotations.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use audit_core::segment::SegmentName;
use memchr::{memchr_iter, memrchr_iter};

use crate::source::{LogFile, Segment, read_full, read_some};
use crate::{Line, ReadError, Source, Step, TrailReader};

/// How much is read at a time, backwards.
const BLOCK: usize = 64 * 1024;

/// A reader that stands before the last `lines` complete lines of a trail.
///
/// # Errors
/// When the trail cannot be read.
pub fn tail(source: impl Into<Source>, lines: u64) -> Result<TrailReader, ReadError> {
    let source = source.into();
    let mut wanted = lines;
    let mut place = None;
    for name in source.segments()?.into_iter().rev() {
        let Some(segment) = source.open_segment(name)? else { continue };
        let path = source.place_of(&segment.file_name());
        let (found, offset) = last_lines(&segment, wanted).map_err(ReadError::io(&path))?;
        place = Some((name, offset));
        wanted -= found;
        if offset > 0 {
            break;
        }
    }
    match place {
        Some((name, offset)) => TrailReader::starting_at(source, name, offset),
        None => Ok(TrailReader::new(source)),
    }
}

/// Where the last `wanted` lines of a segment begin, and how many of them it has.
fn last_lines(segment: &Segment, wanted: u64) -> io::Result<(u64, u64)> {
    let mut block = vec![0; BLOCK];
    if segment.archived {
        return last_lines_forward(&*segment.file, wanted, &mut block);
    }
    let mut end = segment.file.size()?;
    let mut ends = 0;
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let count = usize::try_from(end - start).unwrap_or(BLOCK);
        let filled = read_full(&*segment.file, &mut block[..count], start)?;
        for at in memrchr_iter(b'\n', &block[..filled]) {
            if ends == wanted {
                return Ok((ends, start + at as u64 + 1));
            }
            ends += 1;
        }
        end = start;
    }
    Ok((ends, 0))
}

/// The same of one that can only be read forward: once to count its lines, once to the right one.
fn last_lines_forward(file: &dyn LogFile, wanted: u64, block: &mut [u8]) -> io::Result<(u64, u64)> {
    let (total, _) = skip_lines(file, u64::MAX, block)?;
    let (skipped, offset) = skip_lines(file, total.saturating_sub(wanted), block)?;
    Ok((total - skipped, offset))
}

/// Steps over so many lines, or all there are: how many, and where the next one begins.
fn skip_lines(file: &dyn LogFile, lines: u64, block: &mut [u8]) -> io::Result<(u64, u64)> {
    let (mut skipped, mut offset, mut at) = (0, 0, 0);
    while skipped < lines {
        let count = read_some(file, block, at)?;
        if count == 0 {
            break;
        }
        for lf in memchr_iter(b'\n', &block[..count]) {
            if skipped == lines {
                break;
            }
            (skipped, offset) = (skipped + 1, at + lf as u64 + 1);
        }
        at += count as u64;
    }
    Ok((skipped, offset))
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

//! The lines of a whole trail, segment after segment, while it may be growing.
//!
//! What must stay true here: a segment is left only when a newer one exists *and* it was read to
//! its end after that was seen. A closed segment is never written again, so no line is missed when
//! the writer rotates while this reads.

use std::path::PathBuf;

use audit_core::segment::SegmentName;

use crate::line::{Line, LineKind, LineReader, Span};
use crate::{ReadError, Source};

/// Reads a trail forward from some place.
#[derive(Debug)]
pub struct TrailReader {
    source: Source,
    current: Option<Current>,
    /// Segments up to this one are done.
    after: Option<SegmentName>,
    /// Segments that are there for sure, in order.
    known: Vec<SegmentName>,
}

#[derive(Debug)]
struct Current {
    name: SegmentName,
    path: PathBuf,
    lines: LineReader,
    /// A newer segment exists.
    closed: bool,
    /// Its last line, which has no LF, was given out.
    torn: bool,
}

/// What a [`TrailReader`] comes upon.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A line that ends in LF, or is longer than any entry; or a closed segment's torn last line.
    Line(SegmentName, Line<'a>),
    /// The newest segment ends in the middle of a line. Asking again looks again.
    Unfinished(SegmentName, Line<'a>),
    /// A segment was read to its end.
    SegmentEnd(SegmentEnd),
    /// All that is there was read. Asking again looks for more.
    CaughtUp,
}

/// The end of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentEnd {
    /// Its name.
    pub name: SegmentName,
    /// How long it is.
    pub bytes: u64,
}

impl TrailReader {
    /// Reads a trail from its first segment.
    #[must_use]
    pub fn new(source: impl Into<Source>) -> TrailReader {
        TrailReader { source: source.into(), current: None, after: None, known: Vec::new() }
    }

    /// Reads a trail from a place in it that is the beginning of a line.
    ///
    /// # Errors
    /// When the segment cannot be read.
    pub fn starting_at(
        source: impl Into<Source>,
        name: SegmentName,
        offset: u64,
    ) -> Result<TrailReader, ReadError> {
        let mut reader = TrailReader::new(source);
        reader.open(name, offset)?;
        Ok(reader)
    }

    /// Passes over the segments up to this one.
    pub(crate) const fn after(mut self, name: Option<SegmentName>) -> TrailReader {
        self.after = name;
        self
    }

    /// What comes next.
    ///
    /// # Errors
    /// When the directory or a segment cannot be read.
    pub fn step(&mut self) -> Result<Step<'_>, ReadError> {
        let Some(span) = self.advance()? else {
            return Ok(match self.current.take_if(|current| current.closed) {
                Some(current) => Step::SegmentEnd(self.leave(current)),
                None => Step::CaughtUp,
            });
        };
        let Some(current) = &self.current else { return Ok(Step::CaughtUp) };
        let line = current.lines.line(span);
        if span.kind == LineKind::Partial && !current.closed {
            Ok(Step::Unfinished(current.name, line))
        } else {
            Ok(Step::Line(current.name, line))
        }
    }

    /// Ends the reading: how much of the segment that is still open was read.
    pub(crate) fn take_open(&mut self) -> Option<SegmentEnd> {
        self.current.take().map(|current| self.leave(current))
    }

    /// The next line. `None` at the end of a closed segment, or when all is read.
    fn advance(&mut self) -> Result<Option<Span>, ReadError> {
        loop {
            let Some(current) = &mut self.current else {
                match self.newer(self.after)? {
                    Some(name) => self.open(name, 0)?,
                    None => return Ok(None),
                }
                continue;
            };
            if current.torn {
                return Ok(None);
            }
            let span = current.lines.advance().map_err(ReadError::io(&current.path))?;
            let ended = span.is_none_or(|span| span.kind == LineKind::Partial);
            if ended && !current.closed {
                let name = current.name;
                if self.newer(Some(name))?.is_some() {
                    if let Some(current) = &mut self.current {
                        current.closed = true;
                    }
                    // It may have grown between its last read and the look at the directory.
                    continue;
                }
                return Ok(span);
            }
            current.torn = ended;
            return Ok(span);
        }
    }

    fn newer(&mut self, than: Option<SegmentName>) -> Result<Option<SegmentName>, ReadError> {
        let next = |known: &[SegmentName]| {
            known.get(known.partition_point(|name| Some(*name) <= than)).copied()
        };
        if let Some(name) = next(&self.known) {
            return Ok(Some(name));
        }
        let seen = self.source.segments()?;
        let Some(&newest) = seen.last().filter(|name| Some(**name) > than) else {
            return Ok(None);
        };
        // A listing may hold a file made during it and miss an older one that was made during it,
        // too. Whatever is older than one that was seen is in the next listing for sure. Kept, so
        // that a trail of many segments is listed twice and not twice a segment.
        self.known = self.source.segments()?;
        self.known.retain(|name| *name <= newest);
        Ok(next(&self.known))
    }

    /// Makes `name` the current segment; if retention was faster, passes over it.
    fn open(&mut self, name: SegmentName, offset: u64) -> Result<(), ReadError> {
        match self.source.open_segment(name)? {
            Some(segment) => {
                let path = self.source.place_of(&segment.file_name());
                let lines = LineReader::new(segment.file, offset);
                self.current = Some(Current { name, path, lines, closed: false, torn: false });
            }
            None => self.after = Some(name),
        }
        Ok(())
    }

    fn leave(&mut self, current: Current) -> SegmentEnd {
        self.after = Some(current.name);
        SegmentEnd { name: current.name, bytes: current.lines.end() }
    }
}

//! The search of a piece, and the answer that is put together of the pieces.
//!
//! What must stay true here: what is told of the search is true of every piece that was taken, and of
//! those only. A line that might match and is no entry is counted, never passed over in silence.

use std::ops::ControlFlow;
use std::time::Duration;

use audit_core::entry::Parser;
use memchr::memchr_iter;

use super::filter::Filter;
use super::narrow::{Advice, Lookup};
use super::prefilter::Prefilter;
use super::run::{Hit, Render, Searched};
use super::{Cursor, Order, Query};
use crate::scan::{Ending, Piece, Plan, Reader};
use crate::{Progress, ReadError, Source};

/// What every thread needs to know.
pub(super) struct Search<'a> {
    source: &'a Source,
    plan: &'a Plan,
    order: Order,
    filter: Filter<'a>,
    prefilter: Option<Prefilter>,
    lookup: &'a Lookup,
    how: How<'a>,
}

/// What becomes of an entry that matches.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) render: Option<Render<'a>>,
    /// Only if it has the hash it states.
    pub(super) verified: bool,
}

/// What every thread has for itself.
#[derive(Debug, Default)]
pub(super) struct Worker {
    reader: Reader,
    parser: Parser,
}

/// What was found in a piece, in the query's order.
#[derive(Debug, Default)]
pub(super) struct Found {
    segment: usize,
    piece_bytes: u64,
    matches: Vec<Match>,
    bytes: Vec<u8>,
    lines: u64,
    malformed: u64,
    mismatches: u64,
    unfinished: bool,
    gone: bool,
}

#[derive(Debug, Clone, Copy)]
struct Match {
    seq: u64,
    offset: u64,
    /// Where its bytes are.
    from: usize,
    to: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        query: &'a Query,
        source: &'a Source,
        plan: &'a Plan,
        lookup: &'a Lookup,
        seq: (u64, Option<u64>),
        how: How<'a>,
    ) -> Search<'a> {
        let filter = Filter::new(query, seq);
        Search {
            source,
            plan,
            order: query.order,
            filter,
            prefilter: Prefilter::new(query),
            lookup,
            how,
        }
    }

    /// Searches a piece, the `index`-th in the query's order.
    pub(super) fn piece(&self, worker: &mut Worker, index: usize) -> Result<Found, ReadError> {
        let pieces = &self.plan.pieces;
        let at = |index: usize| match self.order {
            Order::OldestFirst => pieces[index],
            Order::NewestFirst => pieces[pieces.len() - 1 - index],
        };
        let piece = at(index);
        let mut found = match self.lookup.advise(piece, (index + 1..pieces.len()).map(at)) {
            Advice::Scan => self.scan(worker, piece)?,
            Advice::Lines { searched, at } => match self.lines(worker, piece, &at)? {
                Some(found) => Found { lines: searched, ..found },
                None => {
                    self.lookup.contradicted(piece.segment);
                    self.scan(worker, piece)?
                }
            },
        };
        if self.order == Order::NewestFirst {
            found.matches.reverse();
        }
        Ok(found)
    }

    /// Looks at the lines of a piece that begin at these places; `None` if no lines begin there.
    fn lines(
        &self,
        worker: &mut Worker,
        piece: Piece,
        at: &[u64],
    ) -> Result<Option<Found>, ReadError> {
        let Worker { reader, parser } = worker;
        let piece_bytes = piece.to - piece.from;
        let mut found = Found { segment: piece.segment, piece_bytes, ..Found::default() };
        for &from in at {
            let line = Piece { from, to: from + 1, ..piece };
            let Some(block) = reader.read(self.source, &self.plan.segments, line)? else {
                return Ok(Some(Found { segment: piece.segment, gone: true, ..Found::default() }));
            };
            match block.lines.strip_suffix(b"\n") {
                Some(line) if block.offset == from => self.line(parser, from, line, &mut found),
                _ => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// Looks at all lines of a piece.
    fn scan(&self, worker: &mut Worker, piece: Piece) -> Result<Found, ReadError> {
        let segments = &self.plan.segments;
        let Worker { reader, parser } = worker;
        let mut found = Found { segment: piece.segment, ..Found::default() };
        let Some(block) = reader.read(self.source, segments, piece)? else {
            return Ok(Found { gone: true, ..found });
        };
        found.piece_bytes = piece.to - piece.from;
        found.lines = memchr_iter(b'\n', block.lines).count() as u64;
        let mut each = |at: usize, line: &[u8]| {
            self.line(parser, block.offset + at as u64, line, &mut found);
        };
        match &self.prefilter {
            Some(prefilter) => prefilter.candidates(block.lines, each),
            None => {
                let mut from = 0;
                for lf in memchr_iter(b'\n', block.lines) {
                    each(from, &block.lines[from..lf]);
                    from = lf + 1;
                }
            }
        }
        match block.ending {
            Ending::Whole => {}
            Ending::CutOff if segments[piece.segment].newest => found.unfinished = true,
            Ending::CutOff | Ending::Oversized => found.malformed += 1,
        }
        Ok(found)
    }

    fn line(&self, parser: &mut Parser, offset: u64, line: &[u8], found: &mut Found) {
        if !self.filter.may_match(line) {
            return;
        }
        let Ok(entry) = parser.parse(line) else {
            found.malformed += 1;
            return;
        };
        if !self.filter.matches(&entry) {
            return;
        }
        if self.how.verified && !entry.hash_matches() {
            found.mismatches += 1;
            return;
        }
        let from = found.bytes.len();
        match self.how.render {
            Some(render) => render(&entry, &mut found.bytes),
            None => found.bytes.extend_from_slice(line),
        }
        let to = found.bytes.len();
        found.matches.push(Match { seq: entry.seq(), offset, from, to });
    }
}

/// The answer as far as it is known.
pub(super) struct Answer<'a, 't> {
    plan: &'a Plan,
    limit: Option<u64>,
    tell: Option<&'t mut dyn FnMut(Progress)>,
    pieces: usize,
    segment: Option<usize>,
    gone: Option<usize>,
    stopped: bool,
    searched: Searched,
}

impl<'a, 't> Answer<'a, 't> {
    pub(super) fn new(
        plan: &'a Plan,
        limit: Option<u64>,
        tell: Option<&'t mut dyn FnMut(Progress)>,
    ) -> Answer<'a, 't> {
        let searched = Searched {
            matched: 0,
            entries: 0,
            segments: 0,
            segments_total: plan.segments.len() as u64,
            bytes: 0,
            first_seq: plan.first_seq,
            malformed: 0,
            unfinished: false,
            hash_mismatches: 0,
            segments_by_index: 0,
            indexes_unusable: 0,
            segments_gone: 0,
            complete: false,
            next: None,
            seconds: 0.0,
        };
        Answer { plan, limit, tell, pieces: 0, segment: None, gone: None, stopped: false, searched }
    }

    /// Takes what was found in the next piece, and hands it on.
    pub(super) fn take(
        &mut self,
        found: &Found,
        each: &mut dyn FnMut(Hit<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let searched = &mut self.searched;
        self.pieces += 1;
        if found.gone {
            let first = self.gone.replace(found.segment) != Some(found.segment);
            searched.segments_gone += u64::from(first);
            return ControlFlow::Continue(());
        }
        let first = self.segment.replace(found.segment) != Some(found.segment);
        searched.segments += u64::from(first);
        searched.entries += found.lines;
        searched.bytes += found.piece_bytes;
        searched.malformed += found.malformed;
        searched.hash_mismatches += found.mismatches;
        searched.unfinished |= found.unfinished;
        let segment = self.plan.segments[found.segment].name;
        for &Match { seq, offset, from, to } in &found.matches {
            searched.matched += 1;
            searched.next = Some(Cursor::new(seq, segment, offset));
            let flow = each(Hit { seq, segment, offset, bytes: &found.bytes[from..to] });
            if flow.is_break() || Some(searched.matched) == self.limit {
                self.stopped = true;
                return ControlFlow::Break(());
            }
        }
        if let Some(tell) = &mut self.tell {
            let (bytes, lines) = (searched.bytes, searched.entries);
            tell(Progress { bytes, lines, total_bytes: self.plan.bytes });
        }
        ControlFlow::Continue(())
    }

    /// The whole of it. `indexes` says how many were used, and how many could not be.
    pub(super) fn searched(self, indexes: (u64, u64), took: Duration) -> Searched {
        let complete = !self.stopped && self.pieces == self.plan.pieces.len();
        let (segments_by_index, indexes_unusable) = indexes;
        let seconds = took.as_secs_f64();
        Searched { complete, segments_by_index, indexes_unusable, seconds, ..self.searched }
    }
}

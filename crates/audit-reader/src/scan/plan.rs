//! Which pieces of which segments are looked at.
//!
//! What must stay true here: a segment is left out only for what its own bytes and those of its
//! neighbours say, never for what a derived file says. Where the segments' first entries are out of
//! order, which only a damaged trail's are, nothing is left out.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use audit_core::segment::SegmentName;

use crate::find::first_seq;
use crate::source::LogFile;
use crate::{ReadError, Source};

/// How many bytes a piece has: it stays in the processor's cache while it is looked at.
const PIECE: u64 = 512 * 1024;

/// A segment as it was when the plan was made.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: SegmentName,
    pub(crate) len: u64,
    /// It may be growing, so an unfinished last line is no damage.
    pub(crate) newest: bool,
    /// Its open file, as long as somebody reads it: an archived one is unpacked once for all.
    open: Mutex<Weak<dyn LogFile>>,
}

impl Segment {
    /// Opens it for reading anywhere in it; `None` if it is gone.
    pub(crate) fn open(&self, source: &Source) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.upgrade() {
            return Ok(Some(file));
        }
        let Some(segment) = source.open_segment(self.name)? else { return Ok(None) };
        let file = segment.at_hand(source)?;
        *open = Arc::downgrade(&file);
        Ok(Some(file))
    }
}

/// No file at all.
fn closed() -> Mutex<Weak<dyn LogFile>> {
    Mutex::new(Weak::<std::fs::File>::new())
}

/// Lines that begin from `from` on and before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Index of the segment in the plan.
    pub(crate) segment: usize,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// Which part of the trail is asked for; what is not given is not bounded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// The lowest and the highest `seq`.
    pub(crate) seq: (u64, Option<u64>),
    /// Lines behind the one that begins here.
    pub(crate) behind: Option<(SegmentName, u64)>,
    /// Lines before the one that begins here.
    pub(crate) before: Option<(SegmentName, u64)>,
}

/// The pieces of a trail in its order.
#[derive(Debug)]
pub(crate) struct Plan {
    /// All segments there were.
    pub(crate) segments: Vec<Segment>,
    pub(crate) pieces: Vec<Piece>,
    /// How many bytes the pieces have.
    pub(crate) bytes: u64,
    /// `seq` of the first entry of the trail, if its first line is one.
    pub(crate) first_seq: Option<u64>,
}

impl Plan {
    /// What there is now of `bounds`.
    pub(crate) fn new(source: &Source, bounds: &Bounds) -> Result<Plan, ReadError> {
        let names = source.settled_segments()?;
        let newest = names.last().copied();
        let mut segments = Vec::with_capacity(names.len());
        for name in names {
            // If retention was faster, there is nothing to look at.
            if let Some(segment) = source.open_segment(name)? {
                let (len, newest) = (segment.size(source)?, Some(name) == newest);
                segments.push(Segment { name, len, newest, open: closed() });
            }
        }
        let by_seq = bounds.seq.0 > 0 || bounds.seq.1.is_some();
        let known = if by_seq { segments.len() } else { segments.len().min(1) };
        let mut firsts = Vec::with_capacity(known);
        for segment in &segments[..known] {
            firsts.push(first_seq(source, segment.name)?);
        }
        let in_order = firsts.is_sorted_by(|a, b| a.is_some() && a < b);
        let firsts = if by_seq && in_order { firsts.as_slice() } else { &[] };
        let mut plan = Plan {
            first_seq: match segments.first() {
                Some(segment) => first_seq(source, segment.name)?,
                None => None,
            },
            segments,
            pieces: Vec::new(),
            bytes: 0,
        };
        for index in 0..plan.segments.len() {
            let first = |index: usize| firsts.get(index).copied().flatten();
            let too_late =
                first(index).is_some_and(|first| bounds.seq.1.is_some_and(|to| to < first));
            let too_early = first(index + 1).is_some_and(|next| next <= bounds.seq.0);
            if !too_late && !too_early {
                plan.add(index, bounds);
            }
        }
        Ok(plan)
    }

    /// Divides the pieces of each segment where it is asked for.
    pub(crate) fn divide<'c>(&mut self, cuts: impl Fn(usize) -> &'c [u64]) {
        let mut divided = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let (mut rest, cuts) = (*piece, cuts(piece.segment));
            let next = cuts.partition_point(|cut| *cut <= piece.from);
            for &cut in cuts[next..].iter().take_while(|cut| **cut < piece.to) {
                divided.push(Piece { to: cut, ..rest });
                rest.from = cut;
            }
            divided.push(rest);
        }
        self.pieces = divided;
    }

    /// Adds the pieces of a segment.
    fn add(&mut self, index: usize, bounds: &Bounds) {
        let &Segment { name, len, .. } = &self.segments[index];
        let mut from = match bounds.behind {
            Some((place, _)) if name < place => return,
            Some((place, offset)) if name == place => offset + 1,
            _ => 0,
        };
        let end = match bounds.before {
            Some((place, _)) if name > place => return,
            Some((place, offset)) if name == place => offset.min(len),
            _ => len,
        };
        while from < end {
            let to = (from + PIECE).min(end);
            self.pieces.push(Piece { segment: index, from, to });
            self.bytes += to - from;
            from = to;
        }
    }
}

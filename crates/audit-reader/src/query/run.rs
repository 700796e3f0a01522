//! A query on the segments as they are.
//!
//! What must stay true here: a query that contradicts itself is refused before the trail is touched;
//! a page begins right behind the last one.

use std::fmt;
use std::ops::ControlFlow;
use std::time::Instant;

use audit_core::entry::{Entry, Parser};
use audit_core::segment::SegmentName;
use serde::{Serialize, Serializer};

use super::search::{Answer, How, Search, Worker};
use super::{Cursor, Order, Query, QueryError, narrow};
use crate::scan::{Bounds, Plan, ordered};
use crate::{Progress, ReadError, Source, Step, tail};

/// Writes a matching entry in some form, on the thread that found it.
pub type Render<'a> = &'a (dyn Fn(&Entry<'_>, &mut Vec<u8>) + Sync);

/// How to run a query.
#[derive(Default)]
#[non_exhaustive]
pub struct QueryOptions<'a> {
    jobs: usize,
    progress: Option<&'a mut dyn FnMut(Progress)>,
    render: Option<Render<'a>>,
    verified: bool,
}

impl<'a> QueryOptions<'a> {
    /// Pieces of the trail that are searched side by side; one if this is not called.
    #[must_use]
    pub const fn with_jobs(mut self, jobs: usize) -> QueryOptions<'a> {
        self.jobs = jobs;
        self
    }

    /// Is told now and then how far it is.
    #[must_use]
    pub fn with_progress(mut self, tell: &'a mut dyn FnMut(Progress)) -> QueryOptions<'a> {
        self.progress = Some(tell);
        self
    }

    /// The hash of every entry that matches is computed and compared; one that states another is not
    /// handed on but counted, in [`Searched::hash_mismatches`].
    #[must_use]
    pub const fn verified(mut self, verified: bool) -> QueryOptions<'a> {
        self.verified = verified;
        self
    }

    /// Entries are handed on in this form instead of as they stand on disk.
    #[must_use]
    pub fn with_render(mut self, render: Render<'a>) -> QueryOptions<'a> {
        self.render = Some(render);
        self
    }
}

impl fmt::Debug for QueryOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryOptions").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// An entry that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hit<'a> {
    /// Its `seq`.
    pub seq: u64,
    /// The segment it stands in.
    pub segment: SegmentName,
    /// Where in it.
    pub offset: u64,
    /// What [`QueryOptions::with_render`] made of it; otherwise the line as it stands on disk, without
    /// LF.
    pub bytes: &'a [u8],
}

/// What was searched.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Searched {
    /// Entries that matched and were handed on.
    pub matched: u64,
    /// Entries that were searched.
    pub entries: u64,
    /// Segments they stand in.
    pub segments: u64,
    /// All segments there were. Those that were not searched hold nothing of the range of `seq` or of the
    /// page that was asked for, or were not reached because of a limit.
    pub segments_total: u64,
    /// How many bytes of the trail were searched.
    pub bytes: u64,
    /// `seq` of the first entry that the trail still has.
    pub first_seq: Option<u64>,
    /// Lines that might have matched and are no entries: the trail is damaged, `verify` says where.
    pub malformed: u64,
    /// The trail ends in the middle of a line: it is being written, or was not closed in peace.
    pub unfinished: bool,
    /// Entries that match, were asked for verified, and do not have the hash they state: changed since
    /// they were written. They were not handed on.
    pub hash_mismatches: u64,
    /// Segments of which only the lines that their index names were read.
    pub segments_by_index: u64,
    /// Segments that have an index which is damaged or does not fit: it was passed over.
    pub indexes_unusable: u64,
    /// Segments that retention took away during the search.
    pub segments_gone: u64,
    /// All was searched that was asked for. Otherwise a limit was reached, or the receiver had enough.
    pub complete: bool,
    /// The last entry that was handed on: for [`Query::after`].
    #[serde(serialize_with = "cursor_text")]
    pub next: Option<Cursor>,
    /// How long it took.
    pub seconds: f64,
}

impl Searched {
    /// Whether the answer may lack entries that are or were in the trail: lines are damaged, or segments
    /// went away during the search. A last line that is still being written is none of that, nor is what
    /// a limit left out.
    #[must_use]
    pub const fn lacks(&self) -> bool {
        self.malformed > 0 || self.segments_gone > 0
    }
}

fn cursor_text<S: Serializer>(next: &Option<Cursor>, to: S) -> Result<S::Ok, S::Error> {
    match next {
        Some(cursor) => to.collect_str(cursor),
        None => to.serialize_none(),
    }
}

impl Query {
    /// Looks for entries, the newest segment included up to its last whole line as of now, and hands
    /// them on until `each` breaks.
    ///
    /// # Errors
    /// When the query contradicts itself, or the trail cannot be read.
    pub fn run(
        &self,
        source: impl Into<Source>,
        options: QueryOptions<'_>,
        mut each: impl FnMut(Hit<'_>) -> ControlFlow<()>,
    ) -> Result<Searched, QueryError> {
        let began = Instant::now();
        let source = &source.into();
        self.check()?;
        let bounds = self.bounds(source)?;
        let how = How { render: options.render, verified: options.verified };
        let mut plan = Plan::new(source, &bounds)?;
        let lookup = narrow::lookup(self, source, &plan.segments, &bounds);
        plan.divide(|segment| lookup.cuts(segment));
        let search = Search::new(self, source, &plan, &lookup, bounds.seq, how);
        let mut answer = Answer::new(&plan, self.limit, options.progress);
        if self.limit != Some(0) {
            ordered(
                plan.pieces.len(),
                options.jobs,
                Worker::default,
                |worker, index| search.piece(worker, index),
                |found| answer.take(&found, &mut each),
            )?;
        }
        Ok(answer.searched(lookup.told(), began.elapsed()))
    }

    /// Refuses what cannot mean anything.
    fn check(&self) -> Result<(), QueryError> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(QueryError::TimesReversed { since, until });
        }
        if let (first, Some(last)) = self.seq
            && first > last
        {
            return Err(QueryError::SeqReversed { first, last });
        }
        if self.texts.iter().any(String::is_empty) {
            return Err(QueryError::NothingToSearch);
        }
        Ok(())
    }

    /// The part of the trail that this page can be in.
    fn bounds(&self, source: &Source) -> Result<Bounds, QueryError> {
        let mut bounds = Bounds { seq: self.seq, ..Bounds::default() };
        let Some(cursor) = self.after else { return Ok(bounds) };
        if cursor.holds(source)? {
            let place = Some((cursor.segment, cursor.offset));
            match self.order {
                Order::OldestFirst => bounds.behind = place,
                Order::NewestFirst => bounds.before = place,
            }
            return Ok(bounds);
        }
        if last_seq(source)?.is_some_and(|last| last < cursor.seq) {
            return Err(QueryError::BeyondTheEnd { cursor });
        }
        let (first, last) = bounds.seq;
        bounds.seq = match self.order {
            Order::OldestFirst => (first.max(cursor.seq.saturating_add(1)), last),
            Order::NewestFirst => match cursor.seq.checked_sub(1) {
                Some(before) => (first, Some(last.map_or(before, |last| last.min(before)))),
                // Nothing is older than the first: a range that holds nothing.
                None => (1, Some(0)),
            },
        };
        Ok(bounds)
    }
}

/// `seq` of the last entry, if the last line is one.
pub(super) fn last_seq(source: &Source) -> Result<Option<u64>, ReadError> {
    match tail(source, 1)?.step()? {
        Step::Line(_, line) => {
            Ok(Parser::default().parse(line.bytes).ok().map(|entry| entry.seq()))
        }
        _ => Ok(None),
    }
}

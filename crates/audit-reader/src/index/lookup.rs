//! What a query gets from the index: which lines of a piece of the trail can match.
//!
//! What must stay true here: whatever is wrong with an index, the advice is to read the piece. Advice
//! names every line that matches; the reader looks at each before it believes it.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use audit_core::segment::SegmentName;
use parquet::errors::{ParquetError, Result};

use super::binding::{Binding, Found};
use super::rows::{Rows, Table};
use crate::query::TypeGlob;
use crate::scan::{Bounds, Piece, Segment};
use crate::table::Column;

/// Groups whose rows are remembered: those that the threads are at.
const REMEMBERED: usize = 16;
/// Tables that are open at a time, however many segments there are: each holds a file.
const OPEN: usize = 16;
/// Groups ahead of the one that others are at, of which a thread that would wait for them makes one.
const AHEAD: usize = 4;
/// If one in so many lines can match, reading all of them is faster.
const SPARSE: u64 = 8;

/// What is asked for, in the index's terms. All of it must hold.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) texts: Vec<(Column, Test)>,
    pub(crate) critical: Option<bool>,
    /// In nanoseconds since 1970, both ends included.
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
}

/// What a text must be.
#[derive(Debug)]
pub(crate) enum Test {
    OneOf(Vec<String>),
    Types(Vec<TypeGlob>),
}

impl Conditions {
    fn is_empty(&self) -> bool {
        self.texts.is_empty()
            && self.critical.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }

    /// Whether entries between these times can match.
    fn may_be_within(&self, times: Option<(i64, i64)>) -> bool {
        times.is_none_or(|(first, last)| {
            self.since.is_none_or(|since| since <= last)
                && self.until.is_none_or(|until| first <= until)
        })
    }

    /// Whether all entries between these times are of the times that are asked for. Lines are looked at
    /// before they are believed, so a mistake here only costs time.
    fn surely_within(&self, times: Option<(i64, i64)>) -> bool {
        times.is_some_and(|(first, last)| {
            self.since.is_none_or(|since| since <= first)
                && self.until.is_none_or(|until| last <= until)
        })
    }
}

/// How to search a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Read it.
    Scan,
    /// Of its lines, of which there are so many, only those that begin here can match.
    Lines { searched: u64, at: Vec<u64> },
}

/// What the index says of a group.
#[derive(Debug)]
enum Said {
    /// No line of it matches.
    Nothing,
    Rows(Rows),
    /// It cannot be used.
    Unusable,
    /// It could not be read now, which says nothing about it.
    Unread,
}

/// The indexes of a trail's segments, and a question to them.
#[derive(Debug)]
pub(crate) struct Lookup {
    trail: PathBuf,
    conditions: Conditions,
    /// For each segment of the plan.
    segments: Vec<Option<Indexed>>,
    /// Segments whose index does not fit.
    unfit: u64,
    remembered: Mutex<VecDeque<Remembered>>,
    /// The tables that were asked last.
    open: Mutex<VecDeque<(SegmentName, Table)>>,
}

type Remembered = ((usize, usize), Arc<Kept>);

/// The answer of a group, for all threads.
#[derive(Debug, Default)]
struct Kept {
    said: OnceLock<Said>,
    /// Somebody makes it, or has.
    begun: AtomicBool,
}

impl Kept {
    /// True for whoever is the first to ask.
    fn begin(&self) -> bool {
        !self.begun.swap(true, Ordering::Relaxed)
    }
}

/// A segment that has an index.
#[derive(Debug)]
struct Indexed {
    segment: SegmentName,
    binding: Box<Binding>,
    /// Where its groups begin.
    cuts: Vec<u64>,
    /// A page ends or begins in it, so its lines are counted one by one.
    divided: bool,
    /// Of each group, once it was asked: that no line of it matches, so that all of it is counted where it
    /// begins. Whatever is found out later, its other pieces are counted in the same way.
    nothing: Vec<OnceLock<bool>>,
    used: AtomicBool,
    unusable: AtomicBool,
}

impl Lookup {
    /// The indexes there are for these segments; none is looked for if the question is about nothing
    /// they could say.
    pub(crate) fn open(
        trail: Option<&Path>,
        segments: &[Segment],
        bounds: &Bounds,
        conditions: Conditions,
    ) -> Lookup {
        let mut lookup = Lookup {
            trail: trail.map(Path::to_owned).unwrap_or_default(),
            conditions,
            segments: Vec::new(),
            unfit: 0,
            remembered: Mutex::default(),
            open: Mutex::default(),
        };
        if trail.is_none() || lookup.conditions.is_empty() {
            return lookup;
        }
        for segment in segments {
            let indexed = match Binding::find(&lookup.trail, segment.name, segment.len) {
                Found::Bound(binding) => Some(Indexed::new(segment.name, binding, bounds)),
                Found::Nothing => None,
                Found::Touched(_) | Found::Other => {
                    lookup.unfit += 1;
                    None
                }
            };
            lookup.segments.push(indexed);
        }
        lookup
    }

    /// Where pieces of a segment must be divided.
    pub(crate) fn cuts(&self, segment: usize) -> &[u64] {
        self.indexed(segment).map_or(&[], |indexed| &indexed.cuts)
    }

    fn indexed(&self, segment: usize) -> Option<&Indexed> {
        self.segments.get(segment)?.as_ref()
    }

    /// How to search a piece, which lies within one group. The pieces that come `later` say what may be
    /// asked for next.
    pub(crate) fn advise(&self, piece: Piece, later: impl Iterator<Item = Piece>) -> Advice {
        let Some((indexed, group)) = self.group(piece) else { return Advice::Scan };
        let nothing = &indexed.nothing[group];
        let unusable = indexed.unusable.load(Ordering::Relaxed);
        if unusable && !*nothing.get_or_init(|| false) {
            return Advice::Scan;
        }
        if nothing.get() == Some(&true) {
            return indexed.no_line_of(group, piece);
        }
        let kept = self.remembered(piece.segment, group);
        if !kept.begin() && kept.said.get().is_none() {
            self.prepare((piece.segment, group), later);
        }
        let said = kept.said.get_or_init(|| self.ask(indexed, group));
        if matches!(said, Said::Unusable) {
            indexed.unusable.store(true, Ordering::Relaxed);
        }
        if *nothing.get_or_init(|| matches!(said, Said::Nothing)) {
            return indexed.no_line_of(group, piece);
        }
        let Said::Rows(rows) = said else { return Advice::Scan };
        let advice = rows.within(piece);
        if advice != Advice::Scan {
            indexed.used.store(true, Ordering::Relaxed);
        }
        advice
    }

    /// The group that a piece lies in.
    fn group(&self, piece: Piece) -> Option<(&Indexed, usize)> {
        let indexed = self.indexed(piece.segment)?;
        let group = indexed.cuts.partition_point(|cut| *cut <= piece.from).checked_sub(1)?;
        Some((indexed, group))
    }

    /// Makes the answer of the next group that nobody has begun: others make the one that is asked for,
    /// and are not made faster by being waited for.
    fn prepare(&self, asked: (usize, usize), later: impl Iterator<Item = Piece>) {
        let (mut last, mut seen) = (asked, 0);
        for piece in later {
            let Some((indexed, group)) = self.group(piece) else { return };
            let place = (piece.segment, group);
            if place == last {
                continue;
            }
            (last, seen) = (place, seen + 1);
            let kept = self.remembered(piece.segment, group);
            if kept.begin() {
                kept.said.get_or_init(|| self.ask(indexed, group));
                return;
            }
            if seen == AHEAD {
                return;
            }
        }
    }

    /// An index was found to be wrong.
    pub(crate) fn contradicted(&self, segment: usize) {
        if let Some(indexed) = self.indexed(segment) {
            indexed.unusable.store(true, Ordering::Relaxed);
        }
    }

    /// How many segments were searched by their index, and how many have one that cannot be used.
    pub(crate) fn told(&self) -> (u64, u64) {
        let count = |of: fn(&Indexed) -> &AtomicBool| {
            let segments = self.segments.iter().flatten();
            segments.filter(|indexed| of(indexed).load(Ordering::Relaxed)).count() as u64
        };
        (count(|indexed| &indexed.used), self.unfit + count(|indexed| &indexed.unusable))
    }

    /// The place where the answer of a group is kept, for all threads.
    fn remembered(&self, segment: usize, group: usize) -> Arc<Kept> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, said)) = remembered.iter().find(|(of, _)| *of == (segment, group)) {
            return Arc::clone(said);
        }
        if remembered.len() == REMEMBERED {
            remembered.pop_front();
        }
        let said = Arc::default();
        remembered.push_back(((segment, group), Arc::clone(&said)));
        said
    }

    fn ask(&self, indexed: &Indexed, group: usize) -> Said {
        let times = indexed.binding.groups[group].times;
        if !indexed.divided && !self.conditions.may_be_within(times) {
            return Said::Nothing;
        }
        // The checksums keep accidents away from the decoder. Somebody who writes them to fit may make
        // it panic, and still takes nothing from the answer.
        let said = catch_unwind(AssertUnwindSafe(|| self.decode(indexed, group)));
        match said {
            Ok(Ok(said)) => said,
            Ok(Err(error)) if !is_damage(&error) => Said::Unread,
            Ok(Err(_)) | Err(_) => Said::Unusable,
        }
    }

    /// The table of a segment, opened again if others were asked since.
    fn table(&self, indexed: &Indexed) -> Result<Table> {
        let open = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, table)) = open().iter().find(|(segment, _)| *segment == indexed.segment) {
            return Ok(table.clone());
        }
        // Not under the lock: others may have theirs open.
        let table = indexed.open(&self.trail)?;
        let mut open = open();
        if open.len() == OPEN {
            open.pop_front();
        }
        open.push_back((indexed.segment, table.clone()));
        Ok(table)
    }

    fn decode(&self, indexed: &Indexed, group: usize) -> Result<Said> {
        let table = self.table(indexed)?;
        if !indexed.divided && table.excludes(group, &self.conditions)? {
            return Ok(Said::Nothing);
        }
        let bound = indexed.binding.groups[group];
        let within = self.conditions.surely_within(bound.times);
        let rows = table.rows(group, &self.conditions, within)?;
        let fits = rows.offsets.len() as u64 == bound.entries
            && rows.offsets.first() == Some(&bound.offset)
            && rows.offsets.is_sorted();
        Ok(if fits { Said::Rows(rows) } else { Said::Unusable })
    }
}

/// Whether an error is one of the table: what the machine refuses, such as one more open file, is not.
fn is_damage(error: &ParquetError) -> bool {
    let ParquetError::External(cause) = error else { return true };
    cause.downcast_ref::<io::Error>().is_none_or(|error| {
        use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
        matches!(error.kind(), InvalidData | NotFound | UnexpectedEof)
    })
}

impl Indexed {
    fn new(segment: SegmentName, binding: Box<Binding>, bounds: &Bounds) -> Indexed {
        let here = |place: Option<(_, u64)>| place.is_some_and(|(name, _)| name == segment);
        Indexed {
            segment,
            cuts: binding.groups.iter().map(|group| group.offset).collect(),
            divided: here(bounds.behind) || here(bounds.before),
            nothing: binding.groups.iter().map(|_| OnceLock::new()).collect(),
            binding,
            used: AtomicBool::new(false),
            unusable: AtomicBool::new(false),
        }
    }

    /// That no line of a piece matches because none of its group does. No search ends within such a group,
    /// so all of it is counted where it begins.
    fn no_line_of(&self, group: usize, piece: Piece) -> Advice {
        self.used.store(true, Ordering::Relaxed);
        let begins = self.cuts[group] == piece.from;
        let searched = if begins { self.binding.groups[group].entries } else { 0 };
        Advice::Lines { searched, at: Vec::new() }
    }

    fn open(&self, trail: &Path) -> Result<Table> {
        let table = Table::open(self.binding.table(trail, self.segment)?)?;
        let bound = self.binding.groups.iter().map(|group| Some(group.entries));
        if table.groups().eq(bound) {
            Ok(table)
        } else {
            Err(ParquetError::General("the table has other groups".to_owned()))
        }
    }
}

impl Rows {
    /// The lines of a piece.
    fn within(&self, piece: Piece) -> Advice {
        let place = |offset: u64| self.offsets.partition_point(|at| *at < offset);
        let (first, last) = (place(piece.from), place(piece.to));
        let hits = &self.hits;
        let hit = |row: usize| hits.partition_point(|hit| (*hit as usize) < row);
        let at: Vec<u64> = hits[hit(first)..hit(last)]
            .iter()
            .filter_map(|row| self.offsets.get(*row as usize).copied())
            .collect();
        let searched = (last - first) as u64;
        if at.len() as u64 * SPARSE > searched {
            return Advice::Scan;
        }
        Advice::Lines { searched, at }
    }
}

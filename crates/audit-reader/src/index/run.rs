//! Indexing a trail: every closed segment that has no index, or a wrong one.
//!
//! What must stay true here: the trail's writer is not held up by it and does not know of it. What was
//! refused is said, with its reason; the rest is indexed all the same.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;

use super::build::{Job, Outcome};
use super::error::IndexError;
use super::store::Store;
use crate::scan::ordered;
use crate::table::GROUP;
use crate::{Progress, Source};

/// How to index.
#[derive(Default)]
pub struct IndexOptions<'a> {
    jobs: usize,
    rebuild: bool,
    quick: bool,
    group_rows: Option<NonZeroUsize>,
    progress: Option<&'a mut dyn FnMut(Progress)>,
}

impl std::fmt::Debug for IndexOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexOptions")
            .field("jobs", &self.jobs)
            .field("rebuild", &self.rebuild)
            .field("quick", &self.quick)
            .field("group_rows", &self.group_rows)
            .finish_non_exhaustive()
    }
}

impl<'a> IndexOptions<'a> {
    /// Segments that are indexed side by side; one if this is not called.
    #[must_use]
    pub const fn with_jobs(mut self, jobs: usize) -> IndexOptions<'a> {
        self.jobs = jobs;
        self
    }

    /// Makes every index anew.
    #[must_use]
    pub const fn rebuild(mut self, rebuild: bool) -> IndexOptions<'a> {
        self.rebuild = rebuild;
        self
    }

    /// Trusts tables that are there without reading them: damage in them is found when they are used.
    #[must_use]
    pub const fn quick(mut self, quick: bool) -> IndexOptions<'a> {
        self.quick = quick;
        self
    }

    /// Rows that stand together in a table, are decoded together and passed over together; 131,072 if
    /// this is not called.
    #[must_use]
    pub const fn with_group_rows(mut self, rows: NonZeroUsize) -> IndexOptions<'a> {
        self.group_rows = Some(rows);
        self
    }

    /// Is told now and then how far it is.
    #[must_use]
    pub fn with_progress(mut self, tell: &'a mut dyn FnMut(Progress)) -> IndexOptions<'a> {
        self.progress = Some(tell);
        self
    }
}

/// A segment that gets no index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Refused {
    /// Its name.
    pub segment: String,
    /// What is wrong with it.
    pub why: &'static str,
    /// Where in it, if that is known.
    pub offset: Option<u64>,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Indexed {
    /// Segments that were indexed now.
    pub built: u64,
    /// Their entries.
    pub entries: u64,
    /// Segments whose index was right already.
    pub kept: u64,
    /// Of these, the ones whose file had been touched and was hashed again.
    pub refreshed: u64,
    /// Segments that are not closed yet: they are read as they are.
    pub open: u64,
    /// Files of segments that are gone, or of runs that were cut short, that were removed.
    pub removed: u64,
    /// Bytes of the trail's segments.
    pub segment_bytes: u64,
    /// Bytes of all tables together.
    pub table_bytes: u64,
    /// Segments that get no index because they are damaged.
    pub refused: Vec<Refused>,
    /// How long it took.
    pub seconds: f64,
}

/// Indexes the closed segments of a trail.
///
/// # Errors
/// When the trail cannot be read, the index cannot be written, or another process is writing it. What
/// was indexed before stays.
pub fn index(
    source: impl Into<Source>,
    mut options: IndexOptions<'_>,
) -> Result<Indexed, IndexError> {
    let began = Instant::now();
    let source = &source.into();
    let trail = source.directory().ok_or_else(|| IndexError::NotADirectory(source.place()))?;
    let segments = source.settled_segments()?;
    let store = Store::open(trail)?;
    let mut made = Indexed { removed: store.sweep(&segments)?, ..Indexed::default() };
    let total_bytes = source.total_bytes()?;
    let mut lens = Vec::with_capacity(segments.len());
    for segment in &segments {
        let segment = source.open_segment(*segment)?;
        lens.push(segment.map_or(Ok(0), |segment| segment.size(source))?);
    }
    let mut failed = None;
    let (rebuild, thorough) = (options.rebuild, !options.quick);
    let group_rows = options.group_rows.map_or(GROUP, NonZeroUsize::get);
    let work = |_: &mut (), at: usize| {
        let segment = segments[at];
        let job = Job { source, trail, store: &store, segment, rebuild, thorough, group_rows };
        Ok((at, job.run()))
    };
    ordered(
        segments.len(),
        options.jobs,
        || (),
        work,
        |(at, outcome)| {
            made.segment_bytes += lens[at];
            match outcome {
                Ok(outcome) => made.add(segments[at].to_string(), outcome),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            if let Some(tell) = &mut options.progress {
                tell(Progress { bytes: made.segment_bytes, lines: made.entries, total_bytes });
            }
            ControlFlow::Continue(())
        },
    )?;
    made.seconds = began.elapsed().as_secs_f64();
    failed.map_or(Ok(made), Err)
}

impl Indexed {
    fn add(&mut self, segment: String, outcome: Outcome) {
        match outcome {
            Outcome::Open => self.open += 1,
            Outcome::Gone => {}
            Outcome::Kept { table_bytes } => {
                self.kept += 1;
                self.table_bytes += table_bytes;
            }
            Outcome::Refreshed { table_bytes } => {
                self.kept += 1;
                self.refreshed += 1;
                self.table_bytes += table_bytes;
            }
            Outcome::Built { entries, table_bytes } => {
                self.built += 1;
                self.entries += entries;
                self.table_bytes += table_bytes;
            }
            Outcome::Refused { why, offset } => self.refused.push(Refused { segment, why, offset }),
        }
    }
}

//! A question, from its text to its last row.
//!
//! What must stay true here: a plan is looked at before it runs, and one that does anything but read
//! does not run. When this returns early, what is left of the question is ended at its next step.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use datafusion::datasource::view::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{LogicalPlan, ScalarUDF};
use datafusion::object_store::memory::InMemory;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use futures::StreamExt;
use serde::Serialize;

use super::answer::{Rows, names};
use super::date_trunc::DateTrunc;
use super::error::SqlError;
use super::events::{Events, NOWHERE};
use super::files::Noted;
use crate::Source;

/// The memory a question may use if nobody says otherwise.
const MEMORY: usize = 1 << 30;
/// How many of those who use memory an error of the engine names.
const CONSUMERS: NonZeroUsize = NonZeroUsize::MIN;
/// The longest question.
const LONGEST: usize = 16 * 1024;
/// Plans are trees, and the engine goes down into them; this is address space, not memory.
const STACK: usize = 256 << 20;
/// What an answer needs beside what the engine counts: rows that are being decoded, values that are
/// being made, what the allocator keeps.
const UNCOUNTED: u64 = 512 << 20;
/// Batches that may wait to be taken.
const AHEAD: usize = 2;
/// How long the threads of a question that was ended are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How to answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqlOptions {
    /// How many bytes the engine may use for what it must hold: groups, sorts, joins. 1 GiB by default.
    pub memory: usize,
    /// How long it may take; no limit by default.
    pub time: Option<Duration>,
    /// How many threads work on it; by default as many as there are cores.
    pub jobs: usize,
    /// Whether the index is used where there is one; it is by default. The answer is the same.
    pub index: bool,
}

impl Default for SqlOptions {
    fn default() -> SqlOptions {
        let jobs = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        SqlOptions { memory: MEMORY, time: None, jobs, index: true }
    }
}

impl SqlOptions {
    /// How much address space answering may need at most, beside what the process has: `memory`, stacks
    /// (which are reserved, and hardly used), and 512 MiB for what the engine does not count. A process
    /// of its own with a limit of so much (`RLIMIT_AS`) is the one sure bound for a question of a
    /// stranger, for one value alone can be larger than all that is counted.
    #[must_use]
    pub fn address_space(&self) -> u64 {
        let threads = self.jobs.max(1) as u64 + 1;
        (self.memory as u64)
            .saturating_add(threads.saturating_mul(STACK as u64))
            .saturating_add(UNCOUNTED)
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Answered {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// How many rows were given.
    pub rows: u64,
    /// Segments of the trail; this and what follows is not told if `each` broke.
    pub segments: u64,
    /// Of these, the ones that are indexed and were read from their tables, as far as they were needed.
    pub segments_by_index: u64,
    /// Segments that retention took away while the question was answered: what stands in them is not, or
    /// not everywhere, in the answer.
    pub segments_gone: u64,
    /// Lines that are no entries: the trail is damaged, `verify` says where.
    pub malformed: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Answered {
    /// What is known of an answer that nobody wanted more of.
    const fn cut_short(columns: Vec<String>, rows: u64, took: Duration) -> Answered {
        let seconds = took.as_secs_f64();
        Answered {
            columns,
            rows,
            segments: 0,
            segments_by_index: 0,
            segments_gone: 0,
            malformed: 0,
            seconds,
        }
    }
}

/// Asks a trail in SQL, and hands the rows on until `each` breaks. Of an answer without rows `each` is
/// not told.
///
/// # Errors
/// When the question does not only read, cannot be understood, fails, or reaches a limit; when the trail
/// cannot be read.
pub fn sql(
    source: impl Into<Source>,
    question: &str,
    options: &SqlOptions,
    mut each: impl FnMut(&Rows<'_>) -> ControlFlow<()>,
) -> Result<Answered, SqlError> {
    let began = Instant::now();
    if question.len() > LONGEST {
        return Err(SqlError::Question(format!("the question is longer than {LONGEST} bytes")));
    }
    let (send, receive) = sync_channel(AHEAD);
    let (source, asked, limits) = (source.into(), question.to_owned(), options.clone());
    let engine = std::thread::Builder::new().name("audit-sql".to_owned()).stack_size(STACK);
    let engine = engine.spawn(move || {
        let rows = |batch| match send.send(Told::Rows(batch)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let answered = ask(&source, &asked, &limits, &rows);
        // Who is gone does not want to know.
        drop(send.send(Told::End(answered)));
    });
    let engine = engine.map_err(SqlError::Threads)?;
    let mut given = 0;
    loop {
        // A step of a join may take long, and cannot be interrupted: it is not waited for.
        let told = match options.time {
            Some(limit) => {
                // What waits is taken even when no time is left: an answer that flows has no end.
                let left = limit.checked_sub(began.elapsed()).filter(|left| !left.is_zero());
                match left.map(|left| receive.recv_timeout(left)) {
                    None | Some(Err(RecvTimeoutError::Timeout)) => {
                        return Err(SqlError::Time { limit });
                    }
                    Some(told) => told.ok(),
                }
            }
            None => receive.recv().ok(),
        };
        match told {
            Some(Told::Rows(batch)) => {
                let rows = Rows::new(&batch);
                let rows = rows.map_err(|error| SqlError::running(error, options.memory))?;
                given += rows.len() as u64;
                if each(&rows).is_break() {
                    // What is left of the question ends when it finds nobody to hand rows to.
                    let columns = rows.columns();
                    return Ok(Answered::cut_short(columns, given, began.elapsed()));
                }
            }
            Some(Told::End(answered)) => {
                let seconds = began.elapsed().as_secs_f64();
                return answered.map(|answered| Answered { seconds, ..answered });
            }
            None => match engine.join() {
                Ok(()) => {
                    return Err(SqlError::Failed("the engine ended without a word".to_owned()));
                }
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }
}

/// What the engine's thread says.
enum Told {
    Rows(RecordBatch),
    End(Result<Answered, SqlError>),
}

/// Hands a batch over; whether somebody still wants more.
type Send<'s> = dyn Fn(RecordBatch) -> ControlFlow<()> + 's;

/// Answers, on the thread it is called on.
fn ask(
    source: &Source,
    question: &str,
    options: &SqlOptions,
    send: &Send<'_>,
) -> Result<Answered, SqlError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.jobs.max(1))
        .thread_stack_size(STACK)
        .build()
        .map_err(SqlError::Threads)?;
    let mut asking = Asking {
        source,
        question,
        options,
        damaged: Noted::default(),
        gone: Noted::default(),
        without: BTreeSet::new(),
        given: 0,
    };
    let answered = runtime.block_on(asking.answer(send));
    runtime.shutdown_timeout(PATIENCE);
    answered
}

struct Asking<'a> {
    source: &'a Source,
    question: &'a str,
    options: &'a SqlOptions,
    damaged: Noted,
    /// Segments that retention took away.
    gone: Noted,
    /// Segments whose index is not used, because it was found damaged.
    without: BTreeSet<audit_core::segment::SegmentName>,
    /// Rows that were handed on.
    given: u64,
}

impl Asking<'_> {
    async fn answer(&mut self, send: &Send<'_>) -> Result<Answered, SqlError> {
        loop {
            let answer = self.once(send).await;
            let (damaged, gone) = (self.damaged.take(), self.gone.take());
            let segments_gone = gone.len() as u64;
            let answer = answer.map(|answered| Answered { segments_gone, ..answered });
            match (answer, damaged.first()) {
                (Err(_), Some(segment)) if self.given > 0 && gone.contains(segment) => {
                    return Err(SqlError::Gone(segment.to_string()));
                }
                // What was given may lack what the damaged part says.
                (Err(_), Some(segment)) if self.given > 0 => {
                    return Err(SqlError::Damaged(segment.to_string()));
                }
                // Nobody has seen anything yet, so it is asked again of the segments themselves.
                (Err(_), Some(_)) => self.without.extend(damaged),
                (answer, _) => return answer,
            }
        }
    }

    async fn once(&mut self, send: &Send<'_>) -> Result<Answered, SqlError> {
        let malformed = Arc::new(AtomicU64::new(0));
        let told = (&self.damaged, &self.gone, &malformed);
        let (events, segments) = Events::new(self.source, self.options.index, &self.without, told)?;
        let mut answered = Answered {
            columns: Vec::new(),
            rows: 0,
            segments: segments.len() as u64,
            segments_by_index: events.indexed(),
            segments_gone: 0,
            malformed: 0,
            seconds: 0.0,
        };
        let engine = engine(self.options).map_err(|error| SqlError::planning(&error))?;
        let view = events.view(self.source, segments, self.options.jobs);
        let view = view.map_err(|error| SqlError::planning(&error))?;
        engine
            .register_table("events", Arc::new(ViewTable::new(view, None)))
            .map_err(|error| SqlError::planning(&error))?;
        let plan = self.plan(&engine).await?;
        let failed = |error| SqlError::running(error, self.options.memory);
        let answer = DataFrame::new(engine.state(), plan);
        let mut batches = answer.execute_stream().await.map_err(failed)?;
        answered.columns = names(&batches.schema());
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(failed)?;
            if batch.num_rows() == 0 {
                continue;
            }
            self.given += batch.num_rows() as u64;
            answered.rows = self.given;
            if send(batch).is_break() {
                break;
            }
        }
        answered.malformed = malformed.load(Ordering::Relaxed);
        Ok(answered)
    }

    /// What is to be done, looked at.
    async fn plan(&self, engine: &SessionContext) -> Result<LogicalPlan, SqlError> {
        let plan = engine.state().create_logical_plan(self.question).await;
        let plan = plan.map_err(|error| SqlError::planning(&error))?;
        let reading = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        reading
            .verify_plan(&plan)
            .map_err(|error| SqlError::NotReading(error.strip_backtrace()))?;
        Ok(plan)
    }
}

/// An engine that knows nothing but its functions.
fn engine(options: &SqlOptions) -> Result<SessionContext, DataFusionError> {
    let pool = TrackConsumersPool::new(GreedyMemoryPool::new(options.memory), CONSUMERS);
    // No files of its own: what does not fit into memory is an error.
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    // Tables carry their own readers. The engine has no way to any other file.
    let nowhere = ObjectStoreUrl::parse(NOWHERE)?;
    runtime.register_object_store(nowhere.as_ref(), Arc::new(InMemory::new()));
    runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    let mut config = SessionConfig::new()
        .with_target_partitions(options.jobs.max(1))
        .with_information_schema(true);
    let parquet = &mut config.options_mut().execution.parquet;
    (parquet.pushdown_filters, parquet.reorder_filters) = (true, true);
    let mut engine = SessionContext::new_with_config_rt(config, runtime);
    datafusion_functions_json::register_all(&mut engine)?;
    engine.register_udf(ScalarUDF::from(DateTrunc::new()));
    Ok(engine)
}

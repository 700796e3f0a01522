//! Tables of the index, as the engine reads them.
//!
//! What must stay true here: every byte that reaches the engine was checked against its block's
//! checksum. One that does not fit ends the reading, and it is remembered which segment it was of.

use std::collections::BTreeSet;
use std::future::{Future, ready};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use audit_core::segment::SegmentName;
use bytes::Bytes;
use datafusion::common::Result as EngineResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::index::{Binding, CheckedFile};
use crate::{DirSource, ReadError, Source};

/// Segments that something was found out about.
#[derive(Debug, Clone, Default)]
pub(super) struct Noted(Arc<Mutex<BTreeSet<SegmentName>>>);

impl Noted {
    pub(super) fn add(&self, segment: SegmentName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(segment);
    }

    /// Those that were found since the last call.
    pub(super) fn take(&self) -> BTreeSet<SegmentName> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The table of a segment. Its file is open only while it is read: a trail may have thousands.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) segment: SegmentName,
    trail: Arc<Path>,
    binding: Arc<Binding>,
    metadata: Arc<OnceLock<Arc<ParquetMetaData>>>,
}

impl Table {
    pub(super) fn new(trail: &Arc<Path>, segment: SegmentName, binding: Binding) -> Table {
        let (trail, binding) = (Arc::clone(trail), Arc::new(binding));
        Table { segment, trail, binding, metadata: Arc::default() }
    }

    /// How long its file is.
    pub(super) fn bytes(&self) -> u64 {
        self.binding.table_bytes()
    }

    fn open(&self) -> io::Result<CheckedFile> {
        self.binding.table(&self.trail, self.segment)
    }

    /// Whether retention took the segment away, and its index with it.
    fn is_gone(&self) -> bool {
        let segment = DirSource::open(&self.trail)
            .and_then(|trail| Source::from(trail).open_segment(self.segment));
        segment.is_ok_and(|segment| segment.is_none())
    }

    /// Its footer, read once.
    fn metadata(&self, file: &CheckedFile) -> Result<Arc<ParquetMetaData>> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(Arc::clone(metadata));
        }
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = Arc::new(reader.parse_and_finish(file)?);
        Ok(Arc::clone(self.metadata.get_or_init(|| metadata)))
    }
}

/// Hands the engine readers of the tables that its files carry.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) damaged: Noted,
    /// Segments that are no longer there.
    pub(super) gone: Noted,
}

impl ParquetFileReaderFactory for Tables {
    fn create_reader(
        &self,
        _: usize,
        file: PartitionedFile,
        _: Option<usize>,
        _: &ExecutionPlanMetricsSet,
    ) -> EngineResult<Box<dyn AsyncFileReader + Send>> {
        let table = file.extension::<Table>().cloned();
        let table =
            table.ok_or_else(|| DataFusionError::Internal("a file that is no table".to_owned()))?;
        let damaged = self.damaged.clone();
        let file = table.open().map_err(|error| {
            // Out of descriptors or memory is no damage, and asking again would not help.
            if is_of_the_file(&error) {
                damaged.add(table.segment);
                if table.is_gone() {
                    self.gone.add(table.segment);
                }
            }
            let path = table.trail.join(table.segment.to_string());
            DataFusionError::External(Box::new(ReadError::io(&path)(error)))
        })?;
        Ok(Box::new(TableReader { table, file, damaged }))
    }
}

/// Whether an error of opening says something about the file, and nothing about the machine.
fn is_of_the_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, PermissionDenied, UnexpectedEof};
    matches!(error.kind(), InvalidData | NotFound | PermissionDenied | UnexpectedEof)
}

struct TableReader {
    table: Table,
    file: CheckedFile,
    damaged: Noted,
}

impl TableReader {
    /// Remembers that something is wrong.
    fn noted<T>(&self, read: Result<T>) -> Result<T> {
        if read.is_err() {
            self.damaged.add(self.table.segment);
        }
        read
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl AsyncFileReader for TableReader {
    fn get_bytes(&mut self, range: Range<u64>) -> Answer<'_, Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let read = self.file.read(range.start, length);
        Box::pin(ready(self.noted(read.map_err(|error| ParquetError::External(Box::new(error))))))
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> Answer<'a, Arc<ParquetMetaData>> {
        Box::pin(ready(self.noted(self.table.metadata(&self.file))))
    }
}

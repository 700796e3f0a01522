//! Segments without an index, as the engine reads them.
//!
//! What must stay true here: a segment is read up to where it ended when the question was asked, so
//! every part of a question sees the same entries. A line that is no entry is counted, however many of
//! them stand together, and what is behind them is read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use audit_core::entry::Parser;
use audit_core::segment::SegmentName;
use datafusion::arrow::compute::cast;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

use super::files::Noted;
use crate::line::LineReader;
use crate::table::{TableBuilder, views};
use crate::{LineKind, ReadError, Source};

/// Rows that are handed on at a time.
const BATCH: usize = 8 * 1024;
/// They are fewer, or none, if so many bytes of lines come together.
const BATCH_BYTES: u64 = 4 << 20;

/// A segment that is read line by line.
#[derive(Debug, Clone)]
pub(super) struct Unindexed {
    pub(super) segment: SegmentName,
    /// Its place among the segments.
    pub(super) number: u32,
    /// Where it ended.
    pub(super) len: u64,
    /// It may be growing, so an unfinished last line is no damage.
    pub(super) newest: bool,
}

/// Segments that are read line by line, one after the other: one is open at a time.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    pub(super) source: Source,
    pub(super) segments: Vec<Unindexed>,
    /// The schema of the whole table.
    pub(super) schema: SchemaRef,
    pub(super) malformed: Arc<AtomicU64>,
    /// Segments that retention took away meanwhile.
    pub(super) gone: Noted,
}

impl PartitionStream for Lines {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let of = self.clone();
        let batches = (0..self.segments.len()).flat_map(move |at| Batches {
            of: of.clone(),
            segment: of.segments[at].clone(),
            reading: None,
            ended: false,
        });
        let schema = Arc::clone(&self.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches)))
    }
}

/// The rows of a segment, some at a time.
struct Batches {
    of: Lines,
    segment: Unindexed,
    reading: Option<(LineReader, Parser, TableBuilder)>,
    ended: bool,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.ended {
            return None;
        }
        let batch = self.read();
        self.ended |= batch.is_err();
        batch.transpose()
    }
}

impl Batches {
    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let external = |error: ReadError| DataFusionError::External(Box::new(error));
        let (of, this) = (&self.of, &self.segment);
        if self.reading.is_none() {
            // If retention was faster, there is nothing to read.
            let Some(segment) = of.source.open_segment(this.segment).map_err(external)? else {
                of.gone.add(this.segment);
                self.ended = true;
                return Ok(None);
            };
            let lines = LineReader::new(segment.file, 0);
            self.reading = Some((lines, Parser::default(), TableBuilder::new()));
        }
        let Some((lines, parser, rows)) = &mut self.reading else { return Ok(None) };
        let path = || of.source.place_of(&this.segment.to_string());
        let failed = |error: io::Error| external(ReadError::io(&path())(error));
        let mut taken = 0;
        while rows.rows() < BATCH && taken < BATCH_BYTES {
            let span = lines.advance().map_err(failed)?;
            let line = span.map(|span| lines.line(span));
            let Some(line) = line.filter(|line| line.offset < this.len) else {
                self.ended = true;
                break;
            };
            if line.kind == LineKind::Partial || line.offset + line.len >= this.len {
                of.malformed.fetch_add(u64::from(!this.newest), Ordering::Relaxed);
                self.ended = true;
                break;
            }
            taken += line.len;
            match parser.parse(line.bytes) {
                Ok(entry) if line.kind == LineKind::Complete => {
                    rows.push(&entry, line.offset);
                }
                _ => {
                    of.malformed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        // Of a part that is all damage there are no rows, and the next part comes after it.
        if rows.rows() == 0 && self.ended {
            return Ok(None);
        }
        let rows = rows.take()?;
        let mut columns = Vec::with_capacity(of.schema.fields().len());
        for (column, field) in rows.columns().iter().zip(views().fields()) {
            columns.push(cast(column, field.data_type())?);
        }
        let number: ArrayRef = Arc::new(UInt32Array::from(vec![this.number; rows.num_rows()]));
        columns.push(number);
        Ok(Some(RecordBatch::try_new(Arc::clone(&of.schema), columns)?))
    }
}

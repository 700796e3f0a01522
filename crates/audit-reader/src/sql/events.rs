//! The table `events`: indexed segments from their tables, the others line by line.
//!
//! What must stay true here: each segment is in it once. Which way it is read never changes what it
//! says. How many streams and files are open does not depend on how many segments there are.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use audit_core::segment::SegmentName;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableProviderFilterPushDown, col,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::union::UnionExec;

use super::files::{Noted, Table, Tables};
use super::lines::{Lines, Unindexed};
use super::prev_hash::PrevHash;
use crate::index::Binding;
use crate::table::{COLUMNS, Column, views};
use crate::{ReadError, Source};

/// Says which segment a row is of: no column of the question's table.
const SEGMENT: &str = "segment_number";
/// The column that is read from the segment.
const PREV_HASH: &str = "prev_hash";
/// Where the engine looks for files that carry no table: there are none.
pub(super) const NOWHERE: &str = "audit://";

/// A trail as it was when the question was asked.
#[derive(Debug, Clone)]
pub(super) struct Events {
    schema: SchemaRef,
    tables: Vec<(u32, Table)>,
    lines: Lines,
    damaged: Noted,
}

impl Events {
    /// The segments of a trail. `without` are those whose index is not to be used.
    pub(super) fn new(
        source: &Source,
        index: bool,
        without: &BTreeSet<SegmentName>,
        (damaged, gone, malformed): (&Noted, &Noted, &Arc<AtomicU64>),
    ) -> Result<(Events, Vec<SegmentName>), ReadError> {
        let segments = source.settled_segments()?;
        let schema = schema();
        let mut events = Events {
            schema: Arc::clone(&schema),
            tables: Vec::new(),
            lines: Lines {
                source: source.clone(),
                segments: Vec::new(),
                schema,
                malformed: Arc::clone(malformed),
                gone: gone.clone(),
            },
            damaged: damaged.clone(),
        };
        let newest = segments.last().copied();
        let trail: Option<Arc<Path>> = source.directory().filter(|_| index).map(Arc::from);
        for (&segment, number) in segments.iter().zip(0..) {
            let Some(open) = source.open_segment(segment)? else {
                gone.add(segment);
                continue;
            };
            let len = open.size(source)?;
            let trail = trail.as_ref().filter(|_| !without.contains(&segment));
            let table = trail.and_then(|trail| {
                Some(Table::new(trail, segment, Binding::bound(trail, segment, len)?))
            });
            match table {
                Some(table) => events.tables.push((number, table)),
                None => {
                    let newest = Some(segment) == newest;
                    events.lines.segments.push(Unindexed { segment, number, len, newest });
                }
            }
        }
        Ok((events, segments))
    }

    /// How many segments are read from their tables.
    pub(super) fn indexed(&self) -> u64 {
        self.tables.len() as u64
    }

    /// The table that is asked: all members of an entry, in their order.
    pub(super) fn view(
        self,
        source: &Source,
        segments: Vec<SegmentName>,
        jobs: usize,
    ) -> Result<LogicalPlan> {
        let gone = self.lines.gone.clone();
        let prev_hash = ScalarUDF::from(PrevHash::new(source.clone(), segments, jobs, gone));
        let place = vec![col(SEGMENT), col(Column::LineOffset.name())];
        let prev_hash = prev_hash.call(place).alias(PREV_HASH);
        let members = COLUMNS.into_iter().filter(|column| *column != Column::LineOffset);
        let mut columns: Vec<Expr> = members.map(|column| col(column.name())).collect();
        columns.insert(columns.len() - 1, prev_hash);
        let entries = provider_as_source(Arc::new(self));
        LogicalPlanBuilder::scan("entries", entries, None)?.project(columns)?.build()
    }

    /// As many streams as there are threads for, however many segments.
    fn scan_lines(&self, most: usize) -> Vec<Arc<dyn PartitionStream>> {
        let all = &self.lines.segments;
        let streams = most.clamp(1, all.len().max(1));
        let part = |first: usize| Lines {
            segments: all.iter().skip(first).step_by(streams).cloned().collect(),
            ..self.lines.clone()
        };
        (0..streams).map(|first| Arc::new(part(first)) as _).collect()
    }

    fn scan_tables(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let segment = Arc::new(Field::new(SEGMENT, DataType::UInt32, false));
        let table = TableSchema::builder(views()).with_table_partition_cols(vec![segment]).build();
        let mut source = ParquetSource::new(table)
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(Tables {
                damaged: self.damaged.clone(),
                gone: self.lines.gone.clone(),
            }));
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let partitions = state.config().target_partitions().clamp(1, self.tables.len());
        let mut groups = vec![Vec::new(); partitions];
        for (at, (number, table)) in self.tables.iter().enumerate() {
            let file = PartitionedFile::new(table.segment.to_string(), table.bytes())
                .with_partition_values(vec![ScalarValue::UInt32(Some(*number))])
                .with_extension(table.clone());
            groups[at % partitions].push(file);
        }
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(NOWHERE)?, Arc::new(source))
            .with_file_groups(groups.into_iter().map(FileGroup::new).collect())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !self.tables.is_empty() {
            parts.push(self.scan_tables(state, projection, filters, limit)?);
        }
        if !self.lines.segments.is_empty() {
            let streams = self.scan_lines(state.config().target_partitions());
            let schema = Arc::clone(&self.schema);
            let lines = StreamingTableExec::try_new(schema, streams, projection, [], false, limit)?;
            parts.push(Arc::new(lines));
        }
        match parts.len() {
            0 => Ok(Arc::new(EmptyExec::new(match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            }))),
            1 => Ok(parts.swap_remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }

    /// Filters spare reading; whether a row passes is looked at again.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// The columns of the table, and which segment a row is of.
fn schema() -> SchemaRef {
    let views = views();
    let segment = Arc::new(Field::new(SEGMENT, DataType::UInt32, false));
    Arc::new(Schema::new(views.fields().iter().cloned().chain([segment]).collect::<Vec<_>>()))
}

//! The rows of a group that may match.
//!
//! What must stay true here: a row whose entry matches is always among them. A row that is among them
//! may still not match: its line is looked at before it is believed. A time that the table cannot say
//! may be any time.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::make_view;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch, StringViewArray};
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::bloom_filter::Sbbf;
use parquet::errors::{ParquetError, Result};

use super::checked::CheckedFile;
use super::lookup::{Conditions, Test};
use crate::table::{BLOOM, Column, views};

/// A text that is no longer stands in its view whole.
const INLINE: usize = 12;
/// Rows that are decoded at a time.
const BATCH: usize = 16 * 1024;

/// A table, opened.
#[derive(Debug, Clone)]
pub(super) struct Table {
    file: CheckedFile,
    metadata: ArrowReaderMetadata,
}

/// Rows of a group.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Where each line begins.
    pub(super) offsets: Vec<u64>,
    /// The ones that may match, by their place in `offsets`.
    pub(super) hits: Vec<u32>,
}

impl Table {
    pub(super) fn open(file: CheckedFile) -> Result<Table> {
        let options = ArrowReaderOptions::new().with_schema(views());
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        Ok(Table { file, metadata })
    }

    /// How many rows each group has.
    pub(super) fn groups(&self) -> impl Iterator<Item = Option<u64>> {
        self.metadata
            .metadata()
            .row_groups()
            .iter()
            .map(|group| u64::try_from(group.num_rows()).ok())
    }

    /// Whether no row of a group can match, by its filters.
    pub(super) fn excludes(&self, group: usize, conditions: &Conditions) -> Result<bool> {
        for (column, test) in &conditions.texts {
            let Some(wanted) = test.exact().filter(|_| BLOOM.contains(column)) else { continue };
            let columns = self.metadata.metadata().row_groups().get(group);
            let column = columns.and_then(|group| group.columns().get(column.place()));
            let column =
                column.ok_or_else(|| ParquetError::General("no such column".to_owned()))?;
            if let Some(filter) = Sbbf::read_from_column_chunk(column, &self.file)?
                && !wanted.iter().any(|text| filter.check(*text))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The rows of a group. If all of it is `within` the times that are asked for, they are not looked at.
    pub(super) fn rows(&self, group: usize, conditions: &Conditions, within: bool) -> Result<Rows> {
        let places = conditions.columns(within).chain([Column::LineOffset]).map(Column::place);
        let projection = ProjectionMask::roots(self.metadata.parquet_schema(), places);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.file.clone(),
            self.metadata.clone(),
        );
        let reader = reader.with_row_groups(vec![group]).with_projection(projection);
        let mut rows = Rows::default();
        let mut matching = Vec::new();
        for batch in reader.with_batch_size(BATCH).build()? {
            let batch = batch?;
            matching.clear();
            matching.resize(batch.num_rows(), true);
            conditions.narrow(&batch, within, &mut matching)?;
            let begin = rows.offsets.len();
            let offsets = column(&batch, Column::LineOffset)?.as_primitive_opt::<UInt64Type>();
            rows.offsets.extend(offsets.ok_or_else(wrong_type)?.values());
            let hits = matching.iter().enumerate().filter(|(_, may)| **may);
            rows.hits.extend(hits.filter_map(|(at, _)| u32::try_from(begin + at).ok()));
        }
        Ok(rows)
    }
}

impl Conditions {
    /// The columns they are about.
    fn columns(&self, within: bool) -> impl Iterator<Item = Column> {
        let times = self.times() && !within;
        let critical = self.critical.map(|_| Column::Critical);
        let texts = self.texts.iter().map(|(column, _)| *column);
        texts.chain(critical).chain(times.then_some(Column::Timestamp))
    }

    fn times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Takes out the rows that do not match.
    fn narrow(
        &self,
        batch: &RecordBatch,
        within: bool,
        matching: &mut [bool],
    ) -> Result<(), ArrowError> {
        if self.times() && !within {
            let (since, until) = (self.since.unwrap_or(i64::MIN), self.until.unwrap_or(i64::MAX));
            let times = column(batch, Column::Timestamp)?;
            let times = times.as_primitive_opt::<TimestampNanosecondType>();
            let times = times.ok_or_else(wrong_type)?.iter();
            for (matches, time) in matching.iter_mut().zip(times) {
                *matches &= time.is_none_or(|time| since <= time && time <= until);
            }
        }
        if let Some(critical) = self.critical {
            let values =
                column(batch, Column::Critical)?.as_boolean_opt().ok_or_else(wrong_type)?;
            for (matches, value) in matching.iter_mut().zip(values.iter()) {
                *matches &= value == Some(critical);
            }
        }
        for (place, test) in &self.texts {
            let values = column(batch, *place)?.as_string_view_opt().ok_or_else(wrong_type)?;
            test.narrow(values, matching);
        }
        Ok(())
    }
}

impl Test {
    /// The texts one of which it must be, if these are all.
    fn exact(&self) -> Option<Vec<&str>> {
        match self {
            Test::OneOf(texts) => Some(texts.iter().map(String::as_str).collect()),
            Test::Types(globs) => globs.iter().map(|glob| glob.literal()).collect(),
        }
    }

    fn narrow(&self, values: &StringViewArray, matching: &mut [bool]) {
        match self {
            Test::OneOf(texts) => {
                let wanted: Vec<Wanted<'_>> = texts.iter().map(|text| Wanted::new(text)).collect();
                for (row, (matches, view)) in matching.iter_mut().zip(values.views()).enumerate() {
                    *matches = *matches && wanted.iter().any(|text| text.is(values, row, *view));
                }
            }
            Test::Types(globs) => {
                let values = matching.iter_mut().zip(values.iter());
                // Whoever writes chooses how many types there are.
                let mut known: HashMap<&str, bool> = HashMap::new();
                for (matches, value) in values.filter(|(matches, _)| **matches) {
                    let value = value.unwrap_or_default();
                    *matches = *known
                        .entry(value)
                        .or_insert_with(|| globs.iter().any(|glob| glob.matches(value)));
                }
            }
        }
    }
}

/// A text, and how a view of it looks: its length, and all of it or its first bytes.
struct Wanted<'t> {
    text: &'t str,
    view: u128,
    mask: u128,
}

impl<'t> Wanted<'t> {
    fn new(text: &'t str) -> Wanted<'t> {
        let mask = if text.len() <= INLINE { u128::MAX } else { u128::from(u64::MAX) };
        Wanted { text, view: make_view(text.as_bytes(), 0, 0) & mask, mask }
    }

    fn is(&self, values: &StringViewArray, row: usize, view: u128) -> bool {
        view & self.mask == self.view && values.is_valid(row) && values.value(row) == self.text
    }
}

fn column(batch: &RecordBatch, column: Column) -> Result<&Arc<dyn Array>, ArrowError> {
    batch.column_by_name(column.name()).ok_or_else(wrong_type)
}

fn wrong_type() -> ArrowError {
    ArrowError::SchemaError("the table has not the columns it should have".to_owned())
}

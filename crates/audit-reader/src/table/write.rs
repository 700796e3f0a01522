//! A table as a Parquet file, written row by row.
//!
//! What must stay true here: what is written is a function of the entries, of what is said beside them,
//! and of this program. Memory is that of one group of rows.

use std::io::{self, Write};

use arrow_schema::ArrowError;
use audit_core::entry::Entry;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::build::TableBuilder;
use super::columns::{BLOOM, Column, UNIQUE, schema};

/// Rows of a group: enough for dictionaries to pay, few enough to be passed over one by one.
pub(crate) const GROUP: usize = 128 * 1024;
/// Rows that are handed to the encoder at a time.
const BATCH: usize = 8 * 1024;
/// So much is wrong when a filter says that a value may be there.
const FALSE_POSITIVES: f64 = 0.01;

/// Writes a table.
pub(crate) struct TableFile<W: Write + Send> {
    parquet: ArrowWriter<W>,
    rows: TableBuilder,
}

impl<W: Write + Send> TableFile<W> {
    /// Begins a table with what its file says beside the rows.
    pub(crate) fn new(
        to: W,
        group_rows: usize,
        said: &[(&str, String)],
    ) -> io::Result<TableFile<W>> {
        let said = said.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
        let properties = properties(group_rows).set_key_value_metadata(Some(said.collect()));
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true);
        let parquet =
            ArrowWriter::try_new_with_options(to, schema(), options).map_err(unwritable)?;
        Ok(TableFile { parquet, rows: TableBuilder::new() })
    }

    /// Adds an entry; gives its time, if the table can say it.
    pub(crate) fn push(&mut self, entry: &Entry<'_>, offset: u64) -> io::Result<Option<i64>> {
        let time = self.rows.push(entry, offset);
        if self.rows.rows() == BATCH {
            self.hand_on()?;
        }
        Ok(time)
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let rows = self.rows.take().map_err(|error: ArrowError| io::Error::other(error))?;
        self.parquet.write(&rows).map_err(unwritable)
    }

    /// More that the file says beside the rows.
    pub(crate) fn say(&mut self, key: &str, value: String) {
        self.parquet.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
    }

    /// Ends the table.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if self.rows.rows() > 0 {
            self.hand_on()?;
        }
        self.parquet.into_inner().map_err(unwritable)
    }
}

/// An error of the file below arrives wrapped.
fn unwritable(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}

/// How tables are written.
fn properties(group_rows: usize) -> WriterPropertiesBuilder {
    let path = |column: Column| ColumnPath::from(column.name());
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(group_rows))
        .set_bloom_filter_fpp(FALSE_POSITIVES)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("audit-reader ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in [Column::Seq, Column::Timestamp, Column::LineOffset] {
        // They grow, so their differences are small.
        properties = properties
            .set_column_dictionary_enabled(path(column), false)
            .set_column_encoding(path(column), Encoding::DELTA_BINARY_PACKED)
            .set_column_statistics_enabled(path(column), EnabledStatistics::Page);
    }
    for column in UNIQUE {
        properties = properties.set_column_dictionary_enabled(path(column), false);
    }
    for column in BLOOM {
        properties = properties.set_column_bloom_filter_enabled(path(column), true);
    }
    properties
}

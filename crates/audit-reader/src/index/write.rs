//! The table of one segment.
//!
//! What must stay true here: what is written is a function of the segment's bytes and of this
//! program, so that it can be made again and compared. A segment whose lines are not all entries, or
//! whose `seq` has gaps, gets no table: it is damaged, and only reading it says so.

use std::io::{self, Write};

use arrow_schema::ArrowError;
use audit_core::entry::{Entry, Parser};
use audit_core::segment::SegmentName;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::binding::{FORMAT, Group};
use super::checked::{SummingWriter, Sums};
use crate::table::{BLOOM, Column, TableBuilder, UNIQUE, schema};

/// Rows of a group: enough for dictionaries to pay, few enough to be passed over one by one.
pub(super) const GROUP: usize = 128 * 1024;
/// Rows that are handed to the encoder at a time.
const BATCH: usize = 8 * 1024;
/// So much is wrong when a filter says that a value may be there.
const FALSE_POSITIVES: f64 = 0.01;

/// Writes a table.
pub(super) struct TableWriter<W: Write + Send> {
    parquet: ArrowWriter<SummingWriter<W>>,
    rows: TableBuilder,
    group_rows: usize,
    groups: Vec<Group>,
    first_seq: Option<u64>,
    next_seq: u64,
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) sums: Sums,
    pub(super) groups: Vec<Group>,
    pub(super) first_seq: u64,
}

/// Why there is no table of a segment.
#[derive(Debug)]
pub(super) enum NoTable {
    /// It is damaged: what is wrong, and where.
    Damaged(&'static str, u64),
    /// It could not be read.
    Unreadable(io::Error),
    /// The table could not be written.
    Unwritable(io::Error),
}

impl From<ParquetError> for NoTable {
    fn from(error: ParquetError) -> NoTable {
        NoTable::Unwritable(match error {
            // An error of the file below arrives wrapped.
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(error) => io::Error::other(error),
            },
            error => io::Error::other(error),
        })
    }
}

impl From<ArrowError> for NoTable {
    fn from(error: ArrowError) -> NoTable {
        NoTable::Unwritable(io::Error::other(error))
    }
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins the table of a segment with this SHA-256.
    pub(super) fn new(
        to: W,
        segment: SegmentName,
        (sha256, bytes): (&str, u64),
        group_rows: usize,
    ) -> Result<TableWriter<W>, NoTable> {
        let said = [
            ("audit.format", FORMAT.to_owned()),
            ("audit.segment", segment.to_string()),
            ("audit.segment_sha256", sha256.to_owned()),
            ("audit.segment_bytes", bytes.to_string()),
        ];
        let said = said.map(|(key, value)| KeyValue::new(key.to_owned(), value)).to_vec();
        let properties = properties(group_rows).set_key_value_metadata(Some(said)).build();
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let to = SummingWriter::new(to);
        Ok(TableWriter {
            parquet: ArrowWriter::try_new_with_options(to, schema(), options)?,
            rows: TableBuilder::new(),
            group_rows,
            groups: Vec::new(),
            first_seq: None,
            next_seq: 0,
        })
    }

    /// Adds a line of the segment.
    pub(super) fn line(
        &mut self,
        parser: &mut Parser,
        line: &[u8],
        offset: u64,
    ) -> Result<(), NoTable> {
        let entry =
            parser.parse(line).map_err(|_| NoTable::Damaged("a line is no entry", offset))?;
        self.entry(&entry, offset)
    }

    fn entry(&mut self, entry: &Entry<'_>, offset: u64) -> Result<(), NoTable> {
        if self.first_seq.is_some() && entry.seq() != self.next_seq {
            return Err(NoTable::Damaged("seq has a gap", offset));
        }
        self.first_seq.get_or_insert(entry.seq());
        self.next_seq = entry.seq().saturating_add(1);
        let time = self.rows.push(entry, offset);
        match self.groups.last_mut().filter(|group| group.entries < self.group_rows as u64) {
            Some(group) => {
                group.entries += 1;
                group.times = group
                    .times
                    .zip(time)
                    .map(|((first, last), time)| (first.min(time), last.max(time)));
            }
            None => {
                let times = time.map(|time| (time, time));
                self.groups.push(Group { entries: 1, offset, times });
            }
        }
        if self.rows.rows() == BATCH {
            self.parquet.write(&self.rows.take()?)?;
        }
        Ok(())
    }

    /// The end of the segment.
    pub(super) fn finish(mut self) -> Result<Written, NoTable> {
        if self.rows.rows() > 0 {
            self.parquet.write(&self.rows.take()?)?;
        }
        let (_, sums) = self.parquet.into_inner()?.finish();
        let first_seq = self.first_seq.unwrap_or_default();
        Ok(Written { sums, groups: self.groups, first_seq })
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

//! The table of one segment.
//!
//! What must stay true here: what is written is a function of the segment's bytes and of this
//! program, so that it can be made again and compared. A segment whose lines are not all entries, or
//! whose `seq` has gaps, gets no table: it is damaged, and only reading it says so.

use std::io::{self, Write};

use audit_core::entry::{Entry, Parser};
use audit_core::segment::SegmentName;

use super::binding::{FORMAT, Group};
use super::checked::{SummingWriter, Sums};
use crate::table::TableFile;

/// Writes a table.
pub(super) struct TableWriter<W: Write + Send> {
    table: TableFile<SummingWriter<W>>,
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
        let table = TableFile::new(SummingWriter::new(to), group_rows, &said);
        Ok(TableWriter {
            table: table.map_err(NoTable::Unwritable)?,
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
        let time = self.table.push(entry, offset).map_err(NoTable::Unwritable)?;
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
        Ok(())
    }

    /// The end of the segment.
    pub(super) fn finish(self) -> Result<Written, NoTable> {
        let (_, sums) = self.table.finish().map_err(NoTable::Unwritable)?.finish();
        let first_seq = self.first_seq.unwrap_or_default();
        Ok(Written { sums, groups: self.groups, first_seq })
    }
}

//! One segment and its index: looked at, made, or found to be still right.
//!
//! What must stay true here: a table is published only if the bytes it was made of have the SHA-256
//! that the segment's `.sha256` states, and the file was the same before and after it was read.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use audit_core::chain::Hash;
use audit_core::entry::Parser;
use audit_core::segment::{INDEX, SegmentName};
use sha2::{Digest, Sha256};

use super::binding::{Binding, FORMAT, Found, Stamp, digest, sums_text};
use super::checked::BLOCK;
use super::error::IndexError;
use super::store::Store;
use super::write::{NoTable, TableWriter, Written};
use crate::line::LineReader;
use crate::source::{LogFile, read_some};
use crate::{LineKind, ReadError, Source};

/// What became of a segment.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is not closed yet.
    Open,
    /// Retention took it away, or is about to.
    Gone,
    /// Its index is right.
    Kept {
        table_bytes: u64,
    },
    /// Its index is right, and was told so of a file that had been touched.
    Refreshed {
        table_bytes: u64,
    },
    Built {
        entries: u64,
        table_bytes: u64,
    },
    /// It gets no index: it is damaged.
    Refused {
        why: &'static str,
        offset: Option<u64>,
    },
}

/// A segment to be indexed.
pub(super) struct Job<'a> {
    pub(super) source: &'a Source,
    /// Its directory.
    pub(super) trail: &'a Path,
    pub(super) store: &'a Store,
    pub(super) segment: SegmentName,
    /// Make it anew whatever is there.
    pub(super) rebuild: bool,
    /// Read the whole table that is there, and not only its binding.
    pub(super) thorough: bool,
    pub(super) group_rows: usize,
}

/// Why there is no table, and where in the segment that shows.
type Damage = (&'static str, u64);

impl Job<'_> {
    pub(super) fn run(&self) -> Result<Outcome, IndexError> {
        let Some(stated) = digest(self.trail, self.segment) else { return Ok(Outcome::Open) };
        // Before the file is opened, and again when it was read: it was the same file all the time.
        let stamp = Stamp::of_segment(self.trail, self.segment);
        let (Some(segment), Some(stamp)) = (self.source.open_segment(self.segment)?, stamp) else {
            return Ok(Outcome::Gone);
        };
        let bytes = segment.file.size().map_err(self.unreadable())?;
        let there = match self.rebuild {
            true => Found::Nothing,
            false => Binding::find(self.trail, self.segment, bytes),
        };
        match there {
            Found::Bound(binding) if self.is_sound(&binding) => {
                return Ok(Outcome::Kept { table_bytes: binding.table_bytes });
            }
            Found::Touched(binding)
                if self.is_sound(&binding)
                    && sha256(&*segment.file).map_err(self.unreadable())? == stated
                    && self.is_still(stamp) =>
            {
                let table_bytes = binding.table_bytes;
                let bound = self.store.bind(self.segment, &Binding { stamp, ..*binding });
                return self.if_there(bound, Outcome::Refreshed { table_bytes });
            }
            _ => {}
        }
        self.build(segment.file, (stated, bytes), stamp)
    }

    /// What became of it, unless retention took the segment away while its index was made, or what was made
    /// of the index because the segment goes next: then nothing that is deleted may be left in it.
    fn if_there(
        &self,
        made: Result<bool, IndexError>,
        outcome: Outcome,
    ) -> Result<Outcome, IndexError> {
        if self.source.open_segment(self.segment)?.is_some() && made? {
            return Ok(outcome);
        }
        self.store.abandon(self.segment)?;
        self.store.forget(self.segment)?;
        Ok(Outcome::Gone)
    }

    /// Whether the segment's file is the one it was.
    fn is_still(&self, stamp: Stamp) -> bool {
        Stamp::of_segment(self.trail, self.segment) == Some(stamp)
    }

    /// Whether the table of a binding is what was written.
    fn is_sound(&self, binding: &Binding) -> bool {
        let table = binding.table(self.trail, self.segment);
        table.is_ok_and(|table| !self.thorough || table.check().is_ok())
    }

    fn build(
        &self,
        file: Arc<dyn LogFile>,
        (stated, bytes): (Hash, u64),
        stamp: Stamp,
    ) -> Result<Outcome, IndexError> {
        let mut table = self.store.begin(self.segment)?;
        let made = match self.write(file, &mut table, (stated, bytes)) {
            Ok(made) => made,
            Err(error) => {
                // What is half written takes room that the next try may need.
                self.store.abandon(self.segment)?;
                return Err(error);
            }
        };
        let (why, offset) = match made {
            Err((why, offset)) => (why, Some(offset)),
            Ok((_, digest)) if digest != stated => ("it differs from its .sha256", None),
            Ok(_) if !self.is_still(stamp) => ("it changed while it was read", None),
            Ok((written, _)) => {
                let binding = Binding {
                    format: FORMAT.to_owned(),
                    segment: self.segment.to_string(),
                    sha256: stated.to_string(),
                    bytes,
                    first_seq: written.first_seq,
                    groups: written.groups,
                    table_bytes: written.sums.bytes,
                    block_bytes: BLOCK as u64,
                    block_crc32c: sums_text(&written.sums),
                    stamp,
                };
                let published = self.store.publish(&table, self.segment, &binding);
                let (entries, table_bytes) = (binding.entries(), binding.table_bytes);
                return self.if_there(published, Outcome::Built { entries, table_bytes });
            }
        };
        self.store.abandon(self.segment)?;
        self.store.forget(self.segment)?;
        Ok(Outcome::Refused { why, offset })
    }

    /// Writes the table of a segment; gives what was written and the digest of what was read, or what
    /// is wrong with the segment.
    fn write(
        &self,
        file: Arc<dyn LogFile>,
        table: &mut File,
        (stated, bytes): (Hash, u64),
    ) -> Result<Result<(Written, Hash), Damage>, IndexError> {
        let mut to = io::BufWriter::with_capacity(1 << 20, table);
        let written =
            TableWriter::new(&mut to, self.segment, (&stated.to_string(), bytes), self.group_rows)
                .and_then(|writer| lines_into(writer, file));
        match written {
            Ok(made) => {
                to.flush().map_err(self.unwritable())?;
                Ok(Ok(made))
            }
            Err(NoTable::Damaged(why, offset)) => Ok(Err((why, offset))),
            Err(NoTable::Unreadable(error)) => Err(self.unreadable()(error)),
            Err(NoTable::Unwritable(error)) => Err(self.unwritable()(error)),
        }
    }

    fn unreadable(&self) -> impl FnOnce(io::Error) -> IndexError + use<> {
        let path = self.source.place_of(&self.segment.to_string());
        move |error| ReadError::io(&path)(error).into()
    }

    fn unwritable(&self) -> impl FnOnce(io::Error) -> IndexError + use<> {
        let path = self.trail.join(INDEX).join(self.segment.index_table());
        move |error| IndexError::io(&path)(error)
    }
}

/// Puts all lines of a segment into a table; gives the SHA-256 of them, too.
fn lines_into(
    mut writer: TableWriter<impl Write + Send>,
    file: Arc<dyn LogFile>,
) -> Result<(Written, Hash), NoTable> {
    let (mut lines, mut parser, mut sum) =
        (LineReader::new(file, 0), Parser::default(), Sha256::new());
    while let Some(span) = lines.advance().map_err(NoTable::Unreadable)? {
        let line = lines.line(span);
        if line.kind != LineKind::Complete {
            let why = "a line has no end, or is longer than any entry";
            return Err(NoTable::Damaged(why, line.offset));
        }
        sum.update(line.bytes);
        sum.update(b"\n");
        writer.line(&mut parser, line.bytes, line.offset)?;
    }
    Ok((writer.finish()?, Hash(sum.finalize().into())))
}

/// The SHA-256 of a file.
fn sha256(file: &dyn LogFile) -> io::Result<Hash> {
    let (mut sum, mut buffer, mut at) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        match read_some(file, &mut buffer, at)? {
            0 => return Ok(Hash(sum.finalize().into())),
            count => {
                sum.update(&buffer[..count]);
                at += count as u64;
            }
        }
    }
}

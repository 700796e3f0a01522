//! One segment and its index: looked at, made, or found to be still right.
//!
//! What must stay true here: a table is published only if the bytes it was made of have the SHA-256
//! that the segment's `.sha256` states, and the file was the same before and after it was read.

use std::fs::File;
use std::io::{self, Read, Write};

use audit_core::chain::Hash;
use audit_core::entry::Parser;
use audit_core::segment::SegmentName;
use sha2::{Digest, Sha256};

use super::binding::{Binding, FORMAT, Found, INDEX, Stamp, digest, sums_text, table_file};
use super::checked::{BLOCK, CheckedFile};
use super::error::IndexError;
use super::store::Store;
use super::write::{NoTable, TableWriter};
use crate::line::LineReader;
use crate::{DirSource, LineKind, ReadError};

/// What became of a segment.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is not closed yet.
    Open,
    /// Retention took it away.
    Gone,
    /// Its index is right.
    Kept { table_bytes: u64 },
    /// Its index is right, and was told so of a file that had been touched.
    Refreshed { table_bytes: u64 },
    Built { entries: u64, table_bytes: u64 },
    /// It gets no index: it is damaged.
    Refused { why: &'static str, offset: Option<u64> },
}

/// A segment to be indexed.
pub(super) struct Job<'a> {
    pub(super) source: &'a DirSource,
    pub(super) store: &'a Store,
    pub(super) segment: SegmentName,
    /// Make it anew whatever is there.
    pub(super) rebuild: bool,
    /// Read the whole table that is there, and not only its binding.
    pub(super) thorough: bool,
    pub(super) group_rows: usize,
}

impl Job<'_> {
    pub(super) fn run(&self) -> Result<Outcome, IndexError> {
        let Some(stated) = digest(self.source.path(), self.segment) else {
            return Ok(Outcome::Open);
        };
        let Some(file) = self.source.open_segment(self.segment)? else {
            return Ok(Outcome::Gone);
        };
        let stamp = Stamp::of(&file).map_err(self.unreadable())?;
        if !self.rebuild {
            let bytes = file.metadata().map_err(self.unreadable())?.len();
            match Binding::find(self.source.path(), self.segment, bytes) {
                Found::Bound(binding) if self.is_sound(&binding) => {
                    return Ok(Outcome::Kept { table_bytes: binding.table_bytes });
                }
                Found::Touched(binding) if self.is_sound(&binding) => {
                    if sha256(&file).map_err(self.unreadable())? == stated {
                        let table_bytes = binding.table_bytes;
                        self.store.bind(self.segment, &Binding { stamp, ..*binding })?;
                        return Ok(Outcome::Refreshed { table_bytes });
                    }
                }
                _ => {}
            }
        }
        self.build(file, stated, stamp)
    }

    /// Whether the table of a binding is what was written.
    fn is_sound(&self, binding: &Binding) -> bool {
        let path = self.source.path().join(INDEX).join(table_file(self.segment));
        let (Ok(file), Some(sums)) = (File::open(path), binding.sums()) else { return false };
        let whole = file.metadata().is_ok_and(|meta| meta.len() == sums.bytes);
        whole && (!self.thorough || CheckedFile::new(file, sums).check().is_ok())
    }

    fn build(&self, file: File, stated: Hash, stamp: Stamp) -> Result<Outcome, IndexError> {
        let mut table = self.store.begin(self.segment)?;
        let again = file.try_clone().map_err(self.unreadable())?;
        let bytes = file.metadata().map_err(self.unreadable())?.len();
        let made = self.write(file, &mut table, &stated.to_string(), bytes)?;
        let refused = |why, offset| Ok(Outcome::Refused { why, offset });
        let outcome = match made {
            Err((why, offset)) => refused(why, Some(offset)),
            Ok((_, digest)) if digest != stated => refused("it differs from its .sha256", None),
            Ok(_) if Stamp::of(&again).map_err(self.unreadable())? != stamp => {
                refused("it changed while it was read", None)
            }
            Ok((binding, _)) => {
                let binding = Binding { stamp, ..binding };
                self.store.publish(&table, self.segment, &binding)?;
                let (entries, table_bytes) = (binding.entries(), binding.table_bytes);
                return Ok(Outcome::Built { entries, table_bytes });
            }
        };
        self.store.forget(self.segment)?;
        outcome
    }

    /// Writes the table of a segment; gives its binding and the segment's digest, or what is wrong
    /// with the segment and where.
    #[expect(clippy::type_complexity, reason = "used once, right above")]
    fn write(
        &self,
        file: File,
        table: &mut File,
        sha256: &str,
        bytes: u64,
    ) -> Result<Result<(Binding, Hash), (&'static str, u64)>, IndexError> {
        let stamp = Stamp::of(&file).map_err(self.unreadable())?;
        let no_table = |error| match error {
            NoTable::Damaged(why, offset) => Ok(Err((why, offset))),
            NoTable::Io(error) => Err(self.unwritable()(error)),
        };
        let to = io::BufWriter::with_capacity(1 << 20, table);
        let mut writer = match TableWriter::new(to, self.segment, (sha256, bytes), self.group_rows) {
            Ok(writer) => writer,
            Err(error) => return no_table(error),
        };
        let mut lines = LineReader::new(file, 0, true).map_err(self.unreadable())?;
        let mut parser = Parser::default();
        while let Some(span) = lines.advance().map_err(self.unreadable())? {
            let line = lines.line(span);
            if line.kind != LineKind::Complete {
                return Ok(Err(("a line has no end, or is longer than any entry", line.offset)));
            }
            if let Err(error) = writer.line(&mut parser, line.bytes, line.offset) {
                return no_table(error);
            }
        }
        let (bytes, digest) = lines.finish();
        let mut written = match writer.finish() {
            Ok(written) => written,
            Err(error) => return no_table(error),
        };
        written.to.flush().map_err(self.unwritable())?;
        let binding = Binding {
            format: FORMAT.to_owned(),
            segment: self.segment.to_string(),
            sha256: sha256.to_owned(),
            bytes,
            first_seq: written.first_seq,
            groups: written.groups,
            table_bytes: written.sums.bytes,
            block_bytes: BLOCK as u64,
            block_crc32c: sums_text(&written.sums),
            stamp,
        };
        Ok(Ok((binding, digest.map(Hash).unwrap_or(Hash::ZERO))))
    }

    fn unreadable(&self) -> impl FnOnce(io::Error) -> IndexError + use<> {
        let path = self.source.path().join(self.segment.to_string());
        move |error| ReadError::io(&path)(error).into()
    }

    fn unwritable(&self) -> impl FnOnce(io::Error) -> IndexError + use<> {
        let path = self.source.path().join(INDEX).join(table_file(self.segment));
        move |error| IndexError::io(&path)(error)
    }
}

/// The SHA-256 of a file.
fn sha256(mut file: &File) -> io::Result<Hash> {
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Hash(sum.finalize().into())),
            Ok(count) => sum.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

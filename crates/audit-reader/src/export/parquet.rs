//! Entries as one Parquet file: the table of the index, of any part of a trail.
//!
//! What must stay true here: the columns are those of docs/index.md. The file says which trail it is
//! of and which entries it has; a file without its end is none, so nothing half-written is believed.

use std::io::{self, Write};

use audit_core::entry::Entry;

use crate::table::{GROUP, TableFile};

/// What the file says it is.
const FORMAT: &str = "audit-export/1";
/// Where it says which trail its entries are of.
pub(crate) const ORIGIN: &str = "audit.origin";

/// Writes the entries of one trail as a Parquet file.
pub struct ParquetExporter<W: Write + Send> {
    table: TableFile<W>,
    seqs: Option<(u64, u64)>,
}

impl<W: Write + Send> ParquetExporter<W> {
    /// Begins a file of the trail of this origin.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(to: W, origin: &str) -> io::Result<ParquetExporter<W>> {
        let said = [("audit.format", FORMAT.to_owned()), (ORIGIN, origin.to_owned())];
        Ok(ParquetExporter { table: TableFile::new(to, GROUP, &said)?, seqs: None })
    }

    /// Adds an entry whose line begins at `offset` in its segment.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn entry(&mut self, entry: &Entry<'_>, offset: u64) -> io::Result<()> {
        let first = self.seqs.map_or(entry.seq(), |(first, _)| first);
        self.seqs = Some((first, entry.seq()));
        self.table.push(entry, offset).map(drop)
    }

    /// Ends the file: without this it is none. Gives back what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some((first, last)) = self.seqs {
            self.table.say("audit.first_seq", first.to_string());
            self.table.say("audit.last_seq", last.to_string());
        }
        self.table.finish()
    }
}

impl<W: Write + Send> std::fmt::Debug for ParquetExporter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetExporter").field("seqs", &self.seqs).finish_non_exhaustive()
    }
}

//! Exported records that are rows of a Parquet file.
//!
//! What must stay true here: only `seq` and `hash` are read, a group of rows at a time, and the origin
//! that the file states. A file that is not whole is an error, and says nothing about the trail.

use std::fs::File;
use std::io;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use audit_core::chain::Hash;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::Reconciler;
use super::record::Claim;
use crate::export::PARQUET_ORIGIN;

/// What a Parquet file begins with.
const MAGIC: &[u8; 4] = b"PAR1";

impl Reconciler {
    /// Whether a file that begins like this is a table for [`Reconciler::table`], and has no lines.
    #[must_use]
    pub fn is_table(beginning: &[u8]) -> bool {
        beginning.starts_with(MAGIC)
    }

    /// Takes all rows of a Parquet file with the columns `seq` and `hash`: one of `auditlog export`, of
    /// the index, or one that another engine made of them.
    ///
    /// # Errors
    /// When it cannot be read, is not whole, or has no such columns.
    pub fn table(&mut self, file: File) -> io::Result<()> {
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let broken = |error: parquet::errors::ParquetError| {
            wrong(format!("it is no whole Parquet file: {error}"))
        };
        // What the file says of its types beside the Parquet ones may be anything.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(broken)?;
        let said = metadata.metadata().file_metadata().key_value_metadata();
        let origin = said.into_iter().flatten().find(|said| said.key == PARQUET_ORIGIN);
        let origin = origin.and_then(|said| said.value.clone());
        let columns = ["seq", "hash"];
        if let Some(lacks) = columns.iter().find(|name| metadata.schema().index_of(name).is_err()) {
            return Err(wrong(format!("the table has no column `{lacks}`")));
        }
        let mask = ProjectionMask::columns(metadata.parquet_schema(), columns);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        for rows in reader.with_projection(mask).build().map_err(broken)? {
            let rows = rows.map_err(|error| wrong(format!("it is damaged: {error}")))?;
            let (seqs, hashes) = (rows.column_by_name("seq"), rows.column_by_name("hash"));
            let seqs = seqs.and_then(seqs_of);
            let hashes = hashes.and_then(|column| column.as_string_opt::<i32>());
            let (Some(seqs), Some(hashes)) = (seqs, hashes) else {
                let types = "`seq` and `hash` are no 64-bit number and text";
                return Err(wrong(types.to_owned()));
            };
            for (seq, hash) in seqs.into_iter().zip(hashes) {
                let claim = seq.zip(hash.and_then(|hash| Hash::from_hex(hash.as_bytes())));
                let Some((seq, hash)) = claim else {
                    self.result.unreadable += 1;
                    continue;
                };
                self.result.records += 1;
                self.claim(&Claim { origin: origin.clone(), seq, hash, carried: false });
            }
        }
        Ok(())
    }
}

/// Numbers, with a sign or without; one below zero is none.
fn seqs_of(column: &arrow_array::ArrayRef) -> Option<Vec<Option<u64>>> {
    if let Some(seqs) = column.as_primitive_opt::<UInt64Type>() {
        return Some(seqs.iter().collect());
    }
    let seqs = column.as_primitive_opt::<Int64Type>()?;
    Some(seqs.iter().map(|seq| seq.and_then(|seq| u64::try_from(seq).ok())).collect())
}

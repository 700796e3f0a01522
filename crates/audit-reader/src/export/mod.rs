//! Entries in the forms that other programs take.
//!
//! What must stay true here: every record carries `origin` and `seq`, so that whoever has the records
//! can prove them complete, and the entry's hash. A form decides how an entry is written down, never
//! what is in it: what has no place of its own goes where the form keeps such things.
//!
//! ```
//! use audit_core::entry::Entry;
//! use audit_reader::export::{Exporter, Format};
//!
//! # let segment = include_bytes!("../../../../fixtures/vectors/healthy-small/2026-11-23.audit");
//! # let line = segment.split(|byte| *byte == b'\n').nth(1).unwrap();
//! let mut record = Vec::new();
//! Exporter::new(Format::Json, "audit.example/billing").record(&Entry::parse(line)?, &mut record);
//! assert!(record.starts_with(br#"{"origin":"audit.example/billing","entry":{"seq":1,"#));
//! # Ok::<_, audit_core::entry::EntryError>(())
//! ```

mod cef;
mod csv;
mod ecs;
mod json;
mod ocsf;
#[cfg(feature = "index")]
mod parquet;
mod syslog;
mod time;

use audit_core::entry::Entry;

#[cfg(feature = "index")]
pub(crate) use parquet::ORIGIN as PARQUET_ORIGIN;
#[cfg(feature = "index")]
pub use parquet::ParquetExporter;
pub use syslog::SD_ID;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The entry as it stands on disk, with the origin beside it; one a line.
    Json,
    /// Comma-separated values with a header, guarded against spreadsheets.
    Csv,
    /// Open Cybersecurity Schema Framework 1.x as JSON, one a line.
    Ocsf,
    /// Common Event Format, version 0.
    Cef,
    /// Syslog of RFC 5424, one message a line; the entry is the message.
    Syslog,
    /// Elastic Common Schema as JSON, one a line.
    Ecs,
}

/// Writes the entries of one trail in one form. Cheap to use from several threads.
#[derive(Debug, Clone)]
pub struct Exporter {
    format: Format,
    /// The origin, as the form writes it.
    origin: String,
}

impl Exporter {
    /// An exporter for the trail of this origin.
    #[must_use]
    pub fn new(format: Format, origin: &str) -> Exporter {
        let origin = match format {
            Format::Json | Format::Ocsf | Format::Ecs => json::escaped(origin),
            Format::Csv => csv::escaped(origin),
            Format::Cef => cef::escaped(origin),
            Format::Syslog => syslog::escaped(origin),
        };
        Exporter { format, origin }
    }

    /// What stands before the first record, without the line's end.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        (self.format == Format::Csv).then(|| format!("origin,{}", csv_header()))
    }

    /// Appends an entry as a record, which is one line, without its end.
    pub fn record(&self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        match self.format {
            Format::Json => {
                out.extend_from_slice(b"{\"origin\":\"");
                out.extend_from_slice(self.origin.as_bytes());
                out.extend_from_slice(b"\",\"entry\":");
                out.extend_from_slice(entry.line().as_bytes());
                out.push(b'}');
            }
            Format::Csv => {
                out.extend_from_slice(self.origin.as_bytes());
                out.push(b',');
                csv::row(entry, out);
            }
            Format::Ocsf => ocsf::record(&self.origin, entry, out),
            Format::Cef => cef::record(&self.origin, entry, out),
            Format::Syslog => syslog::record(&self.origin, entry, out),
            Format::Ecs => ecs::record(&self.origin, entry, out),
        }
    }
}

/// The header of [`csv_row`].
#[must_use]
pub const fn csv_header() -> &'static str {
    csv::HEADER
}

/// Appends an entry as a row of CSV without the origin, without the line's end.
pub fn csv_row(entry: &Entry<'_>, out: &mut Vec<u8>) {
    csv::row(entry, out);
}

/// Appends a text as a cell of CSV, guarded against spreadsheets.
pub fn csv_cell(text: &str, out: &mut Vec<u8>) {
    csv::cell(text, out);
}

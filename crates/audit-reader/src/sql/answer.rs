//! Rows of an answer, as text and as JSON.
//!
//! What must stay true here: what a row says does not depend on how the engine keeps it: times are RFC
//! 3339 in UTC, numbers are numbers, and everything else is text.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;

/// How times are written: as in entries.
const TIMES: &str = "%Y-%m-%dT%H:%M:%S%.9fZ";

/// Some rows of an answer.
pub struct Rows<'a> {
    batch: &'a RecordBatch,
    cells: Vec<ArrayFormatter<'a>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Rows<'a>, DataFusionError> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new()
            .with_display_error(true)
            .with_null("")
            .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"))
            .with_timestamp_tz_format(Some(TIMES));
        let cells = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &OPTIONS));
        Ok(Rows { batch, cells: cells.collect::<Result<_, _>>()? })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        names(self.batch.schema_ref())
    }

    /// What a cell says; NULL says nothing. `column` counts from 0.
    #[must_use]
    pub fn text(&self, row: usize, column: usize) -> String {
        match self.cells.get(column) {
            Some(cell) if row < self.len() => cell.value(row).to_string(),
            _ => String::new(),
        }
    }

    /// Appends a row as one JSON object, without the line's end.
    ///
    /// # Errors
    /// Never: text is always JSON.
    pub fn json(&self, row: usize, out: &mut Vec<u8>) -> std::io::Result<()> {
        out.push(b'{');
        for (place, field) in self.batch.schema_ref().fields().iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            serde_json::to_writer(&mut *out, field.name())?;
            out.push(b':');
            let column = self.batch.column(place);
            if column.is_null(row) {
                out.extend_from_slice(b"null");
                continue;
            }
            let text = self.text(row, place);
            match column.data_type() {
                DataType::Boolean => out.extend_from_slice(text.as_bytes()),
                // JSON knows neither infinity nor NaN.
                kind if kind.is_numeric() && text.parse::<f64>().is_ok_and(f64::is_finite) => {
                    out.extend_from_slice(text.as_bytes());
                }
                _ => serde_json::to_writer(&mut *out, &text)?,
            }
        }
        out.push(b'}');
        Ok(())
    }
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The names of an answer's columns.
pub(super) fn names(schema: &SchemaRef) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

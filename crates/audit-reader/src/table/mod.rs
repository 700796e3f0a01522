//! Entries as rows of a table: what the index, SQL and Parquet exports have in common.
//!
//! What must stay true here: a column holds what the member says, decoded, and NULL where there is
//! none. Nothing is left out but `prev_hash`, which is `hash` of the row before, and nothing is made
//! up: a time that the table's type cannot hold is NULL.

mod build;
mod columns;
mod time;
mod write;

#[cfg(feature = "sql")]
pub(crate) use build::TableBuilder;
#[cfg(feature = "sql")]
pub(crate) use columns::COLUMNS;
pub(crate) use columns::{BLOOM, Column, views};
pub(crate) use write::{GROUP, TableFile};

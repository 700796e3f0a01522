//! SQL over a trail: the table `events`.
//!
//! What must stay true here: nothing but reading is possible, and nothing but the trail can be read.
//! Memory that the engine counts and time are bounded, and reaching a bound is an error that says so,
//! never a shorter answer; all memory is bounded by a limit of the process only
//! ([`SqlOptions::address_space`]), which `auditlog sql` sets for one of its own.
//! The newest segment is included up to its last whole line; an index that does not fit is passed over,
//! and its segment read.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use audit_reader::Source;
//! use audit_reader::sql::{SqlOptions, sql};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let source = Source::open("/var/lib/billing/audit".as_ref())?;
//! let question = "select event_type, count(*) as n from events group by 1 order by n desc";
//! sql(&source, question, &SqlOptions::default(), |rows| {
//!     for row in 0..rows.len() {
//!         println!("{} {}", rows.text(row, 0), rows.text(row, 1));
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! # Ok(()) }
//! ```

mod answer;
mod date_trunc;
mod error;
mod events;
mod files;
mod lines;
mod prev_hash;
mod run;

pub use answer::Rows;
pub use error::SqlError;
pub use run::{Answered, SqlOptions, sql};

//! The index: closed segments as Parquet, beside the trail, for those who ask often.
//!
//! What must stay true here: an index is derived and may be deleted at any time. It is bound to the
//! hash of its segment; one that does not fit, is damaged or unfinished is passed over, and the
//! segment itself is read. An answer is the same with an index, without one, and with a broken one.
//!
//! ```no_run
//! use audit_reader::DirSource;
//! use audit_reader::index::{IndexOptions, index};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let source = DirSource::open("/var/lib/billing/audit".as_ref())?;
//! let made = index(&source, IndexOptions::default())?;
//! println!("{} segments indexed, {} were", made.built, made.kept);
//! # Ok(()) }
//! ```

mod binding;
mod build;
mod checked;
mod error;
mod lookup;
mod rows;
mod run;
mod store;
mod write;

#[cfg(feature = "sql")]
pub(crate) use binding::Binding;
#[cfg(feature = "sql")]
pub(crate) use checked::CheckedFile;
pub use error::IndexError;
pub(crate) use lookup::{Advice, Conditions, Lookup, Test};
pub use run::{IndexOptions, Indexed, Refused, index};

//! The reader, through its public interface, on real directories.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its trail must fail"
)]

mod common;
mod evidence;
mod export;
#[cfg(feature = "index")]
mod index;
#[cfg(feature = "index")]
mod index_odd;
mod listing;
mod odd;
mod planted;
mod proof;
mod pruned;
mod query;
mod query_pages;
mod reconcile;
mod resume;
mod sizes;
mod sources;
#[cfg(feature = "sql")]
mod sql;
mod vectors;
mod verify;

//! The reader, through its public interface, on real directories.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its trail must fail"
)]

mod common;
mod listing;
mod proof;
mod sources;
mod tamper;
mod vectors;
mod verify;

//! The reader, through its public interface, on real directories.

mod common;
mod listing;
mod vectors;
mod verify;

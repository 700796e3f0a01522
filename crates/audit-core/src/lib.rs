//! The pure core of audit-logging: event vocabulary, sanitising, entry encoding, hash chain,
//! plan and incremental verification.
//!
//! What must stay true here: bytes in, values out. No files, clock, threads, randomness or unsafe
//! code (held by `clippy.toml` and the attributes below), so that writing, recovery and
//! verification, which all run this code, cannot disagree.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

extern crate self as audit_core;

pub mod chain;
pub mod checkpoint;
pub mod control;
pub mod encode;
pub mod entry;
pub mod event;
pub mod hex;
pub mod json;
pub mod meta;
pub mod note;
pub mod plan;
pub mod proof;
pub mod retention;
pub mod segment;
mod sha;
pub mod text;
pub mod tile;
pub mod tree;
pub mod verify;

pub use jiff::Timestamp;

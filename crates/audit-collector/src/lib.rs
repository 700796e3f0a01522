//! Everything of audit-logging that serves HTTP: a C2SP witness, and a trail as C2SP tiles.
//!
//! What must stay true here: every request is bounded in size, time and memory, and every answer
//! follows the specification's status to the letter. Whatever a client may see later stands on disk
//! before it is told.
#![forbid(unsafe_code)]

pub mod serve;
pub mod tiles;
pub mod witness;

pub use tiles::Tiles;
pub use witness::{LogError, Witness, WitnessConfig, WitnessError};

//! What the tests of the trail are made with. Development only, never in a release.
//!
//! What must stay true here: nothing pretends. Wrappers count, hold or fail real storage
//! operations; the simulated disk loses exactly what a disk may lose; every random choice comes
//! from a seed that a failure names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the test kit")]

pub mod acks;
pub mod block;
pub mod child;
pub mod clock;
pub mod counting;
pub mod crash;
pub mod event;
pub mod faulty;
pub mod fuzz;
pub mod hook;
pub mod life;
pub mod model;
pub mod month;
pub mod options;
pub mod oracle;
pub mod plan;
pub mod power;
pub mod read;
pub mod rng;
pub mod rotation;
pub mod seals;
pub mod sim;
mod sim_crash;
pub mod sim_disk;
mod sim_file;
mod sim_history;
mod sim_names;
mod sim_segment;
pub mod stranger;
pub mod sweep;
pub mod trails;

pub use block::block_on;
pub use clock::TestClock;
pub use counting::CountingStorage;
pub use event::TestEvent;
pub use faulty::FaultyStorage;
pub use hook::Op;
pub use read::{Line, read_dir, read_trail};
pub use rng::Rng;
pub use sim_disk::SimDisk;

//! Retention held against the verifier: archived, shortened and held trails, and every step at which
//! their making can be interrupted.
//!
//! What must stay true here: writer and reader share no code that deletes or unpacks, so what one says
//! of a trail is held against the other.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod common;
mod crash;
mod holds;
#[cfg(feature = "index")]
mod index;
mod life;
mod planted;
mod scripts;
mod signed;

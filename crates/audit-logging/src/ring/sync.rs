//! The atomics the ring is built of.
//!
//! What must stay true here: the ring takes them from here only, so that the model checker can put
//! its own in their place (`--cfg loom`).

#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(super) use loom::thread::Thread;
#[cfg(not(loom))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(super) use std::thread::Thread;

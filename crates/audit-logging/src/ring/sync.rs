//! The atomics the ring is built of, and how its consumer sleeps.
//!
//! What must stay true here: the ring takes them from here only, so that a model checker can put its
//! own in their place (`models/`, `cargo xtask model`).

use std::time::Duration;

#[cfg(loom)]
pub(super) use loom::{
    sync::atomic::{AtomicU64, Ordering, fence},
    thread::{Thread, current},
};
#[cfg(shuttle)]
pub(super) use shuttle::{
    sync::atomic::{AtomicU64, Ordering, fence},
    thread::{Thread, current},
};
#[cfg(not(any(loom, shuttle)))]
pub(super) use std::{
    sync::atomic::{AtomicU64, Ordering, fence},
    thread::{Thread, current},
};

#[cfg(not(any(loom, shuttle)))]
pub(super) fn park(span: Option<Duration>) {
    match span {
        None => std::thread::park(),
        Some(span) => std::thread::park_timeout(span),
    }
}

/// A model has no clock: a sleep with a limit is one without, which finds more lost wake-ups.
#[cfg(loom)]
pub(super) fn park(_: Option<Duration>) {
    loom::thread::park();
}

#[cfg(shuttle)]
pub(super) fn park(_: Option<Duration>) {
    shuttle::thread::park();
}

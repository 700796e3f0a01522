//! What witnesses have seen of this trail, as a follower reports it.
//!
//! What must stay true here: a report counts for what a published checkpoint of at most that size
//! covers, never for more; the marks are bounded, whether or not anybody reports; the logger asks
//! nobody over the network, and a follower that is slow or dead holds up nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ring::Position;
use crate::shared::Shared;

/// Checkpoints that are remembered until a report covers them. Beyond it every second one is
/// forgotten, the oldest time and again, which makes a report count for less, until the next one.
const MAX_MARKS: usize = 1 << 10;

/// Which published checkpoint covers which position, ascending.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<VecDeque<(u64, Position)>>);

impl Marks {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Position)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sealer only: the checkpoint over `size` entries covers everything up to `position`.
    pub(crate) fn published(&self, size: u64, position: Position) {
        let mut marks = self.lock();
        match marks.back_mut() {
            Some(last) if last.0 == size => *last = (size, position),
            _ => marks.push_back((size, position)),
        }
        if marks.len() > MAX_MARKS {
            // The newest stays: it is what a follower submits next.
            let newest = marks.len() - 1;
            let mut at = 0;
            marks.retain(|_| {
                at += 1;
                (newest + 1 - at).is_multiple_of(2)
            });
        }
    }

    /// What a cosigned checkpoint over `size` entries covers; what it covers is forgotten.
    fn covered_by(&self, size: u64) -> Option<Position> {
        let mut marks = self.lock();
        let mut covered = None;
        while let Some(&(published, position)) = marks.front()
            && published <= size
        {
            covered = Some(position);
            marks.pop_front();
        }
        covered
    }
}

/// Reports to a logger what witnesses cosigned: see
/// [`AuditLogger::witness_handle`](crate::AuditLogger::witness_handle). Held by a follower; when the
/// last one is dropped, whoever waits for [`Receipt::witnessed`](crate::Receipt::witnessed) is told
/// that nobody will say it any more.
///
/// ```no_run
/// # fn each(logger: &audit_logging::AuditLogger, satisfied: bool, size: u64) {
/// let witnessed = logger.witness_handle();
/// // In the follower, when the cosignatures over `size` entries were verified:
/// if let Some(handle) = &witnessed
///     && satisfied
/// {
///     handle.advance(size);
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct WitnessHandle {
    shared: Arc<Shared>,
}

impl WitnessHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> WitnessHandle {
        shared.progress.attach_follower();
        WitnessHandle { shared }
    }

    /// A checkpoint of this trail over its first `size` entries carries the cosignatures that the
    /// operator's policy asks for, and they were verified. A report of a smaller size than one before
    /// changes nothing. After the logger was closed, its last checkpoint may still be reported.
    pub fn advance(&self, size: u64) {
        if let Some(position) = self.shared.marks.covered_by(size) {
            self.shared.progress.witness(position);
        }
    }
}

impl Clone for WitnessHandle {
    fn clone(&self) -> WitnessHandle {
        WitnessHandle::new(Arc::clone(&self.shared))
    }
}

impl Drop for WitnessHandle {
    fn drop(&mut self) {
        // In a forked child a lock may be held for ever, and nobody waits there.
        if !self.shared.is_forked() {
            self.shared.progress.detach_follower();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_for_what_was_published_up_to_its_size() {
        let marks = Marks::default();
        for size in [10, 20, 30] {
            marks.published(size, size - 5);
        }
        marks.published(30, 27);
        assert_eq!(marks.covered_by(9), None);
        assert_eq!(marks.covered_by(29), Some(15));
        assert_eq!(marks.covered_by(29), None, "said already");
        assert_eq!(marks.covered_by(u64::MAX), Some(27));
    }

    #[test]
    fn marks_are_bounded_and_never_promise_more() {
        let marks = Marks::default();
        let last = 10 * MAX_MARKS as u64;
        for size in 1..=last {
            marks.published(size, size);
            assert!(marks.lock().len() <= MAX_MARKS);
            assert_eq!(marks.lock().back(), Some(&(size, size)));
        }
        // The older, the fewer are left; of a recent one a report counts for nearly all.
        let recent = last - 100;
        let covered = marks.covered_by(recent).unwrap();
        assert!(covered <= recent && covered > recent - 100, "{covered}");
        assert_eq!(marks.covered_by(last), Some(last));
    }
}

//! A load of so many events a second.
//!
//! What must stay true here: nothing happens before it is due; what is late happens at once, and
//! stays due when it was, so that no stall hides the events it delayed.
//!
//! A thread that sleeps is woken some 60 microseconds late (timer slack) and then has several
//! events due at once, which is a burst and not a rate. So short gaps are spun away: that takes a
//! core, as a service that has a hundred thousand things a second to audit does. Long gaps are
//! slept, up to their last stretch.

use std::time::{Duration, Instant};

/// Shorter waits are spun: a sleeping thread is not back in time.
const SPIN: Duration = Duration::from_micros(120);

/// When the next event is due.
pub(super) struct Pace {
    gap: Duration,
    due: Instant,
}

impl Pace {
    /// One event every `gap`, from now on.
    pub(super) fn new(gap: Duration) -> Pace {
        // The first call of a thread may allocate.
        std::thread::park_timeout(Duration::ZERO);
        Pace { gap, due: Instant::now() }
    }

    /// Waits until the next event is due: when that was, and when the wait was over.
    pub(super) fn wait(&mut self) -> (Instant, Instant) {
        self.due += self.gap;
        loop {
            let now = Instant::now();
            if now >= self.due {
                return (self.due, now);
            }
            match idle(self.due - now) {
                Some(idle) => std::thread::park_timeout(idle),
                None => std::hint::spin_loop(),
            }
        }
    }
}

/// How long the thread may be left without a core when there is so much time.
fn idle(left: Duration) -> Option<Duration> {
    left.checked_sub(SPIN).filter(|idle| !idle.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_stretch_is_spun() {
        assert_eq!(idle(Duration::from_micros(10)), None);
        assert_eq!(idle(SPIN), None);
        assert_eq!(idle(Duration::from_micros(1_000)), Some(Duration::from_micros(880)));
    }

    #[test]
    fn nothing_is_early_and_what_is_late_stays_due_when_it_was() {
        let gap = Duration::from_micros(200);
        let mut pace = Pace::new(gap);
        let (first, start) = pace.wait();
        assert!(start >= first);
        while first.elapsed() < gap * 3 {
            std::hint::spin_loop();
        }
        for n in 1..=3 {
            let before = Instant::now();
            let (due, start) = pace.wait();
            assert_eq!(due, first + gap * n);
            assert!(due <= before && start >= before, "late, and not waited for");
        }
    }
}

//! A clock that stands still until it is told to move.
//!
//! What must stay true here: the wall clock and the monotonic clock move together with
//! [`TestClock::advance`], and only the wall clock with [`TestClock::step_to`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audit_logging::Clock;
use jiff::Timestamp;

/// A settable clock; clones share the time.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Mutex<(Timestamp, Duration)>>);

impl TestClock {
    /// A clock that shows `start` (RFC 3339).
    #[must_use]
    pub fn at(start: &str) -> TestClock {
        let start = start.parse().expect("an RFC 3339 time");
        TestClock(Arc::new(Mutex::new((start, Duration::from_secs(1_000)))))
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        time.0 = time.0.saturating_add(by).expect("a time in range");
        time.1 += by;
    }

    /// Somebody sets the wall clock; no time passes.
    pub fn step_to(&self, to: &str) {
        let to = to.parse().expect("an RFC 3339 time");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = to;
    }

    /// As the logger takes it.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

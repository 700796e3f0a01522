//! The two clocks the logger reads, behind one trait so that tests can set them.

use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Where the logger takes its time from.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time, UTC. May jump either way.
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary moment, counting while the machine sleeps. Never jumps.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        // Boottime, not monotonic: a suspended laptop is not a stepped clock.
        #[cfg(target_os = "linux")]
        let time = clock_gettime(ClockId::Boottime);
        #[cfg(not(target_os = "linux"))]
        let time = clock_gettime(ClockId::Monotonic);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    }
}

/// Nanoseconds since 1970, in 64 bits, which last until 2554; 0 before 1970. Not through the 128 bits
/// of `as_nanosecond`, whose division costs more than reading the clock.
pub(crate) fn nanos(time: Timestamp) -> u64 {
    let seconds = u64::try_from(time.as_second()).unwrap_or_default();
    let rest = u64::try_from(time.subsec_nanosecond()).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// RFC 3339, UTC, exactly nine fraction digits, as everywhere in a trail.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    format!("{time:.9}")
}

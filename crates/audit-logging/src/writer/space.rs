//! The ladder: what is accepted as the disk fills up, and waiting for room on a full one.
//!
//! What must stay true here: what was accepted stays in the ring until it is durable; a full disk
//! stops new events, loses none, and is left behind as soon as there is room.

use std::io;
use std::time::Duration;

use super::{POLL, Writer};
use crate::config::SpacePolicy;
use crate::error::Fault;
use crate::shared::SpaceLevel;
use crate::storage::Space;

impl Writer {
    /// Looks at the free space and moves along the ladder.
    pub(super) fn refresh_space(&mut self) {
        let level = match self.storage.space() {
            Ok(space) => {
                let level = level_of(space, &self.config.space);
                self.shared.meters.disk(level, space);
                level
            }
            Err(error) => {
                tracing::warn!(%error, "free space is unknown; the level stays");
                return;
            }
        };
        self.enter(level);
    }

    fn enter(&self, level: SpaceLevel) {
        let before = self.shared.set_space(level);
        match level.cmp(&before) {
            std::cmp::Ordering::Greater => {
                tracing::warn!(?level, "disk space for the audit trail is running out");
            }
            std::cmp::Ordering::Less => {
                tracing::info!(?level, "disk space for the audit trail is back");
            }
            std::cmp::Ordering::Equal => {}
        }
    }

    /// The disk refused for want of space: accept nothing, and come back when it is worth another
    /// try. Gives up when the logger is being shut down and the drop limit is over, and at once while
    /// it is being opened.
    pub(super) fn wait_for_space(
        &mut self,
        operation: &'static str,
        error: &io::Error,
    ) -> Result<(), Fault> {
        if self.opening {
            return Err(self.fault(operation, error));
        }
        self.enter(SpaceLevel::Full);
        self.shared.meters.disk_level(SpaceLevel::Full);
        self.shared.ring.pause(POLL);
        if self.shared.ring.is_closed() {
            let now = self.clock.monotonic();
            let since = *self.closing_since.get_or_insert(now);
            if now.saturating_sub(since) > Duration::from_millis(self.config.drop_limit_ms) {
                return Err(self.fault(operation, error));
            }
        }
        Ok(())
    }
}

fn level_of(space: Space, policy: &SpacePolicy) -> SpaceLevel {
    let below = |bytes: u64, percent: u64| space.free < bytes.min(space.total / 100 * percent);
    if below(policy.refuse_all_below, 1) {
        SpaceLevel::Full
    } else if below(policy.refuse_routine_below, 5) {
        SpaceLevel::CriticalOnly
    } else if below(policy.warn_below, 10) {
        SpaceLevel::Low
    } else {
        SpaceLevel::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_has_four_steps_and_fits_small_volumes() {
        let policy = SpacePolicy::default();
        let level = |total: u64, free: u64| level_of(Space { total, free }, &policy);
        let tib = 1 << 40;
        assert_eq!(level(tib, 2 << 30), SpaceLevel::Normal);
        assert_eq!(level(tib, 1 << 29), SpaceLevel::Low);
        assert_eq!(level(tib, 100 << 20), SpaceLevel::CriticalOnly);
        assert_eq!(level(tib, 10 << 20), SpaceLevel::Full);
        assert_eq!(level(64 << 20, 60 << 20), SpaceLevel::Normal);
        assert_eq!(level(64 << 20, 5 << 20), SpaceLevel::Low);
        assert_eq!(level(64 << 20, 2 << 20), SpaceLevel::CriticalOnly);
        assert_eq!(level(64 << 20, 0), SpaceLevel::Full);
    }
}

//! Facts about this machine that recovery needs.

use crate::storage::BRIEF;

/// The kernel's id of this boot; empty where the system has none.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// The kernel's id of this boot as a number; 0 where the system has none.
pub(super) fn this_boot() -> u128 {
    boot_id().parse::<uuid::Uuid>().map_or(0, |id| id.as_u128())
}

/// The text in the lock file: who holds it, for people and for the next writer.
pub(crate) fn lock_text(started: &str, is_brief: bool, ring: &str, boot: &str) -> String {
    let brief = if is_brief { BRIEF } else { "" };
    format!("pid {} started {started}{brief} ring {ring} boot {boot}", std::process::id())
}

/// The id of the last writer's ring in a lock file's text.
pub(crate) fn ring_of(lock_text: &str) -> Option<&str> {
    let (before, _) = lock_text.rsplit_once(" boot ")?;
    before.rsplit_once(" ring ").map(|(_, id)| id).filter(|id| !id.is_empty())
}

/// The boot id in a lock file's text.
pub(crate) fn boot_of(lock_text: &str) -> Option<&str> {
    lock_text.trim_end().rsplit_once(" boot ").map(|(_, id)| id).filter(|id| !id.is_empty())
}

//! How the trail was kept, as it says of itself: what was refused, mended, removed, begun and ended.
//!
//! What must stay true here: every control entry of the period is counted; a detail that cannot be
//! read is left out of a sum and its entry is still in the list.

use audit_core::entry::Entry;
use serde::Serialize;
use serde_json::Value;

use super::tally::Listing;

/// What the control entries of the period say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Keeping {
    /// Times the trail was opened for writing.
    pub opened: u64,
    /// Times it was closed in order.
    pub closed: u64,
    /// Times it was put in order after a writer that had not closed it.
    pub recovered: u64,
    /// Of these, those after which something may be missing: another boot, bytes in quarantine, a ring
    /// that could not be read, or a checkpoint that was gone.
    pub recovered_with_loss: u64,
    /// Events that were refused, and so are not in the trail.
    pub dropped_events: u64,
    /// Times the disk failed.
    pub storage_failed: u64,
    /// Times the clock jumped.
    pub clock_stepped: u64,
    /// Times the signing key was replaced.
    pub key_rotated: u64,
    /// Signs of life.
    pub heartbeats: u64,
    /// Times retention removed segments.
    pub retention_applied: u64,
    /// Legal holds that were added.
    pub holds_added: u64,
    /// Legal holds that were released.
    pub holds_released: u64,
    /// Changes of the writer's configuration, as its digest shows.
    pub configuration_changes: u64,
    /// Refusals, repairs, failures, clock steps: what somebody may have to explain.
    pub troubles: Listing,
    /// What retention removed.
    pub removed: Listing,
    /// Legal holds that were added or released.
    pub holds: Listing,
    /// Who read the trail.
    pub accessed: Listing,
}

/// Reads control entries.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    keeping: Keeping,
    configuration: Option<String>,
}

impl Keeper {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let keeping = &mut self.keeping;
        let details = || {
            let text = entry.details().unwrap_or("{}");
            serde_json::from_str::<Value>(text).unwrap_or_default()
        };
        match entry.event_type() {
            "audit.heartbeat" => keeping.heartbeats += 1,
            "audit.closed" => keeping.closed += 1,
            "audit.key_rotated" => keeping.key_rotated += 1,
            "audit.accessed" => keeping.accessed.add(entry),
            "audit.hold_added" | "audit.hold_released" => {
                let is_added = entry.event_type() == "audit.hold_added";
                keeping.holds_added += u64::from(is_added);
                keeping.holds_released += u64::from(!is_added);
                keeping.holds.add(entry);
            }
            "audit.opened" => {
                keeping.opened += 1;
                if let Some(digest) = details()["config_sha256"].as_str()
                    && let Some(before) = self.configuration.replace(digest.to_owned())
                    && before != digest
                {
                    keeping.configuration_changes += 1;
                }
            }
            "audit.retention_applied" => {
                keeping.retention_applied += 1;
                keeping.removed.add(entry);
            }
            "audit.recovered" => {
                keeping.recovered += 1;
                let details = details();
                let clean = details["same_boot"] == true
                    && details["quarantined_bytes"] == 0
                    && ["ring_problem", "damaged_at", "checkpoint_missing"]
                        .iter()
                        .all(|name| details.get(name).is_none());
                keeping.recovered_with_loss += u64::from(!clean);
                keeping.troubles.add(entry);
            }
            "audit.events_dropped" => {
                keeping.dropped_events += details()["count"].as_u64().unwrap_or(0);
                keeping.troubles.add(entry);
            }
            "audit.storage_failed" => {
                keeping.storage_failed += 1;
                keeping.troubles.add(entry);
            }
            "audit.clock_stepped" => {
                keeping.clock_stepped += 1;
                keeping.troubles.add(entry);
            }
            _ => {}
        }
    }

    pub(super) fn end(self) -> Keeping {
        self.keeping
    }
}

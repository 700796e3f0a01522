//! Reading the story's trail: everything it holds, by the same reader the commands use.
//!
//! What must stay true here: what is claimed about the trail is read from its files, never
//! remembered from what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use audit_core::entry::{Entry, Parser};
use audit_reader::{Source, Step, TrailReader};

use super::DemoError;

/// What a trail holds.
#[derive(Debug, Default)]
pub(super) struct Overview {
    pub(super) entries: u64,
    pub(super) segments: u64,
    pub(super) by_type: BTreeMap<String, u64>,
    /// Every `audit_id`.
    pub(super) ids: BTreeSet<String>,
}

impl Overview {
    pub(super) fn read(trail: &Path) -> Result<Overview, DemoError> {
        let mut overview = Overview::default();
        each(trail, |entry| {
            overview.entries += 1;
            *overview.by_type.entry(entry.event_type().to_owned()).or_default() += 1;
            overview.ids.insert(entry.audit_id().to_string());
        })?;
        overview.segments = Source::open(trail)?.segments()?.len() as u64;
        Ok(overview)
    }

    pub(super) fn count(&self, event_type: &str) -> u64 {
        self.by_type.get(event_type).copied().unwrap_or_default()
    }
}

/// Calls `look` with each entry, in order.
pub(super) fn each(trail: &Path, mut look: impl FnMut(&Entry<'_>)) -> Result<(), DemoError> {
    let mut reader = TrailReader::new(Source::open(trail)?);
    let mut parser = Parser::default();
    loop {
        match reader.step()? {
            Step::Line(segment, line) => {
                let entry = parser.parse(line.bytes).map_err(|error| DemoError::NotAsTold {
                    what: format!("{segment} at byte {}: {error}", line.offset),
                })?;
                look(&entry);
            }
            Step::Unfinished(..) | Step::CaughtUp => return Ok(()),
            _ => {}
        }
    }
}

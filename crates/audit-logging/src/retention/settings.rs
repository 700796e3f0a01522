//! `settings.json`: what a trail's writer was configured with, for the commands that act on the trail.
//!
//! What must stay true here: a hint for tools, private to the implementation and never evidence. What
//! is done with it is said in the trail.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{AuditConfig, RetentionPolicy};
use crate::storage::{Storage, read_to_vec};

const FILE: &str = "settings.json";
/// Longer files are not ours.
const MAX: u64 = 64 << 10;

/// What the last writer of a trail was configured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settings {
    /// How long segments are kept.
    pub retention: RetentionPolicy,
    /// Hours between two times that retention is applied by the writer itself; 0 for never.
    pub retention_interval_hours: u32,
    /// Who queries or exports the trail is noted in it.
    pub audit_access: bool,
}

impl Settings {
    fn of(config: &AuditConfig) -> Settings {
        Settings {
            retention: config.retention,
            retention_interval_hours: config.retention_interval_hours,
            audit_access: config.audit_access,
        }
    }
}

/// What the writer of the trail in `dir` was configured with; `None` where no writer said so.
///
/// # Errors
/// When there is something that cannot be read.
pub fn settings(dir: &Path) -> io::Result<Option<Settings>> {
    let bytes = match std::fs::read(dir.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// Leaves them in the trail's directory. They are no more than a hint: a disk without room for them
/// keeps no trail from being opened.
pub(crate) fn write_settings(storage: &dyn Storage, config: &AuditConfig) {
    let settings = Settings::of(config);
    let written =
        serde_json::to_vec_pretty(&settings).map_err(io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            match read_to_vec(storage, FILE, MAX) {
                Ok(there) if there == text => Ok(()),
                _ => storage.replace(FILE, &mut text.as_slice()),
            }
        });
    if let Err(error) = written {
        tracing::warn!(%error, "settings.json could not be written");
    }
}

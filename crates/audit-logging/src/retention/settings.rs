//! `settings.json`: what a trail's writer was configured with, for the commands that act on the trail.
//!
//! What must stay true here: a hint for tools, private to the implementation and never evidence. What
//! is done with it is said in the trail.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
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
    /// How long segments are kept; none as long as no writer said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionPolicy>,
    /// Hours between two times that retention is applied by the writer itself; 0 for never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retention_interval_hours: u32,
    /// Who queries or exports the trail is noted in it.
    pub audit_access: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(hours: &u32) -> bool {
    *hours == 0
}

impl Settings {
    /// Of a service that writes the trail.
    pub(crate) const fn of(config: &AuditConfig) -> Settings {
        Settings {
            retention: Some(config.retention),
            retention_interval_hours: config.retention_interval_hours,
            audit_access: config.audit_access,
        }
    }

    /// Of a trail that was made, and that nobody writes yet: how long it is kept, its writer decides.
    pub(crate) const fn of_new(config: &AuditConfig) -> Settings {
        Settings { retention: None, retention_interval_hours: 0, audit_access: config.audit_access }
    }
}

/// What the writer of the trail in `dir` was configured with; `None` where no writer said so.
///
/// # Errors
/// When there is something that cannot be read.
pub fn settings(dir: &Path) -> io::Result<Option<Settings>> {
    let file = match open_no_link(&dir.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX {
        return Err(io::Error::other("it is longer than settings can be"));
    }
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// A file, and no link to one or pipe that would be waited for.
fn open_no_link(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// Leaves them in the trail's directory. They are no more than a hint: a disk without room for them
/// keeps no trail from being opened.
pub(crate) fn write_settings(storage: &dyn Storage, settings: &Settings) {
    let written =
        serde_json::to_vec_pretty(settings).map_err(io::Error::from).and_then(|mut text| {
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

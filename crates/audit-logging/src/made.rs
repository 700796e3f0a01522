//! Making a trail, and looking whether there is one.
//!
//! What must stay true here: a trail that is there is never made again; looking changes nothing.

use std::path::Path;

use audit_core::meta::TrailInfo;

use crate::builder::Builder;
use crate::config::{AuditConfig, AuditMode};
use crate::error::{ConfigError, OpenError, WaitError};
use crate::retention::Settings;
use crate::storage::DirStorage;
use crate::trail;

/// Makes a new trail and closes it again: entry 0, the first key, `trail.json`. How long it is kept is for
/// its writer to say: until then nothing of it is deleted by itself.
///
/// # Errors
/// [`OpenError::AlreadyExists`] when there is one, and all others of opening.
pub fn create_trail(config: AuditConfig) -> Result<TrailInfo, OpenError> {
    config.validate()?;
    let AuditMode::Local { base_dir } = config.mode.clone() else {
        return Err(ConfigError::Invalid {
            field: "mode",
            problem: "a trail needs a directory: use Local".to_owned(),
        }
        .into());
    };
    if let Some(info) = existing_trail(&base_dir)? {
        return Err(OpenError::AlreadyExists { path: base_dir, service_id: info.service_id });
    }
    let settings = Settings::of_new(&config);
    let logger = Builder::new(config).leaving(settings).open()?;
    if let Err(WaitError::Poisoned(fault) | WaitError::NotSealed(fault)) =
        logger.shutdown_blocking()
    {
        return Err(fault.into());
    }
    existing_trail(&base_dir)?.ok_or(OpenError::NoTrail { path: base_dir })
}

/// What a directory's `trail.json` says; `None` when there is no trail in it.
///
/// # Errors
/// As for opening; a directory that does not exist is no error.
pub fn existing_trail(dir: &Path) -> Result<Option<TrailInfo>, OpenError> {
    match DirStorage::open(dir, false) {
        Ok(storage) => trail::peek(&storage, dir),
        Err(OpenError::NoTrail { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

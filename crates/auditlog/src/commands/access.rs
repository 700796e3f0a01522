//! Who reads a trail is noted, before they read it: `audit.accessed`.
//!
//! What must stay true here: the note is durable and signed before the first answer; it stands in the
//! trail itself or, where that is open elsewhere, in a trail beside it. What could not be noted is said.

use std::path::Path;
use std::time::Duration;

use audit_core::event::ActorInfo;
use audit_logging::retention::settings;
use audit_logging::{AuditConfig, AuditLogger, AuditMode, OpenError, existing_trail};
use audit_reader::report::access_dir;
use clap::ValueEnum;

use crate::error::CliError;
use crate::output::escape;

/// How often another access that is being noted is waited for.
const TRIES: u32 = 20;

/// Whether an access is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// If the trail's writer is configured so, which it is unless `audit_access` is off; a note that
    /// cannot be made is said on standard error
    Auto,
    /// In any case; if it cannot be noted, nothing is read
    Always,
    /// Not at all
    Never,
}

/// The option of the commands that read entries.
#[derive(Debug, clap::Args)]
pub(crate) struct AccessArgs {
    /// Note in the trail who asks for what, before it is answered
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "auto",
        default_missing_value = "always"
    )]
    audit_access: When,
}

/// Notes that this command reads the trail in `dir`. To be called before anything is printed.
pub(crate) fn record(args: &AccessArgs, dir: &Path, command: &str) -> Result<(), CliError> {
    match args.audit_access {
        When::Never => Ok(()),
        When::Always => note(dir, command),
        When::Auto if !is_configured(dir) => Ok(()),
        When::Auto => {
            if let Err(error) = note(dir, command) {
                let why = escape(error.to_string().as_bytes());
                eprintln!("auditlog: this access could not be noted in the trail: {why}");
            }
            Ok(())
        }
    }
}

/// True when the trail's writer wants it. A copy of a trail, or one that no writer of this version
/// opened, is not configured. What cannot be read may say so: the note then fails, and that is said.
fn is_configured(dir: &Path) -> bool {
    match settings(dir) {
        Ok(settings) => settings.is_some_and(|settings| settings.audit_access),
        Err(_) => true,
    }
}

fn note(dir: &Path, command: &str) -> Result<(), CliError> {
    let by = ActorInfo::internal(who());
    let arguments: Vec<String> =
        std::env::args_os().skip(2).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let info = existing_trail(dir)?.ok_or_else(|| OpenError::NoTrail { path: dir.to_owned() })?;
    let (logger, origin) = match super::open_briefly(super::config_of(dir)?) {
        Ok(logger) => (logger, None),
        // Open elsewhere, or not to be opened at all: a damaged trail is read, too.
        Err(_) => (open_beside(dir, &info.service_id)?, Some(info.origin.as_str())),
    };
    let noted = logger.record_access(&by, command, &arguments, origin);
    super::close(&logger)?;
    Ok(noted?)
}

/// The trail of accesses beside a trail, made if it is not there.
fn open_beside(dir: &Path, service_id: &str) -> Result<AuditLogger, OpenError> {
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: access_dir(dir) },
        retention_interval_hours: 0,
        audit_access: false,
        queue_bytes: 1 << 20,
        ..AuditConfig::new(service_id)
    };
    let mut tries = 1;
    loop {
        match AuditLogger::builder(config.clone()).briefly().open() {
            // Another access is being noted: that takes some milliseconds.
            Err(OpenError::Locked { .. }) if tries < TRIES => tries += 1,
            opened => return opened,
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Who runs this command: the system's name of the user, or their number.
pub(crate) fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid:{uid}"))
}

//! What is measured, one phase each, on a fresh trail each.
//!
//! What must stay true here: events are made before they are measured; no phase sees the leavings
//! of another.

mod emit;
mod saturate;
mod wait;

use std::path::{Path, PathBuf};
use std::time::Duration;

use audit_logging::{AuditConfig, AuditLogger, AuditMode, EmitError, FlushMode, OverflowPolicy};

pub(super) use emit::{build_event, disabled, paced};
pub(super) use saturate::{saturate, verify};
pub(super) use wait::{acknowledgement, awaiting, loaded};

use crate::error::CliError;

/// How long a phase that waits goes on.
const WAITING: Duration = Duration::from_secs(2);

/// Where and how.
pub(super) struct Place<'a> {
    pub(super) dir: &'a Path,
    pub(super) flush_mode: FlushMode,
}

impl Place<'_> {
    fn open(&self, name: &str) -> Result<(AuditLogger, PathBuf), CliError> {
        let base_dir = self.dir.join(name);
        let logger = AuditLogger::new(AuditConfig {
            mode: AuditMode::Local { base_dir: base_dir.clone() },
            flush_mode: self.flush_mode,
            overflow: OverflowPolicy::Wait { limit_ms: 60_000 },
            ..AuditConfig::new("bench")
        })?;
        Ok((logger, base_dir))
    }
}

/// Gives the disk back what a phase wrote.
fn remove(dir: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::Bench { what: "remove a trail", source };
    std::fs::remove_dir_all(dir).map_err(failed)
}

fn refused(error: EmitError) -> CliError {
    CliError::Emit { line: 0, error }
}

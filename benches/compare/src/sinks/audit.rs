//! `audit-logging` in the mode it has by default.
//!
//! What must stay true here: acknowledged is `emit` returning, not a receipt that was waited for.

use std::path::Path;

use audit_logging::{AuditConfig, AuditLogger, AuditMode, FlushMode, OverflowPolicy};

use super::{Made, SERVICE, Sink, count_lines};
use crate::Error;

pub(super) struct Audit {
    logger: AuditLogger,
}

impl Audit {
    pub(super) fn open(dir: &Path) -> Result<Audit, Error> {
        Ok(Audit { logger: AuditLogger::new(config(dir))? })
    }
}

fn config(dir: &Path) -> AuditConfig {
    AuditConfig {
        mode: AuditMode::Local { base_dir: dir.join("trail") },
        flush_mode: FlushMode::Immediate,
        overflow: OverflowPolicy::Wait { limit_ms: 60_000 },
        ..AuditConfig::new(SERVICE)
    }
}

impl Sink for Audit {
    fn record(&mut self, event: &Made) -> Result<(), Error> {
        drop(self.logger.emit(&event.audit)?);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Ok(self.logger.shutdown_blocking()?)
    }
}

/// Opening recovers what the killed process left.
pub(super) fn find(dir: &Path, acknowledged: u64) -> Result<u64, Error> {
    AuditLogger::new(config(dir))?.shutdown_blocking()?;
    let mut found = 0;
    for entry in std::fs::read_dir(dir.join("trail"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "audit") {
            found += count_lines(&std::fs::read(path)?, acknowledged);
        }
    }
    Ok(found)
}

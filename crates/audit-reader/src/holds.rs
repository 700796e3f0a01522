//! The legal holds of a trail, as its entries say.
//!
//! What must stay true here: one place says what is in force, for whoever tells of it. What a recovery
//! says is heard, too: it makes a release void that nobody had signed.

use std::ops::ControlFlow;

use audit_core::entry::Parser;
use audit_core::retention::Holds;

use crate::{Query, QueryError, QueryOptions, Source};

/// The legal holds that are in force in a trail, looked for in all of it on so many threads.
///
/// # Errors
/// When the trail cannot be read.
pub fn holds(source: impl Into<Source>, jobs: usize) -> Result<Holds, QueryError> {
    let (mut holds, mut parser) = (Holds::default(), Parser::default());
    let options = QueryOptions::default().with_jobs(jobs);
    let query = Query::new().event_type("audit.hold_*").event_type("audit.recovered");
    query.run(source, options, |hit| {
        if let Ok(entry) = parser.parse(hit.bytes) {
            holds.see(&entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok(holds)
}

//! The legal holds of a trail, as its entries say.
//!
//! What must stay true here: one place says what is in force, for whoever tells of it, and says with it
//! what may have hidden a hold: a line that is no entry, one that is not what was written, a segment that
//! went away. What a recovery says is heard, too: it makes a release void that nobody had signed.

use std::ops::ControlFlow;

use audit_core::entry::Parser;
use audit_core::retention::Holds;

use crate::{Query, QueryError, QueryOptions, Searched, Source};

/// The legal holds that are in force in a trail, looked for in all of it on so many threads; and what was
/// searched. If that [lacks](Searched::lacks) something, or has
/// [hash mismatches](Searched::hash_mismatches), other holds may be in force.
///
/// # Errors
/// When the trail cannot be read.
pub fn holds(source: impl Into<Source>, jobs: usize) -> Result<(Holds, Searched), QueryError> {
    let (mut holds, mut parser) = (Holds::default(), Parser::default());
    // A line with another scope or id under the old hash is nobody's hold.
    let options = QueryOptions::default().with_jobs(jobs).verified(true);
    let query = Query::new().event_type("audit.hold_*").event_type("audit.recovered");
    let searched = query.run(source, options, |hit| {
        if let Ok(entry) = parser.parse(hit.bytes) {
            holds.see(&entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok((holds, searched))
}

//! What the index spares a query: the lines that cannot match.
//!
//! What must stay true here: only conditions that the index can decide, or that leave more than what
//! matches, are put to it. Without the feature `index` every piece is read.

#[cfg(feature = "index")]
pub(super) use crate::index::{Advice, Lookup};
#[cfg(not(feature = "index"))]
pub(super) use without::{Advice, Lookup};

use super::Query;
use crate::Source;
use crate::scan::{Bounds, Segment};

/// The indexes that can be used for a query.
#[cfg(feature = "index")]
pub(super) fn lookup(
    query: &Query,
    source: &Source,
    segments: &[Segment],
    bounds: &Bounds,
) -> Lookup {
    let trail = source.directory().filter(|_| query.index);
    Lookup::open(trail, segments, bounds, conditions(query))
}

#[cfg(feature = "index")]
fn conditions(query: &Query) -> crate::index::Conditions {
    use crate::index::{Conditions, Test};
    use crate::table::Column;

    // What stands in nearly every line is not worth asking for.
    let telling = !query.results.contains(&audit_core::event::Outcome::Success);
    let results: Vec<String> =
        query.results.iter().filter(|_| telling).map(|is| is.as_str().to_owned()).collect();
    let mut texts = Vec::new();
    for (column, wanted) in [
        (Column::TraceId, &query.trace_ids),
        (Column::RequestId, &query.request_ids),
        (Column::ActorUserId, &query.actors),
        (Column::ResourceId, &query.resources),
        (Column::Reason, &query.reasons),
        (Column::ResourceType, &query.resource_types),
        (Column::Result, &results),
    ] {
        if !wanted.is_empty() {
            texts.push((column, Test::OneOf(wanted.clone())));
        }
    }
    if !query.types.is_empty() {
        texts.push((Column::EventType, Test::Types(query.types.clone())));
    }
    let clamped = |time: jiff::Timestamp| {
        let time = time.as_nanosecond();
        i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
    };
    Conditions {
        texts,
        critical: query.critical.filter(|critical| *critical),
        since: query.since.map(clamped),
        until: query.until.map(clamped),
    }
}

/// There is no index.
#[cfg(not(feature = "index"))]
pub(super) fn lookup(_: &Query, _: &Source, _: &[Segment], _: &Bounds) -> Lookup {
    Lookup
}

#[cfg(not(feature = "index"))]
mod without {
    use crate::scan::Piece;

    #[derive(Debug)]
    pub(in crate::query) struct Lookup;

    pub(in crate::query) enum Advice {
        Scan,
        #[expect(dead_code, reason = "only an index gives it")]
        Lines {
            searched: u64,
            at: Vec<u64>,
        },
    }

    impl Lookup {
        pub(in crate::query) const fn cuts(&self, _: usize) -> &[u64] {
            &[]
        }

        pub(in crate::query) fn advise(&self, _: Piece, _: impl Iterator<Item = Piece>) -> Advice {
            Advice::Scan
        }

        pub(in crate::query) const fn contradicted(&self, _: usize) {}

        pub(in crate::query) const fn told(&self) -> (u64, u64) {
            (0, 0)
        }
    }
}

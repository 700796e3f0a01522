//! Asking a trail for entries.
//!
//! What must stay true here: an answer is complete, and says how much was searched. Nothing that is
//! derived or guessed may make it less: not the manifest, not the order of times. An entry's time is
//! what its author says, so entries of any time may stand in any segment.
//!
//! ```
//! use std::ops::ControlFlow;
//! use audit_reader::{DirSource, Query, QueryOptions};
//!
//! # fn main() -> Result<(), audit_reader::QueryError> {
//! # let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/healthy");
//! let source = DirSource::open(dir.as_ref())?;
//! let mut failures = 0;
//! let searched = Query::new().event_type("auth.*").critical(true).run(
//!     &source,
//!     QueryOptions::default(),
//!     |_line| {
//!         failures += 1;
//!         ControlFlow::Continue(())
//!     },
//! )?;
//! assert_eq!((searched.matched, searched.entries), (failures, 300));
//! # Ok(()) }
//! ```

mod cursor;
mod error;
mod filter;
mod glob;
mod narrow;
mod prefilter;
mod run;
mod search;
mod text;
mod time;

use audit_core::event::Outcome;
use jiff::Timestamp;

pub use cursor::{Cursor, Standing};
pub use error::{CursorError, QueryError};
pub use glob::TypeGlob;
pub use run::{Hit, QueryOptions, Render, Searched};
pub use time::{Edge, TimeError, time_bound};

/// In which order entries are given. Their order is that of the trail, which is that of `seq`; times
/// are what the events' authors say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As they were written.
    #[default]
    OldestFirst,
    /// The last one first; the trail is read backwards.
    NewestFirst,
}

/// What is asked for. Conditions of different kinds must all hold; of several given of one kind, at
/// least one; of several texts, all.
#[derive(Debug, Clone)]
pub struct Query {
    actors: Vec<String>,
    types: Vec<TypeGlob>,
    resource_types: Vec<String>,
    resources: Vec<String>,
    results: Vec<Outcome>,
    reasons: Vec<String>,
    trace_ids: Vec<String>,
    request_ids: Vec<String>,
    critical: Option<bool>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    seq: (u64, Option<u64>),
    texts: Vec<String>,
    order: Order,
    limit: Option<u64>,
    after: Option<Cursor>,
    index: bool,
}

impl Default for Query {
    fn default() -> Query {
        Query {
            actors: Vec::new(),
            types: Vec::new(),
            resource_types: Vec::new(),
            resources: Vec::new(),
            results: Vec::new(),
            reasons: Vec::new(),
            trace_ids: Vec::new(),
            request_ids: Vec::new(),
            critical: None,
            since: None,
            until: None,
            seq: (0, None),
            texts: Vec::new(),
            order: Order::OldestFirst,
            limit: None,
            after: None,
            index: true,
        }
    }
}

macro_rules! one_of {
    ($($(#[$doc:meta])* $name:ident => $field:ident),* $(,)?) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, is: impl Into<String>) -> Query {
                self.$field.push(is.into());
                self
            }
        )*
    };
}

impl Query {
    /// All entries.
    #[must_use]
    pub fn new() -> Query {
        Query::default()
    }

    one_of! {
        /// By this actor: exactly this `user_id`.
        actor => actors,
        /// On a resource of this type.
        resource_type => resource_types,
        /// On the resource with exactly this id.
        resource => resources,
        /// For exactly this reason.
        reason => reasons,
        /// Of the trace with this id.
        trace_id => trace_ids,
        /// Of the request with this id.
        request_id => request_ids,
        /// With this text in some field; if several are given, with all of them. Cases differ.
        containing => texts,
    }

    /// Of a type that matches this pattern.
    #[must_use]
    pub fn event_type(mut self, pattern: &str) -> Query {
        self.types.push(TypeGlob::new(pattern));
        self
    }

    /// With this result.
    #[must_use]
    pub fn result(mut self, result: Outcome) -> Query {
        self.results.push(result);
        self
    }

    /// Marked critical, or not.
    #[must_use]
    pub const fn critical(mut self, critical: bool) -> Query {
        self.critical = Some(critical);
        self
    }

    /// Of this time or later.
    #[must_use]
    pub const fn since(mut self, time: Timestamp) -> Query {
        self.since = Some(time);
        self
    }

    /// Before this time.
    #[must_use]
    pub const fn until(mut self, time: Timestamp) -> Query {
        self.until = Some(time);
        self
    }

    /// With a `seq` from `first` on, up to `last` if one is given.
    #[must_use]
    pub const fn seq(mut self, first: u64, last: Option<u64>) -> Query {
        self.seq = (first, last);
        self
    }

    /// In this order.
    #[must_use]
    pub const fn order(mut self, order: Order) -> Query {
        self.order = order;
        self
    }

    /// No more than so many.
    #[must_use]
    pub const fn limit(mut self, limit: u64) -> Query {
        self.limit = Some(limit);
        self
    }

    /// Whether indexes are used where there are any, which is so if this is not called. The answer is
    /// the same.
    #[must_use]
    pub const fn index(mut self, index: bool) -> Query {
        self.index = index;
        self
    }

    /// Behind this entry, in the query's order: the next page.
    #[must_use]
    pub const fn after(mut self, cursor: Cursor) -> Query {
        self.after = Some(cursor);
        self
    }
}

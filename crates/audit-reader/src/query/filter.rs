//! Whether an entry is asked for.
//!
//! What must stay true here: every condition is looked at on the parsed entry. [`Filter::may_match`]
//! and the [`Prefilter`](super::prefilter::Prefilter) only spare the parsing of lines that cannot match.

use audit_core::entry::{Entry, RawStr};

use super::Query;
use super::text::Text;

/// A query in the form that lines are held against.
#[derive(Debug)]
pub(super) struct Filter<'q> {
    query: &'q Query,
    texts: Vec<Text>,
    /// Bounds of `timestamp` in its own form: such texts sort like the times they mean.
    since: Option<String>,
    until: Option<String>,
    seq: (u64, u64),
}

impl<'q> Filter<'q> {
    pub(super) fn new(query: &'q Query, seq: (u64, Option<u64>)) -> Filter<'q> {
        let time = |time: &jiff::Timestamp| format!("{time:.9}");
        Filter {
            query,
            texts: query.texts.iter().map(|text| Text::new(text)).collect(),
            since: query.since.as_ref().map(time),
            until: query.until.as_ref().map(time),
            seq: (seq.0, seq.1.unwrap_or(u64::MAX)),
        }
    }

    /// A look at `seq` and `timestamp` where the grammar puts them, without parsing. False only if
    /// the line is no entry that matches.
    pub(super) fn may_match(&self, line: &[u8]) -> bool {
        let by_time = self.since.is_some() || self.until.is_some();
        if !by_time && self.seq == (0, u64::MAX) {
            return true;
        }
        let Some((seq, timestamp)) = beginning(line) else {
            // Whatever it is, the parser says so.
            return true;
        };
        self.has_seq(seq) && self.has_time(timestamp)
    }

    pub(super) fn matches(&self, entry: &Entry<'_>) -> bool {
        let query = self.query;
        let among = |wanted: &[String], text: Option<RawStr<'_>>| {
            wanted.is_empty() || text.is_some_and(|text| wanted.iter().any(|want| text.says(want)))
        };
        let context = entry.context();
        self.has_seq(entry.seq())
            && self.has_time(entry.timestamp().as_bytes())
            && query.critical.is_none_or(|critical| critical == entry.is_critical())
            && (query.results.is_empty() || query.results.contains(&entry.result()))
            && (query.types.is_empty() || query.types.iter().any(|t| t.matches(entry.event_type())))
            && among(&query.actors, entry.actor().map(|actor| actor.user_id))
            && among(&query.resource_types, entry.resource().map(|of| of.resource_type))
            && among(&query.resources, entry.resource().map(|of| of.resource_id))
            && among(&query.reasons, entry.reason())
            && among(&query.trace_ids, context.and_then(|context| context.trace_id))
            && among(&query.request_ids, context.and_then(|context| context.request_id))
            && self.texts.iter().all(|text| text.is_in(entry))
    }

    fn has_seq(&self, seq: u64) -> bool {
        (self.seq.0..=self.seq.1).contains(&seq)
    }

    fn has_time(&self, timestamp: &[u8]) -> bool {
        self.since.as_ref().is_none_or(|since| timestamp >= since.as_bytes())
            && self.until.as_ref().is_none_or(|until| timestamp < until.as_bytes())
    }
}

/// `seq` and `timestamp` of a line, if it begins as an entry does.
fn beginning(line: &[u8]) -> Option<(u64, &[u8])> {
    const ID: usize = 36;
    const TIMESTAMP: usize = 30;
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(digits);
    let seq = digits
        .iter()
        .try_fold(0u64, |seq, digit| seq.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    let rest = rest.strip_prefix(b",\"audit_id\":\"")?.get(ID..)?;
    let timestamp = rest.strip_prefix(b"\",\"timestamp\":\"")?.get(..TIMESTAMP)?;
    Some((seq, timestamp))
}

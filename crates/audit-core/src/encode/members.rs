//! Member names of one object: no two may be the same (FORMAT section 3).
//!
//! What must stay true here: names that coincide, as given or after replacement, are all kept and
//! told apart by `#2`, `#3`, …, up to the size an entry can have: what is longer will not stand in
//! one, and its names are not remembered. So memory is bounded, the cost stays near linear in the
//! number of members, whatever their names, and an object of ordinary size needs no allocation.

use std::collections::BTreeMap;

use super::Sink;
use crate::plan::MAX_BODY;
use crate::text::redact::NameRule;

/// Up to this many names are compared one by one.
const FEW: usize = 32;

/// The names one object has so far.
#[derive(Debug)]
pub(crate) struct Members {
    /// Where this object's names begin in the scratch list.
    first: usize,
    /// Each name with the last suffix tried on it, once there are many.
    many: Option<BTreeMap<Box<[u8]>, u64>>,
}

impl Members {
    pub(crate) fn begin(sink: &mut Sink<'_>) -> Members {
        sink.buf.push(b'{');
        Members { first: sink.scratch.names.len(), many: None }
    }

    pub(crate) fn end(&mut self, sink: &mut Sink<'_>) {
        sink.scratch.names.truncate(self.first);
        sink.buf.push(b'}');
    }

    /// Writes `"name":` and says what may follow it.
    #[inline]
    pub(crate) fn name(&mut self, sink: &mut Sink<'_>, name: &str) -> NameRule {
        let before: &[u8] = if sink.buf.last() == Some(&b'{') { b"\"" } else { b",\"" };
        let start = sink.buf.len() + before.len();
        sink.string_between(before, name, b"");
        self.make_unique(sink, start);
        sink.buf.put(b"\":");
        sink.policy.redaction.name_rule(name)
    }

    #[inline]
    fn make_unique(&mut self, sink: &mut Sink<'_>, start: usize) {
        // This body is too long already. Only a value that fails could make it shorter again, and
        // that would take this name away with it.
        if start > MAX_BODY {
            return;
        }
        if self.many.is_some() || sink.scratch.names.len() - self.first >= FEW {
            return self.make_unique_among_many(sink, start);
        }
        let plain = sink.buf.len();
        let mut suffix = 1;
        while self.is_taken(sink, start) {
            suffix += 1;
            append_suffix(sink, plain, suffix);
        }
        sink.scratch.names.push((start, sink.buf.len()));
    }

    #[inline]
    fn is_taken(&self, sink: &Sink<'_>, start: usize) -> bool {
        let new = &sink.buf[start..];
        let old = &sink.scratch.names[self.first..];
        old.iter().any(|(from, to)| to - from == new.len() && &sink.buf[*from..*to] == new)
    }

    #[cold]
    fn make_unique_among_many(&mut self, sink: &mut Sink<'_>, start: usize) {
        let few = &sink.scratch.names[self.first..];
        let many = self.many.get_or_insert_with(|| {
            few.iter().map(|(from, to)| (sink.buf[*from..*to].into(), 1)).collect()
        });
        let plain = sink.buf.len();
        let Some(mut suffix) = many.get(&sink.buf[start..]).copied() else {
            many.insert(sink.buf[start..].into(), 1);
            return;
        };
        // A name is never tried twice for the same base, so a million repetitions stay linear.
        let base: Box<[u8]> = sink.buf[start..].into();
        while many.contains_key(&sink.buf[start..]) {
            suffix += 1;
            append_suffix(sink, plain, suffix);
        }
        many.insert(base, suffix);
        many.insert(sink.buf[start..].into(), 1);
    }
}

fn append_suffix(sink: &mut Sink<'_>, plain: usize, suffix: u64) {
    sink.buf.truncate(plain);
    sink.buf.push(b'#');
    sink.buf.put(itoa::Buffer::new().format(suffix).as_bytes());
}

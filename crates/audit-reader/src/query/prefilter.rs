//! Finds the few lines of a block that can match, without looking at the others.
//!
//! What must stay true here: a line that is passed over cannot match. A text may be written with
//! escapes: `"` and `\` have two forms, `/` too, and any character may stand as `\u` and four
//! digits. Our writer never does the latter, but the grammar allows it, so lines that hold such an
//! escape are always looked at.

use audit_core::event::Outcome;
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::Query;

/// More texts than these are not searched for one by one.
const MOST: usize = 8;
/// Shorter texts stand nearly everywhere.
const SHORTEST: usize = 3;

/// Texts of which every matching line holds at least one.
#[derive(Debug)]
pub(super) struct Prefilter {
    finders: Vec<Finder<'static>>,
    /// `\u`, if a character of the texts may be written so.
    unicode: Option<Finder<'static>>,
}

impl Prefilter {
    /// What is searched for; `None` if nothing distinguishes the lines.
    pub(super) fn new(query: &Query) -> Option<Prefilter> {
        // What is rarest comes first.
        let whole = |texts: &[String]| strings(texts.iter().map(|text| (text, "\"")));
        let types = query.types.iter().map(|glob| glob.needle()).collect();
        [
            whole(&query.trace_ids),
            whole(&query.request_ids),
            // All of the texts must be there, so the longest is enough.
            strings(query.texts.iter().max_by_key(|text| text.len()).map(|text| (text, ""))),
            whole(&query.actors),
            whole(&query.resources),
            whole(&query.reasons),
            Prefilter::of(types, false),
            // Names and words of the grammar have one form.
            Prefilter::of(
                query
                    .critical
                    .filter(|is| *is)
                    .map(|_| ",\"critical\":true,".to_owned())
                    .map(Some)
                    .into_iter()
                    .collect(),
                false,
            ),
            Prefilter::of(
                query.results.iter().map(|result| result_needle(*result)).collect(),
                false,
            ),
            whole(&query.resource_types),
        ]
        .into_iter()
        .flatten()
        .next()
    }

    fn of(needles: Vec<Option<String>>, escapes: bool) -> Option<Prefilter> {
        let needles: Vec<String> = needles.into_iter().collect::<Option<_>>()?;
        let good = |needle: &String| needle.len() >= SHORTEST;
        (!needles.is_empty() && needles.len() <= MOST && needles.iter().all(good)).then(|| {
            Prefilter {
                finders: needles.iter().map(|needle| Finder::new(needle).into_owned()).collect(),
                unicode: escapes.then(|| Finder::new("\\u")),
            }
        })
    }

    /// Calls `each` with every line, without LF, that can match, and its place in the block.
    pub(super) fn candidates(&self, block: &[u8], mut each: impl FnMut(usize, &[u8])) {
        let mut next: Vec<Option<usize>> =
            self.finders.iter().map(|finder| finder.find(block)).collect();
        let mut escape = self.escape(block, 0);
        while let Some(at) = next.iter().flatten().copied().chain(escape).min() {
            let start = memrchr(b'\n', &block[..at]).map_or(0, |lf| lf + 1);
            let end = memchr(b'\n', &block[at..]).map_or(block.len(), |lf| at + lf);
            each(start, &block[start..end]);
            for (finder, next) in self.finders.iter().zip(&mut next) {
                if next.is_some_and(|at| at < end) {
                    *next = finder.find(&block[end..]).map(|at| end + at);
                }
            }
            if escape.is_some_and(|at| at < end) {
                escape = self.escape(block, end);
            }
        }
    }

    /// The first `\u` and four digits from `from` on.
    fn escape(&self, block: &[u8], from: usize) -> Option<usize> {
        let finder = self.unicode.as_ref()?;
        let digits = |at: &usize| {
            block.get(at + 2..at + 6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        finder.find_iter(&block[from..]).map(|at| from + at).find(digits)
    }
}

/// A prefilter of strings, each from its beginning and up to `end`.
fn strings<'a>(texts: impl IntoIterator<Item = (&'a String, &'static str)>) -> Option<Prefilter> {
    let mut needles = Vec::new();
    for (text, end) in texts {
        let begin = if end.is_empty() { "" } else { "\"" };
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        // A text with `/` has two forms; with several of them, the longest part without is searched for.
        let mut parts: Vec<String> = escaped.split('/').map(str::to_owned).collect();
        if let Some(first) = parts.first_mut() {
            first.insert_str(0, begin);
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(end);
        }
        needles.push(parts.into_iter().max_by_key(String::len));
    }
    Prefilter::of(needles, true)
}

/// A success is nothing that would distinguish a line.
fn result_needle(result: Outcome) -> Option<String> {
    (result != Outcome::Success).then(|| format!(",\"result\":\"{}\"", result.as_str()))
}

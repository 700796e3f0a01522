//! The one free part of an entry: the object `details`.
//!
//! What must stay true here: no recursion, a fixed depth, and work that grows no faster than
//! n log n, so that no line can exhaust a verifier. Names are compared as what they say, not as
//! they are written: `"a"` and `"\u0061"` are the same member.

use super::cursor::Cursor;
use super::error::{EntryError, EntryErrorKind as Kind};
use super::text::RawStr;

/// How deep `details` may nest, itself included.
pub const MAX_DEPTH: usize = 32;

/// Objects with more members than this are sorted to find a repetition.
const FEW: usize = 8;

/// Memory that is used again from line to line.
#[derive(Debug, Default, Clone)]
pub(super) struct Scratch {
    open: Vec<Container>,
    names: Vec<Name>,
}

#[derive(Debug, Clone, Copy)]
enum Container {
    /// With the number of names that belong to the objects around it.
    Object {
        names_from: usize,
    },
    Array,
}

/// Where a name stands in the line, without its quotes.
#[derive(Debug, Clone, Copy)]
struct Name {
    start: usize,
    end: usize,
}

/// Reads an object that is not empty, from its brace to its brace.
pub(super) fn object<'a>(
    cursor: &mut Cursor<'a>,
    line: &'a str,
    scratch: &mut Scratch,
) -> Result<&'a str, EntryError> {
    let start = cursor.pos();
    if cursor.peek() != Some(b'{') || cursor.rest().get(1) == Some(&b'}') {
        return Err(cursor.error(Kind::Value, "an object with members"));
    }
    scratch.open.clear();
    scratch.names.clear();
    loop {
        match cursor.peek() {
            Some(b'{') => {
                scratch.enter(cursor, Container::Object { names_from: scratch.names.len() })?;
                if cursor.peek() != Some(b'}') {
                    scratch.name(cursor)?;
                    continue;
                }
            }
            Some(b'[') => {
                scratch.enter(cursor, Container::Array)?;
                if cursor.peek() != Some(b']') {
                    continue;
                }
            }
            Some(b'"') => {
                cursor.string()?;
            }
            Some(b'-' | b'0'..=b'9') => cursor.number()?,
            _ if cursor.eat("true") || cursor.eat("false") || cursor.eat("null") => {}
            _ => return Err(cursor.error(Kind::Structure, "a value")),
        }
        if scratch.leave(cursor, line)? {
            return Ok(cursor.since(start));
        }
    }
}

impl Scratch {
    fn enter(&mut self, cursor: &mut Cursor<'_>, container: Container) -> Result<(), EntryError> {
        if self.open.len() == MAX_DEPTH {
            return Err(cursor.error(Kind::TooDeep, "details nested at most 32 deep"));
        }
        self.open.push(container);
        cursor.bump();
        Ok(())
    }

    /// A member's name and its colon.
    fn name(&mut self, cursor: &mut Cursor<'_>) -> Result<(), EntryError> {
        let start = cursor.pos() + 1;
        let raw = cursor.string()?;
        self.names.push(Name { start, end: start + raw.raw().len() });
        cursor.literal(":")
    }

    /// After a value: closes what ends here, up to the next value. True when all is closed.
    fn leave(&mut self, cursor: &mut Cursor<'_>, line: &str) -> Result<bool, EntryError> {
        while let Some(&container) = self.open.last() {
            match (container, cursor.peek()) {
                (Container::Array, Some(b',')) => {
                    cursor.bump();
                    return Ok(false);
                }
                (Container::Object { .. }, Some(b',')) => {
                    cursor.bump();
                    self.name(cursor)?;
                    return Ok(false);
                }
                (Container::Array, Some(b']')) => {}
                (Container::Object { names_from }, Some(b'}')) => {
                    if let Some(again) = repeated(&mut self.names[names_from..], line) {
                        let expected = "a member not named before in its object";
                        return Err(cursor.error_at(again, Kind::RepeatedMember, expected));
                    }
                    self.names.truncate(names_from);
                }
                (Container::Array, _) => return Err(cursor.error(Kind::Structure, ", or ]")),
                (Container::Object { .. }, _) => {
                    return Err(cursor.error(Kind::Structure, ", or }"));
                }
            }
            cursor.bump();
            self.open.pop();
        }
        Ok(true)
    }
}

/// Where a name stands that stood before in the same object.
fn repeated(names: &mut [Name], line: &str) -> Option<usize> {
    let raw = |name: &Name| RawStr(line.get(name.start..name.end).unwrap_or(""));
    if names.len() <= FEW {
        return (1..names.len()).find_map(|i| {
            let again = names[..i].iter().any(|before| same(raw(before), raw(&names[i])));
            again.then_some(names[i].start)
        });
    }
    names.sort_unstable_by(|a, b| raw(a).chars().cmp(raw(b).chars()));
    let mut pairs = names.array_windows::<2>();
    pairs.find(|[a, b]| same(raw(a), raw(b))).map(|[a, b]| a.start.max(b.start))
}

fn same(a: RawStr<'_>, b: RawStr<'_>) -> bool {
    a == b || ((a.raw().contains('\\') || b.raw().contains('\\')) && a.chars().eq(b.chars()))
}

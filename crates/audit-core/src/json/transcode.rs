//! Copying JSON text into an entry: white space dropped, every string sanitised, repeated names
//! told apart, numbers exactly as they were written.
//!
//! What must stay true here: recursion ends at [`MAX_DEPTH`]; below it values are skipped without
//! recursion.

use super::{Cursor, RawString, SyntaxError};
use crate::encode::{MAX_DEPTH, Members, Sink};
use crate::text::redact::{NameRule, TOKEN_PREFIX};

type Step = Result<(), SyntaxError>;

impl Sink<'_> {
    /// Writes the members of the object that begins at the cursor into an object that is open.
    pub(crate) fn json_members(
        &mut self,
        cursor: &mut Cursor<'_>,
        members: &mut Members,
        depth: u32,
    ) -> Step {
        cursor.take(b'{');
        let mut more = cursor.first_member();
        while more {
            let name = cursor.name()?;
            let rule = self.with_decoded(name, |sink, name| members.name(sink, name));
            self.json_value(cursor, depth, rule)?;
            more = cursor.next_member()?;
        }
        Ok(())
    }

    fn json_value(&mut self, cursor: &mut Cursor<'_>, depth: u32, rule: NameRule) -> Step {
        let first = cursor.peek();
        if let NameRule::Redact(rule) = rule
            && !matches!(first, Some(b't' | b'f' | b'n'))
        {
            self.verbatim(rule.mark());
            return cursor.value().map(drop);
        }
        match first {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                self.too_deep();
                cursor.value().map(drop)
            }
            Some(b'{') => {
                let mut members = Members::begin(self);
                self.json_members(cursor, &mut members, depth + 1)?;
                members.end(self);
                Ok(())
            }
            Some(b'[') => self.json_array(cursor, depth + 1),
            Some(b'"') => {
                let string = cursor.string()?;
                self.with_decoded(string, |sink, text| match rule {
                    NameRule::Prefix => sink.prefix(text, TOKEN_PREFIX),
                    NameRule::Keep | NameRule::Redact(_) => sink.string(text),
                });
                Ok(())
            }
            Some(b't' | b'f' | b'n') => {
                self.buf.put(cursor.value()?.as_bytes());
                Ok(())
            }
            _ => {
                self.number(cursor.number()?);
                Ok(())
            }
        }
    }

    fn json_array(&mut self, cursor: &mut Cursor<'_>, depth: u32) -> Step {
        cursor.take(b'[');
        self.buf.push(b'[');
        let mut more = !cursor.take(b']');
        while more {
            self.json_value(cursor, depth, NameRule::Keep)?;
            more = cursor.take(b',');
            if more {
                self.buf.push(b',');
            } else if !cursor.take(b']') {
                return cursor.expected("`,` or `]`");
            }
        }
        self.buf.push(b']');
        Ok(())
    }

    fn with_decoded<T>(
        &mut self,
        string: RawString<'_>,
        write: impl FnOnce(&mut Self, &str) -> T,
    ) -> T {
        let mut scratch = std::mem::take(&mut self.scratch.decoded);
        let written = write(self, string.decode(&mut scratch));
        self.scratch.decoded = scratch;
        written
    }
}

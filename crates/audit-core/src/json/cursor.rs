//! A position in JSON text and the steps it can take.
//!
//! What must stay true here: a step either moves past exactly one token and says what it was, or
//! fails with the offset at which the text stops being JSON.

use super::SyntaxError;

type Step<T> = Result<T, SyntaxError>;

/// A position in JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    pos: usize,
}

/// The content of a string between its quotes, escapes not yet resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawString<'a> {
    text: &'a str,
    escaped: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, pos: 0 }
    }

    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// The text between two positions.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.pos]
    }

    pub(crate) fn expected<T>(&self, expected: &'static str) -> Step<T> {
        Err(SyntaxError { offset: self.pos, expected })
    }

    /// The next byte that is not white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.pos..];
        let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.pos += blank;
        rest.get(blank).copied()
    }

    /// Moves past a byte, if it is the next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.pos += usize::from(next);
        next
    }

    pub(crate) fn end(&mut self) -> Step<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.expected("the end of the line"),
        }
    }

    /// Before the first member of an object that is open: false at its end.
    pub(crate) fn first_member(&mut self) -> bool {
        !self.take(b'}')
    }

    /// After a member: false at the end of the object.
    pub(crate) fn next_member(&mut self) -> Step<bool> {
        if self.take(b',') {
            Ok(true)
        } else if self.take(b'}') {
            Ok(false)
        } else {
            self.expected("`,` or `}`")
        }
    }

    /// A member's name and the colon after it.
    pub(crate) fn name(&mut self) -> Step<RawString<'a>> {
        if self.peek() != Some(b'"') {
            return self.expected("a member's name");
        }
        let name = self.string()?;
        match self.take(b':') {
            true => Ok(name),
            false => self.expected("`:`"),
        }
    }

    /// A string. RFC 8259 demands escapes for control characters; here they may stand as they are:
    /// what a string holds must keep no event out, and the encoder makes them visible.
    pub(crate) fn string(&mut self) -> Step<RawString<'a>> {
        if !self.take(b'"') {
            return self.expected("a string");
        }
        let bytes = self.text.as_bytes();
        let start = self.pos;
        let mut escaped = false;
        loop {
            let plain = bytes[self.pos..]
                .iter()
                .position(|b| *b == b'"' || *b == b'\\')
                .unwrap_or(bytes.len() - self.pos);
            self.pos += plain;
            match bytes.get(self.pos) {
                Some(b'"') => {
                    let text = self.since(start);
                    self.pos += 1;
                    return Ok(RawString { text, escaped });
                }
                Some(_) => {
                    escaped = true;
                    self.pos += 1;
                    self.escape()?;
                }
                None => return self.expected("`\"` at the end of the string"),
            }
        }
    }

    fn escape(&mut self) -> Step<()> {
        match self.text.as_bytes().get(self.pos) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.pos += 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.pos + 1..self.pos + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.expected("`u` and four hex digits");
                }
                self.pos += 5;
            }
            _ => return self.expected("one of \"\\/bfnrtu"),
        }
        Ok(())
    }

    pub(crate) fn literal(&mut self, literal: &'static str) -> Step<()> {
        self.peek();
        match self.text[self.pos..].starts_with(literal) {
            true => self.pos += literal.len(),
            false => return self.expected("a value"),
        }
        Ok(())
    }

    pub(crate) fn number(&mut self) -> Step<&'a str> {
        self.peek();
        let start = self.pos;
        self.optional(b"-");
        match self.text.as_bytes().get(self.pos) {
            Some(b'0') => self.pos += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.expected("a value"),
        }
        if self.optional(b".") {
            self.digits()?;
        }
        if self.optional(b"eE") {
            self.optional(b"+-");
            self.digits()?;
        }
        Ok(self.since(start))
    }

    fn optional(&mut self, any_of: &[u8]) -> bool {
        let found = self.text.as_bytes().get(self.pos).is_some_and(|b| any_of.contains(b));
        self.pos += usize::from(found);
        found
    }

    fn digits(&mut self) -> Step<()> {
        let digits = self.text.as_bytes()[self.pos..].iter().take_while(|b| b.is_ascii_digit());
        match digits.count() {
            0 => self.expected("a digit"),
            n => {
                self.pos += n;
                Ok(())
            }
        }
    }

    fn scalar(&mut self) -> Step<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number().map(drop),
        }
    }

    /// Moves past a value of any depth without recursion and returns it as written.
    pub(crate) fn value(&mut self) -> Step<&'a str> {
        self.peek();
        let start = self.pos;
        // The closing bytes of what is open: a million arrays cost a megabyte, not the stack.
        let mut open = Vec::new();
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.pos += 1;
                    if self.first_member() {
                        self.name()?;
                        open.push(b'}');
                        continue;
                    }
                }
                Some(b'[') => {
                    self.pos += 1;
                    if !self.take(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            loop {
                match open.last() {
                    None => return Ok(self.since(start)),
                    Some(b'}') => {
                        if self.next_member()? {
                            self.name()?;
                            break;
                        }
                    }
                    Some(_) => {
                        if self.take(b',') {
                            break;
                        } else if !self.take(b']') {
                            return self.expected("`,` or `]`");
                        }
                    }
                }
                open.pop();
            }
        }
    }
}

impl RawString<'_> {
    /// The string's text, by way of `scratch` if it has escapes. A lone surrogate, which no text
    /// can hold, becomes the visible `\u{d800}`.
    pub(crate) fn decode<'t>(&'t self, scratch: &'t mut String) -> &'t str {
        if !self.escaped {
            return self.text;
        }
        scratch.clear();
        let mut rest = self.text;
        while let Some(at) = rest.find('\\') {
            scratch.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let Some(kind) = rest.as_bytes().first() else { break };
            if *kind == b'u' {
                rest = &rest[decode_unicode(rest, scratch)..];
                continue;
            }
            scratch.push(match kind {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                other => char::from(*other),
            });
            rest = &rest[1..];
        }
        scratch.push_str(rest);
        scratch
    }
}

/// Resolves what follows the backslash of `\uXXXX` or of a pair of them; returns its length.
fn decode_unicode(rest: &str, out: &mut String) -> usize {
    let unit =
        |at: usize| rest.get(at..at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let Some(first) = unit(1) else { return 1 };
    let second = if rest.get(5..7) == Some("\\u") { unit(7) } else { None };
    let units = [first, second.unwrap_or(0)];
    match char::decode_utf16(units).next() {
        Some(Ok(c)) => {
            out.push(c);
            if c.len_utf16() == 2 { 11 } else { 5 }
        }
        _ => {
            out.push_str("\\u{");
            for shift in [12, 8, 4, 0] {
                let digit = u32::from(first >> shift & 15);
                out.push(char::from_digit(digit, 16).unwrap_or('0'));
            }
            out.push('}');
            5
        }
    }
}

//! The records of a JSON input, whatever holds them: one a line, one after the other, an array, or an
//! array that is a member of an object (`Records`, `items`).
//!
//! What must stay true here: memory is bounded by the longest record allowed, however long the array;
//! where each record begins is known; after a broken line the next line is read.

use std::io::{self, BufRead};

/// The longest record, in bytes.
const MAX_RECORD: usize = 16 << 20;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A record, and where it begins.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: String,
    pub(super) text: Result<Vec<u8>, String>,
}

/// What records are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// An array.
    List,
    /// The object that has the array, before or behind it.
    Wrapper,
}

/// Reads records.
pub(super) struct Records<'i> {
    input: Box<dyn BufRead + 'i>,
    /// The member of a wrapping object that is an array of records.
    member: Option<&'static str>,
    inside: Vec<Inside>,
    line: u64,
    offset: u64,
}

/// The record that is being read.
#[derive(Debug, Default)]
struct Record {
    text: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    too_long: bool,
    /// The last string, if nothing but a colon came since.
    name: Option<(usize, usize)>,
    string_from: usize,
    /// The last byte that is no white space.
    last: u8,
}

/// What a byte did to a record.
enum Then {
    Goes,
    Ended,
    /// It was no record, but what holds them.
    Wraps,
}

impl<'i> Records<'i> {
    pub(super) fn new(input: Box<dyn BufRead + 'i>, member: Option<&'static str>) -> Records<'i> {
        Records { input, member, inside: Vec::new(), line: 1, offset: 0 }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn pass(&mut self, byte: u8) {
        self.input.consume(1);
        self.offset += 1;
        self.line += u64::from(byte == b'\n');
    }

    fn place(&self) -> String {
        format!("line {}, byte {}", self.line, self.offset)
    }

    /// The next record; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.offset == 0 {
            self.skip_mark()?;
        }
        loop {
            let Some(byte) = self.peek()? else {
                if self.inside.is_empty() {
                    return Ok(None);
                }
                self.inside.clear();
                let why = "the input ends in the middle of a list".to_owned();
                return Ok(Some(Found { place: self.place(), text: Err(why) }));
            };
            let inside = self.inside.last().copied();
            match (byte, inside) {
                (b' ' | b'\t' | b'\r' | b'\n', _) | (b',', Some(_)) => self.pass(byte),
                (b'[', None) => {
                    self.inside.push(Inside::List);
                    self.pass(byte);
                }
                (b']', Some(Inside::List)) | (b'}', Some(Inside::Wrapper)) => {
                    self.inside.pop();
                    self.pass(byte);
                }
                (_, Some(Inside::Wrapper)) => self.skip_member()?,
                (b'{', _) => {
                    if let Some(found) = self.record()? {
                        return Ok(Some(found));
                    }
                }
                _ => {
                    let place = self.place();
                    match inside {
                        // It costs only itself: the next element may be a record.
                        Some(Inside::List) => self.skip_element()?,
                        _ => self.skip_line()?,
                    }
                    let why = "no record begins here; expected {".to_owned();
                    return Ok(Some(Found { place, text: Err(why) }));
                }
            }
        }
    }

    /// Skips the byte order mark that some programs begin a text with.
    fn skip_mark(&mut self) -> io::Result<()> {
        if self.input.fill_buf()?.starts_with(MARK) {
            self.input.consume(MARK.len());
            self.offset += MARK.len() as u64;
        }
        Ok(())
    }

    fn skip_line(&mut self) -> io::Result<()> {
        while let Some(byte) = self.peek()? {
            self.pass(byte);
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }

    /// Reads what begins with `{`; nothing, if it turns out to hold records.
    fn record(&mut self) -> io::Result<Option<Found>> {
        let place = self.place();
        let lines = self.inside.is_empty();
        let mut record = Record::default();
        let broken = |why: &str| Found { place: place.clone(), text: Err(why.to_owned()) };
        let mut after_newline = false;
        while let Some(byte) = self.peek()? {
            if after_newline && lines && byte == b'{' {
                // JSON that goes over lines is indented: this is the next record.
                return Ok(Some(broken("the record does not end before the next line begins one")));
            }
            after_newline = byte == b'\n';
            self.pass(byte);
            match record.take(byte, if lines { self.member } else { None }) {
                Then::Goes => {}
                Then::Wraps => {
                    self.inside.extend([Inside::Wrapper, Inside::List]);
                    return Ok(None);
                }
                Then::Ended if record.too_long => {
                    return Ok(Some(broken("the record is longer than 16 MiB")));
                }
                Then::Ended => return Ok(Some(Found { place, text: Ok(record.text) })),
            }
        }
        self.inside.clear();
        Ok(Some(broken("the input ends in the middle of the record")))
    }

    /// Skips an element of a list that is no object.
    fn skip_element(&mut self) -> io::Result<()> {
        self.skip_to(b']')
    }

    /// Skips a member of the wrapping object behind the records.
    fn skip_member(&mut self) -> io::Result<()> {
        self.skip_to(b'}')
    }

    /// Skips to the next comma, or to what closes the whole.
    fn skip_to(&mut self, close: u8) -> io::Result<()> {
        let mut record = Record { depth: 1, too_long: true, ..Record::default() };
        while let Some(byte) = self.peek()? {
            let outside = !record.in_string && record.depth == 1;
            // A string of JSON does not go over lines: one that does is broken, and ends there.
            let line_ends = byte == b'\n' && (record.in_string || (outside && close == b']'));
            if line_ends || (outside && (byte == b',' || byte == close)) {
                break;
            }
            self.pass(byte);
            record.take(byte, None);
            record.depth = record.depth.max(1);
        }
        Ok(())
    }
}

impl Record {
    fn take(&mut self, byte: u8, member: Option<&str>) -> Then {
        if self.text.len() >= MAX_RECORD {
            self.too_long = true;
            self.text = Vec::new();
        }
        if !self.too_long {
            self.text.push(byte);
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.name = Some((self.string_from, self.text.len().saturating_sub(1)));
                    self.last = byte;
                }
                _ => {}
            }
            return Then::Goes;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.string_from = self.text.len();
            }
            b'[' if self.depth == 1 && self.last == b':' && self.names(member) => {
                return Then::Wraps;
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Then::Ended;
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        Then::Goes
    }

    /// Whether the last string is the name of the member that holds records.
    fn names(&self, member: Option<&str>) -> bool {
        let name = self.name.and_then(|(from, to)| self.text.get(from..to));
        member.is_some_and(|member| name == Some(member.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The records, or where and why not.
    fn all(input: &str) -> Vec<String> {
        let mut records = Records::new(Box::new(input.as_bytes()), Some("Records"));
        let mut all = Vec::new();
        while let Some(found) = records.next().unwrap() {
            all.push(match found.text {
                Ok(text) => String::from_utf8(text).unwrap(),
                Err(why) => format!("{}: {why}", found.place),
            });
        }
        all
    }

    #[test]
    fn records_are_found_in_whatever_holds_them() {
        let one = r#"{"a":"}{][\"\\","b":[1,{"Records":[2]}]}"#;
        let two = "{\n  \"c\": {}\n}";
        for input in [
            format!("{one}\n{two}\n"),
            format!("{one}{two}"),
            format!("[{one},\n{two}]\n"),
            format!("{{\"Records\":[{one},{two}]}}"),
            format!(
                " {{ \"x\" : [1, 2], \"Records\" : [ {one} , {two} ] , \"y\": {{\"z\":[3]}} }} "
            ),
        ] {
            assert_eq!(all(&input), [one, two], "{input}");
        }
        assert_eq!(all("{\"Records\":[]}\n{\"Records\":[{}]}\n[]"), ["{}"]);
        assert!(all("").is_empty() && all("\n \n").is_empty());
    }

    #[test]
    fn what_is_broken_is_told_with_its_place_and_the_next_is_read() {
        assert_eq!(
            all("{\"a\":1}\n{\"b\":\"\n{\"c\":3}\nnonsense\n{\"d\":4}\n"),
            [
                "{\"a\":1}",
                "line 2, byte 8: the record does not end before the next line begins one",
                "{\"c\":3}",
                "line 4, byte 23: no record begins here; expected {",
                "{\"d\":4}",
            ]
        );
        assert_eq!(
            all("{\"Records\":[{\"a\":1},{\"b\""),
            ["{\"a\":1}", "line 1, byte 20: the input ends in the middle of the record"]
        );
        assert_eq!(
            all("[{\"a\":1},"),
            ["{\"a\":1}", "line 1, byte 9: the input ends in the middle of a list"]
        );
    }

    #[test]
    fn an_element_that_is_no_record_costs_only_itself_and_a_byte_order_mark_nothing() {
        assert_eq!(
            all("\u{feff}[1,{\"a\":1},\"x,]\",[{}],{\"b\":2},null]{\"c\":3}"),
            [
                "line 1, byte 4: no record begins here; expected {",
                "{\"a\":1}",
                "line 1, byte 14: no record begins here; expected {",
                "line 1, byte 20: no record begins here; expected {",
                "{\"b\":2}",
                "line 1, byte 33: no record begins here; expected {",
                "{\"c\":3}",
            ]
        );
    }

    #[test]
    fn a_record_that_is_too_long_is_not_kept() {
        let long = format!("{{\"a\":\"{}\"}}\n{{\"b\":2}}", "x".repeat(MAX_RECORD));
        assert_eq!(all(&long), ["line 1, byte 0: the record is longer than 16 MiB", "{\"b\":2}"]);
    }
}

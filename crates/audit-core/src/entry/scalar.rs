//! What stands in `details`, without its structure.
//!
//! What must stay true here: [`Scalars`] is made of text that the parser accepted, so it needs no
//! errors; one pass, no memory, no recursion.

use super::text::RawStr;

/// A name or a value in `details`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scalar<'a> {
    /// The name of a member.
    Name(RawStr<'a>),
    /// A string.
    Text(RawStr<'a>),
    /// A number, `true`, `false` or `null`, as written.
    Word(&'a str),
}

/// The names and values of an object, in their order.
#[derive(Debug, Clone)]
pub struct Scalars<'a> {
    rest: &'a str,
}

impl<'a> Scalars<'a> {
    pub(super) const fn new(details: &'a str) -> Scalars<'a> {
        Scalars { rest: details }
    }

    /// The string that begins after a quote.
    fn string(&mut self) -> Scalar<'a> {
        let mut escaped = false;
        let end = self.rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let (text, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let after = after.get(1..).unwrap_or("");
        self.rest = after;
        match after.as_bytes().first() {
            Some(b':') => Scalar::Name(RawStr(text)),
            _ => Scalar::Text(RawStr(text)),
        }
    }
}

impl<'a> Iterator for Scalars<'a> {
    type Item = Scalar<'a>;

    fn next(&mut self) -> Option<Scalar<'a>> {
        let structure = |byte: u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':');
        let start = self.rest.bytes().position(|byte| !structure(byte))?;
        self.rest = self.rest.get(start..)?;
        if let Some(after) = self.rest.strip_prefix('"') {
            self.rest = after;
            return Some(self.string());
        }
        let end = self.rest.bytes().position(structure).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        self.rest = after;
        Some(Scalar::Word(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_at_any_depth_as_they_say() {
        let details = r#"{"a":"x\"y\\","b":[1,-2.5e3,{"c":{},"d":[]}],"":null,"e\u0041":true}"#;
        let told: Vec<_> = Scalars::new(details)
            .map(|scalar| match scalar {
                Scalar::Name(name) => format!("{}:", name.decode()),
                Scalar::Text(text) => text.decode().into_owned(),
                Scalar::Word(word) => format!("<{word}>"),
            })
            .collect();
        let expected =
            ["a:", "x\"y\\", "b:", "<1>", "<-2.5e3>", "c:", "d:", ":", "<null>", "eA:", "<true>"];
        assert_eq!(told, expected);
        assert_eq!(Scalars::new("").next(), None);
    }
}

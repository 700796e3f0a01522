//! JSON, laid down by hand.
//!
//! What must stay true here: a string of an entry is a string of JSON already, so it is copied as it
//! stands; only text from elsewhere is escaped.

use audit_core::entry::RawStr;

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Begins an object.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, first: true }
    }

    /// Ends it.
    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A member whose value is JSON already.
    pub(super) fn json(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A member whose value is a string that needs no escapes.
    pub(super) fn plain(&mut self, name: &str, text: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// A member whose value is a string of an entry.
    pub(super) fn said(&mut self, name: &str, text: RawStr<'_>) {
        self.plain(name, text.raw());
    }

    /// The same, if there is one.
    pub(super) fn maybe(&mut self, name: &str, text: Option<RawStr<'_>>) {
        if let Some(text) = text {
            self.said(name, text);
        }
    }

    /// A member whose value is any text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.out.push(b'"');
        escape(text, self.out);
        self.out.push(b'"');
    }

    pub(super) fn number(&mut self, name: &str, number: impl Into<i128>) {
        self.name(name);
        let number: i128 = number.into();
        self.out.extend_from_slice(number.to_string().as_bytes());
    }

    /// A member that is an object.
    pub(super) fn object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut object = Object::new(self.out);
        members(&mut object);
        object.end();
    }

    /// A member that is an array of one object.
    pub(super) fn one(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        self.out.push(b'[');
        let mut object = Object::new(self.out);
        members(&mut object);
        object.end();
        self.out.push(b']');
    }
}

/// A text as the content of a string.
pub(super) fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    escape(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        match tail[0] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &tail[1..];
    }
    out.extend_from_slice(rest);
}

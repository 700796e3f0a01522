//! A serde serializer that writes sanitised JSON straight into the buffer.
//!
//! What must stay true here: an error never leaves the smallest value that caused it; what a value
//! wrote before it failed is rolled back. A `Serialize` that breaks serde's protocol (a value
//! without a name, a name without a value) still yields valid JSON. Recursion is bounded by
//! [`MAX_DEPTH`] for objects and arrays and by [`MAX_WRAPPERS`] for what wraps without nesting.

use std::fmt::{self, Display, Write};

use serde::Serialize;
use serde::ser::{self, Serializer};

use super::compound::{Body, Compound, Pending};
use super::members::Members;
use super::{MAX_DEPTH, Sink};
use crate::text::redact::{NameRule, TOKEN_PREFIX};

/// How many newtypes and `Some`s may wrap each other.
const MAX_WRAPPERS: u32 = 128;

/// Why a value could not be serialised.
#[derive(Debug)]
pub(super) struct ValueError(String);

impl Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ValueError {}

impl ser::Error for ValueError {
    fn custom<T: Display>(message: T) -> ValueError {
        let mut text = String::new();
        if write!(text, "{message}").is_err() {
            text.push_str("its Display failed");
        }
        ValueError(text)
    }
}

impl Sink<'_> {
    /// Writes a value inside `depth` open objects and arrays; whatever it does, exactly one JSON
    /// value is written.
    #[inline]
    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T, depth: u32, rule: NameRule) {
        let (start, names) = (self.buf.len(), self.scratch.names.len());
        let serializer = ValueSerializer { sink: self, depth, wrappers: 0, rule };
        if let Err(error) = value.serialize(serializer) {
            self.buf.truncate(start);
            self.scratch.names.truncate(names);
            self.buf.put("\"…[unserializable: ".as_bytes());
            self.chars(&error.0);
            self.buf.put(b"]\"");
        }
    }

    /// Writes an integer, unless it is a card number.
    fn integer<I: itoa::Integer>(&mut self, n: I) {
        self.number(itoa::Buffer::new().format(n));
    }

    /// Writes a number as it is, unless it is a card number.
    #[inline]
    pub(crate) fn number(&mut self, text: &str) {
        match self.policy.redaction.number_mark(text) {
            Some(mark) => self.verbatim(mark),
            None => self.buf.put(text.as_bytes()),
        }
    }

    /// Writes a number JSON has, unless it is a card number; `as_text` stands for any other.
    fn float(&mut self, n: &impl Serialize, is_finite: bool, as_text: &str) {
        if !is_finite {
            return self.verbatim(as_text);
        }
        let start = self.buf.len();
        // Serialising a number into a Vec cannot fail.
        drop(serde_json::to_writer(&mut *self.buf, n));
        let digits = std::str::from_utf8(&self.buf[start..]).unwrap_or_default();
        if let Some(mark) = self.policy.redaction.number_mark(digits) {
            self.buf.truncate(start);
            self.verbatim(mark);
        }
    }

    fn named_string(&mut self, text: &str, rule: NameRule) {
        match rule {
            NameRule::Keep => self.string(text),
            NameRule::Prefix => self.prefix(text, TOKEN_PREFIX),
            NameRule::Redact(rule) => self.verbatim(rule.mark()),
        }
    }
}

/// Writes one value.
pub(super) struct ValueSerializer<'s, 'a> {
    sink: &'s mut Sink<'a>,
    depth: u32,
    wrappers: u32,
    rule: NameRule,
}

pub(super) type Done = Result<(), ValueError>;

impl<'s, 'a> ValueSerializer<'s, 'a> {
    /// Redacts if the name of the member demands it; null and booleans never come here.
    #[inline]
    fn unless_secret(self, write: impl FnOnce(&mut Sink<'a>)) -> Done {
        match self.rule {
            NameRule::Redact(rule) => self.sink.verbatim(rule.mark()),
            NameRule::Keep | NameRule::Prefix => write(self.sink),
        }
        Ok(())
    }

    /// Opens an object or array, or writes what stands for it. `variant` is the name of the enum
    /// variant it belongs to, which wraps it in one more object.
    fn open(self, object: bool, variant: Option<&str>) -> Compound<'s, 'a> {
        let ValueSerializer { sink, depth, rule, .. } = self;
        let depth = depth + 1 + u32::from(variant.is_some());
        if let NameRule::Redact(rule) = rule {
            sink.verbatim(rule.mark());
            return Compound { sink, depth, body: Body::Ignored, close: "", pending: Pending::No };
        }
        if depth > MAX_DEPTH {
            sink.too_deep();
            return Compound { sink, depth, body: Body::Ignored, close: "", pending: Pending::No };
        }
        if let Some(variant) = variant {
            sink.buf.push(b'{');
            sink.string(variant);
            sink.buf.push(b':');
        }
        let body = if object {
            Body::Object(Members::begin(sink))
        } else {
            sink.buf.push(b'[');
            Body::Array
        };
        let close = if variant.is_some() { "}" } else { "" };
        Compound { sink, depth, body, close, pending: Pending::No }
    }

    fn wrapped<T: Serialize + ?Sized>(mut self, value: &T) -> Done {
        self.wrappers += 1;
        if self.wrappers > MAX_WRAPPERS {
            self.sink.too_deep();
            return Ok(());
        }
        value.serialize(self)
    }
}

macro_rules! integers {
    ($($method:ident $type:ty),*) => {$(
        #[inline]
        fn $method(self, n: $type) -> Done {
            self.unless_secret(|sink| sink.integer(n))
        }
    )*};
}

impl<'s, 'a> Serializer for ValueSerializer<'s, 'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Compound<'s, 'a>;
    type SerializeTuple = Compound<'s, 'a>;
    type SerializeTupleStruct = Compound<'s, 'a>;
    type SerializeTupleVariant = Compound<'s, 'a>;
    type SerializeMap = Compound<'s, 'a>;
    type SerializeStruct = Compound<'s, 'a>;
    type SerializeStructVariant = Compound<'s, 'a>;

    integers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_i128 i128, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32,
        serialize_u64 u64, serialize_u128 u128
    );

    fn serialize_bool(self, value: bool) -> Done {
        self.sink.buf.put(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, n: f32) -> Done {
        self.unless_secret(|sink| sink.float(&n, n.is_finite(), special(n.into())))
    }

    fn serialize_f64(self, n: f64) -> Done {
        self.unless_secret(|sink| sink.float(&n, n.is_finite(), special(n)))
    }

    fn serialize_char(self, c: char) -> Done {
        self.serialize_str(c.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Done {
        self.sink.named_string(text, self.rule);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.unless_secret(|sink| sink.hex_string(bytes))
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.wrapped(value)
    }

    fn serialize_unit(self) -> Done {
        self.sink.buf.put(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &str, _index: u32, variant: &str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &str, value: &T) -> Done {
        self.wrapped(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let mut object = self.open(true, None);
        ser::SerializeStruct::serialize_field(&mut object, variant, value)?;
        ser::SerializeStruct::end(object)
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Compound<'s, 'a>, ValueError> {
        Ok(self.open(false, None))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Compound<'s, 'a>, ValueError> {
        Ok(self.open(false, None))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, 'a>, ValueError> {
        Ok(self.open(false, None))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, 'a>, ValueError> {
        Ok(self.open(false, Some(variant)))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Compound<'s, 'a>, ValueError> {
        Ok(self.open(true, None))
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, 'a>, ValueError> {
        Ok(self.open(true, None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, 'a>, ValueError> {
        Ok(self.open(true, Some(variant)))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        let mut text = std::mem::take(&mut self.sink.scratch.decoded);
        text.clear();
        if write!(text, "{value}").is_err() {
            return Err(ser::Error::custom("its Display failed"));
        }
        self.sink.named_string(&text, self.rule);
        self.sink.scratch.decoded = text;
        Ok(())
    }
}

fn special(n: f64) -> &'static str {
    match n {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

//! Open objects and arrays of a value that is being serialised.
//!
//! What must stay true here: whatever order an implementation of `Serialize` calls these in, names
//! and values alternate; nothing inside an ignored object or array is ever looked at.

use std::fmt::{Display, Write};

use serde::Serialize;
use serde::ser;

use super::Sink;
use super::members::Members;
use super::name::NameSerializer;
use super::value::{Done, ValueError};
use crate::text::redact::NameRule;

/// An open object or array.
pub(super) struct Compound<'s, 'a> {
    pub(super) sink: &'s mut Sink<'a>,
    /// How many objects and arrays are open, this one counted.
    pub(super) depth: u32,
    pub(super) body: Body,
    /// What closes the object that an enum variant is wrapped in.
    pub(super) close: &'static str,
    pub(super) pending: Pending,
}

pub(super) enum Body {
    Object(Members),
    Array,
    /// Something already stands for it.
    Ignored,
}

/// A member name that still waits for its value.
pub(super) enum Pending {
    No,
    Yes(NameRule),
}

impl Compound<'_, '_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) {
        if matches!(self.body, Body::Array) {
            if self.sink.buf.last() != Some(&b'[') {
                self.sink.buf.push(b',');
            }
            self.sink.value(value, self.depth, NameRule::Keep);
        }
    }

    pub(super) fn member_name(&mut self, name: &str) {
        if let Body::Object(members) = &mut self.body {
            if let Pending::Yes(_) = self.pending {
                self.sink.buf.put(b"null");
            }
            self.pending = Pending::Yes(members.name(self.sink, name));
        }
    }

    pub(super) fn displayed_name<T: Display + ?Sized>(&mut self, name: &T) -> Done {
        let mut text = std::mem::take(&mut self.sink.scratch.decoded);
        text.clear();
        let written = write!(text, "{name}");
        if written.is_ok() {
            self.member_name(&text);
        }
        self.sink.scratch.decoded = text;
        written.map_err(|_| ser::Error::custom("its Display failed"))
    }

    fn member_value<T: Serialize + ?Sized>(&mut self, value: &T) {
        if let Pending::No = self.pending {
            self.member_name("");
        }
        if let Pending::Yes(rule) = std::mem::replace(&mut self.pending, Pending::No) {
            self.sink.value(value, self.depth, rule);
        }
    }

    fn close(mut self) -> Done {
        if let Pending::Yes(_) = self.pending {
            self.sink.buf.put(b"null");
        }
        match &mut self.body {
            Body::Object(members) => members.end(self.sink),
            Body::Array => self.sink.buf.push(b']'),
            Body::Ignored => {}
        }
        self.sink.buf.put(self.close.as_bytes());
        Ok(())
    }
}

macro_rules! sequences {
    ($($trait:ident $method:ident),*) => {$(
        impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.element(value);
                Ok(())
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )*};
}

sequences!(
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
);

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Done {
                self.member_name(name);
                self.member_value(value);
                Ok(())
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        if matches!(self.body, Body::Object(_))
            && let Err(error) = key.serialize(NameSerializer(self))
        {
            self.member_name(&format!("…[unserializable: {error}]"));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.member_value(value);
        Ok(())
    }

    fn end(self) -> Done {
        self.close()
    }
}

//! Map keys: every scalar can be a member name.
//!
//! What must stay true here: a key calls [`Compound::member_name`] exactly once or fails without
//! having written anything.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

use super::compound::Compound;
use super::value::{Done, ValueError};

/// Writes one map key as a member name.
pub(super) struct NameSerializer<'c, 's, 'a>(pub(super) &'c mut Compound<'s, 'a>);

type No = Impossible<(), ValueError>;

fn not_a_name<T>() -> Result<T, ValueError> {
    Err(ser::Error::custom("a map key must be a string or another scalar"))
}

macro_rules! scalars {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, value: $type) -> Done {
            self.collect_str(&value)
        }
    )*};
}

impl Serializer for NameSerializer<'_, '_, '_> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    scalars!(
        serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32,
        serialize_i64 i64, serialize_i128 i128, serialize_u8 u8, serialize_u16 u16,
        serialize_u32 u32, serialize_u64 u64, serialize_u128 u128, serialize_f32 f32,
        serialize_f64 f64, serialize_char char
    );

    fn serialize_str(self, text: &str) -> Done {
        self.0.member_name(text);
        Ok(())
    }

    fn serialize_unit_variant(self, _name: &str, _index: u32, variant: &str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_none(self) -> Done {
        self.serialize_str("null")
    }

    fn serialize_unit(self) -> Done {
        self.serialize_str("null")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Done {
        self.serialize_str(name)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        self.0.displayed_name(value)
    }

    fn serialize_bytes(self, _bytes: &[u8]) -> Done {
        not_a_name()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Done {
        not_a_name()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<No, ValueError> {
        not_a_name()
    }

    fn serialize_tuple(self, _len: usize) -> Result<No, ValueError> {
        not_a_name()
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<No, ValueError> {
        not_a_name()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<No, ValueError> {
        not_a_name()
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<No, ValueError> {
        not_a_name()
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<No, ValueError> {
        not_a_name()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<No, ValueError> {
        not_a_name()
    }
}

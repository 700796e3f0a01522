//! What a Rust type is in JSON, as far as its name shows.
//!
//! What must stay true here: a wrong guess must not be possible, only `any`; `json = ..` corrects.

use syn::{Error, GenericArgument, Ident, PathArguments, PathSegment, Result, Type};

/// A JSON type.
#[derive(Clone)]
pub(crate) enum Json {
    Any,
    Boolean,
    Integer,
    Number,
    String,
    Object,
    Array(Box<Json>),
}

impl Json {
    pub(crate) fn read(word: &Ident) -> Result<Json> {
        Ok(match word.to_string().as_str() {
            "any" => Json::Any,
            "boolean" => Json::Boolean,
            "integer" => Json::Integer,
            "number" => Json::Number,
            "string" => Json::String,
            "object" => Json::Object,
            "array" => Json::Array(Box::new(Json::Any)),
            _ => {
                let message = "`json` is any, boolean, integer, number, string, object or array";
                return Err(Error::new(word.span(), message));
            }
        })
    }

    pub(crate) fn of(ty: &Type) -> Json {
        match ty {
            Type::Reference(reference) => Json::of(&reference.elem),
            Type::Slice(slice) => Json::Array(Box::new(Json::of(&slice.elem))),
            Type::Array(array) => Json::Array(Box::new(Json::of(&array.elem))),
            Type::Path(_) => last_segment(ty).map_or(Json::Any, Json::of_segment),
            _ => Json::Any,
        }
    }

    fn of_segment(segment: &PathSegment) -> Json {
        match segment.ident.to_string().as_str() {
            "String" | "str" | "IpAddr" | "Ipv4Addr" | "Ipv6Addr" | "Timestamp" | "Uuid"
            | "Severity" | "char" => Json::String,
            "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64"
            | "i128" | "isize" => Json::Integer,
            // Not a number: NaN and the infinities become strings.
            "f32" | "f64" => Json::Any,
            "bool" => Json::Boolean,
            "BTreeMap" | "HashMap" => Json::Object,
            "Vec" | "BTreeSet" | "HashSet" | "VecDeque" => {
                Json::Array(Box::new(first_argument(segment).map_or(Json::Any, Json::of)))
            }
            "Option" | "Box" | "Arc" | "Rc" | "Cow" => {
                first_argument(segment).map_or(Json::Any, Json::of)
            }
            _ => Json::Any,
        }
    }
}

pub(crate) fn is_option(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Option")
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

fn first_argument(segment: &PathSegment) -> Option<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
        }
        _ => None,
    }
}

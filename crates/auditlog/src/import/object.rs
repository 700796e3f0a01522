//! A JSON object that is taken apart.
//!
//! What must stay true here: what is not taken stays as it was written: the order, the digits of
//! numbers, members that come twice. Nothing is turned into a value and back.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object, in their order.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Members, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some(member) = map.next_entry()? {
                    members.0.push(member);
                }
                Ok(members)
            }
        }
        from.deserialize_map(Each)
    }
}

impl Members {
    pub(super) fn parse(text: &str) -> serde_json::Result<Members> {
        serde_json::from_str(text)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(there, _)| there == name)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(there, _)| there == name)
    }

    /// What a member says, if it is a string or a number; it stays.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.place(name).and_then(|at| text(&self.0[at].1))
    }

    /// What a member says, if it is a string or a number; it is taken out.
    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        let at = self.place(name)?;
        let text = text(&self.0[at].1)?;
        self.0.remove(at);
        Some(text)
    }

    /// Takes what the first of these members says that says something.
    pub(super) fn take_first(&mut self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.take_text(name))
    }

    /// Works on the object that a member is; what is left of it stays in its place.
    pub(super) fn inside<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Members) -> T,
    ) -> Option<T> {
        let at = self.place(name)?;
        let mut inner = Members::parse(self.0[at].1.get()).ok()?;
        let result = work(&mut inner);
        match RawValue::from_string(inner.json()) {
            Ok(raw) if !inner.0.is_empty() => self.0[at].1 = raw,
            _ => drop(self.0.remove(at)),
        }
        Some(result)
    }

    /// Works on the first object of the array that a member is; the others stay.
    pub(super) fn first_inside<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Members) -> T,
    ) -> Option<T> {
        let at = self.place(name)?;
        let mut all: Vec<Box<RawValue>> = serde_json::from_str(self.0[at].1.get()).ok()?;
        let mut inner = Members::parse(all.first()?.get()).ok()?;
        let result = work(&mut inner);
        if inner.0.is_empty() {
            all.remove(0);
        } else if let Ok(raw) = RawValue::from_string(inner.json()) {
            all[0] = raw;
        }
        let texts: Vec<&str> = all.iter().map(|raw| raw.get()).collect();
        match RawValue::from_string(format!("[{}]", texts.join(","))) {
            Ok(raw) if !all.is_empty() => self.0[at].1 = raw,
            _ => drop(self.0.remove(at)),
        }
        Some(result)
    }

    /// Takes the first string of the array that a member is.
    pub(super) fn take_first_of_list(&mut self, name: &str) -> Option<String> {
        let at = self.place(name)?;
        let mut all: Vec<String> = serde_json::from_str(self.0[at].1.get()).ok()?;
        if all.is_empty() {
            return None;
        }
        let first = all.remove(0);
        match serde_json::value::to_raw_value(&all) {
            Ok(raw) if !all.is_empty() => self.0[at].1 = raw,
            _ => drop(self.0.remove(at)),
        }
        Some(first)
    }

    /// Adds a member that is a string.
    pub(super) fn say(&mut self, name: &str, text: &str) {
        if let Ok(raw) = serde_json::value::to_raw_value(text) {
            self.0.push((name.to_owned(), raw));
        }
    }

    /// Adds a member that is JSON.
    pub(super) fn put(&mut self, name: &str, json: String) {
        if let Ok(raw) = RawValue::from_string(json) {
            self.0.push((name.to_owned(), raw));
        }
    }

    /// The object as JSON.
    pub(super) fn json(&self) -> String {
        let members =
            self.0.iter().map(|(name, value)| format!("{}:{}", string(name), value.get()));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text as JSON.
pub(super) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a string or a number says; nothing, if it is empty.
fn text(raw: &RawValue) -> Option<String> {
    let json = raw.get();
    let text = match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok()?,
        b'-' | b'0'..=b'9' => json.to_owned(),
        _ => return None,
    };
    Some(text).filter(|text: &String| !text.is_empty())
}

//! A report as CSV: `section,item,name,value`, one value a row, so that any spreadsheet takes it.
//!
//! What must stay true here: no cell is a formula (decision 0031); the rows are made out of the JSON,
//! member by member, so that nothing of a report is missing here, however it grows.

use std::io;

use serde_json::{Map, Value};

use super::Report;
use crate::export;

/// Members that say which of several things a row is about, the best first.
const NAMES: [&str; 6] = ["id", "class", "value", "seq", "from", "what"];
/// The section of what is no object or list.
const ABOUT: &str = "report";

/// Writes a report as CSV. A section is a member of the JSON, an item one of a list in it, by what it is
/// called (a clause's id, an entry's `seq`, a value); names are paths in dots, parts of lists counted
/// from 0.
///
/// # Errors
/// None that is known of: only if the report had no form as JSON.
pub fn to_csv(report: &Report) -> io::Result<String> {
    let mut rows = Rows(Vec::from("section,item,name,value\r\n"));
    let Value::Object(members) = serde_json::to_value(report)? else {
        return Err(io::Error::other("a report that is no object"));
    };
    for (section, value) in &members {
        match value {
            Value::Object(inner) => rows.object(section, "", "", inner),
            Value::Array(items) => rows.list(section, "", "", items),
            plain => rows.value(ABOUT, "", section, plain),
        }
    }
    Ok(String::from_utf8_lossy(&rows.0).into_owned())
}

struct Rows(Vec<u8>);

impl Rows {
    fn add(&mut self, section: &str, item: &str, name: &str, value: &str) {
        for (index, cell) in [section, item, name, value].into_iter().enumerate() {
            if index > 0 {
                self.0.push(b',');
            }
            export::csv_cell(cell, &mut self.0);
        }
        self.0.extend_from_slice(b"\r\n");
    }

    fn value(&mut self, section: &str, item: &str, name: &str, value: &Value) {
        match value {
            Value::Object(members) => self.object(section, item, name, members),
            Value::Array(items) => self.list(section, item, name, items),
            Value::Null => self.add(section, item, name, ""),
            Value::String(text) => self.add(section, item, name, text),
            plain => self.add(section, item, name, &plain.to_string()),
        }
    }

    fn object(&mut self, section: &str, item: &str, path: &str, members: &Map<String, Value>) {
        for (name, value) in members {
            self.value(section, item, &joined(path, name), value);
        }
    }

    /// The first list on the way gives the items, those in it go into the names.
    fn list(&mut self, section: &str, item: &str, path: &str, items: &[Value]) {
        for (index, value) in items.iter().enumerate() {
            let (called, by) = called(value);
            let called = called.unwrap_or_else(|| index.to_string());
            let (item, path) = match (item, path) {
                ("", _) if value.is_object() => (called, path.to_owned()),
                ("", "") => (called, "text".to_owned()),
                (item, path) => (item.to_owned(), joined(path, &called)),
            };
            match value {
                Value::Object(members) => {
                    for (name, value) in
                        members.iter().filter(|(name, _)| Some(name.as_str()) != by)
                    {
                        self.value(section, &item, &joined(&path, name), value);
                    }
                }
                value => self.value(section, &item, &path, value),
            }
        }
    }
}

/// What one of a list is called, and by which of its members.
fn called(value: &Value) -> (Option<String>, Option<&'static str>) {
    for name in NAMES {
        match value.get(name) {
            Some(Value::String(text)) => return (Some(text.clone()), Some(name)),
            Some(Value::Number(number)) => return (Some(number.to_string()), Some(name)),
            _ => {}
        }
    }
    (None, None)
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

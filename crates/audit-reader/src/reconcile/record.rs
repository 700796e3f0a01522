//! One exported record, in any of the forms.
//!
//! What must stay true here: where a record carries the entry, it is the entry that speaks. Whatever a
//! record holds, it is read or it is not; nothing of it is guessed.

use std::borrow::Cow;
use std::str::from_utf8;

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a record says it is a copy of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) origin: Option<String>,
    pub(super) seq: u64,
    pub(super) hash: Hash,
    /// The hash is that of the bytes it carries.
    pub(super) carried: bool,
}

#[derive(Debug)]
pub(super) enum Record {
    Claim(Claim),
    /// The first line of CSV.
    Header,
    Unreadable,
}

/// Reads the records of one file, whose first line may say what its columns are.
#[derive(Debug, Default)]
pub struct RecordReader {
    columns: Option<Columns>,
}

#[derive(Debug, Clone, Copy)]
struct Columns {
    origin: Option<usize>,
    seq: usize,
    hash: usize,
}

/// The members that say which entry a record is of, in all forms of JSON.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
    #[serde(borrow)]
    raw_data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    event: Option<Event<'a>>,
    #[serde(borrow)]
    audit: Option<Audit<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    log_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    original: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Audit<'a> {
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
}

impl RecordReader {
    /// A reader for one file.
    #[must_use]
    pub fn new() -> RecordReader {
        RecordReader::default()
    }

    pub(super) fn read(&mut self, line: &[u8]) -> Record {
        let line = line.trim_ascii_end();
        let read = if line.starts_with(b"{\"seq\":") {
            carried(line, None)
        } else if line.starts_with(b"{") {
            json(line)
        } else if let Some(columns) = self.columns {
            from_utf8(line).ok().and_then(|row| columns.claim(row))
        } else if let Some(columns) = Columns::of(line) {
            self.columns = Some(columns);
            return Record::Header;
        } else if let Some(at) = memmem::find(line, b"CEF:0|") {
            from_utf8(&line[at..]).ok().and_then(cef)
        } else {
            syslog(line)
        };
        read.map_or(Record::Unreadable, Record::Claim)
    }
}

/// The entry that a record carries: its hash is that of its bytes.
fn carried(line: &[u8], origin: Option<String>) -> Option<Claim> {
    let entry = Entry::parse(line).ok()?;
    Some(Claim { origin, seq: entry.seq(), hash: entry.computed_hash(), carried: true })
}

fn json(line: &[u8]) -> Option<Claim> {
    let record: Json<'_> = serde_json::from_slice(line).ok()?;
    let origin = record
        .origin
        .or(record.metadata.and_then(|metadata| metadata.log_name))
        .or(record.audit.and_then(|audit| audit.origin))
        .map(Cow::into_owned);
    let text = record.raw_data.or(record.event.and_then(|event| event.original));
    let entry = record.entry.map(|entry| Cow::Borrowed(entry.get())).or(text)?;
    carried(entry.as_bytes(), origin)
}

/// A message of syslog: whatever a relay did to the header, the entry is its end.
fn syslog(line: &[u8]) -> Option<Claim> {
    let at = memmem::find(line, b"{\"seq\":")?;
    let header = from_utf8(&line[..at]).ok();
    let origin = header.and_then(|header| {
        let value = header.split_once("origin=\"")?.1;
        Some(unescaped(value, '"'))
    });
    carried(&line[at..], origin)
}

fn cef(text: &str) -> Option<Claim> {
    let field = |key: &str| Some(unescaped(text.split_once(&format!(" {key}="))?.1, ' '));
    Some(Claim {
        origin: field("deviceExternalId"),
        seq: field("cn1")?.parse().ok()?,
        hash: Hash::from_hex(field("cs1")?.as_bytes())?,
        carried: false,
    })
}

/// A value up to `end`, with its escapes taken off.
fn unescaped(text: &str, end: char) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c if c == end => break,
            c => out.push(c),
        }
    }
    out
}

impl Columns {
    /// What the first line of CSV says; `None` if it is none.
    fn of(line: &[u8]) -> Option<Columns> {
        let names: Vec<String> = cells(from_utf8(line).ok()?).collect();
        let at = |name: &str| names.iter().position(|column| column == name);
        Some(Columns { origin: at("origin"), seq: at("seq")?, hash: at("hash")? })
    }

    fn claim(self, row: &str) -> Option<Claim> {
        let cells: Vec<String> = cells(row).collect();
        Some(Claim {
            origin: self.origin.map(|at| cells.get(at).cloned()).unwrap_or_default(),
            seq: cells.get(self.seq)?.parse().ok()?,
            hash: Hash::from_hex(cells.get(self.hash)?.as_bytes())?,
            carried: false,
        })
    }
}

/// The cells of a row, without quotes and without our mark against formulas.
fn cells(row: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let mut text = rest?;
        let mut cell = String::new();
        if let Some(quoted) = text.strip_prefix('"') {
            text = quoted;
            while let Some((part, after)) = text.split_once('"') {
                cell.push_str(part);
                text = after;
                match text.strip_prefix('"') {
                    Some(after) => {
                        cell.push('"');
                        text = after;
                    }
                    None => break,
                }
            }
        }
        let (plain, after) = match text.split_once(',') {
            Some((plain, after)) => (plain, Some(after)),
            None => (text, None),
        };
        cell.push_str(plain);
        rest = after;
        Some(match cell.strip_prefix('\'') {
            Some(unguarded) => unguarded.to_owned(),
            None => cell,
        })
    })
}

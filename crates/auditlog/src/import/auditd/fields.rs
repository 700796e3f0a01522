//! One line of auditd: `type=… msg=audit(time:serial): name=value …`.
//!
//! What must stay true here: a value that the kernel wrote as hex, because whoever chose it could have
//! put anything into it, is decoded; what is no text in it stays visible as `\xNN`.

use crate::output::escape;

/// Fields that the kernel writes in quotes, or as hex if they hold a quote, a space or a control
/// character.
const UNTRUSTED: [&str; 24] = [
    "acct",
    "cmd",
    "comm",
    "cwd",
    "data",
    "dir",
    "exe",
    "file",
    "grp",
    "key",
    "name",
    "new-chardev",
    "new-disk",
    "new-fs",
    "new-rng",
    "new_group",
    "ocomm",
    "old-chardev",
    "old-disk",
    "path",
    "proctitle",
    "unit",
    "vm",
    "watch",
];

/// What identifies an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) node: Option<String>,
    /// `seconds.milliseconds`.
    pub(super) time: String,
    pub(super) serial: String,
}

/// A record of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: String,
    pub(super) fields: Vec<(String, String)>,
}

impl Record {
    /// What a field says, if it says something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(there, _)| there == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !is_unset(value))
    }
}

/// The ways in which a field says nothing.
fn is_unset(value: &str) -> bool {
    matches!(value, "" | "?" | "(null)" | "(none)" | "unset" | "4294967295" | "-1")
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Result<(Id, Record), String> {
    let line = escape_all_but_separator(line);
    let mut rest = line.as_str();
    let mut node = None;
    if let Some(after) = rest.strip_prefix("node=") {
        let (name, after) = after.split_once(' ').unwrap_or((after, ""));
        (node, rest) = (Some(name.to_owned()), after);
    }
    let expected = || "no record of auditd; expected type=… msg=audit(time:serial): …".to_owned();
    let (kind, rest) =
        rest.strip_prefix("type=").and_then(|rest| rest.split_once(' ')).ok_or_else(expected)?;
    let (id, rest) = rest
        .strip_prefix("msg=audit(")
        .and_then(|rest| rest.split_once(')'))
        .ok_or_else(expected)?;
    let (time, serial) = id.split_once(':').ok_or_else(expected)?;
    let is_number =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !is_number(time) || !is_number(serial) {
        return Err(expected());
    }
    let id = Id { node, time: time.to_owned(), serial: serial.to_owned() };
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let mut fields = Vec::new();
    let mut words = Vec::new();
    split(kind, rest, &mut fields, &mut words);
    if !words.is_empty() {
        fields.push(("text".to_owned(), words.join(" ")));
    }
    Ok((id, Record { kind: kind.to_owned(), fields }))
}

/// auditd parts what it adds for people by a control character, which is taken for a space.
fn escape_all_but_separator(line: &[u8]) -> String {
    let parts = line.split(|byte| *byte == 0x1d).map(escape);
    parts.collect::<Vec<_>>().join(" ")
}

/// Splits `name=value …`; what is no such pair is a word.
fn split(kind: &str, text: &str, fields: &mut Vec<(String, String)>, words: &mut Vec<String>) {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(value) = after.strip_prefix('=').filter(|_| !name.is_empty()) else {
            let end = rest.find(' ').unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
            continue;
        };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value.split_once(' ').unwrap_or((value, "")),
        };
        match (name, quote) {
            // A program's own message has fields of its own.
            ("msg", Some('\'')) => split(kind, value, fields, words),
            (_, Some(_)) => fields.push((name.to_owned(), value.to_owned())),
            (_, None) => {
                fields.push((name.to_owned(), plain(kind, name, value.trim_end_matches(','))))
            }
        }
        rest = after.trim_start();
    }
}

/// A value without quotes.
fn plain(kind: &str, name: &str, value: &str) -> String {
    let is_argument = kind == "EXECVE"
        && name.strip_prefix('a').is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.ends_with("_len")
        });
    let decoded = match UNTRUSTED.contains(&name) || is_argument {
        true => hex(value),
        false => None,
    };
    match decoded {
        // Arguments are parted by NUL.
        Some(bytes) if name == "proctitle" => {
            let parts = bytes.split(|byte| *byte == 0).map(escape);
            parts.collect::<Vec<_>>().join(" ")
        }
        Some(bytes) => escape(&bytes),
        None => value.to_owned(),
    }
}

/// The bytes that a text is hex of.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
    if !is_hex || text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

//! An event under construction, in the caller's words.
//!
//! What must stay true here: it becomes an event by the same reading that a line of standard input
//! gets, so an import can record nothing that `emit` could not.

use audit_core::event::GenericEvent;

use super::object::{Members, string};

/// The longest part of a type; what a long name was stands in `details`.
const PART: usize = 48;

/// What an event is made of.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) event_type: String,
    pub(super) timestamp: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) auth_method: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) resource_type: Option<String>,
    pub(super) resource_id: Option<String>,
    pub(super) parent_id: Option<String>,
    pub(super) result: Option<&'static str>,
    pub(super) reason: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) details: Members,
    /// The whole line, if the record was one of ours.
    pub(super) line: Option<String>,
}

impl Draft {
    /// The event.
    pub(super) fn event(self) -> Result<GenericEvent, String> {
        GenericEvent::from_json_line(self.json().as_bytes())
            .map_err(|error| error.problem.to_string())
    }

    /// The event as a line that `emit` takes.
    pub(super) fn json(self) -> String {
        if let Some(line) = self.line {
            return line;
        }
        let mut line = Members::default();
        line.say("event_type", &self.event_type);
        let mut objects = [
            (
                "actor",
                vec![
                    ("user_id", self.user_id),
                    ("ip", self.ip),
                    ("auth_method", self.auth_method),
                    ("session_id", self.session_id),
                ],
            ),
            (
                "resource",
                vec![
                    ("resource_type", self.resource_type),
                    ("resource_id", self.resource_id),
                    ("parent_id", self.parent_id),
                ],
            ),
            ("context", vec![("trace_id", self.trace_id), ("request_id", self.request_id)]),
        ];
        for (name, members) in &mut objects {
            let mut object = Members::default();
            for (member, text) in members.iter() {
                if let Some(text) = text {
                    object.say(member, text);
                }
            }
            if !object.is_empty() {
                line.put(name, object.json());
            }
        }
        for (name, text) in [
            ("result", self.result.map(str::to_owned)),
            ("reason", self.reason),
            ("timestamp", self.timestamp),
        ] {
            if let Some(text) = text {
                line.say(name, &text);
            }
        }
        if !self.details.is_empty() {
            line.put("details", self.details.json());
        }
        line.json()
    }
}

/// A type of these parts: `aws`, `IAM`, `CreateUser` is `aws.iam.create_user`.
pub(super) fn event_type(parts: &[&str]) -> String {
    let words = parts.iter().map(|part| word(part));
    words.collect::<Vec<_>>().join(".")
}

/// A name in the letters that a type may have.
fn word(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut word = String::new();
    for (index, c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| chars.get(before));
        let after = chars.get(index + 1);
        // `CreateDBInstance`: a word begins at D, and at I.
        let begins = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        let c = c.to_ascii_lowercase();
        let parts = begins || !c.is_ascii_alphanumeric();
        if parts && !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
        if c.is_ascii_alphanumeric() {
            word.push(c);
        }
    }
    word.truncate(PART);
    let word = word.trim_end_matches('_');
    if word.is_empty() { "unknown".to_owned() } else { word.to_owned() }
}

/// A JSON array of texts.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| string(text)).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_made_of_any_names() {
        assert_eq!(event_type(&["aws", "rds", "CreateDBInstance"]), "aws.rds.create_db_instance");
        assert_eq!(event_type(&["k8s", "pods/exec", "create"]), "k8s.pods_exec.create");
        assert_eq!(event_type(&["aws", "s3", "ListObjectsV2"]), "aws.s3.list_objects_v2");
        assert_eq!(event_type(&["x", "größe ../", ""]), "x.gr_e.unknown");
        assert!(event_type(&["a", &"b".repeat(500), &"c".repeat(500)]).len() <= 128);
    }
}

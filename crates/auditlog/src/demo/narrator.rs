//! What is told: numbered steps for people, one object for machines.
//!
//! What must stay true here: a claim is printed as true only after it was checked, and what fails
//! ends the story. Everything that comes from a trail is escaped before it gets here.

use std::fmt::Display;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::DemoError;
use crate::output::{Color, Output};

/// Who tells the story.
pub(super) struct Narrator<'a> {
    pub(super) out: &'a mut Output,
    dir: String,
    steps: Vec<Map<String, Value>>,
}

impl Narrator<'_> {
    pub(super) fn new(out: &mut Output, dir: String) -> Narrator<'_> {
        Narrator { out, dir, steps: Vec::new() }
    }

    /// Begins a step. It counts as gone well when the next one begins.
    pub(super) fn step(&mut self, name: &str, title: &str) -> Result<(), DemoError> {
        self.done(true);
        let mut step = Map::new();
        step.insert("step".to_owned(), json!(self.steps.len() + 1));
        step.insert("name".to_owned(), json!(name));
        step.insert("checks".to_owned(), json!([]));
        self.steps.push(step);
        let number = self.out.paint(Color::Good, &format!("{}.", self.steps.len()));
        self.print(&format!("\n{number} {title}"))
    }

    /// Says something.
    pub(super) fn say(&mut self, text: impl Display) -> Result<(), DemoError> {
        self.print(&format!("   {text}"))
    }

    /// Shows something: an entry, a command.
    pub(super) fn show(&mut self, text: impl Display) -> Result<(), DemoError> {
        self.print(&format!("      {text}"))
    }

    /// Says something that must be true.
    pub(super) fn check(&mut self, holds: bool, claim: &str) -> Result<(), DemoError> {
        self.claim(holds, claim);
        if !holds {
            let mark = self.out.paint(Color::Bad, "FAILED");
            self.print(&format!("   {mark} {claim}"))?;
            return Err(DemoError::NotAsTold { what: claim.to_owned() });
        }
        let mark = self.out.paint(Color::Good, "ok");
        self.print(&format!("   {mark} {claim}"))
    }

    /// Says what must be true and is no good news.
    pub(super) fn admit(&mut self, holds: bool, claim: &str) -> Result<(), DemoError> {
        if !holds {
            return self.check(holds, claim);
        }
        self.claim(holds, claim);
        let mark = self.out.paint(Color::Warn, "but");
        self.print(&format!("   {mark} {claim}"))
    }

    /// Something for machines.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(step) = self.steps.last_mut() {
            step.insert(name.to_owned(), value.into());
        }
    }

    /// Ends the story, well or not.
    pub(super) fn end(mut self, told: Result<(), DemoError>) -> Result<(), DemoError> {
        let ok = told.is_ok();
        self.done(ok);
        if self.out.json {
            let failed = told.as_ref().err().map(ToString::to_string);
            let story = json!({
                "ok": ok, "failed": failed, "dir": self.dir, "steps": self.steps,
            });
            writeln!(self.out, "{story}").map_err(DemoError::Output)?;
        }
        self.out.flush().map_err(DemoError::Output)?;
        told
    }

    fn done(&mut self, ok: bool) {
        if let Some(step) = self.steps.last_mut() {
            step.insert("ok".to_owned(), json!(ok));
        }
    }

    fn claim(&mut self, holds: bool, claim: &str) {
        let checks = self.steps.last_mut().and_then(|step| step.get_mut("checks"));
        if let Some(Value::Array(checks)) = checks {
            checks.push(json!({"claim": claim, "holds": holds}));
        }
    }

    fn print(&mut self, line: &str) -> Result<(), DemoError> {
        if self.out.json {
            return Ok(());
        }
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).map_err(DemoError::Output)
    }
}

//! `auditlog keys DIR pin FILE`: the first key, kept elsewhere.
//!
//! What must stay true here: a pin that is there is never overwritten, only held against the trail.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::commands::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};

pub(super) fn run(dir: &Path, file: &Path, out: &mut Output) -> Result<Exit, CliError> {
    let history = super::history(dir)?;
    let first = history.epochs.iter().find(|epoch| epoch.epoch == Some(0));
    let first = first.ok_or_else(|| CliError::Usage {
        what: "the trail's first entry is not here, so neither is its first key".to_owned(),
        next: "pin what `auditlog init` printed",
    })?;
    let vkey = first.key.to_string();
    let made = match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut pin) => {
            let written = pin.write_all(format!("{vkey}\n").as_bytes());
            written.and_then(|()| pin.sync_all()).map_err(|error| cannot(file, &error))?;
            true
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(cannot(file, &error)),
    };
    let pinned = if made {
        first.key.clone()
    } else {
        crate::commands::key("FILE", &format!("@{}", file.display()))?
    };
    let holds = pinned == first.key;
    if out.json {
        let word = match (made, holds) {
            (true, _) => "pinned",
            (false, true) => "holds",
            (false, false) => "differs",
        };
        let line = serde_json::json!({"pin": word, "pinned": pinned.to_string(), "first": vkey});
        writeln!(out, "{line}")?;
    } else {
        let (color, text) = match (made, holds) {
            (true, _) => (Color::Good, "pinned"),
            (false, true) => (Color::Good, "holds"),
            (false, false) => (Color::Bad, "another key than the one pinned"),
        };
        let text = out.paint(color, text);
        writeln!(out, "{text}: {}", escape(vkey.as_bytes()))?;
        if !holds {
            writeln!(out, "  pinned  {}", escape(pinned.to_string().as_bytes()))?;
        }
    }
    Ok(if holds { Exit::Done } else { Exit::Violated })
}

fn cannot(file: &Path, error: &std::io::Error) -> CliError {
    CliError::Usage {
        what: format!("cannot write {}: {error}", file.display()),
        next: "choose another place for the pin",
    }
}

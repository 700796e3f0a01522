//! `auditlog keys DIR show`: the keys and the files.

use std::io::Write;
use std::path::Path;

use audit_logging::keys::{KeyFile, key_files};
use audit_reader::{KeyEpoch, KeyHistory, Vouched};
use serde_json::{Value, json};

use crate::commands::Exit;
use crate::error::CliError;
use crate::output::{Color, Output, escape};

/// Private key files, or why nobody could look at them.
type Files = Result<Vec<KeyFile>, String>;

pub(super) fn run(dir: &Path, out: &mut Output) -> Result<Exit, CliError> {
    let history = super::history(dir)?;
    // An auditor may read the trail and not the keys: then the rest is still worth showing.
    let files = key_files(dir).map_err(|error| error.to_string());
    if out.json {
        writeln!(out, "{}", machines(&history, &files))?;
    } else {
        people(&history, &files, out)?;
    }
    Ok(if history.problems.is_empty() { Exit::Done } else { Exit::Violated })
}

/// What is wrong with a private key file, if anything is.
fn problem(file: &KeyFile, history: &KeyHistory) -> Option<String> {
    let vkey = match &file.vkey {
        Err(error) => return Some(error.to_string()),
        Ok(vkey) => vkey,
    };
    let current = history.epochs.last();
    match history.epochs.iter().find(|epoch| epoch.epoch == Some(file.epoch)) {
        Some(epoch) if epoch.key.to_string() != *vkey => {
            Some("not the key that the trail names for this epoch".to_owned())
        }
        Some(epoch) if Some(epoch) != current => {
            Some("of an epoch that has ended: the next opening destroys it".to_owned())
        }
        Some(_) => None,
        // The trail may be at it right now.
        None => Some("the trail does not name it (yet)".to_owned()),
    }
}

fn machines(history: &KeyHistory, files: &Files) -> Value {
    let epochs = history.epochs.iter().map(|epoch| {
        json!({
            "epoch": epoch.epoch,
            "key_id": epoch.key.id().to_string(),
            "key": epoch.key.to_string(),
            "from_size": epoch.from_size,
            "to_size": epoch.to_size,
            "vouched_by": vouched(epoch),
        })
    });
    let epochs: Vec<Value> = epochs.collect();
    let problems = history.problems.iter().map(|(seq, what)| json!({"seq": seq, "what": what}));
    let problems: Vec<Value> = problems.collect();
    let mut shown = json!({"origin": history.origin, "epochs": epochs, "problems": problems});
    match files {
        Ok(files) => {
            let files = files.iter().map(|file| {
                let mode = file.mode.map(|mode| format!("{mode:04o}"));
                json!({"epoch": file.epoch, "mode": mode, "problem": problem(file, history)})
            });
            shown["files"] = files.collect();
        }
        Err(why) => shown["files_error"] = json!(why),
    }
    shown
}

const fn vouched(epoch: &KeyEpoch) -> &'static str {
    match epoch.vouched {
        Vouched::First => "first",
        Vouched::KeyBefore => "key_before",
        _ => "nobody",
    }
}

fn people(history: &KeyHistory, files: &Files, out: &mut Output) -> Result<(), CliError> {
    if let Some(origin) = &history.origin {
        writeln!(out, "origin  {}", escape(origin.as_bytes()))?;
    }
    writeln!(out, "{:>5}  {:<8}  {:<23}  says who", "epoch", "key id", "signs sizes")?;
    for epoch in &history.epochs {
        let number = epoch.epoch.map_or("?".to_owned(), |number| number.to_string());
        let to = epoch.to_size.map_or("(in force)".to_owned(), |size| size.to_string());
        let sizes = format!("{} to {to}", epoch.from_size);
        let who = match epoch.vouched {
            Vouched::First => "the trail itself, or whoever pinned it",
            Vouched::KeyBefore => "the key before it",
            _ => "nobody here: the entries before are elsewhere",
        };
        writeln!(out, "{number:>5}  {}  {sizes:<23}  {who}", epoch.key.id())?;
    }
    for (seq, what) in &history.problems {
        let word = out.paint(Color::Bad, "does not hold");
        writeln!(out, "{word}: seq {seq}: {}", escape(what.as_bytes()))?;
    }
    match files {
        Err(why) => writeln!(out, "private keys: could not look: {}", escape(why.as_bytes()))?,
        Ok(files) if files.is_empty() => {
            writeln!(out, "private keys: none here; something else signs")?;
        }
        Ok(files) => {
            writeln!(out, "private keys:")?;
            for file in files {
                let mode = file.mode.map_or("gone".to_owned(), |mode| format!("{mode:04o}"));
                let state = match problem(file, history) {
                    None => out.paint(Color::Good, "in force"),
                    Some(what) => out.paint(Color::Warn, &escape(what.as_bytes())),
                };
                writeln!(out, "  {} {mode}  {state}", file.path.display())?;
            }
        }
    }
    Ok(())
}

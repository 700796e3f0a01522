//! `cargo xtask tour`: runs the commands of docs/tour.md and writes down what they print.
//!
//! What must stay true here: every output on the page was printed by the command above it, with a big trail
//! where the page says so. The check runs every command again, with a smaller trail there, and compares all but what must differ: ids, keys, hashes, times, sizes, numbers of three digits
//! and more, the `seq` of a listed entry, in how many segments the big trail was read, and by the key of which epoch it is signed.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::metadata;
use crate::steps::FEATURES;

const PAGE: &str = "docs/tour.md";
const BEGIN: &str = "```console";
const END: &str = "```";
/// The size of the big trail on the page, and the one that is enough for a check.
const MILLION: (&str, &str) = ("1000000", "20000");
/// As the tests build it.
const BUILD: [&str; 6] = ["build", "--workspace", "--features", FEATURES, "--locked", "--quiet"];

/// Runs the commands, and rewrites the page.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    let program = build(root)?;
    let page = read(root)?;
    let new = play(root, &program, &page, false)?;
    fs::write(root.join(PAGE), new).map_err(|e| format!("{PAGE}: {e}"))
}

/// Runs the commands, and compares.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let program = build(root)?;
    let page = read(root)?;
    let new = play(root, &program, &page, true)?;
    let lines = page.lines().count().max(new.lines().count());
    let mut pairs = page.lines().map(masked).zip(new.lines().map(masked)).enumerate();
    if let Some((at, (there, now))) = pairs.find(|(_, (there, now))| there != now) {
        return Err(format!(
            "{PAGE}:{}: the page has\n  {there}\nand the command printed\n  {now}\nrun `cargo xtask tour`",
            at + 1
        ));
    }
    if page.lines().count() != new.lines().count() {
        return Err(format!("{PAGE}: outputs have other lengths now; run `cargo xtask tour`"));
    }
    Ok(format!("{lines} lines"))
}

fn read(root: &Path) -> Result<String, String> {
    fs::read_to_string(root.join(PAGE)).map_err(|e| format!("{PAGE}: {e}"))
}

/// The program as the tests build it, so that nothing is built twice.
fn build(root: &Path) -> Result<PathBuf, String> {
    let mut cargo = metadata::cargo();
    cargo.args(BUILD).current_dir(root);
    let status = cargo.status().map_err(|e| format!("cannot run cargo: {e}"))?;
    if !status.success() {
        return Err(format!("cargo build: {status}"));
    }
    Ok(metadata::target_directory(root)?.join("debug"))
}

/// The page with what the commands print now.
fn play(root: &Path, program: &Path, page: &str, small: bool) -> Result<String, String> {
    let scratch = program.join("tour");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    }
    fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    std::os::unix::fs::symlink(root.join("fixtures"), scratch.join("fixtures"))
        .map_err(|e| format!("{}: {e}", scratch.display()))?;
    let mut out = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line != BEGIN {
            continue;
        }
        let mut block = lines.by_ref().take_while(|line| *line != END).peekable();
        while let Some(line) = block.next() {
            // What is no command is the output of the last run.
            let Some(mut command) = line.strip_prefix("$ ").map(str::to_owned) else { continue };
            out.push_str(line);
            out.push('\n');
            while command.ends_with('\\') {
                let Some(more) = block.next() else { break };
                out.push_str(more);
                out.push('\n');
                command.push('\n');
                command.push_str(more);
            }
            println!("$ {command}");
            out.push_str(&run(&scratch, program, &command, small)?);
        }
        out.push_str(END);
        out.push('\n');
    }
    fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    Ok(out)
}

/// What a command prints, and its exit code if it is not 0.
fn run(scratch: &Path, program: &Path, command: &str, small: bool) -> Result<String, String> {
    let command = if small { command.replace(MILLION.0, MILLION.1) } else { command.to_owned() };
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .arg("-c")
        .arg(format!("exec 2>&1\n{command}"))
        .current_dir(scratch)
        .env("PATH", format!("{}:{path}", program.display()))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot run bash: {e}"))?;
    let mut text = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        text.push_str(line.replace('\t', "    ").trim_end());
        text.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        // Known exit codes of the program; anything else is a command that did not work.
        Some(code @ 1..=3) => drop(writeln!(text, "[exit {code}]")),
        _ => return Err(format!("`{command}`: {}\n{text}", output.status)),
    }
    Ok(text)
}

/// A line without what differs from run to run.
fn masked(line: &str) -> String {
    let parted = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"' | '|');
    let words = line.split(parted).filter(|word| !word.is_empty());
    let differs = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let joined = word.contains(['.', ':', '-', '/', '+']);
        digits >= 3 || (digits > 0 && joined) || word.len() >= 40
    };
    // Sizes come in units that go with the numbers.
    let unit = |word: &str| matches!(word, "B" | "kB" | "MB" | "GB" | "KiB" | "MiB" | "bytes");
    let words = words.map(|word| if differs(word) || unit(word) { "#" } else { word });
    let mut words: Vec<&str> = words.collect();
    // Where in a trail an entry stands: the writer's own ones come between when it gets to them.
    if let ["#", "#", seq, ..] = &mut words[..]
        && seq.bytes().all(|byte| byte.is_ascii_digit())
    {
        *seq = "#";
    }
    // A smaller trail has fewer of them.
    for at in 2..words.len() {
        if let ["read" | "in" | "rows", _, "segments"] = words[at - 2..=at] {
            words[at - 1] = "#";
        }
        if words[at - 2..at] == ["of", "epoch"] {
            words[at] = "#";
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_masked_and_words_are_not() {
        assert_eq!(
            masked("3 found; searched 1000009 entries in 2 segments, 507.3 MB, in 0.61 s"),
            "3 found searched # entries in # segments # # in # s"
        );
        assert_eq!(masked("1 segments indexed, 5 entries"), "1 segments indexed 5 entries");
        assert_eq!(
            masked("5 entries, key of epoch 4; 0 after"),
            "5 entries key of epoch # 0 after"
        );
        assert_eq!(masked("2026-11-25 09:30:00.123   17 ! auth.failure"), "# # # ! auth.failure");
    }
}

//! The length of files: 300 lines of code, with exceptions that can only shrink.
//!
//! What must stay true here: nothing adds an exception or raises its number but a person, in a
//! change that a reviewer sees.

use std::fmt::Write as _;

use super::source::code_lines;
use super::{File, Finding, text_of};

/// The list of exceptions: `path lines reason` per line, `#` begins a comment.
pub(super) const FILE: &str = "xtask/tidy-ratchet.txt";
/// Lines of code a file should not exceed.
const TARGET: usize = 300;

pub(super) fn check(files: &[File], findings: &mut Vec<Finding>) {
    let list = text_of(files, FILE).unwrap_or_default();
    let mut excused = Vec::new();
    for (number, line) in list.lines().enumerate() {
        let Some(entry) = entry(line) else { continue };
        let Ok((path, limit)) = entry else {
            findings.push(Finding::new(FILE, number + 1, "expected `path lines reason`"));
            continue;
        };
        excused.push(path);
        let lines = text_of(files, path).map_or(0, code_lines);
        if lines > limit {
            let text = format!("{lines} lines of code; the ratchet says {limit}: split the file");
            findings.push(Finding::new(path, 1, text));
        } else if lines < limit {
            let text = format!("{path} has {lines} lines of code now: cargo xtask tidy --ratchet");
            findings.push(Finding::new(FILE, number + 1, text));
        }
    }
    for file in files.iter().filter(|f| f.path.ends_with(".rs")) {
        let lines = code_lines(&file.text);
        if lines > TARGET && !excused.contains(&file.path.as_str()) {
            let text = format!("{lines} lines of code; {TARGET} is the target: split the file");
            findings.push(Finding::new(&file.path, 1, text));
        }
    }
}

/// The list with every number that is too high lowered, and entries no longer needed removed.
pub(super) fn lowered(list: &str, files: &[File]) -> String {
    let mut out = String::new();
    for line in list.lines() {
        let Some(Ok((path, limit))) = entry(line) else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let lines = text_of(files, path).map_or(0, code_lines).min(limit);
        if lines > TARGET {
            let reason = line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
            // Writing to a string cannot fail.
            writeln!(out, "{path} {lines} {reason}").unwrap_or_default();
        }
    }
    out
}

/// One line of the list: nothing, an exception, or nonsense.
fn entry(line: &str) -> Option<Result<(&str, usize), ()>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_whitespace();
    let path = words.next();
    let limit = words.next().and_then(|w| w.parse().ok());
    let reason = words.next();
    Some(path.zip(limit).filter(|_| reason.is_some()).ok_or(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &str, lines: usize) -> Vec<File> {
        let file = |path: &str, text: String| File { path: path.to_owned(), text };
        vec![file(FILE, list.to_owned()), file("a/src/a.rs", "a();\n".repeat(lines))]
    }

    fn found(list: &str, lines: usize) -> Vec<String> {
        let mut findings = Vec::new();
        check(&files(list, lines), &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_within_the_target_needs_no_exception() {
        assert!(found("", TARGET).is_empty());
        assert_eq!(found("", TARGET + 1).len(), 1);
    }

    #[test]
    fn an_exception_holds_exactly() {
        assert!(found("# why\na/src/a.rs 350 table of events\n", 350).is_empty());
        assert_eq!(found("a/src/a.rs 350 table of events\n", 351).len(), 1);
        assert_eq!(found("a/src/a.rs 350 table of events\n", 349).len(), 1);
    }

    #[test]
    fn an_exception_needs_a_reason_and_a_file() {
        assert_eq!(found("a/src/a.rs 350\n", 10).len(), 1);
        assert_eq!(found("a/src/gone.rs 350 why\n", 10).len(), 1);
    }

    #[test]
    fn lowering_never_raises() {
        let list = "# why\na/src/a.rs 350 table of events\n";
        assert_eq!(lowered(list, &files(list, 340)), "# why\na/src/a.rs 340 table of events\n");
        assert_eq!(lowered(list, &files(list, 400)), list);
        assert_eq!(lowered(list, &files(list, 200)), "# why\n");
    }
}

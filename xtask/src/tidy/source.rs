//! Rules on one Rust file.

use super::Finding;
use crate::lexer;

/// Lines a file may have, whatever they are. No exceptions.
pub(super) const HARD_LIMIT: usize = 600;
/// Where `unsafe` may stand.
const UNSAFE_HOME: &str = "crates/audit-logging/src/ring";
/// The only files that may sleep, each with its reason. Tests never: they wait for what they wait
/// for, not for a clock.
const SLEEP_ALLOWED: &[(&str, &str)] = &[];

/// What no code may hold, tests included.
const NEVER: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
/// What code outside tests may not hold.
const NOT_IN_PRODUCTION: [&str; 3] = [".unwrap()", ".expect(", "panic!"];
/// Marks of unfinished work; split, so that this file does not hold them itself.
const MARKS: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn check(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let mut find = |line: usize, text: String| findings.push(Finding::new(path, line, text));
    let total = text.lines().count();
    if total > HARD_LIMIT {
        find(total, format!("{total} lines; the hard limit is {HARD_LIMIT}: split the file"));
    }
    if in_src(path) && !text.trim_start().starts_with("//!") {
        find(1, "a module opens with `//!`: what it is, and what must stay true in it".to_owned());
    }
    let code = lexer::code_only(text);
    let production = lexer::without_tests(&code);
    for (number, line) in text.lines().enumerate() {
        for mark in MARKS.iter().filter(|m| lexer::has_word(line, m)) {
            find(number + 1, format!("`{mark}`: finish it or write an issue"));
        }
    }
    for (number, line) in code.lines().enumerate() {
        for word in NEVER.iter().filter(|w| lexer::has_word(line, w)) {
            find(number + 1, format!("`{word}` is not for committed code"));
        }
        let sleeps = lexer::has_word(line, "thread::sleep");
        if sleeps && SLEEP_ALLOWED.iter().all(|(allowed, _)| *allowed != path) {
            find(number + 1, "`thread::sleep`: wait for the thing, not for a clock".to_owned());
        }
        if lexer::has_word(line, "unsafe") && !path.starts_with(UNSAFE_HOME) {
            find(number + 1, format!("`unsafe` lives under {UNSAFE_HOME} only"));
        }
    }
    if is_test(path) {
        return;
    }
    for (number, line) in production.lines().enumerate() {
        for word in NOT_IN_PRODUCTION.iter().filter(|w| lexer::has_word(line, w)) {
            find(number + 1, format!("`{word}` outside tests: return a typed error"));
        }
    }
}

/// Lines that hold code: no comments, no blank lines, no test items.
pub(super) fn code_lines(text: &str) -> usize {
    let code = lexer::without_tests(&lexer::code_only(text));
    code.lines().filter(|l| !l.trim().is_empty()).count()
}

/// Tests, benches, examples and the test kit.
pub(super) fn is_test(path: &str) -> bool {
    path.starts_with("crates/audit-testkit/")
        || path.ends_with("/tests.rs")
        || path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples" | "fuzz"))
}

fn in_src(path: &str) -> bool {
    path.split('/').any(|part| part == "src")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(path, text, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_clean_file_has_no_findings() {
        let text = "//! Header.\n\nfn a() -> Option<u8> { None }\n#[cfg(test)]\nmod t { fn b() { a().unwrap(); } }\n";
        assert_eq!(found("crates/a/src/lib.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_module_needs_a_header_under_src_only() {
        assert_eq!(found("crates/a/src/lib.rs", "fn a() {}\n").len(), 1);
        assert_eq!(found("crates/a/tests/b.rs", "fn a() {}\n").len(), 0);
    }

    #[test]
    fn unfinished_work_is_found_in_tests_too() {
        let text =
            format!("fn a() {{ todo!() }}\n#[ignore = \"x\"]\nfn b() {{}} // {}\n", MARKS[0]);
        let found = found("crates/a/tests/b.rs", &text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().any(|f| f.starts_with("crates/a/tests/b.rs:3: ")), "{found:?}");
    }

    #[test]
    fn unwrap_is_found_in_macros_but_not_in_comments_strings_or_tests() {
        let text = "//! x\n// a.unwrap()\nm!(a.unwrap(), \".unwrap()\");\n#[cfg(test)]\nmod t { fn f() { a.unwrap() } }\n";
        assert_eq!(found("crates/a/src/x.rs", text).len(), 1);
        assert_eq!(found("crates/a/benches/x.rs", "fn f() { a.unwrap() }\n").len(), 0);
    }

    #[test]
    fn sleeping_and_unsafe_are_found() {
        let text = "fn a() { std::thread::sleep(d); unsafe { b() } }\n";
        assert_eq!(found("crates/a/tests/b.rs", text).len(), 2);
        let text = "//! x\nfn a() { unsafe { b() } }\n";
        assert_eq!(found("crates/audit-logging/src/ring/map.rs", text).len(), 0);
    }

    #[test]
    fn the_hard_limit_counts_every_line() {
        let text = format!("//! x\n{}", "\n".repeat(HARD_LIMIT));
        assert_eq!(found("crates/a/src/x.rs", &text).len(), 1);
    }

    #[test]
    fn code_lines_leave_out_comments_blanks_and_tests() {
        let text =
            "//! x\n\n/// y\nfn a() {\n    b(); // c\n}\n#[cfg(test)]\nmod t {\n    fn d() {}\n}\n";
        assert_eq!(code_lines(text), 3);
    }
}

//! Rules on pages: white space, and links that lead somewhere.

use std::path::Path;

use super::{File, Finding, text_of};

/// No tabs, no white space at the end of a line, a line feed at the end of the file.
pub(super) fn white_space(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (number, line) in text.split('\n').enumerate() {
        if line.contains('\t') {
            findings.push(Finding::new(path, number + 1, "tab"));
        }
        if line.trim_end() != line {
            findings.push(Finding::new(path, number + 1, "white space at the end of the line"));
        }
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        let line = text.lines().count();
        findings.push(Finding::new(path, line, "the file ends in exactly one line feed"));
    }
}

/// Links to files of the repository lead to files that exist, and their `#anchors` to headings.
pub(super) fn check(
    path: &str,
    text: &str,
    files: &[File],
    root: &Path,
    findings: &mut Vec<Finding>,
) {
    for (line, target) in links(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let resolved = if file.is_empty() { Some(path.to_owned()) } else { resolve(path, file) };
        let Some(resolved) = resolved else {
            findings.push(Finding::new(path, line, format!("`{target}` leaves the repository")));
            continue;
        };
        let page = text_of(files, &resolved);
        if page.is_none() && !root.join(&resolved).exists() {
            findings.push(Finding::new(path, line, format!("no such file: `{target}`")));
        }
        let lost = page.is_some_and(|p| !anchor.is_empty() && !headings(p).any(|h| h == anchor));
        if lost {
            findings.push(Finding::new(path, line, format!("no such heading: `{target}`")));
        }
    }
}

/// `[text](target)` with its line number; code blocks and code spans left out.
pub(super) fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in outside_fences(text) {
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, _) in prose.match_indices("](") {
            let target = prose[at + 2..].split([')', ' ']).next().unwrap_or_default();
            found.push((number, target.to_owned()));
        }
    }
    found
}

/// The lines that are not in a fenced code block, with their numbers.
pub(super) fn outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number + 1, line))
    })
}

/// Headings as they are named in links: lower case, hyphens for spaces, punctuation dropped.
fn headings(text: &str) -> impl Iterator<Item = String> {
    outside_fences(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let title = line.trim_start_matches('#').trim();
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
            .collect()
    })
}

/// `target` as seen from the file `from`; `None` if it leads out of the repository.
pub(super) fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        return None;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_found_with_its_line() {
        let mut findings = Vec::new();
        white_space("a.md", "good\nbad \n\tbad\n\n", &mut findings);
        let lines: Vec<usize> = findings.iter().map(|f| f.line).collect();
        assert_eq!(lines, [2, 3, 4]);
        findings.clear();
        white_space("a.md", "good\n", &mut findings);
        assert!(findings.is_empty());
    }

    #[test]
    fn links_are_read_outside_code() {
        let text = "see [a](b.md) and [c](d.md#e) but not `[x](y.md)`\n```\n[f](g.md)\n```\n";
        assert_eq!(links(text), [(1, "b.md".to_owned()), (1, "d.md#e".to_owned())]);
    }

    #[test]
    fn paths_resolve_from_the_page() {
        assert_eq!(resolve("docs/a.md", "b.md").as_deref(), Some("docs/b.md"));
        assert_eq!(resolve("docs/a.md", "../README.md").as_deref(), Some("README.md"));
        assert_eq!(resolve("docs/a.md", "../../x.md"), None);
        assert_eq!(resolve("a.md", "/etc/hosts"), None);
    }

    #[test]
    fn lost_files_and_headings_are_found() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let text =
            "[1](b.md) [2](b.md#big-day) [3](c.md) [4](b.md#no) [5](../x) [6](https://x.org)\n";
        let files = [file("a.md", text), file("b.md", "# Big day!\n")];
        let mut findings = Vec::new();
        check("a.md", text, &files, Path::new("nowhere"), &mut findings);
        let texts: Vec<&str> = findings.iter().map(|f| f.text.as_str()).collect();
        assert_eq!(
            texts,
            ["no such file: `c.md`", "no such heading: `b.md#no`", "`../x` leaves the repository",]
        );
    }
}

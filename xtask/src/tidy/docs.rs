//! Pages that must agree with the code: README, the dependencies, the critical events, the
//! decisions.

use std::collections::{BTreeMap, BTreeSet};

use super::markdown::{links, resolve};
use super::{File, Finding, house, text_of};
use crate::metadata::Metadata;

const README: &str = "README.md";
const README_LIMIT: usize = 120;
/// Stands where a figure is to come.
const TO_COME: &str = "TBD";
const EVENTS: &str = "docs/events.md";
const DEPENDENCIES: &str = "docs/dependencies.md";
const DECISIONS: &str = "docs/decisions/";
const CORE_EVENTS: &str = "crates/audit-core/src/event/";
const CRITICAL: &str = "CRITICAL_EVENT_TYPES";
const BEGIN: &str = "<!-- critical events -->";
const END: &str = "<!-- end of critical events -->";

pub(super) fn check(files: &[File], metadata: &Metadata, findings: &mut Vec<Finding>) {
    for page in [README, EVENTS, DEPENDENCIES, "docs/decisions/README.md"] {
        if text_of(files, page).is_none() {
            findings.push(Finding::new(page, 1, "the page is missing"));
        }
    }
    let text = |path| text_of(files, path).unwrap_or_default();
    readme_length(text(README), findings);
    readme_finished(text(README), findings);
    dependencies(text(DEPENDENCIES), metadata, findings);
    critical_events(files, findings);
    decisions(files, findings);
}

/// One screen, and what is folded away.
fn readme_length(text: &str, findings: &mut Vec<Finding>) {
    let mut folded = false;
    let mut lines = 0;
    for line in text.lines() {
        folded |= line.trim() == "<details>";
        lines += usize::from(!folded);
        folded &= line.trim() != "</details>";
    }
    if lines > README_LIMIT {
        let text = format!("{lines} lines outside <details>; {README_LIMIT} are enough");
        findings.push(Finding::new(README, lines, text));
    }
}

/// Nothing is still to come.
fn readme_finished(text: &str, findings: &mut Vec<Finding>) {
    for (number, line) in text.lines().enumerate() {
        if line.contains(TO_COME) {
            let text = format!("`{TO_COME}`: put in what was measured, or leave it out");
            findings.push(Finding::new(README, number + 1, text));
        }
    }
}

/// A table row per direct dependency: `` | `name` | `crate`, `crate` | reason | ``.
fn dependencies(text: &str, metadata: &Metadata, findings: &mut Vec<Finding>) {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, deps) in &metadata.crates {
        for (dep, _) in deps.iter().filter(|(dep, _)| !metadata.crates.contains_key(dep)) {
            used.entry(dep).or_default().insert(name);
        }
    }
    for (number, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", name, users, reason, ""] = cells.as_slice() else { continue };
        let Some(name) = ticked(name).next() else { continue };
        let mut find = |text: String| findings.push(Finding::new(DEPENDENCIES, number + 1, text));
        let Some(expected) = used.remove(name) else {
            find(format!("`{name}` is no direct dependency, or is listed twice"));
            continue;
        };
        if ticked(users).collect::<BTreeSet<_>>() != expected {
            let expected = expected.iter().map(|u| format!("`{u}`")).collect::<Vec<_>>();
            find(format!("`{name}` is used by {}", expected.join(", ")));
        }
        if reason.is_empty() {
            find(format!("`{name}` has no reason"));
        }
    }
    for (dep, users) in used {
        let user = users.first().copied().unwrap_or_default();
        let text = format!("`{dep}` is not in {DEPENDENCIES}: say why it is needed");
        findings.push(Finding::new(&house::manifest(user), 1, text));
    }
}

/// The code's list, the catalogue's column C and the README's list are one.
fn critical_events(files: &[File], findings: &mut Vec<Finding>) {
    let in_code = files.iter().filter(|f| f.path.starts_with(CORE_EVENTS));
    let Some(in_code) = in_code.filter_map(|f| const_strings(&f.text)).next() else {
        let text = format!("no `const {CRITICAL}: [&str; 10] = [\"…\", …];` in {CORE_EVENTS}*.rs");
        findings.push(Finding::new("crates/audit-core/src/event/mod.rs", 1, text));
        return;
    };
    let lists = [
        (README, marked_list(text_of(files, README).unwrap_or_default())),
        (EVENTS, column_c(text_of(files, EVENTS).unwrap_or_default())),
    ];
    for (page, list) in lists {
        for missing in in_code.difference(&list) {
            let text = format!("`{missing}` is critical in the code and not here");
            findings.push(Finding::new(page, 1, text));
        }
        for extra in list.difference(&in_code) {
            let text = format!("`{extra}` is critical here and not in the code");
            findings.push(Finding::new(page, 1, text));
        }
    }
}

/// The strings of the const array in the source text of the core.
fn const_strings(source: &str) -> Option<BTreeSet<&str>> {
    let (_, rest) = source.split_once(&format!("const {CRITICAL}:"))?;
    let (_, rest) = rest.split_once('=')?;
    let (list, _) = rest.split_once("];")?;
    Some(list.split('"').skip(1).step_by(2).collect())
}

/// What stands in ticks between the two markers.
fn marked_list(text: &str) -> BTreeSet<&str> {
    let list = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    list.map(|(list, _)| ticked(list).collect()).unwrap_or_default()
}

/// The types of the rows `` | Variant | `type` | C | … ``.
fn column_c(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells.get(3) == Some(&"C")).then(|| cells.get(2).and_then(|c| ticked(c).next()))?
        })
        .collect()
}

/// What stands between single back-ticks.
fn ticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Every record is linked from the list.
fn decisions(files: &[File], findings: &mut Vec<Finding>) {
    let index = format!("{DECISIONS}README.md");
    let linked: BTreeSet<String> = links(text_of(files, &index).unwrap_or_default())
        .into_iter()
        .filter_map(|(_, target)| resolve(&index, &target))
        .collect();
    for file in files.iter().filter(|f| f.path.starts_with(DECISIONS)) {
        if file.path != index && !linked.contains(&file.path) {
            let text = format!("{} is not linked here", file.path);
            findings.push(Finding::new(&index, 1, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Kind;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn texts(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|f| f.text.as_str()).collect()
    }

    #[test]
    fn the_readme_is_one_screen_and_what_is_folded() {
        let mut findings = Vec::new();
        readme_length(&"x\n".repeat(README_LIMIT), &mut findings);
        let folded = format!("<details>\n{}</details>\n", "x\n".repeat(500));
        readme_length(&folded, &mut findings);
        assert!(findings.is_empty());
        readme_length(&"x\n".repeat(README_LIMIT + 1), &mut findings);
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn the_readme_has_no_gaps() {
        let mut findings = Vec::new();
        readme_finished("measured: 3 µs\n", &mut findings);
        assert!(findings.is_empty());
        readme_finished("a\n| x | TBD-MEASURE |\nTBD\n", &mut findings);
        let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn every_dependency_has_its_users_and_a_reason() {
        let mut metadata = Metadata::default();
        let deps = [("sha2", Kind::Normal), ("uuid", Kind::Dev), ("b", Kind::Normal)];
        let deps = deps.map(|(name, kind)| (name.to_owned(), kind));
        metadata.crates.insert("a".to_owned(), deps.into());
        metadata.crates.insert("b".to_owned(), BTreeSet::new());
        let mut findings = Vec::new();
        let good = "| `sha2` | `a` | hashes |\n| `uuid` | `a` | ids |\n";
        dependencies(good, &metadata, &mut findings);
        assert_eq!(texts(&findings), Vec::<&str>::new());
        let bad = "| `sha2` | `b` | |\n| `serde` | `a` | why |\n";
        dependencies(bad, &metadata, &mut findings);
        assert_eq!(findings.len(), 4, "{findings:?}");
    }

    #[test]
    fn the_lists_of_critical_events_agree() {
        let code =
            "pub const CRITICAL_EVENT_TYPES: [&str; 2] = [\n    \"a.b\",\n    \"c.d\",\n];\n";
        let readme = format!("{BEGIN}\n`a.b`, `c.d`\n{END}\n");
        let events = "| A | `a.b` | C | x |\n| B | `e.f` | | x |\n| C | `c.d` | C | x |\n";
        let core = "crates/audit-core/src/event/critical.rs";
        let mut files = vec![file(core, code), file(README, &readme), file(EVENTS, events)];
        let mut findings = Vec::new();
        critical_events(&files, &mut findings);
        assert_eq!(texts(&findings), Vec::<&str>::new());
        files[2].text = "| A | `a.b` | C | x |\n| B | `e.f` | C | x |\n".to_owned();
        critical_events(&files, &mut findings);
        assert_eq!(findings.len(), 2, "{findings:?}");
        files.remove(0);
        findings.clear();
        critical_events(&files, &mut findings);
        assert!(texts(&findings)[0].contains(CRITICAL));
    }

    #[test]
    fn decisions_are_linked() {
        let files = [
            file("docs/decisions/README.md", "[one](0001-a.md)\n"),
            file("docs/decisions/0001-a.md", "# a\n"),
            file("docs/decisions/0002-b.md", "# b\n"),
        ];
        let mut findings = Vec::new();
        decisions(&files, &mut findings);
        assert_eq!(texts(&findings), ["docs/decisions/0002-b.md is not linked here"]);
    }
}

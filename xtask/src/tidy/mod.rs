//! `cargo xtask tidy`: style as a test. Each rule is a function on text, so that it can be tested
//! on small strings; this module only walks the repository and prints.

mod docs;
mod house;
mod markdown;
mod ratchet;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::metadata;

/// Where a rule is broken, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// A text file of the repository; the path is relative to its top, with `/`.
#[derive(Debug)]
struct File {
    path: String,
    text: String,
}

/// Runs every rule and prints what it finds.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let files = read_tree(root)?;
    let metadata = metadata::load(root)?;
    let mut findings = Vec::new();
    for file in &files {
        if file.path.ends_with(".rs") {
            source::check(&file.path, &file.text, &mut findings);
        }
        if file.path.ends_with(".md") {
            markdown::check(&file.path, &file.text, &files, root, &mut findings);
        }
        markdown::white_space(&file.path, &file.text, &mut findings);
    }
    ratchet::check(&files, &mut findings);
    docs::check(&files, &metadata, &mut findings);
    house::check(&metadata, &mut findings);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("{} files, {} crates: tidy", files.len(), metadata.crates.len());
            Ok(())
        }
        n => Err(format!("{n} places are not tidy")),
    }
}

/// Lowers the numbers of the ratchet to what is there.
pub(crate) fn lower_ratchet(root: &Path) -> Result<(), String> {
    let files = read_tree(root)?;
    let path = root.join(ratchet::FILE);
    let old = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", ratchet::FILE))?;
    fs::write(&path, ratchet::lowered(&old, &files)).map_err(|e| format!("{}: {e}", ratchet::FILE))
}

/// Every `.rs`, `.md` and ratchet file, in order of path; build output, hidden directories and the
/// frozen trails left out.
fn read_tree(root: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<File>) -> Result<(), String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("{}: {e}", dir.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(|e| format!("{path}: {e}"))?;
        if kind.is_dir() {
            let skipped = name.starts_with('.') || path == "fixtures" || name == "target";
            if !skipped {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind.is_file()
            && (name.ends_with(".rs") || name.ends_with(".md") || path == ratchet::FILE)
        {
            let text = fs::read_to_string(entry.path()).map_err(|e| format!("{path}: {e}"))?;
            files.push(File { path, text });
        }
    }
    Ok(())
}

fn text_of<'a>(files: &'a [File], path: &str) -> Option<&'a str> {
    files.iter().find(|f| f.path == path).map(|f| f.text.as_str())
}

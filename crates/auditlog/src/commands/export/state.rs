//! How far an export is, in a file.
//!
//! What must stay true here: it is replaced whole and durably, so a crash leaves the old one or the new
//! one; it is of one trail, and is never used for another. It is there before the first record is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::marks::{Mark, Marks};
use crate::error::CliError;

/// What stands in the place of a cursor before the first one, followed by how long the output was.
const BEGUN: &str = "begun ";

/// A cursor that survives a crash, as lines: the origin, the cursor, the hash of its entry, and some of the
/// marks before it. An earlier version wrote the first two.
#[derive(Debug)]
pub(super) struct CursorFile {
    path: PathBuf,
    origin: String,
    at: At,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Nowhere,
    /// Records are being written behind so many bytes of the output.
    Begun(u64),
    Behind(Marks),
}

impl CursorFile {
    /// Reads it; one that is not there yet is at the beginning.
    pub(super) fn open(path: &Path, origin: &str) -> Result<CursorFile, CliError> {
        let refuse = |what: String, next| CliError::Usage { what, next };
        let at = match fs::read_to_string(path) {
            Ok(text) => {
                let (of, rest) = text.split_once('\n').unwrap_or((&text, ""));
                if of != origin {
                    let what = format!("{} is the cursor of another trail", path.display());
                    return Err(refuse(
                        what,
                        "give each trail and each export a cursor of its own",
                    ));
                }
                At::parse(rest).ok_or_else(|| {
                    let what = format!("{} holds no cursor", path.display());
                    refuse(what, "remove it to export the trail from its beginning")
                })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => At::Nowhere,
            Err(error) => {
                let what = format!("cannot read {}: {error}", path.display());
                return Err(refuse(what, "give a file that you may read and write"));
            }
        };
        Ok(CursorFile { path: path.to_owned(), origin: origin.to_owned(), at })
    }

    /// Where the export was.
    pub(super) fn marks(&self) -> Marks {
        match &self.at {
            At::Behind(marks) => marks.clone(),
            At::Nowhere | At::Begun(_) => Marks::default(),
        }
    }

    /// How long the output was before the first record, if no batch was finished since.
    pub(super) const fn begun(&self) -> Option<u64> {
        match self.at {
            At::Begun(len) => Some(len),
            _ => None,
        }
    }

    /// Says that what stands behind so many bytes of the output is of this export.
    pub(super) fn begin(&mut self, len: u64) -> Result<(), CliError> {
        self.replace(At::Begun(len))
    }

    /// Says that everything up to the newest of these is written.
    pub(super) fn advance(&mut self, marks: &Marks) -> Result<(), CliError> {
        if marks.newest().is_none() || *marks == self.marks() {
            return Ok(());
        }
        self.replace(At::Behind(marks.clone()))
    }

    fn replace(&mut self, at: At) -> Result<(), CliError> {
        write(&self.path, &format!("{}\n{}", self.origin, at.text())).map_err(|error| {
            CliError::Usage {
                what: format!("cannot write {}: {error}", self.path.display()),
                next: "records since the last cursor will come again",
            }
        })?;
        self.at = at;
        Ok(())
    }
}

impl At {
    fn parse(text: &str) -> Option<At> {
        let mut lines = text.lines();
        let first = lines.next()?;
        if let Some(len) = first.strip_prefix(BEGUN) {
            return Some(At::Begun(len.parse().ok()?));
        }
        // The hash has a line of its own: whoever knows of none reads the cursor.
        let newest = match lines.next() {
            None => first.to_owned(),
            Some(hash) => format!("{first} {hash}"),
        };
        let marks = [newest.as_str()].into_iter().chain(lines).map(|line| line.parse().ok());
        Some(At::Behind(Marks::new(marks.collect::<Option<Vec<Mark>>>()?)))
    }

    fn text(&self) -> String {
        match self {
            At::Nowhere => String::new(),
            At::Begun(len) => format!("{BEGUN}{len}\n"),
            At::Behind(marks) => {
                let lines: String = marks.iter().map(|mark| format!("{mark}\n")).collect();
                lines.replacen(' ', "\n", 1)
            }
        }
    }
}

/// Puts a text in the place of a file, durably.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The rename is durable when the directory is.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

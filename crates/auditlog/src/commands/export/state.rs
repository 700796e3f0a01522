//! How far an export is, in a file.
//!
//! What must stay true here: it is replaced whole and durably, so a crash leaves the old one or the new
//! one; it is of one trail, and is never used for another.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use audit_reader::Cursor;

use crate::error::CliError;

/// A cursor that survives a crash: two lines, the origin and the cursor.
#[derive(Debug)]
pub(super) struct CursorFile {
    path: PathBuf,
    origin: String,
    cursor: Option<Cursor>,
}

impl CursorFile {
    /// Reads it; one that is not there yet is at the beginning.
    pub(super) fn open(path: &Path, origin: &str) -> Result<CursorFile, CliError> {
        let refuse = |what: String, next| CliError::Usage { what, next };
        let cursor = match fs::read_to_string(path) {
            Ok(text) => {
                let mut lines = text.lines();
                let (of, at) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
                if of != origin {
                    let what = format!("{} is the cursor of another trail", path.display());
                    return Err(refuse(
                        what,
                        "give each trail and each export a cursor of its own",
                    ));
                }
                let cursor = at.parse().map_err(|_| {
                    let what = format!("{} holds no cursor", path.display());
                    refuse(what, "remove it to export the trail from its beginning")
                })?;
                Some(cursor)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let what = format!("cannot read {}: {error}", path.display());
                return Err(refuse(what, "give a file that you may read and write"));
            }
        };
        Ok(CursorFile { path: path.to_owned(), origin: origin.to_owned(), cursor })
    }

    pub(super) const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Says that everything up to this entry is written.
    pub(super) fn advance(&mut self, cursor: Cursor) -> Result<(), CliError> {
        if self.cursor == Some(cursor) {
            return Ok(());
        }
        self.replace(cursor).map_err(|error| CliError::Usage {
            what: format!("cannot write {}: {error}", self.path.display()),
            next: "records since the last cursor will come again",
        })?;
        self.cursor = Some(cursor);
        Ok(())
    }

    fn replace(&self, cursor: Cursor) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let new = PathBuf::from(name);
        let mut file = File::create(&new)?;
        writeln!(file, "{}\n{cursor}", self.origin)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The rename is durable when the directory is.
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }
}

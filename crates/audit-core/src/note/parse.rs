//! Reading a note.
//!
//! What must stay true here: the text ends at the *last* empty line, so a text may hold empty lines,
//! and even lines that look like signatures, without becoming another note.

use super::error::{NoteError, NoteErrorKind as Kind};
use super::line::NoteSignature;
use super::{MAX_NOTE, SignedNote};

impl SignedNote {
    /// Reads a note. That it is well-formed says nothing about whether its signatures are true.
    ///
    /// # Errors
    /// [`NoteError`] if it is not one.
    pub fn parse(bytes: &[u8]) -> Result<SignedNote, NoteError> {
        let note = check_text(bytes)?;
        let Some(at) = note.rfind("\n\n") else {
            let expected = "an empty line and signatures";
            return Err(NoteError::at(Kind::Structure, bytes, note.len(), expected));
        };
        let signatures = NoteSignature::parse_at(note, at + 2)?;
        Ok(SignedNote { text: note[..=at].to_owned(), signatures })
    }
}

/// What signed-note allows anywhere in a note, text and signatures.
pub(super) fn check_text(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > MAX_NOTE {
        return Err(NoteError::at(Kind::TooLong, bytes, MAX_NOTE, "at most 1,000,000 bytes"));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte < 0x20 && *byte != b'\n') {
        let expected = "no control character but LF";
        return Err(NoteError::at(Kind::ControlCharacter, bytes, at, expected));
    }
    std::str::from_utf8(bytes)
        .map_err(|error| NoteError::at(Kind::NotUtf8, bytes, error.valid_up_to(), "UTF-8"))
}

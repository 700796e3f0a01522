//! JSON that was found well formed.
//!
//! What must stay true here: a [`JsonObject`] is one well-formed JSON object, for its only
//! constructors check that; transcoding it cannot fail.

use super::{Cursor, SyntaxError};

/// One well-formed JSON object, as text. Its strings may hold control characters unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonObject(String);

impl JsonObject {
    /// Checks that a text is one JSON object, of any depth, white space allowed.
    pub fn parse(text: &str) -> Result<JsonObject, SyntaxError> {
        let mut cursor = Cursor::new(text);
        let object = JsonObject::read(&mut cursor)?;
        cursor.end()?;
        Ok(object)
    }

    /// Reads one at the cursor.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<JsonObject, SyntaxError> {
        match cursor.peek() {
            Some(b'{') => Ok(JsonObject(cursor.value()?.to_owned())),
            _ => cursor.expected("an object"),
        }
    }

    /// The text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

//! Standard output, with colours or without.
//!
//! What must stay true here: colours only where somebody sees them, and nothing from a trail
//! reaches a terminal unescaped.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use audit_core::text::is_forbidden;
use clap::ValueEnum;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A colour, by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    Good,
    Bad,
    Warn,
    Dim,
}

/// Standard output.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    colored: bool,
    /// For machines instead of people.
    pub(crate) json: bool,
}

impl Output {
    pub(crate) fn new(choice: ColorChoice, json: bool) -> Output {
        let stdout = io::stdout();
        let wanted = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        };
        Output { out: BufWriter::new(stdout.lock()), colored: wanted && !json, json }
    }

    /// Whether there are colours.
    #[cfg(feature = "sql")]
    pub(crate) const fn is_colored(&self) -> bool {
        self.colored
    }

    /// The text, in a colour if there are colours. It must be free of control characters.
    pub(crate) fn paint(&self, color: Color, text: &str) -> String {
        if !self.colored {
            return text.to_owned();
        }
        let code = match color {
            Color::Good => "32",
            Color::Bad => "1;31",
            Color::Warn => "33",
            Color::Dim => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A number of bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::DecimalBytes(count).to_string()
}

/// Bytes of any origin as text that a terminal shows and does not obey.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_forbidden(c) {
                text.extend(c.escape_unicode());
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().flat_map(|byte| byte.escape_ascii()).map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_hostile_is_left() {
        assert_eq!(escape("größe 漢 🔒 \"\\".as_bytes()), "größe 漢 🔒 \"\\");
        assert_eq!(escape(b"a\x1b[31m\xff\xc3\r\n"), r"a\u{1b}[31m\xff\xc3\u{d}\u{a}");
        assert_eq!(escape("\u{202e}\u{9b}".as_bytes()), r"\u{202e}\u{9b}");
    }
}

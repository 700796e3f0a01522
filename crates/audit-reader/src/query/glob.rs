//! Patterns of event types: `*` is any run of characters, `?` any one.
//!
//! What must stay true here: matching takes a few instructions for each character of the type,
//! whatever the pattern: the places in the pattern that can be reached are the bits of one number,
//! and nothing is ever tried again.

use std::fmt;
use std::sync::Arc;

use audit_core::event::event_type::MAX_LEN;

/// A pattern of event types.
///
/// ```
/// use audit_reader::TypeGlob;
/// assert!(TypeGlob::new("auth.*").matches("auth.failure"));
/// assert!(!TypeGlob::new("auth.*").matches("authz.denied"));
/// assert!(TypeGlob::new("*.permission_change?").matches("authz.permission_changed"));
/// ```
#[derive(Clone)]
pub struct TypeGlob {
    pattern: Arc<str>,
    /// `None` if no type is long enough for it.
    machine: Option<Arc<Machine>>,
}

/// Bit `i` of a set of places says that the first `i + 1` characters of the pattern, stars left
/// out, are matched.
struct Machine {
    /// For each byte, the characters of the pattern it is or may be.
    accepts: [u128; 256],
    /// After which characters there is a star.
    star_after: u128,
    star_first: bool,
    /// How many characters there are.
    len: usize,
    /// What a matching type begins with, and what it ends with.
    prefix: String,
    suffix: String,
}

impl TypeGlob {
    /// Reads a pattern; every text is one.
    #[must_use]
    pub fn new(pattern: &str) -> TypeGlob {
        TypeGlob {
            machine: Machine::new(pattern.as_bytes()).map(Arc::new),
            pattern: pattern.into(),
        }
    }

    /// Whether this type matches.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        self.machine.as_ref().is_some_and(|machine| machine.matches(event_type.as_bytes()))
    }

    /// The one type that matches, if no other can.
    #[cfg(feature = "index")]
    pub(crate) fn literal(&self) -> Option<&str> {
        let literal = !self.pattern.contains(['*', '?']);
        literal.then_some(&self.pattern)
    }

    /// As a needle that stands in the line of every entry whose type matches, if there is one.
    pub(super) fn needle(&self) -> Option<String> {
        let Some(machine) = &self.machine else { return Some(format!("\"{}\"", self.pattern)) };
        let (prefix, suffix) = (&machine.prefix, &machine.suffix);
        if prefix.len() == self.pattern.len() {
            Some(format!("\"{prefix}\""))
        } else if prefix.len() >= suffix.len() && !prefix.is_empty() {
            Some(format!("\"{prefix}"))
        } else if !suffix.is_empty() {
            Some(format!("{suffix}\""))
        } else {
            None
        }
    }
}

impl fmt::Debug for TypeGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypeGlob").field(&self.pattern).finish()
    }
}

impl Machine {
    fn new(pattern: &[u8]) -> Option<Machine> {
        let literal = |byte: &u8| !matches!(byte, b'*' | b'?');
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let mut suffix: Vec<u8> = pattern.iter().rev().copied().take_while(literal).collect();
        suffix.reverse();
        let mut machine = Machine {
            accepts: [0; 256],
            star_after: 0,
            star_first: false,
            len: 0,
            prefix: text(pattern.iter().copied().take_while(literal).collect()),
            suffix: text(suffix),
        };
        for byte in pattern {
            let place = 1u128.checked_shl(u32::try_from(machine.len).ok()?);
            match byte {
                b'*' if machine.len == 0 => machine.star_first = true,
                b'*' => machine.star_after |= 1 << (machine.len - 1),
                b'?' => {
                    machine.accepts.iter_mut().for_each(|accepts| *accepts |= place.unwrap_or(0));
                }
                byte => machine.accepts[usize::from(*byte)] |= place.unwrap_or(0),
            }
            machine.len += usize::from(*byte != b'*');
            if machine.len > MAX_LEN {
                return None;
            }
        }
        Some(machine)
    }

    fn matches(&self, text: &[u8]) -> bool {
        let (mut places, mut start) = (0u128, true);
        for byte in text {
            let next = (places << 1 | u128::from(start)) & self.accepts[usize::from(*byte)];
            places = next | (places & self.star_after);
            start &= self.star_first;
        }
        match self.len.checked_sub(1) {
            None => start,
            Some(last) => places >> last & 1 == 1,
        }
    }
}

const _: () = assert!(MAX_LEN == u128::BITS as usize, "a pattern's characters are bits");

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// The definition.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => slow(rest, text),
            (Some((b'*', rest)), Some((_, tail))) => slow(rest, text) || slow(pattern, tail),
            (Some((p, rest)), Some((c, tail))) => (*p == b'?' || p == c) && slow(rest, tail),
            _ => false,
        }
    }

    #[test]
    fn every_short_pattern_matches_what_it_should() {
        let texts = |alphabet: &[u8], most: usize| {
            let mut all = vec![Vec::new()];
            let mut from = 0;
            for _ in 0..most {
                let upto = all.len();
                for at in from..upto {
                    for c in alphabet {
                        all.push([all[at].as_slice(), &[*c]].concat());
                    }
                }
                from = upto;
            }
            all
        };
        for pattern in texts(b"ab*?", 5) {
            let glob = TypeGlob::new(std::str::from_utf8(&pattern).unwrap());
            for text in texts(b"ab", 5) {
                let text_str = std::str::from_utf8(&text).unwrap();
                let matches = glob.matches(text_str);
                assert_eq!(matches, slow(&pattern, &text), "{glob:?} on {text_str:?}");
                let line = format!("\"{text_str}\"");
                let needle = glob.needle().unwrap_or_default();
                assert!(!matches || line.contains(&needle), "{glob:?} on {line}: {needle}");
            }
        }
    }

    #[test]
    fn ten_thousand_stars_and_the_longest_types() {
        let longest = "a.".repeat(MAX_LEN / 2);
        let began = Instant::now();
        for (pattern, expected) in [
            ("*".repeat(10_000), true),
            (format!("{}b", "a*".repeat(10_000)), false),
            (format!("{}b", "a*".repeat(60)), false),
            (format!("{}.", "*?".repeat(MAX_LEN - 1)), true),
            ("?".repeat(MAX_LEN), true),
            ("?".repeat(MAX_LEN + 1), false),
            (longest.clone(), true),
            (format!("{longest}*"), true),
            (format!("*{longest}"), true),
            (format!("{longest}a"), false),
        ] {
            let glob = TypeGlob::new(&pattern);
            for _ in 0..1_000 {
                assert_eq!(glob.matches(&longest), expected, "{pattern}");
            }
        }
        // A matcher that tries again would take longer than the universe has.
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}

//! Values shaped like secrets, found by a rare byte each of them has (its anchor).
//!
//! What must stay true here: matches come in order and do not overlap; every one begins at an
//! ASCII byte and ends before one or at the end of the text; a failed attempt looks at a bounded
//! number of bytes, or at bytes no later attempt looks at again, so time is linear.

use std::ops::Range;

use memchr::memmem;

use super::{Rule, card};
use crate::text::class::CLASS;

/// Reports every secret that one of the anchors leads to.
pub(super) fn find_all(text: &[u8], anchors: u8, mut report: impl FnMut(Rule, Range<usize>)) {
    let mut finder = Finder { text, done: 0, run_end: 0 };
    let mut at = 0;
    while let Some(step) = text[at..].iter().position(|b| CLASS[usize::from(*b)] & anchors != 0) {
        at += step;
        match finder.secret_around(at) {
            Some((rule, range)) if range.start >= finder.done => {
                at = range.end.max(at + 1);
                finder.done = range.end;
                report(rule, range);
            }
            _ if text[at].is_ascii_digit() => at += card::digits_from(text, at),
            _ => at += 1,
        }
    }
}

struct Finder<'t> {
    text: &'t [u8],
    /// End of the last match.
    done: usize,
    /// Up to here no JWT can begin.
    run_end: usize,
}

impl Finder<'_> {
    fn secret_around(&mut self, anchor: usize) -> Option<(Rule, Range<usize>)> {
        match self.text[anchor] {
            b'J' => self.jwt(anchor).map(|range| (Rule::Jwt, range)),
            b'I' => self.cloud_key_or_pem(anchor),
            b'_' => self.prefixed_token(anchor),
            b'x' => self.slack(anchor).map(|range| (Rule::SlackToken, range)),
            b' ' => self.auth_header(anchor).map(|range| (Rule::AuthHeader, range)),
            _ => card::at(self.text, anchor).map(|range| (Rule::PaymentCard, range)),
        }
    }

    /// Where a literal that has its anchor at `offset` would begin.
    fn literal(&self, anchor: usize, offset: usize, literal: &[u8]) -> Option<usize> {
        let start = anchor.checked_sub(offset)?;
        self.text[start..].starts_with(literal).then_some(start)
    }

    /// The end of the run of bytes from `from` on that `belongs` holds for.
    fn run(&self, from: usize, belongs: fn(u8) -> bool) -> usize {
        self.text[from..]
            .iter()
            .position(|b| !belongs(*b))
            .map_or(self.text.len(), |length| from + length)
    }

    fn begins_word(&self, start: usize) -> bool {
        start == 0 || !self.text[start - 1].is_ascii_alphanumeric()
    }

    fn jwt(&mut self, anchor: usize) -> Option<Range<usize>> {
        let start = self.literal(anchor, 2, b"eyJ").filter(|start| *start >= self.run_end)?;
        let header = self.run(start, is_base64url);
        self.run_end = header;
        if header - start < 10 || self.text.get(header) != Some(&b'.') {
            return None;
        }
        let payload = self.run(header + 1, is_base64url);
        if payload - header < 4 || self.text.get(payload) != Some(&b'.') {
            return None;
        }
        let mut end = self.run(payload + 1, is_base64url);
        // An encrypted one (JWE) has two parts more.
        for _ in 0..2 {
            if self.text.get(end) == Some(&b'.') {
                let next = self.run(end + 1, is_base64url);
                if next == end + 1 {
                    break;
                }
                end = next;
            }
        }
        Some(start..end)
    }

    fn cloud_key_or_pem(&self, anchor: usize) -> Option<(Rule, Range<usize>)> {
        if let Some(start) = self.literal(anchor, 8, b"-----BEGIN ") {
            return self.pem(start).map(|range| (Rule::Pem, range));
        }
        if let Some(start) = self.literal(anchor, 1, b"AIza") {
            let end = (start + 39).min(self.text.len());
            let whole = end - start == 39 && self.text[start..end].iter().all(|b| is_base64url(*b));
            return (whole && self.begins_word(start)).then_some((Rule::GcpKey, start..end));
        }
        let start =
            self.literal(anchor, 2, b"AKIA").or_else(|| self.literal(anchor, 2, b"ASIA"))?;
        let end = start + 20;
        let whole = self.text.get(start..end)?.iter().all(|b| is_upper_alphanumeric(*b))
            && self.text.get(end).is_none_or(|b| !b.is_ascii_alphanumeric());
        (whole && self.begins_word(start)).then_some((Rule::AwsKey, start..end))
    }

    fn pem(&self, start: usize) -> Option<Range<usize>> {
        let label_start = start + b"-----BEGIN ".len();
        let label = &self.text[label_start..self.text.len().min(label_start + 64)];
        let label = &label[..memmem::find(label, b"-----")?];
        memmem::find(label, b"PRIVATE KEY")?;
        // Without its end line it was cut off: then all that follows is key.
        let body = label_start + label.len() + 5;
        let end = match memmem::find(&self.text[body..], b"-----END ") {
            None => self.text.len(),
            Some(at) => {
                let label = body + at + b"-----END ".len();
                match memmem::find(&self.text[label..self.text.len().min(label + 69)], b"-----") {
                    Some(length) => label + length + 5,
                    None => self.text.len(),
                }
            }
        };
        Some(start..end)
    }

    fn prefixed_token(&self, anchor: usize) -> Option<(Rule, Range<usize>)> {
        const PREFIXES: [(&[u8], usize, usize, Rule); 10] = [
            (b"ghp_", 3, 20, Rule::GithubToken),
            (b"gho_", 3, 20, Rule::GithubToken),
            (b"ghu_", 3, 20, Rule::GithubToken),
            (b"ghs_", 3, 20, Rule::GithubToken),
            (b"ghr_", 3, 20, Rule::GithubToken),
            (b"github_pat_", 6, 20, Rule::GithubToken),
            (b"sk_live_", 2, 10, Rule::StripeKey),
            (b"rk_live_", 2, 10, Rule::StripeKey),
            (b"sk_test_", 2, 10, Rule::StripeKey),
            (b"rk_test_", 2, 10, Rule::StripeKey),
        ];
        PREFIXES.iter().find_map(|(prefix, offset, shortest, rule)| {
            let start = self.literal(anchor, *offset, prefix)?;
            if !self.begins_word(start) {
                return None;
            }
            let secret = start + prefix.len();
            let end = self.run(secret, is_word);
            (end - secret >= *shortest).then_some((*rule, start..end))
        })
    }

    fn slack(&self, anchor: usize) -> Option<Range<usize>> {
        let start = self.literal(anchor, 0, b"xox").filter(|start| self.begins_word(*start))?;
        let kind = self.text.get(start + 3)?;
        if !kind.is_ascii_lowercase() || self.text.get(start + 4) != Some(&b'-') {
            return None;
        }
        let end = self.run(start + 5, is_base64url);
        (end - start >= 15).then_some(start..end)
    }

    /// The credentials after `Bearer` or `Basic`, which stay to say what stood there.
    fn auth_header(&self, anchor: usize) -> Option<Range<usize>> {
        let scheme = |name: &[u8]| {
            anchor.checked_sub(name.len()).is_some_and(|start| {
                self.text[start..anchor].eq_ignore_ascii_case(name) && self.begins_word(start)
            })
        };
        let bearer = scheme(b"bearer");
        if !bearer && !scheme(b"basic") {
            return None;
        }
        let start = self.run(anchor, |b| b == b' ');
        let end = self.run(start, is_token68);
        let secret = &self.text[start..end];
        let is_secret = if bearer { is_bearer_token(secret) } else { is_basic_pair(secret) };
        is_secret.then_some(start..end)
    }
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn is_upper_alphanumeric(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn is_token68(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// Prose goes on in words; tokens are long and mix letters with digits or capitals.
fn is_bearer_token(secret: &[u8]) -> bool {
    let any = |test: fn(&u8) -> bool| secret.iter().any(test);
    let letters = any(u8::is_ascii_lowercase) || any(u8::is_ascii_uppercase);
    (secret.len() >= 8 && letters && any(u8::is_ascii_digit))
        || (secret.len() >= 16
            && any(u8::is_ascii_lowercase)
            && secret[1..].iter().any(u8::is_ascii_uppercase))
}

/// Basic credentials are the base64 of `user:password`.
fn is_basic_pair(secret: &[u8]) -> bool {
    let trimmed = secret.iter().rposition(|b| *b != b'=').map_or(0, |at| at + 1);
    if trimmed < 4 || trimmed % 4 == 1 {
        return false;
    }
    let mut colon = false;
    let mut bits = 0u32;
    for (i, b) in secret[..trimmed].iter().enumerate() {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(value);
        if i % 4 != 0 {
            let byte = (bits >> (6 - 2 * (i % 4))) as u8;
            if byte < b' ' || byte == 0x7f {
                return false;
            }
            colon |= byte == b':';
        }
    }
    colon
}

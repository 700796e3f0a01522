//! The way of every string into the trail: redact, limit, sanitise, escape.
//!
//! What must stay true here: no string reaches the buffer by another way, whether it is a value, a
//! member name or the message of an error. After sanitising only `"` and `\` need an escape.

use std::io::Write;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::Sink;
use super::buffer::Buffer;
use crate::event::Text;
use crate::hex;
use crate::text::class::{self, CLASS, ESCAPE, SUSPECT};
use crate::text::is_forbidden;
use crate::text::redact::Redaction;

impl Sink<'_> {
    /// Writes a JSON string.
    #[inline]
    pub(crate) fn string(&mut self, text: &str) {
        self.string_between(b"\"", text, b"\"");
    }

    /// Writes the content of a JSON string between two pieces of JSON, which hold its quotes.
    #[inline]
    pub(super) fn string_between(&mut self, before: &[u8], text: &str, after: &[u8]) {
        // Shorter than any secret, shorter than any limit: what is plain is done.
        let done = text.len() < Redaction::SHORTEST
            && self.policy.redaction.is_built_in()
            && self.buf.put_plain(before, text.as_bytes(), after);
        if !done {
            self.buf.put(before);
            self.chars(text);
            self.buf.put(after);
        }
    }

    /// Writes a JSON string that is known to need nothing.
    #[inline]
    pub(crate) fn verbatim(&mut self, text: &str) {
        self.buf.put_all([b"\"", text.as_bytes(), b"\""]);
    }

    /// Writes a text of an event as a JSON string.
    pub(crate) fn text(&mut self, text: Text<'_>) {
        self.member(b"\"", text);
    }

    /// Writes a text of an event, its closing quote included; `before` is all that stands before it,
    /// its opening quote included.
    #[inline]
    pub(super) fn member(&mut self, before: &[u8], text: Text<'_>) {
        match text {
            Text::Str(text) => self.string_between(before, text, b"\""),
            Text::Ip(ip) => {
                self.buf.put(before);
                write_ip(self.buf, ip);
                self.buf.push(b'"');
            }
            Text::Uint(n) => {
                // As a string it may be shaped like a card number, so it goes the common way.
                self.string_between(before, itoa::Buffer::new().format(n), b"\"");
            }
        }
    }

    /// Writes the content of a JSON string.
    pub(crate) fn chars(&mut self, text: &str) {
        let class = class::union(text.as_bytes());
        let clean = class & (ESCAPE | SUSPECT) == 0
            && text.len() <= self.limit
            && !self.policy.redaction.may_find(text, class);
        if clean {
            self.buf.put(text.as_bytes());
        } else {
            self.careful(text, class);
        }
    }

    fn careful(&mut self, text: &str, class: u8) {
        let mut scratch = std::mem::take(&mut self.scratch.redacted);
        scratch.clear();
        let redacted = self.policy.redaction.redact(text, class, &mut scratch);
        let text = if redacted { scratch.as_str() } else { text };
        match cut(text, self.limit) {
            None => self.escaped(text),
            Some(end) => {
                self.escaped(&text[..end]);
                self.cut_mark(text.len() - end, text.as_bytes());
            }
        }
        self.scratch.redacted = scratch;
    }

    /// What stands where a string was cut: how much is missing, and the start of the SHA-256 of
    /// the whole, so that whoever holds the original can prove what it was.
    fn cut_mark(&mut self, missing: usize, whole: &[u8]) {
        self.buf.put("…[+".as_bytes());
        self.buf.put(itoa::Buffer::new().format(missing).as_bytes());
        self.buf.put(b" bytes sha256:");
        let digest = hex::encode(&Sha256::digest(whole).into());
        self.buf.put(&digest[..16]);
        self.buf.push(b']');
    }

    /// Sanitises and escapes; clean runs are copied whole.
    fn escaped(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut from = 0;
        let mut at = 0;
        while let Some(step) =
            bytes[at..].iter().position(|b| CLASS[usize::from(*b)] & (ESCAPE | SUSPECT) != 0)
        {
            at += step;
            let Some(c) = text[at..].chars().next() else { break };
            let next = at + c.len_utf8();
            if c == '"' || c == '\\' {
                self.buf.put(&bytes[from..at]);
                self.buf.put(&[b'\\', c as u8]);
                from = next;
            } else if is_forbidden(c) {
                self.buf.put(&bytes[from..at]);
                // `\u{hex}`, its backslash escaped.
                self.buf.push(b'\\');
                c.escape_unicode().for_each(|c| self.buf.push(c as u8));
                from = next;
            }
            at = next;
        }
        self.buf.put(&bytes[from..]);
    }

    /// Bytes as lower-case hex, limited as a string of the same bytes would be.
    pub(crate) fn hex_string(&mut self, bytes: &[u8]) {
        self.buf.push(b'"');
        let kept = bytes.len().min(self.limit / 2);
        for byte in &bytes[..kept] {
            let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
            self.buf.put(&[digit(byte >> 4), digit(byte & 15)]);
        }
        if kept < bytes.len() {
            self.cut_mark(bytes.len() - kept, bytes);
        }
        self.buf.push(b'"');
    }

    /// At most the first `keep` characters, marked with `…` when there are more.
    pub(crate) fn prefix(&mut self, text: &str, keep: usize) {
        self.buf.push(b'"');
        match cut(text, keep) {
            None => self.chars(text),
            Some(end) => {
                self.chars(&text[..end]);
                self.buf.put("…".as_bytes());
            }
        }
        self.buf.push(b'"');
    }
}

/// Where to cut a text so that `limit` characters remain; `None` if it has no more than that.
fn cut(text: &str, limit: usize) -> Option<usize> {
    if text.len() <= limit {
        return None;
    }
    text.char_indices().nth(limit).map(|(at, _)| at)
}

/// An address in its canonical form; the common kind without the formatting machinery.
fn write_ip(buf: &mut Buffer, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            let mut text = [0; 16];
            let mut end = 0;
            for octet in v4.octets() {
                let [digits @ .., length] = OCTETS[usize::from(octet)];
                if let Some(slot) = text.get_mut(end..).and_then(<[u8]>::first_chunk_mut) {
                    *slot = [digits[0], digits[1], digits[2], b'.'];
                }
                // One byte on it is a dot, behind the last octet too.
                end += usize::from(length);
                if let Some(dot) = text.get_mut(end) {
                    *dot = b'.';
                }
                end += 1;
            }
            buf.put(text.get(..end - 1).unwrap_or_default());
        }
        IpAddr::V6(v6) => {
            // Writing to a buffer cannot fail.
            drop(write!(buf, "{v6}"));
        }
    }
}

/// The digits of each octet, and how many they are.
static OCTETS: [[u8; 4]; 256] = octets();

const fn octets() -> [[u8; 4]; 256] {
    let mut table = [[0; 4]; 256];
    let mut n = 0;
    while n < 256 {
        let [hundreds, tens, ones] =
            [b'0' + (n / 100) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        table[n] = match n {
            0..=9 => [ones, 0, 0, 1],
            10..=99 => [tens, ones, 0, 2],
            _ => [hundreds, tens, ones, 3],
        };
        n += 1;
    }
    table
}

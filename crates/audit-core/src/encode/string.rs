//! The way of every string into the trail: redact, limit, sanitise, escape.
//!
//! What must stay true here: no string reaches the buffer by another way, whether it is a value, a
//! member name or the message of an error. After sanitising only `"` and `\` need an escape.

use std::io::Write;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::Sink;
use crate::event::Text;
use crate::hex;
use crate::text::class::{self, CLASS, ESCAPE, SUSPECT};
use crate::text::is_forbidden;

impl Sink<'_> {
    /// Writes a JSON string.
    #[inline]
    pub(crate) fn string(&mut self, text: &str) {
        self.buf.push(b'"');
        self.chars(text);
        self.buf.push(b'"');
    }

    /// Writes a JSON string that is known to need nothing.
    pub(crate) fn verbatim(&mut self, text: &str) {
        self.buf.push(b'"');
        self.buf.extend_from_slice(text.as_bytes());
        self.buf.push(b'"');
    }

    /// Writes a text of an event as a JSON string.
    #[inline]
    pub(crate) fn text(&mut self, text: Text<'_>) {
        match text {
            Text::Str(text) => self.string(text),
            Text::Ip(ip) => {
                self.buf.push(b'"');
                write_ip(self.buf, ip);
                self.buf.push(b'"');
            }
            Text::Uint(n) => {
                // As a string it may be shaped like a card number, so it goes the common way.
                self.string(itoa::Buffer::new().format(n));
            }
        }
    }

    /// Writes the content of a JSON string.
    #[inline]
    pub(crate) fn chars(&mut self, text: &str) {
        let class = class::union(text.as_bytes());
        let clean = class & (ESCAPE | SUSPECT) == 0
            && text.len() <= self.limit
            && !self.policy.redaction.may_find(text, class);
        if clean {
            self.buf.extend_from_slice(text.as_bytes());
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
        self.buf.extend_from_slice("…[+".as_bytes());
        self.buf.extend_from_slice(itoa::Buffer::new().format(missing).as_bytes());
        self.buf.extend_from_slice(b" bytes sha256:");
        let digest = hex::encode(&Sha256::digest(whole).into());
        self.buf.extend_from_slice(&digest[..16]);
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
                self.buf.extend_from_slice(&bytes[from..at]);
                self.buf.extend_from_slice(&[b'\\', c as u8]);
                from = next;
            } else if is_forbidden(c) {
                self.buf.extend_from_slice(&bytes[from..at]);
                // `\u{hex}`, its backslash escaped.
                self.buf.push(b'\\');
                self.buf.extend(c.escape_unicode().map(|c| c as u8));
                from = next;
            }
            at = next;
        }
        self.buf.extend_from_slice(&bytes[from..]);
    }

    /// Bytes as lower-case hex, limited as a string of the same bytes would be.
    pub(crate) fn hex_string(&mut self, bytes: &[u8]) {
        self.buf.push(b'"');
        let kept = bytes.len().min(self.limit / 2);
        for byte in &bytes[..kept] {
            let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
            self.buf.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
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
                self.buf.extend_from_slice("…".as_bytes());
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
fn write_ip(buf: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (i, octet) in v4.octets().into_iter().enumerate() {
                if i > 0 {
                    buf.push(b'.');
                }
                buf.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        IpAddr::V6(v6) => {
            // Writing to a Vec cannot fail.
            drop(write!(buf, "{v6}"));
        }
    }
}

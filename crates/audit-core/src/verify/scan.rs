//! The part of a verification that needs the lines: grammar, hashes, subtrees.
//!
//! What must stay true here: nothing depends on what came before the scan, so segments can be
//! scanned side by side. What is compressed into a run is only what cannot give a finding once its
//! first entry is linked up.

use std::collections::BTreeSet;

use super::control::ControlKind;
use super::finding::{Finding, FindingKind as Kind};
use super::forest::Forest;
use super::item::{self, Control, Item, Run, Unended};
use crate::chain::{Hash, HashedLine};
use crate::entry::{Entry, Parser, excerpt};
use crate::tree::stored_hash_index;

/// The hashes in `tree.hashes`, which are believed of nobody.
pub trait StoredHashes {
    /// The hash at an index, if the file reached so far when the verification began.
    fn stored(&mut self, index: u64) -> Option<Hash>;
}

/// There may be no such file.
impl<S: StoredHashes> StoredHashes for Option<S> {
    fn stored(&mut self, index: u64) -> Option<Hash> {
        self.as_mut()?.stored(index)
    }
}

/// Lent to one scan after the other.
impl<S: StoredHashes + ?Sized> StoredHashes for &mut S {
    fn stored(&mut self, index: u64) -> Option<Hash> {
        (**self).stored(index)
    }
}

/// There is no such file.
impl StoredHashes for () {
    fn stored(&mut self, _index: u64) -> Option<Hash> {
        None
    }
}

/// Scans lines of one segment after the other.
#[derive(Debug)]
pub struct Scanner<'a, S> {
    parser: Parser,
    /// Sizes of the tree at which a run must end.
    watched: &'a BTreeSet<u64>,
    stored: S,
    open: Option<Open>,
    /// What an entry that continues the one before has as `seq` and `prev_hash`.
    link: Option<(u64, Hash)>,
    has_mismatch: bool,
}

/// A run that may go on.
#[derive(Debug)]
struct Open {
    run: Run,
    forest: Forest,
    /// The size at which it must end.
    until: Option<u64>,
}

impl<'a, S: StoredHashes> Scanner<'a, S> {
    /// A scanner; runs end at the `watched` sizes of the tree.
    pub fn new(watched: &'a BTreeSet<u64>, stored: S) -> Scanner<'a, S> {
        Scanner {
            parser: Parser::default(),
            watched,
            stored,
            open: None,
            link: None,
            has_mismatch: false,
        }
    }

    /// Takes one line that begins at `offset` of its segment. Gives the entry, if the line is one.
    pub fn line<'l>(
        &mut self,
        offset: u64,
        hashed: &HashedLine<'l>,
        items: &mut Vec<Item>,
    ) -> Option<Entry<'l>> {
        let line = hashed.line();
        let entry = match self.parser.parse(line) {
            Ok(entry) => entry,
            Err(error) => {
                let finding = Finding::new(Kind::MalformedEntry).at(offset + error.offset as u64);
                self.unreadable(finding.evidence(error.expected, error.found), items);
                return None;
            }
        };
        let (seq, stated) = (entry.seq(), entry.hash());
        let computed = hashed.hash();
        let control = ControlKind::of(entry.event_type());
        let continues = computed == stated
            && control.is_none()
            && self.open.as_ref().is_some_and(|open| {
                open.forest.next() == seq && open.run.stated == entry.prev_hash()
            });
        if !continues {
            self.flush(items);
            let run = Run {
                offset,
                last: (offset, offset),
                seq,
                count: 0,
                prev_hash: entry.prev_hash(),
                first_hash: stated,
                stated,
                computed,
                subtrees: Vec::new(),
                control: control.map(|kind| Control {
                    kind,
                    details: entry.details().unwrap_or("").to_owned(),
                    line: if kind == ControlKind::KeyRotated { line.to_vec() } else { Vec::new() },
                }),
            };
            // An entry that comes out of order may be there for a second time, and the next one for
            // the first: it stands alone.
            let until = match self.link == Some((seq, entry.prev_hash())) {
                true => self.watched.range(seq.saturating_add(1)..).next().copied(),
                false => seq.checked_add(1),
            };
            self.open = Some(Open { run, forest: Forest::starting_at(seq), until });
        }
        self.link = Some((seq.saturating_add(1), stated));
        if let Some(open) = &mut self.open {
            open.run.count += 1;
            open.run.last = (offset, offset + line.len() as u64 + 1);
            (open.run.stated, open.run.computed) = (stated, computed);
            let (stored, has_mismatch) = (&mut self.stored, &mut self.has_mismatch);
            open.forest.append(0, computed, |level, n, hash| {
                if !*has_mismatch && let Some(finding) = compare(stored, level, n, hash) {
                    *has_mismatch = true;
                    items.push(Item(item::Kind::TreeMismatch(finding)));
                }
            });
            let ends = Some(open.forest.next()) == open.until;
            if ends || computed != stated || open.run.control.is_some() {
                self.flush(items);
            }
        }
        Some(entry)
    }

    /// Takes note of a line that is longer than any entry; `head` is how it begins.
    pub fn oversized_line(&mut self, offset: u64, len: u64, head: &[u8], items: &mut Vec<Item>) {
        let found = format!("{len} bytes: {}", excerpt(head));
        let finding = Finding::new(Kind::MalformedEntry).at(offset);
        self.unreadable(finding.evidence("a line no longer than an entry can be", found), items);
    }

    /// Takes note of a last line without its LF.
    pub fn partial_line(
        &mut self,
        offset: u64,
        len: u64,
        head: &[u8],
        how: Unended,
        items: &mut Vec<Item>,
    ) {
        let kind = match how {
            Unended::InFlight => Kind::InFlight,
            Unended::Torn | Unended::Closed => Kind::MalformedEntry,
        };
        let found = format!("{len} bytes without it: {}", excerpt(head));
        let finding = Finding::new(kind).at(offset).evidence("a line that ends in LF", found);
        match how {
            Unended::InFlight | Unended::Closed => self.unreadable(finding, items),
            Unended::Torn => {
                self.flush(items);
                items.push(Item(item::Kind::Torn(finding)));
            }
        }
    }

    /// Ends the run that is open. A segment must not end without it.
    pub fn flush(&mut self, items: &mut Vec<Item>) {
        if let Some(Open { mut run, forest, .. }) = self.open.take() {
            run.subtrees = forest.into_subtrees();
            items.push(Item(item::Kind::Run(run)));
        }
    }

    fn unreadable(&mut self, finding: Finding, items: &mut Vec<Item>) {
        self.flush(items);
        items.push(Item(item::Kind::Unreadable(finding)));
    }
}

/// Holds a stored hash against the one that the entries give.
pub(super) fn compare(
    stored: &mut dyn StoredHashes,
    level: u8,
    n: u64,
    hash: &Hash,
) -> Option<Finding> {
    let index = stored_hash_index(level, n);
    let found = stored.stored(index)?;
    (found != *hash).then(|| {
        let finding = Finding::new(Kind::TreeMismatch).in_file("tree.hashes");
        finding.at(index.saturating_mul(32)).evidence(hash, found)
    })
}

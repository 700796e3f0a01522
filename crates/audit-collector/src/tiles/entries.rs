//! Entry bundles from the segments.
//!
//! What must stay true here: an entry is served only if its hash is the leaf the tree has at its
//! place. Where entries stand is remembered at wide steps, and that memory only says where to look.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use audit_core::chain::Hash;
use audit_core::entry::Parser;
use audit_core::segment::SegmentName;
use audit_core::tile::{Tile, push_entry};
use audit_reader::{LineKind, Step, TrailReader};

use super::{No, Tiles};

/// Every so many entries a place is remembered: some bytes for each megabyte of trail.
const STEP: u64 = 4096;
/// So many places at most.
const MAX_PLACES: usize = 1 << 18;

/// Where some entries stand.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<u64, (SegmentName, u64)>);

impl Places {
    fn before(&self, seq: u64) -> Option<(u64, SegmentName, u64)> {
        let (at, place) = self.0.range(..=seq).next_back()?;
        Some((*at, place.0, place.1))
    }

    fn remember(&mut self, seq: u64, segment: SegmentName, offset: u64) {
        if seq.is_multiple_of(STEP) && self.0.len() < MAX_PLACES {
            self.0.insert(seq, (segment, offset));
        }
    }
}

impl Tiles {
    /// The entries with these hashes, from the first of the tile on.
    pub(super) fn bundle(&self, tile: Tile, hashes: &[Hash]) -> Result<Vec<u8>, No> {
        let first = tile.first_leaf().ok_or(No::NotThere)?;
        let near = self.places.lock().unwrap_or_else(PoisonError::into_inner).before(first);
        if let Some((seq, segment, offset)) = near
            && first - seq < 4 * STEP
            && let Ok(reader) = TrailReader::starting_at(self.source.clone(), segment, offset)
            && let Ok(bundle) = self.read(reader, first, hashes)
        {
            return Ok(bundle);
        }
        let reader = match self.segment_of(first)? {
            Some(name) => TrailReader::starting_at(self.source.clone(), name, 0)?,
            None => return Err(No::NotThere),
        };
        match self.read(reader, first, hashes) {
            // Nothing of what a search assumes need be true of a damaged trail.
            Err(_) => self.read(TrailReader::new(self.source.clone()), first, hashes),
            read => read,
        }
    }

    fn read(&self, mut reader: TrailReader, first: u64, hashes: &[Hash]) -> Result<Vec<u8>, No> {
        let mut bundle = Vec::new();
        let mut parser = Parser::default();
        let mut wanted = first;
        let mut hashes = hashes.iter();
        let mut hash = hashes.next();
        while let Some(expected) = hash {
            match reader.step()? {
                Step::Line(segment, line) if line.kind == LineKind::Complete => {
                    let Ok(entry) = parser.parse(line.bytes) else { continue };
                    let seq = entry.seq();
                    if seq.is_multiple_of(STEP) {
                        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
                        places.remember(seq, segment, line.offset);
                    }
                    // A copy of an entry may stand in two segments; the leaf is the same.
                    if seq != wanted || entry.computed_hash() != *expected {
                        if seq > wanted {
                            return Err(No::Damaged);
                        }
                        continue;
                    }
                    push_entry(&mut bundle, line.bytes).map_err(|_| No::Damaged)?;
                    (wanted, hash) = (wanted + 1, hashes.next());
                }
                Step::Unfinished(..) | Step::CaughtUp => return Err(No::Damaged),
                _ => {}
            }
        }
        Ok(bundle)
    }

    /// The segment that should hold an entry; `None` if the trail begins after it.
    fn segment_of(&self, seq: u64) -> Result<Option<SegmentName>, No> {
        let segments = self.source.segments()?;
        let (mut low, mut high) = (0, segments.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.first_seq(segments[middle])? {
                Some(first) if first <= seq => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low.checked_sub(1).and_then(|at| segments.get(at)).copied())
    }

    fn first_seq(&self, name: SegmentName) -> Result<Option<u64>, No> {
        let mut reader = TrailReader::starting_at(self.source.clone(), name, 0)?;
        match reader.step()? {
            Step::Line(segment, line) if segment == name => {
                Ok(Parser::default().parse(line.bytes).ok().map(|entry| entry.seq()))
            }
            _ => Ok(None),
        }
    }
}
